"""The receiving half of a simulated UART: a finite buffer, and the flow control that guards it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from serialwrite.testing.uart._corruption import break_mark

if TYPE_CHECKING:
    from serialwrite.testing.rigs._pty_end import PtyEnd
    from serialwrite.testing.uart._uart_settings import UartSettings

UNLIMITED_SIZE = 1 << 30  # bytes
FULL_REASON = "full"  # the reason to say stop that goes away by itself, when the program reads


class Receiver:
    """What has arrived at a device and has not been taken by its tty, and why it wants no more."""

    def __init__(self, target: PtyEnd, settings: UartSettings) -> None:
        self.target = target
        self.buffer = bytearray()
        self._settings = settings
        self._stops: set[object] = set()
        self._run_on = 0  # bytes of the sender's FIFO that still come after stop was said

    @property
    def room(self) -> int:
        """Bytes that the buffer can take; what comes beyond is an overrun."""
        return max(0, self._settings.receive - len(self.buffer))

    def space(self, sender: PtyEnd) -> int:
        """How many bytes this sender may send before it must look again."""
        if not self._stops:
            if not self._settings.obeyed(sender, self.target):
                return UNLIMITED_SIZE
            if not self.target.alive:
                return 0  # no RTS from a device that is not there
            space = self._settings.high_water - len(self.buffer)
            if space > 0:
                return space
            self.say_stop(FULL_REASON)
        return self._run_on

    def say_stop(self, why: object) -> None:
        """Let the sender stop, for one more reason; what its FIFO holds still comes."""
        if not self._stops:
            self._run_on = self._settings.fifo
        self._stops.add(why)

    def say_go(self, why: object) -> None:
        """Withdraw a reason; without any, the sender goes on."""
        self._stops.discard(why)

    def coming(self, n: int) -> None:
        """Count n bytes that the sender sends, against those of its FIFO if flow control has stopped it."""
        self._run_on = max(0, self._run_on - n)

    def deliver(self) -> int:
        """Hand over what the tty takes, and return how many bytes that was."""
        n = self.target.write(self.buffer)
        del self.buffer[:n]
        if len(self.buffer) <= self._settings.low_water:
            self.say_go(FULL_REASON)
        return n

    def input_flags(self) -> int:
        """The c_iflag that the device's user has set; 0 without a device."""
        return self.target.input_flags() if self.target.alive else 0

    def take_break(self) -> bytes:
        """Receive a break, and return what the reader gets for it."""
        mark = break_mark(self.input_flags()) if self.target.alive else b""
        self.buffer += mark
        return mark

    def lose(self) -> bytes:
        """The device goes: forget what it had received, and return that."""
        lost = bytes(self.buffer)
        self.buffer.clear()
        self.say_go(FULL_REASON)
        return lost
