"""Parts deep inside of checkpoints: each damaged one is refused by name, and nothing changes."""

import copy

import pytest
import torch

from tests.lengths import quick_are
from tests.program.conftest import SMALL

AUTO = "training.loss.adaptive.strategy=auto"
KINDS = {
    "gauss_newton": [
        *("training=gauss_newton", "training.epochs=0", "training.gauss_newton.points=64"),
        "training.gauss_newton.iterations=2",
    ],
    "lbfgs": ["training.lbfgs_iterations=4", "training.epochs=1"],
    "auto": ["training=adaptive_auto", "training.epochs=20"],
    "rba": ["training=adaptive_rba", "training.epochs=1"],
    "relobralo": ["training=adaptive_relobralo", "training.epochs=2"],
}
DAMAGE = {
    "gauss_newton": [
        (("gauss_newton", "training", "done"), -1),
        (("gauss_newton", "training", "converged"), "no"),
        (("gauss_newton", "training", "loss_weights"), ["a"]),
        (("gauss_newton", "training", "stepper", "x"), torch.zeros(3, dtype=torch.int64)),
        (("gauss_newton", "training", "stepper", "cost"), float("nan")),
        (("gauss_newton", "training", "stepper", "memory"), {"damping": "x"}),
        (("gauss_newton", "training", "stepper", "scale"), torch.zeros(2)),
        (("gauss_newton", "training", "stepper", "nfev"), 1.5),
    ],
    "lbfgs": [
        (("optimizer_state_dict", "state", 0, "n_iter"), -2),
        (("optimizer_state_dict", "state", 0, "d"), torch.zeros(3)),
        (("optimizer_state_dict", "state", 0, "old_dirs"), torch.zeros(3)),
        (("optimizer_state_dict", "state", 0, "ro"), [1.0] * 90),
        (("optimizer_state_dict", "state", 0, "H_diag"), torch.zeros(4)),
    ],
    "auto": [
        (("adaptive_weights_state", "pilots", "tournament", "live"), 99),
        (("adaptive_weights_state", "pilots", "tournament", "scores"), {0: "x"}),
        (("adaptive_weights_state", "pilots", "tournament", "rounds"), [[1]]),
        (("adaptive_weights_state", "pilots", "waiting"), {0: {}}),
        (("adaptive_weights_state", "pilots", "judge"), {}),
        (("adaptive_weights_state", "pilots", "begun"), "x"),
        (("adaptive_weights_state", "pilots", "common"), 3),
        (("adaptive_weights_state", "meter"), {"generator": None}),
    ],
    "rba": [
        (("adaptive_weights_state", "points", "tables"), 3),
        (("adaptive_weights_state", "points", "tables", 0, "count"), -1),
        (("adaptive_weights_state", "points", "tables", 0, "keys"), torch.zeros(2)),
        (("adaptive_weights_state", "points", "tables", 0, "state"), {"lambdas": "x"}),
    ],
    "relobralo": [
        (("adaptive_weights_state", "manager", "state", "updates"), "x"),
        (("adaptive_weights_state", "manager", "state", "last"), [1.0]),
        (("adaptive_weights_state", "manager", "state", "weights"), None),
    ],
}


def _damaged(content, path, bad):
    content = copy.deepcopy(content)
    place = content
    for key in path[:-1]:
        place = place[key]
    assert path[-1] in place if isinstance(place, dict) else path[-1] < len(place)
    place[path[-1]] = bad
    return content


@pytest.mark.parametrize("kind", quick_are(["rba", "relobralo"], KINDS))
def test_refused(run, tmp_path, kind):
    assert run(*SMALL, *KINDS[kind], "hydra.run.dir=a").status == 0
    file = tmp_path / "a" / "checkpoint.pt"
    whole = torch.load(file, weights_only=True)
    others = {path: path.read_bytes() for path in file.parent.iterdir() if path != file}
    for path, bad in DAMAGE[kind]:
        torch.save(_damaged(whole, path, bad), file)
        before = file.read_bytes()
        done = run("training.resume=a")
        assert done.status in (1, 2) and done.err.startswith("pinn-ext: "), (path, done.err)
        assert done.err.count("\n") == 1 and "is damaged (" in done.err, (path, done.err)
        assert file.read_bytes() == before, path
        assert {one: one.read_bytes() for one in others} == others, path
    torch.save(whole, file)
    assert run("training.resume=a").status == 0
