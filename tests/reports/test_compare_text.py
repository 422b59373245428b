"""What a sweep's folder says of its jobs is text: comparing looks nothing up."""

import json

from pinn_ext.reports.compare import compare, planned_jobs


def test_planned_overrides_stay_text(tmp_path, monkeypatch):
    monkeypatch.setenv("TOKEN", "not-for-others")
    (tmp_path / "0").mkdir()
    content = {"status": "failed", "job": 0, "message": "no reason"}
    (tmp_path / "0" / "report.json").write_text(json.dumps(content))
    (tmp_path / "multirun.yaml").write_text(
        "hydra:\n"
        "  sweeper: {_target_: hydra._internal.core_plugins.basic_sweeper.BasicSweeper}\n"
        "  overrides: {task: ['experiment.name=${oc.env:TOKEN},plain', 'seed=3']}\n"
    )
    # Hydra writes a job's overrides such that its parser takes each character for itself.
    planned = planned_jobs(tmp_path)
    assert [[part.replace("\\", "") for part in job] for job in planned] == [
        ["experiment.name=${oc.env:TOKEN}", "seed=3"],
        ["experiment.name=plain", "seed=3"],
    ]
    compare(tmp_path)
    written = [(tmp_path / f"comparison.{kind}").read_text() for kind in ("csv", "json")]
    assert all("TOKEN" in text and "not-for-others" not in text for text in written)
