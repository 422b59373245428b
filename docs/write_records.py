"""Write `docs/records.md` from the stored rows of `benchmarks/records.py`.

    python docs/write_records.py

The rows are in `benchmarks/records/results`, what is said of them in `benchmarks/records/notes`.
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "benchmarks"))

from _records import page  # noqa: E402 - after its folder

PAGE = ROOT / "docs" / "records.md"

if __name__ == "__main__":
    PAGE.write_text(page.text(), "utf-8")
    print(f"written: {PAGE}")
