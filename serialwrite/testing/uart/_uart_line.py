"""One direction of a simulated line: the sender's driver, and the wire with its pace and its faults."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Protocol

from serialwrite.testing.rigs._pump import Lane
from serialwrite.testing.uart._corruption import apply_fault, split_at
from serialwrite.testing.uart._injected_faults import BYTE_KINDS, FaultRecord, Rule
from serialwrite.testing.uart._uart_receiver import Receiver

if TYPE_CHECKING:
    from collections.abc import Callable

    from serialwrite.testing.rigs._pty_end import PtyEnd
    from serialwrite.testing.rigs._rig import End
    from serialwrite.testing.uart._injected_faults import ConsequenceKind, Fault, FaultPlan, Kind
    from serialwrite.testing.uart._uart_settings import UartSettings

FAULT_BYTES_TIMEOUT_S = 0.05  # seconds that a fault of several bytes waits for the last of them
ROUNDS_PER_TURN = 16  # of moving before the other direction has its turn
XON_BYTE, XOFF_BYTE = 0x11, 0x13


class Wire(Protocol):
    """What a lane needs of both ends and the clock between them. UartWire is one."""

    def record(self, record: FaultRecord, /) -> None: ...
    def later(self, seconds: float, function: Callable[[], object], /) -> None: ...
    def is_plugged(self, end: End, /) -> bool: ...
    def hang_up(self, end: End, /) -> None: ...
    def unplug(self, end: End, seconds: float = ..., /) -> None: ...


class UartLane(Lane):
    """What ``sender`` writes: queued in its driver, carried by the wire, buffered by the receiver."""

    reverse: UartLane

    def __init__(
        self,
        sender: End,
        source: PtyEnd,
        target: PtyEnd,
        settings: UartSettings,
        schedule: FaultPlan,
        wire: Wire,
    ) -> None:
        super().__init__(source, target)
        self.sender: End = sender
        self.sent = 0  # bytes that have been on the wire: the offset that faults and records speak of
        self.receiver = Receiver(target, settings)
        self._settings = settings
        self._schedule = schedule
        self._wire = wire
        self._queue = bytearray()  # accepted by the driver, not yet on the wire
        self._output_held = False
        self._silences: set[object] = set()
        self._was_idle = True
        self._free_at = 0.0  # when the wire has carried all that was sent
        self._impatient_at: float | None = None

    # What the pump asks

    def wants_to_read(self) -> bool:
        return self.source.alive and len(self._queue) < self._settings.capacity

    def wants_to_write(self) -> bool:
        return self.target.alive and not self.stalled and bool(self.receiver.buffer)

    def timeout(self) -> float | None:
        if not self._queue or self._held_up():
            return None
        now = time.monotonic()
        if self._impatient_at is not None:
            return self._impatient_at - now
        return self._free_at + self._portion() * self._settings.character_seconds - now

    def move(self) -> None:
        for _ in range(ROUNDS_PER_TURN):
            now = time.monotonic()
            if not any((self._accept(now), self._transmit(now), self._deliver())):
                break
        self._regulate()

    # The sender's driver

    def _accept(self, now: float) -> bool:
        if not self.wants_to_read():
            return False
        data = self.source.read(self._settings.capacity - len(self._queue))
        if data and not self._queue:
            self._free_at = max(self._free_at, now)
        self._queue += data
        return bool(data)

    def _regulate(self) -> None:
        """Refuse writes while the queue is full, as a driver does; a burst fills the kernel's pty first."""
        if self._output_held and len(self._queue) <= self._settings.wake_up_below:
            self._output_held = False
            self.source.release_output()
        elif not self._output_held and self.source.alive and len(self._queue) >= self._settings.capacity:
            self._output_held = True
            self.source.hold_output()

    def sender_gone(self) -> None:
        """The sender's device goes: all that it accepted and has not sent is lost."""
        self.source.hold_output()  # first, so that nothing is accepted between the last read and the close
        while data := self.source.read():
            self._queue += data
        self._output_held = False
        lost = self._take(len(self._queue))
        if lost:
            self._record("lost", lost)
            self.sent += len(lost)

    def receiver_gone(self) -> None:
        """The receiver's device goes, with what it has received."""
        lost = self.receiver.lose()
        if lost:
            self._record("lost by the receiver", lost)

    # The wire

    def silence(self, seconds: float) -> None:
        """Carry nothing for so long."""
        why = object()
        self._silences.add(why)
        self._wire.later(seconds, lambda: self._silences.discard(why))

    def _silent(self) -> bool:
        return self.stalled or bool(self._silences) or not self.source.alive

    def _held_up(self) -> bool:
        return self._silent() or not self.receiver.space(self.source)

    def _transmit(self, now: float) -> bool:
        idle = not self._queue or self._held_up()
        if idle or self._was_idle:
            self._free_at = max(self._free_at, now)  # a pause isn't saved up as time on the wire
        self._was_idle = idle
        if idle:
            return False
        before = self.sent
        end = before + self._due(now)
        while self.sent < end and self._queue and not self._silent():
            n = min(end - self.sent, len(self._queue), self.receiver.space(self.source))
            if n == 0:
                break
            clear = min(n, self._schedule.next_offset - self.sent)
            if clear > 0:
                self._carry(int(clear))
            elif not self._strike(now):
                break
        self._free_at += (self.sent - before) * self._settings.character_seconds
        self._was_idle = self._held_up()
        return self.sent > before

    def _due(self, now: float) -> int:
        """How many characters the wire has had time for; 0 until that is a portion."""
        if not self._settings.character_seconds:
            return len(self._queue)
        due = int((now - self._free_at) / self._settings.character_seconds)
        return due if due >= self._portion() else 0

    def _portion(self) -> int:
        """How many characters are carried at once: each by itself would cost a core at a megabaud."""
        return min(len(self._queue), self._settings.portion)

    def _carry(self, n: int) -> None:
        """Carry n bytes, unharmed but for the line's translations."""
        data = self._take(n)
        if not self.target.alive:
            self._record("lost", data)
        else:
            if n > self.receiver.room:
                self._deliver()
            kept = min(n, self.receiver.room)
            self.receiver.buffer += self._translated(data[:kept])
            if kept < n:
                self._record("overrun", data[kept:], offset=self.sent + kept)
        self.sent += n

    def _take(self, n: int) -> bytes:
        data = bytes(self._queue[:n])
        del self._queue[:n]
        self.receiver.coming(n)
        return data

    def _translated(self, data: bytes) -> bytes:
        """What the line makes of every byte of a sort: newlines, flow control in the midst of data."""
        table = dict(self._schedule.translations)
        if self._settings.eats_flow_control(self.target):
            table[XON_BYTE] = table[XOFF_BYTE] = "flow control", b""
        if not table or data.translate(None, bytes(table)) == data:
            return data
        out = bytearray()
        for index, piece in split_at(data, bytes(table)):
            if piece[0] not in table:
                out += piece
                continue
            kind, after = table[piece[0]]
            self._record(kind, piece, after, offset=self.sent + index)
            out += after
            if kind == "flow control":
                self.reverse.obey(piece[0])
        return bytes(out)

    def obey(self, character: int) -> None:
        """The sender has received an XON or XOFF."""
        if character == XOFF_BYTE:
            self.receiver.say_stop("XOFF")
        else:
            self.receiver.say_go("XOFF")

    def _deliver(self) -> bool:
        n = self.receiver.deliver() if self.wants_to_write() else 0
        self.moved += n
        return n > 0

    # Its faults

    def _strike(self, now: float) -> bool:
        """Let the next fault happen; False where it waits for more bytes."""
        needs = min(self._schedule.next_fault.needs, self._settings.capacity)
        if len(self._queue) < needs:
            self._impatient_at = self._impatient_at or now + FAULT_BYTES_TIMEOUT_S
            if now < self._impatient_at:
                return False
        self._impatient_at = None
        fault = self._schedule.take()
        if fault.kind in BYTE_KINDS:
            rule = self._rule(fault)
            before = self._take(fault.needs)
            after = apply_fault(fault, before, self.receiver.input_flags()) if self.target.alive else b""
            self.receiver.buffer += after
            self._record(fault.kind, before, after, rule=rule)
            self.sent += len(before)
        else:
            self.happen(fault)
        return True

    def happen(self, fault: Fault) -> None:
        """Let an event on the line happen now; to a device that is gone, nothing more can."""
        if fault.kind in {"hang up", "unplug"} and not self._wire.is_plugged(fault.end or self.sender):
            return
        after = self.receiver.take_break() if fault.kind == "break" else b""
        self._record(fault.kind, after=after, seconds=fault.seconds, rule=self._rule(fault))
        match fault.kind:
            case "throttle":
                if self._settings.obeyed(self.source, self.target):
                    why = object()
                    self.receiver.say_stop(why)
                    self._wire.later(fault.seconds, lambda: self.receiver.say_go(why))
            case "hang up":
                self._wire.hang_up(fault.end or self.sender)
            case "unplug":
                self._wire.unplug(fault.end or self.sender, fault.seconds)
            case _:
                self.silence(fault.seconds)

    def _rule(self, fault: Fault) -> str:
        return str(Rule(fault, self.sender, at=self.sent))

    def _record(
        self,
        kind: Kind | ConsequenceKind,
        before: bytes = b"",
        after: bytes = b"",
        *,
        offset: int | None = None,
        seconds: float = 0.0,
        rule: str = "",
    ) -> None:
        at = self.sent if offset is None else offset
        self._wire.record(FaultRecord(self.sender, at, kind, before, after, seconds, rule))
