"""Every system, in each of its cases and kinds of boundary, is trained by the program."""

import pytest

from tests.program.conftest import SMALL, read_report
from tests.systems.every_case import CASES


@pytest.mark.slow
@pytest.mark.parametrize("conditions", ["hard", "soft"])
@pytest.mark.parametrize(("name", "case", "boundary"), CASES)
def test_it_is_trained_and_measured(run, name, case, boundary, conditions):
    given = [f"problem={name}", f"problem.boundary={boundary}", f"problem.conditions={conditions}"]
    given += [f"problem.case={case}"] if case else []
    done = run("training=adaptive_field_scale", *SMALL[1:], *given, "training.epochs=2")
    assert done.status == 0, done.err
    report = read_report(done.folder)
    assert set(report["relative_l2"]) == {"u", "v"}
    assert all(0 < error < 100 for error in report["relative_l2"].values())
