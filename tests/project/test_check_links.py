"""`make docs-check` tells a dead link from a site that cannot be reached."""

import json
import subprocess
import sys

from tests.project.test_links import DOCS

REFUSED = "Max retries exceeded with url: / (Caused by NameResolutionError(…))"


def row(status, info="", uri="https://arxiv.org/abs/1"):
    return {"filename": "a.md", "lineno": 3, "status": status, "code": 0, "uri": uri, "info": info}


def checked(tmp_path, rows):
    file = tmp_path / "output.json"
    file.write_text("\n".join(map(json.dumps, rows)), "utf-8")
    command = [sys.executable, "-I", str(DOCS / "check_links.py"), str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout


def test_without_a_network_nothing_is_said_of_any_link(tmp_path):
    rows = [row("broken", REFUSED), row("timeout", uri="https://b.org"), row("unchecked", uri="#a")]
    status, text = checked(tmp_path, rows)
    assert status == 2
    assert text.startswith("Nothing was checked: none of 2 links on 2 sites had an answer")


def test_a_dead_link_is_named_and_a_silent_site_apart(tmp_path):
    gone = row("broken", "404 Client Error: Not Found for url", "https://c.org/x")
    status, text = checked(
        tmp_path, [row("working"), gone, row("broken", REFUSED, "https://b.org")]
    )
    assert status == 1
    first, dead, silent = text.splitlines()
    assert first == "1 links work, 1 are dead, 1 had no answer."
    assert dead == "dead: a.md:3: https://c.org/x: 404 Client Error: Not Found for url"
    assert silent.startswith("no answer") and silent.endswith("a.md:3: https://b.org")
    assert checked(tmp_path, [row("working"), row("redirected")]) == (
        0,
        "2 links work, 0 are dead, 0 had no answer.\n",
    )
