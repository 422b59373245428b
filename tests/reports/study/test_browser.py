"""The page of a study in Debian's headless Chromium: no error, pictures load, tables sort."""

import html
import json
import re
import shutil
import subprocess

import pytest

from pinn_ext.reports.study import page
from tests.reports.study.rows import product, study

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed"),
]
# Clicks a head of the last table twice and tells what it has seen.
PROBE = """
<script>
window.errors = [];
window.addEventListener("error", (event) => window.errors.push(String(event.message)));
window.addEventListener("load", () => {
  const tables = [...document.querySelectorAll("table")], last = tables.at(-1);
  const column = (i) => [...last.tBodies[0].rows].map((row) => row.cells[i].textContent);
  const click = (i) => { last.querySelectorAll("th button")[i].click(); return column(i); };
  const found = {
    width: window.innerWidth,
    scroll: document.documentElement.scrollWidth,
    loaded: [...document.images].map((one) => one.complete && one.naturalWidth > 100),
    narrow: [...document.images].filter((one) => one.clientWidth < 500).length,
    names: [click(0), click(0)],
    medians: [click(1), click(1)],
    sorted: last.querySelectorAll("th")[1].getAttribute("aria-sort"),
    errors: window.errors,
  };
  parent.document.title = "FOUND" + JSON.stringify(found) + "END";
});
</script>
"""


@pytest.fixture(scope="module")
def text(tmp_path_factory):
    folder = tmp_path_factory.mktemp("study")
    values = {
        "fixed": [0.1, 0.2],
        "ema": [0.02, 0.04],
        "ntk": ["failed", "failed"],
        "rba": [1.5, 2],
    }
    record, rows = study(product("abc", values, values), ("fixed", "ema", "rba"))
    page.write(record, rows, folder)
    return (folder / "index.html").read_text("utf-8")


def seen(text, folder, width):
    """Return what the probe finds in a window of a width, and what the browser has to complain."""
    path = folder / "page.html"
    # In a frame, as no window of chromium is narrower than 500 pixels.
    inner = html.escape(text.replace("<head>", f"<head>{PROBE}"), quote=True)
    path.write_text(
        '<!DOCTYPE html><meta charset="utf-8"><title>-</title><link rel="icon" href="data:,">'
        f'<iframe style="width:{width}px;height:800px;border:0" srcdoc="{inner}"></iframe>',
        "utf-8",
    )
    call = [
        *(CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"),
        *(f"--user-data-dir={folder / 'profile'}", f"--window-size={width + 100},900"),
        *("--enable-logging=stderr", "--virtual-time-budget=5000", "--dump-dom", path.as_uri()),
    ]
    done = subprocess.run(call, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    (found,) = re.findall("FOUND(.*)END</title>", done.stdout)
    return json.loads(found), re.findall(r".*CONSOLE.*", done.stderr)


def test_on_a_desk(text, tmp_path):
    found, complaints = seen(text, tmp_path, 1200)
    assert found["errors"] == [] and complaints == []
    assert found["loaded"] and all(found["loaded"])
    assert found["names"] == [["ema", "fixed", "ntk", "rba"], ["rba", "ntk", "fixed", "ema"]]
    up, down = found["medians"]
    assert up == ["3.00e-02", "1.50e-01", "1.75e+00", "failed"] and down == up[::-1]
    assert found["sorted"] == "descending"


def test_on_a_phone(text, tmp_path):
    found, complaints = seen(text, tmp_path, 390)
    assert complaints == [] and found["width"] <= 390
    # Pictures keep the size that their letters are readable at; they are moved, the page is not.
    assert found["scroll"] <= found["width"] and found["narrow"] == 0
