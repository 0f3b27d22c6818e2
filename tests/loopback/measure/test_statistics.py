"""Percentiles and histograms."""

import itertools

import pytest
from hypothesis import given, strategies as st

from serialwrite.loopback.measure._statistics import histogram, latency


def test_percentiles_are_measured_values():
    figures = latency([i / 1000 for i in range(1, 1001)][::-1])
    assert (figures.p50, figures.p90, figures.p99, figures.p999) == (0.5, 0.9, 0.99, 0.999)
    assert (figures.minimum, figures.maximum, figures.count) == (0.001, 1.0, 1000)
    assert figures.mean == pytest.approx(0.5005)


@pytest.mark.parametrize(
    ("count", "known"),
    [(1, (0, 0, 0)), (9, (0, 0, 0)), (10, (1, 0, 0)), (99, (1, 0, 0)), (100, (1, 1, 0)), (1000, (1, 1, 1))],
)
def test_percentiles_that_too_few_values_cannot_tell_are_none(count, known):
    figures = latency([float(i) for i in range(count)])
    assert tuple(figure is not None for figure in (figures.p90, figures.p99, figures.p999)) == tuple(map(bool, known))


def test_no_latency():
    assert latency([]) is None


@given(st.lists(st.floats(0, 100), min_size=1, max_size=200))
def test_every_value_is_in_its_bin(values):
    bins = histogram(values)
    assert sum(one.count for one in bins) == len(values)
    for one in bins:
        inside = [v for v in values if one.low * (1 - 1e-9) <= max(v, 1e-9) < one.high * (1 + 1e-9)]
        assert len(inside) >= one.count
    assert all(a.high == b.low for a, b in itertools.pairwise(bins))
    assert bins[0].count
    assert bins[-1].count
