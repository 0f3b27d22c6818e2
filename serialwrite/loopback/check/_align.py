"""Pure functions that align received bytes with expected ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, Literal

ANCHOR_SIZE: Final = 12
"""This many right bytes in a row are taken for the stream, not for chance."""

NEAR_SIZE: Final = 2048
"""The stretch of expected bytes in which small slips are looked for first."""

CELL_SIZE: Final = 64
"""Bytes whose share of wrong bits is judged together when no run of ANCHOR_SIZE right bytes is left."""

Read = Callable[[int, int], bytes]


@dataclass(frozen=True, slots=True)
class Anchor:
    """Received byte ``received`` of the look-ahead is expected byte ``expected`` (0 = the first one missing)."""

    received: int
    expected: int
    exact: bool = True
    """False where the bytes that follow only resemble the stream, as with a bit that is stuck."""


def xor(a: bytes, b: bytes) -> bytes:
    """Return the differing bits of two equally long strings."""
    return (int.from_bytes(a, "little") ^ int.from_bytes(b, "little")).to_bytes(len(a), "little")


def bits_set(data: bytes) -> int:
    """Return the number of ones."""
    return int.from_bytes(data, "little").bit_count()


def common_prefix(a: bytes, b: bytes) -> int:
    """Return how many leading bytes are equal."""
    size = min(len(a), len(b))
    a, b = a[:size], b[:size]
    if a == b:
        return size
    at, step = 0, 64  # where faults are many, the first one is near
    while a[at : at + step] == b[at : at + step]:
        at, step = at + step, step * 4
    while step > 64:
        step //= 4
        while a[at : at + step] == b[at : at + step]:
            at += step
    differing = int.from_bytes(a[at : at + 64], "little") ^ int.from_bytes(b[at : at + 64], "little")
    return at + ((differing & -differing).bit_length() - 1) // 8


def resembling_prefix(differing: bytes) -> int:
    """Return how many leading bytes lie in cells with at most one wrong bit in eight (chance: one in two)."""
    n = 0
    while n + CELL_SIZE <= len(differing) and bits_set(differing[n : n + CELL_SIZE]) <= CELL_SIZE:
        n += CELL_SIZE
    return n


@dataclass(frozen=True, slots=True)
class AnchorSearch:
    """Where the look-ahead continues the expected stream, the likeliest and nearest place first.

    ``read(offset, size)`` gives expected bytes, ``locate`` places a window without a search (or None), ``reach``
    bounds the search in bytes, and ``period`` is the pattern's. A slip is never searched beyond half of it, because a
    longer slip equals a shorter one the other way.
    """

    read: Read
    locate: Callable[[bytes, int], int | None]
    reach: int
    period: int | None

    def find(self, ahead: bytes, expected: int, skipped: int, *, resembling_first: bool) -> Anchor | None:
        """Return where ``ahead`` fits, or None.

        ``expected`` is the offset of the first byte missing; ``skipped`` received bytes come before ``ahead``.
        """
        differing = xor(ahead, self.read(expected + skipped, len(ahead)))
        in_place = differing.find(bytes(ANCHOR_SIZE))
        here = Anchor(in_place, in_place + skipped) if in_place >= 0 else None
        if here and in_place <= 8:  # flipped bits, swapped neighbours
            return here
        resembling = resembling_prefix(differing)
        if resembling and resembling_first:
            return Anchor(resembling, resembling + skipped, exact=False)
        searches = self._searches(ahead, expected, skipped, in_place if here else len(ahead))
        if found := next((anchor for anchor in searches if anchor), None):
            return found
        if here:
            return here
        if resembling:
            return Anchor(resembling, resembling + skipped, exact=False)
        return self._resembling_slip(ahead, expected, skipped)

    def _searches(self, ahead: bytes, expected: int, skipped: int, limit: int) -> Iterator[Anchor | None]:
        near = self.read(expected, NEAR_SIZE + ANCHOR_SIZE)
        for i in range(min(32, limit, len(ahead) - ANCHOR_SIZE + 1)):
            yield self._forward(ahead, near, i, skipped)
        if len(ahead) < ANCHOR_SIZE:
            return
        far = self.read(expected, self.reach + ANCHOR_SIZE)
        yield self._forward(ahead, far, 0, skipped)
        yield self._backward(ahead, expected)
        if limit < len(ahead):
            return
        for i in range(32, len(ahead) - ANCHOR_SIZE, max(1, min(61, len(ahead) // 64))):
            yield self._forward(ahead, far, i, skipped)
        for i in range(0, len(ahead) - 16, 251):
            at = self.locate(ahead[i : i + 16], expected + skipped + i)
            if at is not None:
                yield self._extended(ahead, i, at - expected, expected)
        if skipped < 4 * len(ahead):  # once or so for each gap: this reads megabytes
            yield self._forward(ahead, self.read(expected, 64 * self.reach), 0, skipped)

    def _forward(self, ahead: bytes, stream: bytes, i: int, skipped: int) -> Anchor | None:
        """Look for ``ahead[i:]`` in ``stream``, which begins at the first byte missing; take the best place."""
        probe, low, high = ahead[i : i + ANCHOR_SIZE], 0, len(stream)
        if self.period is not None:
            low, high = max(0, i + skipped - self.period // 2), i + skipped + self.period // 2 + ANCHOR_SIZE
        best, best_length = -1, 0
        at = stream.find(probe, low, high)
        for _ in range(8):
            if at < 0:
                break
            length = common_prefix(ahead[i : i + 256], stream[at : at + 256])
            if length > best_length:
                best, best_length = at, length
            at = stream.find(probe, at + 1, high)
        if best < 0:
            return None
        while i and best and ahead[i - 1] == stream[best - 1]:
            i, best = i - 1, best - 1
        return Anchor(i, best)

    def _backward(self, ahead: bytes, expected: int) -> Anchor | None:
        """Look for ``ahead`` among the bytes before the first one missing: repeated, or late."""
        reach = min(self.reach, expected, self.reach if self.period is None else self.period // 2)
        at = self.read(expected - reach, reach + ANCHOR_SIZE - 1).rfind(ahead[:ANCHOR_SIZE])
        return Anchor(0, at - reach) if at >= 0 else None

    def _extended(self, ahead: bytes, i: int, j: int, expected: int) -> Anchor:
        back = min(i, max(j, 0) if j >= 0 else expected + j)
        before = self.read(expected + j - back, back)
        while back and i and before and ahead[i - 1] == before[-1]:
            i, j, before = i - 1, j - 1, before[:-1]
        return Anchor(i, j)

    def _resembling_slip(self, ahead: bytes, expected: int, skipped: int) -> Anchor | None:
        """Try slips of up to 64 bytes with a line that damages too many bytes for an exact anchor."""
        width = 4 * CELL_SIZE
        if len(ahead) < width + 64:
            return None
        stream = self.read(expected + skipped, width + 64)
        slips = [(0, s) for s in range(1, 65)] + [(s, 0) for s in range(1, 65)]
        wrong, i, j = min((bits_set(xor(ahead[i : i + width], stream[j : j + width])), i, j) for i, j in slips)
        return Anchor(i, j + skipped) if wrong <= width else None


Step = tuple[Literal["keep", "change", "lose", "add", "swap"], int, int, int]
"""What to do, at which expected index, at which received index, for how many bytes."""


def edit_script(expected: bytes, received: bytes) -> list[Step]:
    """Return the cheapest way from ``expected`` to ``received``: changes, losses, additions, swapped neighbours.

    Optimal string alignment (Damerau), quadratic: for stretches of some hundred bytes.
    """
    rows, columns = len(expected), len(received)
    cost = [list(range(columns + 1))]
    for i in range(1, rows + 1):
        e, above, row = expected[i - 1], cost[-1], [i]
        for j in range(1, columns + 1):
            best = min(above[j - 1] + (e != received[j - 1]), above[j] + 1, row[j - 1] + 1)
            if i > 1 and j > 1 and e == received[j - 2] and expected[i - 2] == received[j - 1]:
                best = min(best, cost[i - 2][j - 2] + 1)
            row.append(best)
        cost.append(row)
    steps: list[Step] = []
    i, j = rows, columns
    while i or j:
        here = cost[i][j]
        same = bool(i and j) and expected[i - 1] == received[j - 1]
        if i and j and here == cost[i - 1][j - 1] + (not same):
            i, j = i - 1, j - 1
            steps.append(("keep" if same else "change", i, j, 1))
        elif i and here == cost[i - 1][j] + 1:
            i -= 1
            steps.append(("lose", i, j, 1))
        elif j and here == cost[i][j - 1] + 1:
            j -= 1
            steps.append(("add", i, j, 1))
        else:
            i, j = i - 2, j - 2
            steps.append(("swap", i, j, 2))
    return _merged(steps[::-1])


def _merged(steps: list[Step]) -> list[Step]:
    merged: list[Step] = []
    for step in steps:
        if merged and step[0] != "swap" and merged[-1][0] == step[0]:
            kind, i, j, n = merged[-1]
            merged[-1] = (kind, i, j, n + step[3])
        else:
            merged.append(step)
    return merged
