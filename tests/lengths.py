"""Parameters of which the quick tests take some, and `make test-all` every one.

`quick_are` names the quick ones by their values; `tests.pairs.pairwise` chooses them of a product.
"""

import pytest


def quick_are(quick, values):
    """Return values as parameters of a test; those that are not among the quick ones are slow.

    Args:
        quick: some of the values.
        values: all of them, a tuple for each set of several parameters.
    """
    values = list(values)
    assert all(value in values for value in quick), "quick ones are among the values"
    rows = [value if isinstance(value, tuple) else (value,) for value in values]
    return slow_but(rows, {i for i, value in enumerate(values) if value in quick})


def slow_but(rows, quick):
    """Return rows as parameters of a test, those marked `slow` whose place is not among some.

    Args:
        rows: tuples, one value a parameter.
        quick: places, from 0.
    """
    return [
        pytest.param(*row, marks=() if i in quick else pytest.mark.slow)
        for i, row in enumerate(rows)
    ]
