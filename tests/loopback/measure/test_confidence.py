"""The bounds of a bit error ratio against Garwood's published table, the definition, and exact binomial intervals."""

import math

import pytest
from hypothesis import given, settings, strategies as st

from serialwrite.loopback.measure._confidence import bit_error_rate, poisson_bounds


# The exact Poisson intervals of Garwood's table, and of scipy.stats.chi2.ppf.
@pytest.mark.parametrize(
    ("errors", "lower", "upper"),
    [
        (1, 0.02531781, 5.571643),
        (2, 0.2422093, 7.224688),
        (10, 4.795389, 18.39036),
        (100, 81.36399, 121.6266),
    ],
)
def test_bounds_are_those_of_garwoods_table(errors, lower, upper):
    assert poisson_bounds(errors) == pytest.approx((lower, upper), rel=2e-6)


@settings(max_examples=50)
@given(errors=st.integers(1, 100), confidence=st.sampled_from([0.5, 0.9, 0.95, 0.999999]))
def test_bounds_put_exactly_the_tail_beyond_the_count(errors, confidence):
    """The definition itself, by adding up probabilities."""
    lower, upper = poisson_bounds(errors, confidence)
    tail = (1 - confidence) / 2

    def fewer(count, mean):
        return math.fsum(math.exp(-mean) * mean**n / math.factorial(n) for n in range(count))

    assert 1 - fewer(errors, lower) == pytest.approx(tail, rel=1e-6, abs=1e-12)
    assert fewer(errors + 1, upper) == pytest.approx(tail, rel=1e-6)


def test_sum_and_approximation_agree_where_they_meet():
    summed, approximated = poisson_bounds(200), poisson_bounds(201)
    for one, next_one in zip(summed, approximated, strict=True):
        assert next_one - one == pytest.approx(1, abs=0.1)


# The exact binomial intervals (scipy.stats.beta.ppf) lie within; for rare errors they are the same.
@pytest.mark.parametrize(
    ("errors", "bits", "lower", "upper", "closeness"),
    [
        (1, 10**6, 2.5317807663794178e-08, 5.571630655166939e-06, 1e-5),
        (10**6, 10**9, 0.0009980419606762322, 0.001001960928819794, 1e-5),
        (10, 100, 0.04900468922148595, 0.17622259774002266, 0.05),
        (5 * 10**8, 10**9, 0.4999690097484223, 0.5000309902515777, 1e-3),
    ],
)
def test_bounds_hold_the_exact_binomial_ones(errors, bits, lower, upper, closeness):
    found = bit_error_rate(errors, bits)
    assert found.lower <= lower * (1 + 1e-6)
    assert found.upper >= upper * (1 - 1e-6)
    assert (found.lower, found.upper) == pytest.approx((lower, upper), rel=closeness)


@pytest.mark.parametrize("bits", [1, 10, 8 * 10**8, 10**15])
def test_no_errors_is_the_rule_of_three(bits):
    found = bit_error_rate(0, bits)
    assert (found.rate, found.lower) == (0.0, 0.0)
    assert math.log1p(-found.upper) * bits == pytest.approx(math.log(0.05), rel=1e-9)
    if bits > 1000:
        assert found.upper * bits == pytest.approx(3, rel=0.002)


def test_with_errors_and_with_nothing():
    found = bit_error_rate(3, 10**6)
    assert found.rate == 3e-6
    assert found.lower * 10**6 == pytest.approx(0.6187, rel=1e-3)
    assert found.upper * 10**6 == pytest.approx(8.767, rel=1e-3)
    assert bit_error_rate(3, 10**6, 0.99).upper > found.upper
    assert bit_error_rate(10, 10).upper == 1.0
    nothing = bit_error_rate(0, 0)
    assert (nothing.rate, nothing.lower, nothing.upper) == (None, 0.0, 1.0)


@pytest.mark.parametrize("arguments", [(-1, 10), (11, 10), (1, 10, 0.0), (1, 10, 1.0)])
def test_nonsense(arguments):
    with pytest.raises(ValueError, match="pass errors from 0 to bits"):
        bit_error_rate(*arguments)
