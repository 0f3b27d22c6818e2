"""Percentiles, gaps, throughput and the baud estimate, on made-up arrivals."""

import itertools
import random

import pytest
from hypothesis import given, strategies as st

from serialwrite.loopback._statistics import baud_estimate, gaps, histogram, latency, throughput


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


def test_gaps():
    arrivals = [(0.0, 10), (0.01, 10), (0.31, 5), (0.32, 5), (1.5, 1)]
    found = gaps(arrivals, 0.1)
    assert (found.count, found.total) == (2, pytest.approx(1.48))
    assert [(g.start, round(g.seconds, 6), g.offset) for g in found.longest] == [
        (0.32, 1.18, 30),
        (0.01, 0.3, 20),
    ]
    assert len(gaps([(float(i), 1) for i in range(50)], 0.5, keep=3).longest) == 3
    assert gaps([], 0.1).count == 0


def test_throughput_counts_every_byte_once():
    arrivals = [(random.Random(i).random() * 2, i) for i in range(100)]
    rates = throughput(arrivals, 2.0, 8)
    assert len(rates) == 8
    assert sum(rate.bytes for rate in rates) == sum(size for _, size in arrivals)
    assert throughput([(2.0, 7), (2.5, 1)], 2.0, 4)[-1].bytes_per_second == 16.0  # at the very end, and late
    assert throughput(arrivals, 0.0) == ()


@pytest.mark.parametrize("baud", [9600, 112_896, 3_000_000])
def test_the_baud_rate_is_found_through_stalls_and_lumps(baud):
    """A clock 2 % slow (112,896 for 115,200) is seen through a 300 ms stall and a driver's lumps."""
    chance, time, arrivals = random.Random(baud), 0.0, []
    for i in range(3000):
        lump = chance.randrange(1, 64)
        time += lump * 10 / baud + (0.3 if i == 1500 else 0.0)
        arrivals.append((time, lump))
    assert baud_estimate(arrivals, 10, 0.1) == pytest.approx(baud, rel=0.001)


@pytest.mark.parametrize("arrivals", [[], [(1.0, 5)], [(1.0, 5), (1.0, 5)], [(0.0, 1), (9.0, 1)]])
def test_no_baud_rate_from_too_little(arrivals):
    assert baud_estimate(arrivals, 10, 0.1) is None
