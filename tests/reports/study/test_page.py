"""Page and files of a study whose rows are made by hand."""

import csv
import json
import re
from html.parser import HTMLParser

import pytest

from pinn_ext.files import RunError
from pinn_ext.reports.figures import OTHERS
from pinn_ext.reports.study import html, page, pictures, records
from pinn_ext.reports.study.tables import Cell, Table
from tests.reports.study.rows import job, product, row, study

VALUES = {"fixed": [0.1, 0.2], "ema": [0.2, 0.4], "ntk": ["failed", 0.3]}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Give the folder of a study, its record and what was printed."""
    folder = tmp_path_factory.mktemp("study")
    record, rows = study(product(["a", "b & <c>"], VALUES, VALUES), ("fixed", "ema"), "A <b>title")
    record.write(folder)
    for one in rows.values():
        records.append_row(folder, one)
    drawn = pictures.rank_diagram([[1.0, 2.0]], ["x", "y"])

    def draw(run, overrides):
        own = run == folder / "jobs" / "a.soft.epochs.fixed.0"
        return drawn if own and overrides == [] else None

    return folder, record, page.write(record, records.read_rows(folder), folder, draw)


class Tags(HTMLParser):
    """Counts tags, and holds that each is closed."""

    def __init__(self, text):
        super().__init__()
        self.count, self.open = {}, []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.count[tag] = self.count.get(tag, 0) + 1
        if tag not in ("meta", "link", "img"):
            self.open.append(tag)
        for _, value in attributes:
            assert not re.match(r"(https?:)?//", value or ""), "the page must need no network"

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_the_page_is_whole_and_needs_nothing_else(made):
    text = (made[0] / "index.html").read_text("utf-8")
    tags = Tags(text)
    assert tags.open == []
    assert tags.count["table"] == 4  # ranks, tests and one for each case
    assert tags.count["img"] == 1 + 2 * 2 + 1  # ranks, two for each case, fields of one of them
    assert text.count("data:image/png;base64,") == tags.count["img"]
    assert "A &lt;b&gt;title" in text and "b &amp; &lt;c&gt;" in text and "<c>" not in text
    assert 'name="viewport"' in text


def test_what_is_printed_stands_on_the_page(made):
    text = (made[0] / "index.html").read_text("utf-8")
    said = made[2].split("\n\n")
    assert said[0].startswith("\na: The smallest") or said[1].startswith("a: The smallest")
    assert "Runs without a result: ntk (1 of 2)." in made[2]
    assert "Runs without a result: ntk (1 of 2)." in text and "Mean ranks" in text


def test_files_hold_the_rows(made):
    with open(made[0] / "runs.csv", newline="") as file:
        lines = list(csv.DictReader(file))
    assert len(lines) == 12 and lines[0]["worst"] == "0.1" and lines[4]["status"] == "failed"
    with open(made[0] / "summary.csv", newline="") as file:
        first = next(csv.DictReader(file))
    assert first["strategy"] == "fixed" and float(first["median"]) == pytest.approx(0.15)
    assert (made[0] / "tests.csv").is_file() and (made[0] / "ranks.csv").is_file()


def test_rows_alone_give_the_same_page(made, tmp_path):
    for name in (records.STUDY_FILE, records.ROWS_FILE):
        (tmp_path / name).write_bytes((made[0] / name).read_bytes())
    (tmp_path / "fields").mkdir()
    (tmp_path / "fields" / "a.soft.epochs.png").write_bytes(
        (made[0] / "fields" / "a.soft.epochs.png").read_bytes()
    )
    page.write(records.read_record(tmp_path), records.read_rows(tmp_path), tmp_path)
    again, before = ((folder / "index.html").read_text("utf-8") for folder in (tmp_path, made[0]))
    assert again == before


def test_cells_say_by_what_they_are_sorted():
    text = html.table(Table(("a", "b"), [[Cell("x"), Cell("1.0", 1.0)], [Cell("y"), Cell("-")]]))
    assert '<td data-n="1.0">1.0</td>' in text and "<td>-</td>" in text
    assert 'data-n="Infinity"' in html.table(Table(("a",), [[Cell("failed", float("inf"))]]))


def test_colours_are_those_that_all_tell_apart():
    style = pictures.styles([str(i) for i in range(30)])
    assert style["0"] == {"color": "#0072B2", "linestyle": "-"}
    assert style["7"] == {"color": "#0072B2", "linestyle": "--"}
    assert len({tuple(look.items()) for look in style.values()}) == 22
    assert style["29"] == OTHERS


# ---- rows and record ----------------------------------------------------------------------------


def test_a_torn_line_is_left_out_and_cut_off(tmp_path):
    own, other = job(seed=1), job(seed=2)
    records.append_row(tmp_path, row(own, 0.1))
    path = tmp_path / records.ROWS_FILE
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"name": "tor')
    assert list(records.read_rows(tmp_path)) == [own.name]
    records.append_row(tmp_path, row(other, 0.2))
    assert path.read_bytes().startswith(whole) and b"tor" not in path.read_bytes()
    assert list(records.read_rows(tmp_path)) == [own.name, other.name]


def test_a_file_of_a_torn_line_alone(tmp_path):
    (tmp_path / records.ROWS_FILE).write_bytes(b'{"na')
    assert records.read_rows(tmp_path) == {}
    records.append_row(tmp_path, row(job(), 0.1))
    assert len(records.read_rows(tmp_path)) == 1


def test_the_last_row_of_a_job_counts(tmp_path):
    own = job()
    for status in ("failed", "ok"):
        records.append_row(tmp_path, row(own, 0.1, status=status))
    rows = records.read_rows(tmp_path)
    assert rows[own.name]["status"] == "ok"
    assert records.pending([own, job(seed=1)], rows) == [job(seed=1)]
    failed = {own.name: row(own, None, status="failed")}
    assert records.pending([own], failed) == [] and records.pending([own], failed, True) == [own]


def test_a_damaged_line_is_named(tmp_path):
    (tmp_path / records.ROWS_FILE).write_text('{"name":"a"}\nnonsense\n')
    with pytest.raises(RunError, match="is damaged in line 2"):
        records.read_rows(tmp_path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "cannot be read"),
        ("[]", "must be that of a study, got something else"),
        ('{"format": "pinn_ext study", "format_version": 7}', "is of format 7, this pinn_ext rea"),
        ('{"format": "pinn_ext study", "format_version": 1}', "is damaged"),
    ],
)
def test_a_folder_of_another_kind_is_refused(tmp_path, content, message):
    (tmp_path / records.STUDY_FILE).write_text(content)
    with pytest.raises(RunError, match=message):
        records.read_record(tmp_path)
    with pytest.raises(RunError, match="must hold a study"):
        records.read_record(tmp_path / "nowhere")


def test_a_study_goes_on_with_its_own_jobs_alone(tmp_path):
    record, _ = study({("a", "fixed"): [0.1, 0.2]})
    record.write(tmp_path)
    former = records.read_record(tmp_path)
    assert former == record
    more, _ = study({("a", "fixed"): [0.1, 0.2, 0.3]})
    records.check_goes_on(more, former, tmp_path)
    content = json.loads((tmp_path / records.STUDY_FILE).read_text())
    content["jobs"][1]["overrides"] = ["training.epochs=9"]
    (tmp_path / records.STUDY_FILE).write_text(json.dumps(content))
    with pytest.raises(RunError, match=r"its job a.soft.epochs.fixed.1 has other overrides"):
        records.check_goes_on(record, records.read_record(tmp_path), tmp_path)
    content["version"] = "0.0.9"
    (tmp_path / records.STUDY_FILE).write_text(json.dumps(content))
    with pytest.raises(RunError, match=r"a study of pinn_ext 0\.0\.9, this is .*--page-only"):
        records.check_goes_on(record, records.read_record(tmp_path), tmp_path)
