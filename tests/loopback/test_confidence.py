"""Clopper-Pearson bounds against published and independently computed values."""

import math

import pytest
from hypothesis import given, settings, strategies as st

from serialwrite.loopback.measure._confidence import bit_error_rate, clopper_pearson, incomplete_beta, log_beta


# Small ones: tables of exact binomial intervals, and scipy.stats.beta.ppf.
@pytest.mark.parametrize(
    ("errors", "trials", "lower", "upper"),
    [
        (0, 10, 0.0, 0.30849710781876083),
        (1, 10, 0.0025285785444617848, 0.4450161170281954),
        (5, 10, 0.18708602844739855, 0.8129139715526015),
        (9, 10, 0.5549838829718047, 0.9974714214555382),
        (10, 10, 0.6915028921812392, 1.0),
        (10, 100, 0.04900468922148595, 0.17622259774002266),
        (1, 10**6, 2.5317807663794178e-08, 5.571630655166939e-06),
        (999_999, 10**6, 0.9999944283693448, 0.9999999746821924),
        (10**6, 10**9, 0.0009980419606762322, 0.001001960928819794),
        (5 * 10**8, 10**9, 0.4999690097484223, 0.5000309902515777),
    ],
)
def test_known_intervals(errors, trials, lower, upper):
    assert clopper_pearson(errors, trials) == pytest.approx((lower, upper), rel=1e-9, abs=1e-15)


# With many trials the interval is the exact Poisson one over the trials (Garwood's table).
@pytest.mark.parametrize(
    ("errors", "lower", "upper"),
    [
        (1, 0.02531781, 5.571643),
        (2, 0.2422093, 7.224688),
        (10, 4.795389, 18.39036),
        (100, 81.36399, 121.6266),
    ],
)
@pytest.mark.parametrize("trials", [10**9, 10**11])
def test_the_poisson_limit(errors, lower, upper, trials):
    low, high = clopper_pearson(errors, trials)
    assert (low * trials, high * trials) == pytest.approx((lower, upper), rel=2e-6)


@pytest.mark.parametrize("bits", [1, 10, 8 * 10**8, 10**15])
def test_no_errors_is_the_rule_of_three(bits):
    rate = bit_error_rate(0, bits)
    assert (rate.rate, rate.lower) == (0.0, 0.0)
    assert math.log1p(-rate.upper) * bits == pytest.approx(math.log(0.05), rel=1e-9)
    if bits > 1000:
        assert rate.upper * bits == pytest.approx(3, rel=0.002)


def test_with_errors_and_with_nothing():
    rate = bit_error_rate(3, 10**6)
    assert rate.rate == 3e-6
    assert rate.lower * 10**6 == pytest.approx(0.6187, rel=1e-3)
    assert rate.upper * 10**6 == pytest.approx(8.767, rel=1e-3)
    assert bit_error_rate(3, 10**6, 0.99).upper > rate.upper
    nothing = bit_error_rate(0, 0)
    assert (nothing.rate, nothing.lower, nothing.upper) == (None, 0.0, 1.0)


@pytest.mark.parametrize("arguments", [(-1, 10), (11, 10), (1, 10, 0.0), (1, 10, 1.0)])
def test_nonsense(arguments):
    with pytest.raises(ValueError, match="make no sense"):
        bit_error_rate(*arguments)


@settings(deadline=None, max_examples=100)
@given(trials=st.integers(1, 400), data=st.data())
def test_the_bounds_put_exactly_the_tail_beyond_the_count(trials, data):
    """The definition itself, by adding up binomial probabilities."""
    errors = data.draw(st.integers(0, trials))
    lower, upper = clopper_pearson(errors, trials)

    def probability(counts, p):
        return math.fsum(math.comb(trials, i) * p**i * (1 - p) ** (trials - i) for i in counts)

    if errors:
        assert probability(range(errors, trials + 1), lower) == pytest.approx(0.025, rel=1e-6)
    if errors < trials:
        assert probability(range(errors + 1), upper) == pytest.approx(0.025, rel=1e-6)


@given(a=st.integers(1, 60), b=st.integers(1, 60), x=st.floats(0.001, 0.999))
def test_incomplete_beta_is_a_binomial_sum(a, b, x):
    n = a + b - 1
    tail = math.fsum(math.comb(n, i) * x**i * (1 - x) ** (n - i) for i in range(a, n + 1))
    assert incomplete_beta(a, b, x) == pytest.approx(tail, rel=1e-9, abs=1e-12)
    assert incomplete_beta(a, b, 0.0) == 0
    assert incomplete_beta(a, b, 1.0) == 1


@given(a=st.floats(0.5, 500), b=st.floats(0.5, 500))
def test_log_beta_equals_lgammas_where_those_are_good(a, b):
    assert log_beta(a, b) == pytest.approx(math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b), abs=1e-9)
