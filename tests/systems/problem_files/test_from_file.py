"""Systems from a user's file: what they hold, what their functions get, and what is refused."""

from pathlib import Path

import pytest
import torch

from pinn_ext import systems
from pinn_ext.derivatives.autograd import AutogradDerivatives
from pinn_ext.networks.hard_conditions import HardConditions
from pinn_ext.systems.problem_files import ProblemFileError
from tests.systems.test_equations import random_inputs

HEAT = Path(__file__).parent / "heat.py"
F64 = torch.float64

PLAIN = """
import torch
from pinn_ext.systems import dirichlet, neumann

LOWER, UPPER, FINAL_TIME = 0.0, 1.0, 2.0
PARAMETERS = {"k": 2.0}
BOUNDARY = "periodic"

def rhs(u, v, d, k):
    return d.laplacian(u) - k * v, d.laplacian(v) + k * u

def initial(x):
    return torch.cat((torch.cos(2 * torch.pi * x), 0.5 + 0 * x), dim=1)
"""


@pytest.fixture
def write(tmp_path):
    """Write `PLAIN` with some of its text replaced: `write("old", "new", …)` gives the path."""

    def call(*replaced, end=""):
        text = PLAIN
        for old, new in zip(replaced[::2], replaced[1::2], strict=True):
            assert old in text
            text = text.replace(old, new)
        path = tmp_path / "mine.py"
        path.write_text(text + end)
        return path

    return call


def test_a_file_is_a_system(write):
    system = systems.from_file(write())
    assert (system.name, system.boundary, system.dimension) == ("from_file", "periodic", 1)
    assert (system.lower, system.upper, system.final_time) == ((0.0,), (1.0,), 2.0)
    assert not system.has_exact and not system.has_solution and not system.needs_soft
    assert system.default_nodes == 25
    u, v = system.field_scales(65)
    assert u == pytest.approx(0.5**0.5, rel=0.02) and v == pytest.approx(0.5)
    one = torch.ones(3, dtype=F64)

    class Threefold:
        def laplacian(self, field):
            return 3 * field

    rates = system.rates(one, 2 * one, Threefold(), one[:, None], one)
    assert [rate[0].item() for rate in rates] == [3 - 4, 6 + 2]


def test_parameters_are_given_anew(write):
    system = systems.from_file(write(), k=5.0)
    one = torch.ones(1, dtype=F64)

    class Flat:
        def laplacian(self, field):
            return 0 * field

    assert [rate.item() for rate in system.rates(one, one, Flat(), one[:, None], one)] == [-5, 5]
    with pytest.raises(ValueError, match=r"`parameters` must be among k of mine\.py, got 'l'"):
        systems.from_file(write(), l=1.0)


def test_the_heat_file_is_exact():
    system = systems.from_file(HEAT)
    assert system.boundary == "mixed" and system.periodic_axes == [1] and system.has_slopes
    assert system.sides == (("neumann", "dirichlet"), ("periodic", "periodic"))
    inputs = random_inputs(system).requires_grad_()
    fields = system.exact(inputs[:, :-1], inputs[:, -1])
    d = AutogradDerivatives(inputs)
    u, v = fields.unbind(dim=1)
    for field, rate in zip((u, v), system.rates(u, v, d, inputs[:, :-1], inputs[:, -1]),
                           strict=True):  # fmt: skip
        assert (d.time(field) - rate).abs().max() < 1e-13
    left = random_inputs(system)
    left[:, 0] = 0.0
    left.requires_grad_()
    d = AutogradDerivatives(left)
    normals = torch.tensor([[-1.0, 0.0]], dtype=F64).expand(len(left), 2)
    given = system.slopes(left[:, :-1], normals, left[:, -1])
    for i, field in enumerate(system.exact(left[:, :-1], left[:, -1]).unbind(dim=1)):
        torch.testing.assert_close(-d.gradient(field)[0], given[:, i], atol=1e-13, rtol=0)


def test_hard_conditions_need_sides_of_one_kind_and_data_that_agree(write):
    assert "not all sides are periodic" in systems.from_file(HEAT).needs_soft
    with pytest.raises(ValueError, match="must be soft where not all sides"):
        HardConditions(systems.from_file(HEAT))
    ends = '"periodic"', "dirichlet((1.0, 0.5))"
    assert systems.from_file(write(*ends)).needs_soft == ""
    apart = systems.from_file(write('"periodic"', "dirichlet((1.5, 0.5))"))
    assert "differ at t = 0 (by 0.5 at x = (0))" in apart.needs_soft


def test_one_condition_for_every_domain(tmp_path):
    text = HEAT.read_text()
    path = tmp_path / "everywhere.py"
    path.write_text(text[: text.index("BOUNDARY =")] + "BOUNDARY = dirichlet(exact)\n")
    system = systems.from_file(path).on("disk")
    x = system.geometry.boundary_nodes(0.2)
    inside = torch.tensor([[0.5, 3.0]], dtype=F64)
    t = torch.full_like(x[:, 0], 0.25)
    torch.testing.assert_close(system.data(x, t), system.exact(x, t))
    torch.testing.assert_close(system.data(inside, t[:1]), system.initial(inside))
    assert system.gives_values(x).all() and "soft" not in system.needs_soft != ""
    with pytest.raises(ValueError, match="where BOUNDARY speaks of sides of the box, got 'disk'"):
        systems.from_file(HEAT).on("disk")


@pytest.mark.parametrize(
    ("replaced", "message"),
    [
        (("def rhs", "def right"), "mine.py must define LOWER.*got no rhs"),
        (("FINAL_TIME = 0.0", "FINAL_TIM = 0.0"), "got no FINAL_TIME"),
        (("1.0, 2.0\n", "1.0, -2.0\n"), "mine.py: `FINAL_TIME` must be a finite number > 0"),
        (("= 0.0, 1.0,", "= 1.0, 1.0,"), r"mine.py: `LOWER` must lie below UPPER \(1.0,\)"),
        (("= 0.0, 1.0,", "= (0, 0), 1.0,"), "mine.py: `LOWER` must lie below UPPER"),
        (("(u, v, d, k)", "(u, v, d, x, k)"), "mine.py: `rhs` must take u, v, d or u, v, d, x, t"),
        (("k * u\n", "k * u, u\n"), r"mine.py: `rhs` must return two tensors \[9\], got"),
        (
            ("k * u\n", "k * q\n"),
            "mine.py: `rhs` cannot be evaluated, line 10: NameError: name 'q'",
        ),
        (("- k * v", "- torch.log(-k * v)"), "mine.py: `rhs` must be finite at the start"),
        (
            ("0.5 + 0 * x), dim=1", "0 * x, x), dim=1"),
            r"`initial` must return u and v side by.*3\]",
        ),
        (("torch.cos(2", "torch.sqrt(-2"), "mine.py: `initial` must be finite at the start"),
        (("return torch.cat", "return list"), "mine.py: `initial` cannot be evaluated, line 13"),
        (('{"k": 2.0}', '{"k": 2.0, "l": 1.0}'), "`PARAMETERS` must name parameters.*got 'l', wh"),
        (('{"k": 2.0}', '{"k": "two"}'), r"mine.py: `PARAMETERS\['k'\]` must be a finite number"),
        (('"periodic"', '"open"'), "mine.py: `BOUNDARY` must be made of dirichlet"),
        (("import torch\n", "import torch\nimport no_such\n"), "cannot be run, line 3: ModuleNotF"),
        (("import torch\n", "import torch(\n"), "mine.py cannot be run, line 2: SyntaxError"),
        (("import torch\n", "import torch\nexit()\n"), "cannot be run, line 3: SystemExit"),
    ],
)
def test_what_is_wrong_in_a_file_is_one_sentence(write, replaced, message):
    if "FINAL_TIM " in replaced[1]:
        replaced = ("LOWER, UPPER, FINAL_TIME", "LOWER, UPPER, FINAL_TIM")
    with pytest.raises(ProblemFileError, match=message) as caught:
        systems.from_file(write(*replaced))
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 400


def test_an_exact_solution_begins_where_the_problem_does(write):
    end = "\ndef exact(x, t):\n    return initial(x) + {}\n"
    with pytest.raises(ProblemFileError, match=r"`exact` must equal initial at t = 0, got 0.1 ap"):
        systems.from_file(write(end=end.format(0.1)))
    assert systems.from_file(write(end=end.format("t[:, None]"))).has_exact


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(ProblemFileError, match=r"cannot be read \(No such file"):
        systems.from_file(tmp_path / "no.py")
    with pytest.raises(ProblemFileError, match=r"cannot be read \(Is a directory"):
        systems.from_file(tmp_path)
    (tmp_path / "bytes.py").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ProblemFileError, match=r"it is no text in UTF-8"):
        systems.from_file(tmp_path / "bytes.py")


def test_sizes_and_nodes_of_the_file(write):
    system = systems.from_file(write(end="\nSCALES = (2.0, 3.0)\nNODES = 7\n"))
    assert system.field_scales() == (2.0, 3.0) and system.default_nodes == 7
