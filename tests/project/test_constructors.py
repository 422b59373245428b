"""Every tensor that is made says where it lies: DeepXDE makes a GPU the default device."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# Of torch; those that take the type and place of another tensor (`new_*`, `*_like`) need no word,
# and `from_numpy` always makes a tensor in main memory.
MAKERS = {
    *("Generator", "arange", "as_tensor", "asarray", "empty", "eye", "full", "linspace"),
    *("logspace", "normal", "ones", "rand", "randint", "randn", "randperm", "range"),
    *("scalar_tensor", "sparse_coo_tensor", "sparse_csr_tensor", "tensor", "tril_indices"),
    *("triu_indices", "vander", "zeros"),
}
# Function, and why the default device is right there; a shorter list is better than a good reason.
ON_DEFAULT = {
    "pinn_ext/dde/data/graph_data.py:GraphData.spread_batch:linspace": "read as a list",
    "pinn_ext/dde/gauss_newton/loop.py:GaussNewtonTraining._balance:tensor": "DeepXDE's own place",
    "pinn_ext/dde/model/field_scales.py:_at_points:as_tensor": "as DeepXDE does with its arrays",
    "pinn_ext/dde/model/field_scales.py:_of_targets:as_tensor": "as DeepXDE does with its arrays",
    "pinn_ext/dde/model/field_scales.py:_values_of:as_tensor": "as DeepXDE does with its arrays",
    "pinn_ext/dde/model/loss_terms.py:weights_list:as_tensor": "goes to main memory at once",
    "pinn_ext/dde/model/residual_rows.py:ModelRows.vectors:as_tensor": "as DeepXDE does",
    "pinn_ext/dde/weighting/loss_recorder.py:LossRecorder._look_again:as_tensor": "follows `to`",
    "pinn_ext/networks/field_network.py:FieldNetwork.__init__:tensor": "lies with torch's layers",
    "pinn_ext/plain_torch/loss_aggregator.py:LossAggregator.__init__:ones": "as torch's modules",
    "pinn_ext/random_state.py:check_state:Generator": "torch's default is the CPU",
}


def makers(source):
    """Yield (function, call) of each constructor in a source that does not say where."""
    tree = ast.parse(source)
    yield from _of(tree, "", False)


def _of(node, function, placed):
    if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
        function = f"{function}.{node.name}".lstrip(".")
    if isinstance(node, ast.With):
        placed = placed or any(_is_on_cpu(item.context_expr) for item in node.items)
    if isinstance(node, ast.Call) and not placed:
        name = _name(node.func)
        if name in MAKERS and not _says_where(name, node):
            yield function, name
    for child in ast.iter_child_nodes(node):
        yield from _of(child, function, placed)


def _name(func):
    of_torch = isinstance(func, ast.Attribute) and isinstance(func.value, ast.Name)
    return func.attr if of_torch and func.value.id == "torch" else None


def _is_on_cpu(call):
    return isinstance(call, ast.Call) and ast.unparse(call.func) in ("on_cpu", "torch.device")


def _says_where(name, call):
    if name == "Generator" and call.args:
        return True
    # A mapping of options is followed by name: `_PLAIN` of the domains holds the device.
    names = [keyword.arg or ast.unparse(keyword.value) for keyword in call.keywords]
    return "device" in names or "_PLAIN" in names


@pytest.mark.parametrize("package", ["solvers", "pinn_ext"])
def test_constructors_say_where(package):
    silent = set()
    for path in sorted((ROOT / package).rglob("*.py")):
        name = path.relative_to(ROOT).as_posix()
        silent |= {f"{name}:{where}:{what}" for where, what in makers(path.read_text("utf-8"))}
    assert silent <= set(ON_DEFAULT)
    assert all(ON_DEFAULT.values()), "each needs its reason"


def test_the_search_finds_what_it_should():
    source = """
def f(x):
    a = torch.zeros(3), x.new_zeros(3), torch.zeros_like(x), torch.zeros(3, device=x.device)
    with on_cpu():
        b = torch.arange(3)
    return torch.Generator("cpu"), torch.Generator()
"""
    assert list(makers(source)) == [("f", "zeros"), ("f", "Generator")]
