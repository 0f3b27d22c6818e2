"""Statistics of arrival times, in bounded memory: gaps, throughput over time, the real baud rate."""

from __future__ import annotations

import heapq
from typing import Final

from serialwrite.loopback.measure._statistics import Gap, Gaps, Rate

HISTOGRAM_CELL_COUNT: Final = 256
FINEST_CELL_S: Final = 2.0**-20  # seconds that a cell begins with
STRETCH_COUNT: Final = 120
STRETCH_MIN_ARRIVALS: Final = 20  # arrivals that a stretch should have: fewer would show lumps, not the line
FAST_RATIO: Final = 2.0  # times the line rate: what comes faster had been waiting for its reader


class Arrivals:
    """Takes note of each arrival in constant memory, for runs of any length."""

    def __init__(self, *, threshold: float, line_rate: float, keep: int = 10) -> None:
        """A time longer than ``threshold`` seconds without a byte is a gap; the longest ``keep`` are kept.

        ``line_rate`` is the bytes per second that the line should carry.
        """
        self._threshold, self._line_rate, self._keep = threshold, line_rate, keep
        self._count = self._bytes = 0
        self._last: float | None = None
        self._gap_count, self._gap_total = 0, 0.0
        self._longest: list[tuple[float, int, Gap]] = []  # a heap, shortest first
        self._busy, self._busy_bytes, self._behind = 0.0, 0, False
        self._width, self._cells = FINEST_CELL_S, [0] * HISTOGRAM_CELL_COUNT

    @property
    def last(self) -> float | None:
        """When the last one came, in seconds since the run began; None before the first."""
        return self._last

    def add(self, time: float, size: int) -> None:
        """Take note of ``size`` bytes that arrived ``time`` seconds after the run began; times never go back."""
        before = self._last or 0.0
        if time - before > self._threshold:
            self._note_gap(Gap(before, time - before, self._bytes))
        if self._last is not None:
            self._note_pace(time - before, size)
        while time >= HISTOGRAM_CELL_COUNT * self._width:
            self._width *= 2
            self._cells = [sum(self._cells[i : i + 2]) for i in range(0, HISTOGRAM_CELL_COUNT, 2)] + [0] * (
                HISTOGRAM_CELL_COUNT // 2
            )
        self._cells[int(time / self._width)] += size
        self._last = time
        self._count += 1
        self._bytes += size

    def _note_gap(self, gap: Gap) -> None:
        self._gap_count += 1
        self._gap_total += gap.seconds
        heapq.heappush(self._longest, (gap.seconds, -self._gap_count, gap))  # the earlier of two alike is kept
        if len(self._longest) > self._keep:
            heapq.heappop(self._longest)

    def _note_pace(self, pause: float, size: int) -> None:
        """Count what shows the line's pace, without the gaps and without what queued up during one."""
        if pause > self._threshold:
            self._behind = True
            return
        self._behind = self._behind and size > FAST_RATIO * self._line_rate * pause
        if not self._behind:
            self._busy += pause
            self._busy_bytes += size

    def gaps(self) -> Gaps:
        """Return the times longer than the threshold in which nothing arrived."""
        longest = tuple(gap for _, _, gap in sorted(self._longest, reverse=True))
        return Gaps(self._threshold, self._gap_count, self._gap_total, longest)

    def baud(self, bits_per_frame: float) -> float | None:
        """Return the bits per second on the line while it was busy; None if too little arrived to measure it.

        What arrives after a time was sent in that time, so bytes and times are added up pairwise.  A driver that
        hands bytes on in lumps (a latency timer) blurs each time by one lump, which a long run evens out.
        """
        return self._busy_bytes * bits_per_frame / self._busy if self._busy > 0 and self._busy_bytes else None

    def throughput(self) -> tuple[Rate, ...]:
        """Return the throughput in up to STRETCHES equal stretches of the run, of some LUMP arrivals each.

        The last one ends with the last arrival: it may be half as long, or half as long again.
        """
        if not self._last:
            return ()
        used = int(self._last / self._width) + 1
        together = -(-used // min(STRETCH_COUNT, max(10, self._count // STRETCH_MIN_ARRIVALS)))
        starts = list(range(0, used, together))
        if len(starts) > 1 and self._last - starts[-1] * self._width < together * self._width / 2:
            starts.pop()
        edges = [*(start * self._width for start in starts), self._last]
        counts = [sum(self._cells[a:b]) for a, b in zip(starts, [*starts[1:], used], strict=True)]
        return tuple(Rate(a, b - a, n) for a, b, n in zip(edges, edges[1:], counts, strict=False))
