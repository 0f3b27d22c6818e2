"""Gaps, throughput and the baud estimate, on made-up arrivals; and that hours of them take no more memory."""

import itertools
import random
import tracemalloc

import pytest
from hypothesis import given, strategies as st

from serialwrite.loopback.measure._arrivals import STRETCH_COUNT, Arrivals


def noted(arrivals, *, threshold=0.1, line_rate=11_520.0, keep=10):
    made = Arrivals(threshold=threshold, line_rate=line_rate, keep=keep)
    for time, size in arrivals:
        made.add(time, size)
    return made


def test_gaps():
    found = noted([(0.0, 10), (0.01, 10), (0.31, 5), (0.32, 5), (1.5, 1)]).gaps()
    assert (found.count, found.total) == (2, pytest.approx(1.48))
    assert [(g.start, round(g.seconds, 6), g.offset) for g in found.longest] == [(0.32, 1.18, 30), (0.01, 0.3, 20)]
    many = noted([(float(i), 1) for i in range(50)], keep=3).gaps()
    assert (many.count, [gap.start for gap in many.longest]) == (49, [0.0, 1.0, 2.0])
    assert noted([]).gaps().count == 0
    assert noted([(0.5, 1)]).gaps().longest[0].start == 0.0  # before the first byte


@given(st.lists(st.tuples(st.floats(0, 1000), st.integers(1, 5000)), min_size=1, max_size=300))
def test_throughput_counts_every_byte_once_in_joining_stretches(arrivals):
    arrivals = sorted(arrivals)
    rates = noted(arrivals).throughput()
    if arrivals[-1][0] == 0:
        assert rates == ()
        return
    assert sum(rate.bytes for rate in rates) == sum(size for _, size in arrivals)
    assert 1 <= len(rates) <= STRETCH_COUNT
    assert rates[0].start == 0
    assert all(a.start + a.seconds == pytest.approx(b.start) for a, b in itertools.pairwise(rates))
    assert rates[-1].start + rates[-1].seconds == pytest.approx(arrivals[-1][0])
    assert all(rate.seconds == pytest.approx(rates[0].seconds) for rate in rates[:-1])
    if len(rates) > 1:
        assert 0.5 <= rates[-1].seconds / rates[0].seconds <= 1.5 + 1e-9


def test_throughput_shows_where_the_line_was_slow():
    rates = noted([(i / 1000, 11 if i < 5000 else 2) for i in range(10_000)]).throughput()
    assert len(rates) > 60
    assert all(rate.bytes_per_second == pytest.approx(11_000, rel=0.05) for rate in rates[: len(rates) // 2 - 1])
    assert all(rate.bytes_per_second == pytest.approx(2_000, rel=0.05) for rate in rates[len(rates) // 2 + 1 :])
    assert noted([]).throughput() == ()


@pytest.mark.parametrize("baud", [9600, 112_896, 3_000_000])
def test_the_baud_rate_is_found_through_stalls_and_lumps(baud):
    """A clock 2 % slow (112,896 for 115,200) is seen through a 300 ms stall and a driver's lumps."""
    chance, time, arrivals = random.Random(baud), 0.0, []
    for i in range(3000):
        lump = chance.randrange(1, 64)
        time += lump * 10 / baud + (0.3 if i == 1500 else 0.0)
        arrivals.append((time, lump))
    assert noted(arrivals, line_rate=baud / 10).baud(10) == pytest.approx(baud, rel=0.001)


def test_reader_held_up_does_not_make_the_line_faster():
    """What queued up meanwhile arrives in a burst, which says nothing of the line."""
    arrivals = [(i / 1000, 11.52) for i in range(1000)]
    arrivals += [(1.5 + i / 1e6, 1152) for i in range(5)]  # half a second's worth, in five reads
    arrivals += [(1.501 + i / 1000, 11.52) for i in range(1000)]
    assert noted(arrivals).baud(10) == pytest.approx(115_200, rel=0.003)


@pytest.mark.parametrize("arrivals", [[], [(1.0, 5)], [(1.0, 5), (1.0, 5)], [(0.0, 1), (9.0, 1)]])
def test_no_baud_rate_from_too_little(arrivals):
    assert noted(arrivals).baud(10) is None


def test_a_day_of_arrivals_takes_no_more_memory_than_a_minute():
    made = noted((i / 1000, 11) for i in range(10_000))
    tracemalloc.start()
    try:
        for i in range(10_000, 100_000):
            made.add(i * 1.0, 11)  # a gap each
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 32_768
    assert made.gaps().count == 90_000
