"""Parameters of which the quick tests take some, and `make test-all` every one."""

import pytest


def quick_are(quick, values):
    """Return values as parameters; those that are not among the quick ones are marked slow."""
    values = list(values)
    assert all(value in values for value in quick), "quick ones are among the values"
    return [
        value if value in quick else pytest.param(*_many(value), marks=pytest.mark.slow)
        for value in values
    ]


def _many(value):
    return value if isinstance(value, tuple) else (value,)
