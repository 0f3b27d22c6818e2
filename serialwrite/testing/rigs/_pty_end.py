"""One pty of a rig: the master that a pump reads and writes, and the slave whose path the user opens."""

from __future__ import annotations

import contextlib
import os

from serialwrite._posix import termios, tty

PTY_READ_SIZE = 65536  # most bytes asked of one read; the kernel gives about 4 kB of a pty at a time


class PtyEnd:
    """A pty, raw, without echo, its device for its owner only.

    A slave descriptor is kept open:
    otherwise the master hangs up, and polls ready for ever, whenever the last user closes the device.
    """

    def __init__(self) -> None:
        self.open()

    def open(self) -> None:
        """Make a new pty, with a new device."""
        self.master, self._slave = os.openpty()
        try:
            self.device = os.ttyname(self._slave)
            os.fchmod(self._slave, 0o600)
            os.set_blocking(self.master, False)
            os.set_blocking(self._slave, False)
            tty.setraw(self._slave, termios.TCSANOW)
        except BaseException:
            self.close()
            raise

    @property
    def alive(self) -> bool:
        return self.master >= 0

    def input_flags(self) -> int:
        """The c_iflag that the device's user has set (termios(3))."""
        return self._flags(0)

    def control_flags(self) -> int:
        """The c_cflag that the device's user has set (termios(3))."""
        return self._flags(2)

    def hold_output(self) -> None:
        """Let no user of the slave write any more: their writes get EAGAIN."""
        with contextlib.suppress(termios.error):
            termios.tcflow(self._slave, termios.TCOOFF)

    def release_output(self) -> None:
        """Let users of the slave write again."""
        with contextlib.suppress(termios.error):
            termios.tcflow(self._slave, termios.TCOON)

    def read(self, most: int = PTY_READ_SIZE) -> bytes:
        """Read what the slave's users have written; b"" where there is nothing now."""
        try:
            return os.read(self.master, most)
        except BlockingIOError:
            return b""

    def write(self, data: bytes | bytearray | memoryview) -> int:
        """Write what the slave's tty has room for, and return how much that was."""
        try:
            return os.write(self.master, data)
        except BlockingIOError:
            return 0

    def hang_up(self) -> None:
        """The slave's users get EIO on a write, end-of-file on a read. Idempotent.

        The device's name stays taken until ``close``. Else the system would give it to the next pty of any process, and
        a program that opens its device again would write into that.
        """
        master, self.master = self.master, -1
        if master >= 0:
            os.close(master)

    def close(self) -> None:
        """Hang up, and give back the device's name. Idempotent."""
        self.hang_up()
        slave, self._slave = self._slave, -1
        if slave >= 0:
            os.close(slave)

    def _flags(self, index: int) -> int:
        try:
            flags = termios.tcgetattr(self._slave)[index]
        except termios.error:  # vhangup(2), as getty calls it: bytes still pass, our slave knows no more of it
            return 0
        assert isinstance(flags, int)
        return flags
