"""Pseudo-random bit sequences (PRBS): ITU-T O.150 polynomials, jumping, expanding, locating, checking.

Bits are numbered in the order of time and packed least significant bit first, as a UART puts them on the line. So a
block of bytes read as a little-endian integer has bit *i* of the sequence at bit *i*.

The speed comes from one identity.  x[i] = x[i-k] ^ x[i-n] is the polynomial x^n + x^(n-k) + 1 over
GF(2). Squaring a polynomial over GF(2) only doubles its exponents. So x[i] = x[i-k*m] ^ x[i-n*m] holds for every
power of two m. With m the size of a chunk, a whole chunk is the XOR of two earlier chunks. Python's big integers do
that at memory speed.  No numpy is needed.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from functools import cached_property
from typing import Final


@dataclass(frozen=True)
class Polynomial:
    """The sequence x^n + x^k + 1, period 2^n - 1: stages k and n of a shift register are fed back to stage 1.

    The register starts with every stage at one, and the output is the last stage.  O.150 sends the 15, 23 and 31 stage
    sequences *inverted*: their longest run of zeros is n. It sends the 9 stage one as it is (n - 1 zeros). PRBS-7 is
    not in O.150; it is the usual x^7 + x^6 + 1, not inverted.
    """

    n: int
    k: int
    inverted: bool
    source: str

    @property
    def period(self) -> int:
        """Length of one period in bits; as it is odd, the bytes repeat after as many *bytes*."""
        return (1 << self.n) - 1

    @property
    def start(self) -> int:
        """The first n bits of the sequence before inversion: all ones."""
        return self.period

    def expand(self, window: int, bits: int) -> int:
        """Return ``bits`` bits of the sequence that begins with the n bits of ``window``, not inverted."""
        known, have, m = window, self.n, 1
        while have < bits:
            while self.n * 2 * m <= have:
                m *= 2
            # k*m new bits at once: all that the shorter lag can already see
            fresh = (known >> (have - self.k * m)) ^ (known >> (have - self.n * m))
            known |= (fresh & ((1 << self.k * m) - 1)) << have
            have += self.k * m
        return known & ((1 << bits) - 1)

    def jump(self, bits: int) -> Jump:
        """Return the linear map that takes the n bits at any place to the n bits that come ``bits`` later."""
        coefficients = self._power(bits % self.period)
        rows: list[int] = []
        for _ in range(self.n):
            rows.append(coefficients)
            coefficients = self._times_x(coefficients)
        return Jump(tuple(rows))

    def window(self, offset: int) -> int:
        """Return the n bits from bit ``offset`` on, not inverted, without making the bits before them."""
        return self.jump(offset).apply(self.start)

    def _times_x(self, a: int) -> int:
        a <<= 1
        # characteristic polynomial of x[i] = x[i-k] ^ x[i-n]:  x^n = x^(n-k) + 1
        return a ^ (self.period + 1) ^ (1 << (self.n - self.k)) ^ 1 if a >> self.n else a

    def _power(self, exponent: int) -> int:
        """Return x**exponent modulo the characteristic polynomial; bit j is the coefficient of x^j."""
        result = 1
        for bit in f"{exponent:b}":
            square, a, b = 0, result, result
            while b:
                if b & 1:
                    square ^= a
                a, b = self._times_x(a), b >> 1
            result = self._times_x(square) if bit == "1" else square
        return result


@dataclass(frozen=True)
class Jump:
    """A linear map over GF(2): row b says which bits of the old window add up to bit b of the new one."""

    rows: tuple[int, ...]

    def apply(self, window: int) -> int:
        """Return the window after the jump."""
        return sum(((row & window).bit_count() & 1) << b for b, row in enumerate(self.rows))

    @cached_property
    def tables(self) -> tuple[tuple[int, ...], ...]:
        """One table for each byte of the window, for those who apply the same jump thousands of times."""
        return tuple(tuple(self.apply(value << shift) for value in range(256)) for shift in range(0, len(self.rows), 8))


POLYNOMIALS: Final = {
    7: Polynomial(7, 6, inverted=False, source="x^7 + x^6 + 1, not in O.150"),
    9: Polynomial(9, 5, inverted=False, source="x^9 + x^5 + 1, ITU-T O.150 5.1"),
    15: Polynomial(15, 14, inverted=True, source="x^15 + x^14 + 1, inverted, ITU-T O.150 5.3"),
    23: Polynomial(23, 18, inverted=True, source="x^23 + x^18 + 1, inverted, ITU-T O.150 5.6"),
    31: Polynomial(31, 28, inverted=True, source="x^31 + x^28 + 1, inverted, ITU-T O.150 5.8"),
}


class ChunkRun:
    """Successive chunks of a sequence from one place on; each is the XOR of two of the n chunks before it."""

    def __init__(self, polynomial: Polynomial, first: int, chunk_bytes: int) -> None:
        """Start at chunk number ``first``; ``chunk_bytes`` is a power of two."""
        bits = chunk_bytes * 8
        self._size, self._ones = chunk_bytes, (1 << bits) - 1 if polynomial.inverted else 0
        seed = polynomial.expand(polynomial.window(first * bits), polynomial.n * bits)
        raw = seed.to_bytes(polynomial.n * chunk_bytes, "little")
        self._ring = deque(
            (int.from_bytes(raw[at : at + chunk_bytes], "little") for at in range(0, len(raw), chunk_bytes)),
            maxlen=polynomial.n,
        )
        self._older, self._newer = 0, polynomial.n - polynomial.k

    def next(self) -> bytes:
        """Return the next chunk."""
        ring = self._ring
        chunk = ring[self._older]
        ring.append(chunk ^ ring[self._newer])  # maxlen drops the oldest, which is ``chunk``
        return (chunk ^ self._ones).to_bytes(self._size, "little")


class Locator:
    """Finds where in the sequence some bits are: a discrete logarithm by baby steps and giant steps."""

    def __init__(self, polynomial: Polynomial) -> None:
        """Make the table of baby steps; for PRBS-31 that is 65,536 windows, some 20 ms."""
        self._polynomial = polynomial
        self._baby = 1 << (polynomial.n + 1) // 2
        bits = polynomial.expand(polynomial.start, self._baby * 8 + polynomial.n)
        raw = bits.to_bytes(len(range(0, bits.bit_length(), 8)) + 8, "little")
        mask = polynomial.period
        self._table = {int.from_bytes(raw[at : at + 4], "little") & mask: at for at in range(self._baby)}
        self._giant = polynomial.jump(polynomial.period - self._baby * 8 % polynomial.period).tables

    def locate(self, window: bytes) -> int | None:
        """Return the byte offset of ``window`` in the first period, or None if it isn't of this sequence.

        ``window`` needs more than 2n bits, so that the bits after the first n prove that the n are right.
        """
        polynomial, bits = self._polynomial, len(window) * 8
        value = int.from_bytes(window, "little")
        if polynomial.inverted:
            value ^= (1 << bits) - 1
        state = value & polynomial.period
        if bits <= 2 * polynomial.n or not state or polynomial.expand(state, bits) != value:
            return None
        for giant in range(0, polynomial.period + 1, self._baby):
            if (baby := self._table.get(state)) is not None:
                return (giant + baby) % polynomial.period
            shifted = 0
            for table in self._giant:
                shifted ^= table[state & 0xFF]
                state >>= 8
            state = shifted
        return None  # unreachable for a primitive polynomial: every non-zero state is in the one cycle


class SelfSynchronisingCheck:
    """Checks received bytes against the recurrence alone: no offset, no sender's count, no lock to lose.

    Every bit must be the sum of the bits k and n before it.  A lone wrong bit breaks that three times: as itself, and k
    and n bits later. So ``bit_errors`` is violations / 3, which is right for isolated errors, and a lower estimate for
    dense ones.  A lost or repeated byte is one burst of at most n bits, and then all is in step.
    """

    def __init__(self, polynomial: Polynomial) -> None:
        """Check against ``polynomial``, with its inversion."""
        self._polynomial = polynomial
        self._tail = b""
        self.bits_checked: int = 0
        self.violations: int = 0

    @property
    def bit_errors(self) -> float:
        """The estimated number of wrong bits."""
        return self.violations / 3

    def feed(self, data: bytes) -> int:
        """Check the next received bytes; return how many of their bits break the recurrence."""
        polynomial, broken = self._polynomial, 0
        n, distance, keep = polynomial.n, polynomial.n - polynomial.k, polynomial.n // 8 + 1
        for at in range(0, len(data), 1 << 18):
            piece = self._tail + data[at : at + (1 << 18)]
            skip = max(len(self._tail) * 8 - n, 0)  # bits checked with an earlier piece
            self._tail = piece[-keep:]
            bits = len(piece) * 8 - n - skip
            if bits <= 0:
                continue
            y = int.from_bytes(piece, "little") >> skip
            sums = (y ^ (y >> distance) ^ (y >> n)) & ((1 << bits) - 1)
            # an inverted sequence sums to one where a plain one sums to zero
            wrong = bits - sums.bit_count() if polynomial.inverted else sums.bit_count()
            self.bits_checked += bits
            broken += wrong
        self.violations += broken
        return broken
