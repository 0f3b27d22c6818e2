"""Owns bit error rates and how sure one can be of them: Clopper-Pearson bounds, without scipy."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

_TINY: Final = 1e-300
_PRECISE: Final = 3e-15


@dataclass(frozen=True, slots=True)
class ErrorRate:
    """A measured bit error rate and the bounds that hold the true one with the given confidence.

    With no error there is only an upper bound: -ln(1 - confidence) / bits, which is 3 / bits at 95 %.
    With errors the bounds are Clopper and Pearson's, two-sided: never too narrow, whatever the true rate.
    They take errors for independent; where errors come in bursts the truth may lie further out.
    """

    errors: int
    bits: int
    rate: float | None
    """errors / bits; None if no bit was compared."""
    lower: float
    upper: float
    confidence: float


def bit_error_rate(errors: int, bits: int, confidence: float = 0.95) -> ErrorRate:
    """Return the error rate of `bits` compared bits, `errors` of them wrong."""
    if not 0 <= errors <= bits or not 0 < confidence < 1:
        raise ValueError(f"{errors} errors in {bits} bits at a confidence of {confidence} make no sense")
    if not bits:
        return ErrorRate(0, 0, None, 0.0, 1.0, confidence)
    if not errors:
        upper = -math.expm1(math.log1p(-confidence) / bits)  # exact: (1 - upper) ** bits == 1 - confidence
        return ErrorRate(0, bits, 0.0, 0.0, upper, confidence)
    lower, upper = clopper_pearson(errors, bits, confidence)
    return ErrorRate(errors, bits, errors / bits, lower, upper, confidence)


def clopper_pearson(successes: int, trials: int, confidence: float = 0.95) -> tuple[float, float]:
    """Return the two-sided Clopper-Pearson interval for a proportion.

    Good to nine digits up to 1e9 trials and to five at 1e12.
    """
    tail = (1 - confidence) / 2
    lower = 0.0 if not successes else _quantile(tail, successes, trials - successes + 1)
    upper = 1.0 if successes == trials else _quantile(1 - tail, successes + 1, trials - successes)
    return lower, upper


def _quantile(p: float, a: float, b: float) -> float:
    """Return the x at which the regularised incomplete beta function is `p`, by bisection."""
    if a > b:  # look from the other end, where x is small: halving reaches tiny numbers, but not 1 - tiny ones
        return 1 - _bisect(lambda x: 1 - incomplete_beta(b, a, x), p, b / (a + b))
    return _bisect(lambda x: incomplete_beta(a, b, x), p, a / (a + b))


def _bisect(rising: Callable[[float], float], p: float, start: float) -> float:
    """Return where a monotonic function crosses `p`, from brackets that grow around `start`."""
    upwards = rising(start / 2) <= rising(min(1.0, start * 1.5))
    low, high = start, start
    while low > _TINY and (rising(low) < p) != upwards:
        low /= 2
    while high < 1 and (rising(high) < p) == upwards:
        high = min(1.0, high * 2)
    while high - low > 1e-12 * high:
        middle = (low + high) / 2
        if (rising(middle) < p) == upwards:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def incomplete_beta(a: float, b: float, x: float) -> float:
    """Return the regularised incomplete beta function I_x(a, b): Lentz's continued fraction."""
    if x <= 0 or x >= 1:
        return float(x >= 1)
    front = math.exp(a * math.log(x) + b * math.log1p(-x) - log_beta(a, b))
    if x < (a + 1) / (a + b + 2):
        return front * _fraction(a, b, x) / a
    return 1 - front * _fraction(b, a, 1 - x) / b


def log_beta(a: float, b: float) -> float:
    """Return ln B(a, b).  Adding lgammas would lose every digit to cancellation for counts beyond 1e9."""
    a, b = min(a, b), max(a, b)
    if b < 10:
        return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)
    share = a / (a + b)
    rest = (b - 0.5) * math.log1p(-share) + _stirling(b) - _stirling(a + b)
    if a < 10:
        return math.lgamma(a) + a - a * math.log(a + b) + rest
    half = 0.5 * math.log(2 * math.pi) - 0.5 * math.log(b)
    return half + (a - 0.5) * math.log(share) + rest + 0.5 * math.log1p(-share) + _stirling(a)


def _stirling(x: float) -> float:
    """Return what Stirling's formula leaves out of ln gamma(x), for x >= 10."""
    square = 1 / (x * x)
    return (1 / 12 - square * (1 / 360 - square * (1 / 1260 - square * (1 / 1680 - square / 1188)))) / x


def _fraction(a: float, b: float, x: float) -> float:
    """Return the continued fraction of the incomplete beta function (DLMF 8.17.22), by Lentz's method."""
    c, d = 1.0, 1 / _away_from_zero(1 - (a + b) * x / (a + 1))
    value, m = d, 0
    while True:
        m += 1
        for term in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            d = 1 / _away_from_zero(1 + term * d)
            c = _away_from_zero(1 + term / c)
            value *= c * d
        if abs(c * d - 1) < _PRECISE or m > 1_000_000:
            return value


def _away_from_zero(x: float) -> float:
    return x if abs(x) > _TINY else _TINY
