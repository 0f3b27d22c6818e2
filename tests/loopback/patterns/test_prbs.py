"""The fast PRBS against a shift register stepped bit by bit, as ITU-T O.150 draws it."""

import random
from itertools import islice

import pytest
from hypothesis import given, strategies as st

from serialwrite.loopback.patterns._patterns import make_pattern
from serialwrite.loopback.patterns._prbs import POLYNOMIALS, Locator, SelfSynchronisingCheck

ORDERS = sorted(POLYNOMIALS)


def shift_register(n, k, inverted, state=None):
    """O.150: Q1(t+1) = Qk(t) + Qn(t), Qi+1(t+1) = Qi(t), output Qn; every stage starts at one."""
    stages = state or [1] * n
    while True:
        yield stages[-1] ^ inverted
        stages = [stages[k - 1] ^ stages[n - 1], *stages[:-1]]


def bits_of(data):
    return [byte >> bit & 1 for byte in data for bit in range(8)]  # a UART sends the lowest bit first


@pytest.mark.parametrize("order", ORDERS)
def test_equals_the_shift_register(order):
    polynomial = POLYNOMIALS[order]
    slow = list(islice(shift_register(order, polynomial.k, polynomial.inverted), 160_000))
    assert bits_of(make_pattern(f"prbs{order}").block(0, 20_000)) == slow


# The taps, the inversion and the first bits, written out here as the Recommendation's table gives them.
@pytest.mark.parametrize(
    ("order", "tap", "inverted", "first"),
    [
        (7, 6, False, "1111111000000100000110000101000111100100010110011101"),
        (9, 5, False, "1111111110000011110111110001011100110010"),
        (15, 14, True, "000000000000000111111111111110"),
        (23, 18, True, "0000000000000000000000011111111111111111100000"),
        (31, 28, True, "00000000000000000000000000000001111111111111111111111111111000"),
    ],
)
def test_polynomial_inversion_and_first_bits(order, tap, inverted, first):
    polynomial = POLYNOMIALS[order]
    assert (polynomial.n, polynomial.k, polynomial.inverted) == (order, tap, inverted)
    assert "".join(map(str, bits_of(make_pattern(f"prbs{order}").block(0, 8))))[: len(first)] == first


@pytest.mark.parametrize("order", [7, 9, 15])
def test_period_balance_and_runs(order):
    polynomial = POLYNOMIALS[order]
    pattern = make_pattern(f"prbs{order}")
    period = polynomial.period
    assert pattern.period == period
    bits = bits_of(pattern.block(0, period))
    assert bits[:period] == bits[period : 2 * period]
    one = bits[:period]
    assert sum(one) == (1 << order - 1) - polynomial.inverted  # one more of the one than of the other
    text = "".join(map(str, one + one))
    longest_zeros = order if polynomial.inverted else order - 1
    assert "0" * longest_zeros in text
    assert "0" * (longest_zeros + 1) not in text
    windows = {text[at : at + order] for at in range(period)}
    assert len(windows) == period  # every window once: the period is no shorter


@pytest.mark.parametrize(("order", "prime_factors"), [(23, [47, 178_481]), (31, [2_147_483_647])])
def test_long_periods_by_the_order_of_x(order, prime_factors):
    """The order of x modulo a polynomial is the period: it divides 2^n - 1 and no proper divisor does."""
    polynomial = POLYNOMIALS[order]
    assert polynomial._power(polynomial.period) == 1
    for prime in prime_factors:
        assert polynomial._power(polynomial.period // prime) != 1


@pytest.mark.parametrize("order", [23, 31])
def test_far_blocks_continue_the_register(order):
    polynomial = POLYNOMIALS[order]
    pattern = make_pattern(f"prbs{order}")
    for offset in (polynomial.period - 100, 10**12 + 7, 16_383, 16_384):
        state = bits_of(pattern.block(offset, 4))[:order]
        register = [bit ^ polynomial.inverted for bit in state][::-1]  # stage n leaves first
        slow = list(islice(shift_register(order, polynomial.k, polynomial.inverted, register), 8 * 20_000))
        assert bits_of(pattern.block(offset, 20_000)) == slow
    assert pattern.block(polynomial.period, 1000) == pattern.block(0, 1000)


@pytest.mark.parametrize("order", ORDERS)
def test_locate_finds_any_window(order):
    polynomial = POLYNOMIALS[order]
    pattern = make_pattern(f"prbs{order}")
    chance = random.Random(order)
    for _ in range(5):
        offset = chance.randrange(10**10)
        assert pattern.locate(pattern.block(offset, 16), near=offset + chance.randrange(-40, 40)) == offset
    spoiled = bytearray(pattern.block(5, 16))
    spoiled[15] ^= 1
    assert pattern.locate(bytes(spoiled), near=5) is None
    assert Locator(polynomial).locate(bytes(16) if polynomial.inverted is False else b"\xff" * 16) is None


@given(st.sampled_from(ORDERS), st.integers(0, 10**6), st.lists(st.integers(1, 300), min_size=1, max_size=20))
def test_clean_stream_passes_from_anywhere_in_any_pieces(order, offset, sizes):
    pattern = make_pattern(f"prbs{order}")
    check = SelfSynchronisingCheck(POLYNOMIALS[order])
    for size in sizes:
        assert check.feed(pattern.block(offset, size)) == 0
        offset += size
    assert check.bits_checked == max(0, sum(sizes) * 8 - order)


@given(st.sampled_from(ORDERS), st.integers(100, 2000), st.integers(1, 4000))
def test_a_lone_wrong_bit_breaks_the_recurrence_three_times(order, bit, piece):
    data = bytearray(make_pattern(f"prbs{order}").block(17, 400))
    data[bit // 8] ^= 1 << bit % 8
    check = SelfSynchronisingCheck(POLYNOMIALS[order])
    for at in range(0, len(data), piece):
        check.feed(bytes(data[at : at + piece]))
    assert (check.violations, check.bit_errors) == (3, 1)


@pytest.mark.parametrize("order", ORDERS)
def test_lost_byte_is_one_short_burst_and_noise_is_not_clean(order):
    data = make_pattern(f"prbs{order}").block(0, 100_000)
    check = SelfSynchronisingCheck(POLYNOMIALS[order])
    assert 0 < check.feed(data[:5000] + data[5001:]) <= order
    noise = SelfSynchronisingCheck(POLYNOMIALS[order])
    share = noise.feed(random.Random(1).randbytes(100_000)) / noise.bits_checked
    assert 0.49 < share < 0.51
    upside_down = SelfSynchronisingCheck(POLYNOMIALS[order])
    assert upside_down.feed(bytes(byte ^ 0xFF for byte in data)) == upside_down.bits_checked
