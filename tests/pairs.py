"""A few of many combinations: every value of one parameter meets every value of each other."""

import itertools

from tests.lengths import slow_but


def pairwise(rows):
    """Return all rows as parameters of a test, those marked `slow` that add no pair of values.

    Faults that take two values to show are found by the rest, in `make test`; those that take
    three are left to `make test-all`. Rows are taken greedily, the first among equals, so the
    selection does not change from run to run.

    Args:
        rows: tuples of the same length, as `itertools.product` gives them.
    """
    rows = list(rows)
    pairs = [{pair for pair in itertools.combinations(enumerate(row), 2)} for row in _codes(rows)]
    left, quick = set().union(*pairs), set()
    while left:
        best = max(range(len(rows)), key=lambda i: len(pairs[i] & left))
        quick.add(best)
        left -= pairs[best]
    return slow_but(rows, quick)


def _codes(rows):
    """Return the rows with each value as its place among those of its column: some cannot hash."""
    columns = []
    for column in zip(*rows, strict=True):
        values = []
        for value in column:
            if value not in values:
                values.append(value)
        columns.append([values.index(value) for value in column])
    return list(zip(*columns, strict=True))
