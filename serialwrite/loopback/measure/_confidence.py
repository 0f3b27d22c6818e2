"""The bit error ratio (ITU-T O.150), and the bounds that its true value is within, by Poisson's distribution."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import Final

_SUMMED_MAX: Final = 200  # errors, up to which probabilities are added up; beyond, the approximation is as good


@dataclass(frozen=True, slots=True)
class ErrorRate:
    """A measured bit error ratio and the bounds that hold the true one with the given confidence.

    With no error there is only an upper bound: -ln(1 - confidence) / bits, which is 3 / bits at 95 %.
    With errors the bounds are those of a Poisson-distributed count, two-sided. For independent errors they are never
    too narrow, and wider than they need be if most bits are wrong. If errors come in bursts, the truth may lie further
    out.
    """

    errors: int
    bits: int
    rate: float | None
    """errors / bits; None if no bit was compared."""
    lower: float
    upper: float
    confidence: float


def bit_error_rate(errors: int, bits: int, confidence: float = 0.95) -> ErrorRate:
    """Return the error ratio of ``bits`` compared bits, ``errors`` of them wrong."""
    if not 0 <= errors <= bits or not 0 < confidence < 1:
        raise ValueError(
            f"errors={errors}, bits={bits}, confidence={confidence}: "
            "pass errors from 0 to bits, and a confidence between 0 and 1"
        )
    if not bits:
        return ErrorRate(0, 0, None, 0.0, 1.0, confidence)
    if not errors:
        upper = -math.expm1(math.log1p(-confidence) / bits)  # exact: (1 - upper) ** bits == 1 - confidence
        return ErrorRate(0, bits, 0.0, 0.0, upper, confidence)
    lower, upper = poisson_bounds(errors, confidence)
    return ErrorRate(errors, bits, errors / bits, lower / bits, min(1.0, upper / bits), confidence)


def poisson_bounds(count: int, confidence: float = 0.95) -> tuple[float, float]:
    """Return the two means between which a Poisson-distributed ``count``, 1 or more, puts its own (Garwood, 1936)."""
    tail = (1 - confidence) / 2
    if count > _SUMMED_MAX:  # Wilson and Hilferty's approximation, good to five digits here
        z = NormalDist().inv_cdf(1 - tail)
        lower, upper = (
            n * (1 - 1 / (9 * n) + sign * z / (3 * math.sqrt(n))) ** 3 for n, sign in ((count, -1), (count + 1, 1))
        )
        return lower, upper
    return _mean_at(1 - tail, count - 1), _mean_at(tail, count)


def _mean_at(p: float, most: int) -> float:
    """Return the mean at which a count of ``most`` or fewer has the probability ``p``; it falls as the mean grows."""
    low, high = 0.0, 4 * (most + 1 - math.log(p))
    while high - low > 1e-12 * high:
        middle = (low + high) / 2
        probability = math.fsum(math.exp(n * math.log(middle) - middle - math.lgamma(n + 1)) for n in range(most + 1))
        low, high = (middle, high) if probability > p else (low, middle)
    return (low + high) / 2
