"""Say what came of following the links to other sites: which are dead, which had no answer.

    python docs/check_links.py docs/_build/linkcheck/output.json

Sphinx calls a link "broken" whether its site says that there is no such page, or cannot be reached.
Without a network all are broken by that measure, and nothing is known of any of them.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

NO_ANSWER = (
    *("NameResolutionError", "NewConnectionError", "Max retries exceeded", "timed out"),
    *("Connection refused", "Connection aborted", "Network is unreachable", "ProxyError"),
)
"""Words of the errors that come before any answer of a site."""


def sorted_out(rows: list[dict[str, Any]]) -> tuple[list[str], list[str], list[str]]:
    """Return the links that work, those that are dead, and those without an answer.

    Args:
        rows: of `output.json`, as Sphinx writes it.

    Returns:
        Of those that work the addresses; of the others a line each.
    """
    works, dead, silent = [], [], []
    for row in rows:
        where = f"{row['filename']}:{row['lineno']}: {row['uri']}"
        if row["status"] in ("working", "redirected"):
            works.append(row["uri"])
        elif row["status"] == "timeout" or any(word in row["info"] for word in NO_ANSWER):
            silent.append(where)
        elif row["status"] == "broken":
            dead.append(f"{where}: {row['info']}")
    return works, dead, silent


def verdict(rows: list[dict[str, Any]]) -> tuple[int, str]:
    """Return an exit status and what to print.

    Args:
        rows: of `output.json`.

    Returns:
        Status 0 where every link works, 1 where some are dead or without an answer while others
        have one, 2 where no site has answered at all; and the text.
    """
    works, dead, silent = sorted_out(rows)
    if silent and not (works or dead):
        sites = len({urlsplit(line.rpartition(" ")[2]).netloc for line in silent})
        return 2, (
            f"Nothing was checked: none of {len(silent)} links on {sites} sites had an answer, so "
            "this machine has no network, or a proxy in its way."
        )
    lines = [f"{len(works)} links work, {len(dead)} are dead, {len(silent)} had no answer."]
    lines += [f"dead: {line}" for line in dead]
    lines += [f"no answer (the site may be down; try again): {line}" for line in silent]
    return int(bool(dead or silent)), "\n".join(lines)


def main() -> None:
    """Read the file that is named, print the verdict and end with its status."""
    rows = [json.loads(line) for line in Path(sys.argv[1]).read_text("utf-8").splitlines()]
    status, text = verdict(rows)
    print(text)
    sys.exit(status)


if __name__ == "__main__":
    main()
