"""The fault log: the first faults whole, the count of all, and a map of their offsets."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Final

from serialwrite.loopback._faults import QUOTED_SIZE, ErrorMap, Fault, FaultKind

ERROR_MAP_CELL_COUNT: Final = 256
_FLAGS: Final = b"\x00" + b"\x01" * 255


class FaultLog:
    """Grows a fault while its run goes on, and takes one back when later bytes explain it better."""

    def __init__(self, keep: int) -> None:
        """Keep the first ``keep`` faults."""
        self.counts: Counter[FaultKind] = Counter()
        """Bytes for each kind."""
        self.number = 0
        """How many faults there are, kept or not."""
        self._keep = keep
        # Holes are entered late, when they can't be filled any more: a list of their own keeps each in order.
        self._lists: dict[bool, list[Fault]] = {False: [], True: []}
        self._ended: tuple[FaultKind, int] | None = None  # where the last run stopped
        self._map = _Mapper()

    def enter(self, fault: Fault) -> None:
        """Enter a fault, or let the last one grow by it."""
        self.counts[fault.kind] += fault.length
        self._map.add(fault, 1)
        faults = self._lists[fault.kind is FaultKind.LOST]
        ended = self._ended
        self._ended = None if fault.offset is None else (fault.kind, fault.offset + fault.length)
        if faults and _continues(faults[-1], fault):
            faults[-1] = _joined(faults[-1], fault)
            return
        # a run that goes on from one that was only counted is the same fault
        self.number += not self.is_full or ended != (fault.kind, fault.offset)
        if len(faults) <= self._keep:
            faults.append(fault)
        else:  # the place after the last one kept is for the newest, so that it can grow uncounted
            faults[-1] = fault

    @property
    def is_full(self) -> bool:
        """Whether further faults are counted only."""
        return self.number > self._keep

    def count_wrong(self, kind: FaultKind, offset: int, differing: bytes) -> None:
        """Count each run of bytes that are not zero in ``differing`` as a fault, without keeping any."""
        flags = differing.translate(_FLAGS)
        self.counts[kind] += flags.count(1)
        self.number += flags.count(b"\x00\x01")
        if flags.startswith(b"\x01") and self._ended != (kind, offset):
            self.number += 1
        self._ended = (kind, offset + len(flags.rstrip(b"\x00")))
        self._map.add_flags(kind, offset, flags)

    def withdraw(self, kind: FaultKind, received_at: int, length: int, offset: int) -> None:
        """Take a fault back."""
        self.counts[kind] -= length
        self.number -= 1
        self._map.add(Fault(kind, offset, length, received_at), -1)
        for late, faults in self._lists.items():
            self._lists[late] = [f for f in faults if (f.kind, f.received_at) != (kind, received_at)]

    def first(self, *, modulo: int | None) -> tuple[Fault, ...]:
        """Return the first faults in the order in which they showed, each marked with ``modulo``."""
        together = sorted(self._lists[False] + self._lists[True], key=lambda fault: fault.received_at)
        return tuple(replace(fault, modulo=modulo) for fault in together[: self._keep])

    def error_map(self) -> ErrorMap:
        """Return where in the sent stream the faults lie."""
        return self._map.result()


class _Mapper:
    """Counts faulty bytes in ERROR_MAP_CELL_COUNT equal stretches, doubling them as the stream grows."""

    def __init__(self) -> None:
        self._width = 1
        self._rows: dict[FaultKind, list[int]] = {}

    def add(self, fault: Fault, sign: int) -> None:
        if fault.offset is None:
            return
        end = fault.offset + fault.length
        row = self._row(fault.kind, end)
        first, last = fault.offset // self._width, (end - 1) // self._width
        if first == last:
            row[first] += sign * fault.length
            return
        for cell in range(first, last + 1):
            inside = min(end, (cell + 1) * self._width) - max(fault.offset, cell * self._width)
            row[cell] += sign * inside

    def add_flags(self, kind: FaultKind, offset: int, flags: bytes) -> None:
        end = offset + len(flags)
        row = self._row(kind, end)
        for cell in range(offset // self._width, (end - 1) // self._width + 1):
            low, high = max(cell * self._width - offset, 0), (cell + 1) * self._width - offset
            row[cell] += flags.count(1, low, high)

    def _row(self, kind: FaultKind, end: int) -> list[int]:
        while end > ERROR_MAP_CELL_COUNT * self._width:
            self._width *= 2
            for cells in self._rows.values():
                cells[:] = [sum(cells[i : i + 2]) for i in range(0, ERROR_MAP_CELL_COUNT, 2)] + [0] * (
                    ERROR_MAP_CELL_COUNT // 2
                )
        return self._rows.setdefault(kind, [0] * ERROR_MAP_CELL_COUNT)

    def result(self) -> ErrorMap:
        return ErrorMap(self._width, {kind: tuple(row) for kind, row in self._rows.items() if any(row)})


def _continues(last: Fault, fault: Fault) -> bool:
    return (
        last.kind is fault.kind
        and last.offset is not None
        and last.offset + last.length == fault.offset
        and last.received_at + last.length == fault.received_at
        and (last.displacement == fault.displacement or fault.kind is FaultKind.DUPLICATED)
    )


def _joined(last: Fault, fault: Fault) -> Fault:
    return replace(
        last,
        length=last.length + fault.length,
        flipped_bits=last.flipped_bits + fault.flipped_bits,
        displacement=fault.displacement,
        expected=(last.expected + fault.expected)[:QUOTED_SIZE],
        received=(last.received + fault.received)[:QUOTED_SIZE],
    )
