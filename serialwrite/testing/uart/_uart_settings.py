"""The settings of a simulated UART: its speed, the sizes of its buffers, its flow control."""

from __future__ import annotations

import math
from dataclasses import dataclass
from types import NoneType
from typing import TYPE_CHECKING, Literal, get_args

from serialwrite._posix import termios

if TYPE_CHECKING:
    from serialwrite.testing.rigs._pty_end import PtyEnd

FlowControl = Literal["rts-cts", "xon-xoff", "none", "settings"]
CARRY_INTERVAL_S = 0.004  # seconds of line time that are carried at once; a UART, too, interrupts once per FIFO-full


@dataclass(frozen=True, kw_only=True)
class UartSettings:
    """See ``SimulatedUart``, which has the same arguments."""

    baud: float | None
    bytesize: int
    parity: str
    stopbits: float
    fifo: int
    queue: int
    receive: int
    flow_control: FlowControl

    def __post_init__(self) -> None:
        if not isinstance(self.baud, (int, float, NoneType)):  # pyright: ignore[reportUnnecessaryIsInstance] # unchecked
            raise TypeError(f"baud={self.baud!r}: pass a number above 0, or None for no pacing")
        for name in ("fifo", "queue", "receive"):
            if not isinstance(getattr(self, name), int):
                raise TypeError(f"{name}={getattr(self, name)!r}: pass a whole number of bytes")
        if self.baud is not None and not 0 < self.baud < math.inf:
            raise ValueError(f"baud={self.baud!r}: pass a number above 0, or None for no pacing")
        if self.bytesize not in {5, 6, 7, 8}:
            raise ValueError(f"bytesize={self.bytesize!r}: pass 5, 6, 7 or 8 bits")
        if self.parity not in {"N", "E", "O", "M", "S"}:
            raise ValueError(f"parity={self.parity!r}: pass 'N', 'E', 'O', 'M' or 'S'")
        if self.stopbits not in {1, 1.5, 2}:
            raise ValueError(f"stopbits={self.stopbits!r}: pass 1, 1.5 or 2")
        if self.fifo < 1 or self.queue < 1:
            raise ValueError(f"fifo={self.fifo!r}, queue={self.queue!r}: pass 1 byte or more")
        if self.receive < 4 * self.fifo:
            raise ValueError(
                f"receive={self.receive!r}: pass at least 4 * fifo = {4 * self.fifo} bytes, because "
                "what the FIFO holds still arrives after the receiver has said stop"
            )
        if self.flow_control not in get_args(FlowControl):
            names = ", ".join(get_args(FlowControl))
            raise ValueError(f"flow_control={self.flow_control!r}: pass one of {names}")

    @property
    def character_seconds(self) -> float:
        """Time of one character, start, parity and stop bits included; 0 where nothing is paced."""
        if self.baud is None:
            return 0.0
        return (1 + self.bytesize + (self.parity != "N") + self.stopbits) / self.baud

    @property
    def portion(self) -> int:
        """Characters carried at once: a tick's, but not so many that the queue runs empty in between."""
        if self.baud is None:
            return 1
        return max(1, min(int(CARRY_INTERVAL_S / self.character_seconds), self.capacity // 4))

    @property
    def capacity(self) -> int:
        """Bytes that the sender's driver and FIFO hold."""
        return self.queue + self.fifo

    @property
    def wake_up_below(self) -> int:
        """Bytes left in the driver when a writer is woken: about 256 of 4 kB, as the 8250's driver has it."""
        return self.capacity // 16

    @property
    def high_water(self) -> int:
        """Bytes in the receiver's buffer when it says stop."""
        return self.receive * 3 // 4

    @property
    def low_water(self) -> int:
        """Bytes in the receiver's buffer when it says go."""
        return self.receive // 4

    def obeyed(self, sender: PtyEnd, receiver: PtyEnd) -> bool:
        """Whether this sender stops when this receiver says stop."""
        if self.flow_control != "settings":
            return self.flow_control != "none"
        if not (sender.alive and receiver.alive):
            return False
        if sender.control_flags() & receiver.control_flags() & getattr(termios, "CRTSCTS", 0):
            return True
        return bool(sender.input_flags() & termios.IXON and receiver.input_flags() & termios.IXOFF)

    def eats_flow_control(self, receiver: PtyEnd) -> bool:
        """Whether an XON or XOFF that this end receives is taken as flow control, and not as data."""
        if self.flow_control == "settings":
            return receiver.alive and bool(receiver.input_flags() & termios.IXON)
        return self.flow_control == "xon-xoff"
