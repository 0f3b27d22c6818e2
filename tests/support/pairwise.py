"""Parametrise a test with few rows: every two values of two arguments occur together in one of them."""

from itertools import combinations, product

import pytest


def pairwise(**arguments):
    """A decorator like ``pytest.mark.parametrize``. Each argument is a dict of values by their names in the test's id.

    All combinations are far more, and find little more: a bug that needs three values at once is rare.
    """
    rows = [
        pytest.param(
            *(arguments[argument][name] for argument, name in zip(arguments, row, strict=True)), id="-".join(row)
        )
        for row in rows_of(*arguments.values())
    ]
    return pytest.mark.parametrize(tuple(arguments), rows)


def rows_of(*axes):
    """Rows of one name an axis, the same ones each time. Each takes the pair that has waited longest, and what fits best."""
    open_pairs = dict.fromkeys(
        pair
        for (i, first), (j, second) in combinations(enumerate(axes), 2)
        for pair in product(product([i], first), product([j], second))
    )
    while open_pairs:
        row = dict(next(iter(open_pairs)))
        for i, axis in sorted(enumerate(axes), key=lambda each: -len(each[1])):
            if i not in row:
                row[i] = max(axis, key=lambda name: sum(pair in open_pairs for pair in _pairs({**row, i: name})))
        for pair in _pairs(row):
            open_pairs.pop(pair, None)
        yield tuple(row[i] for i in range(len(axes)))


def _pairs(row):
    return combinations(sorted(row.items()), 2)
