"""The ports of pyserial's that have no descriptor: how each is waited for, written to and read from, a piece at a time.

They are used on worker threads. Waiting ends within a moment of ``stop`` being set and :meth:`Backend.interrupt`.
"""

from __future__ import annotations

import errno
import os
import queue
import select
import socket
import struct
import sys
import threading
from collections.abc import Generator
from contextlib import contextmanager, suppress
from typing import Any, ClassVar

from ._drain import seconds_per_byte
from ._proof import UNKNOWN, ProofLevel, ProofLevels
from ._socket import unacknowledged
from ._tty import CLOSING_WAIT_NONE, ModemLines, Tty

# How long a wait may take to notice that its port was closed beneath it, in seconds; and how often a port is looked at
# that has no event for "something came".
WATCHDOG, LOOK = 0.05, 0.01
# A chunk takes about this long on the line, in seconds: that is how long a cancellation waits.
CHUNK_TIME = 0.05


class Backend(Tty):
    """Any port of pyserial's, by what all of them have. Also what stands in for its driver.

    Args:
        port: the object that pyserial made, open.
    """

    drives_line = False
    proof_levels: ClassVar[ProofLevels] = {
        ProofLevel.ACCEPTED: "Serial.write",
        ProofLevel.DRAINED: UNKNOWN,
        ProofLevel.TRANSMITTED: UNKNOWN,
        ProofLevel.CONFIRMED: UNKNOWN,
    }

    def __init__(self, port: Any) -> None:
        super().__init__(lambda: -1)
        self.port = port
        self.chunk = int(min(max(CHUNK_TIME / seconds_per_byte(port), 16), 1024))  # bytes to write at a time

    def writable(self) -> bool:
        """Whether a chunk can be written now without blocking for long."""
        return True

    def wait_writable(self, stop: threading.Event) -> None:
        """Wait until a chunk can be written without blocking for long, or ``stop``."""

    def write(self, data: bytes) -> int:
        """Write ``data``, a chunk, and return the bytes that were taken."""
        n: int | None = self.port.write(data)
        return len(data) if n is None else n

    def wait_readable(self, stop: threading.Event) -> None:
        """Wait until there is something to read, or ``stop``."""
        while self.port.is_open and not self.port.in_waiting and not stop.wait(LOOK):
            pass

    def read(self, size: int) -> bytes:
        """Read what is there, ``size`` bytes at the most. No bytes: the other end is gone."""
        data: bytes = self.port.read(min(size, self.port.in_waiting))
        return data

    def interrupt(self) -> None:
        """Have those who wait look at their ``stop``."""

    def cancel(self) -> None:
        """End a write or a read that is stuck, where the port has a way to; it is being closed."""
        for name in ("cancel_write", "cancel_read"):
            with suppress(Exception):
                getattr(self.port, name)()

    def closed(self) -> None:
        """The port is closed, and nobody waits any more."""

    # -- in place of a driver -------------------------------------------------------------------------------

    def is_pty(self) -> bool:
        return False

    def output_queue(self) -> int | None:
        return None

    def transmitter_empty(self) -> bool | None:
        return None

    def status_lag(self) -> float:
        return 0.0

    def fifo_size(self) -> int | None:
        return None

    def hold_output(self) -> None:
        pass

    def let_output(self) -> None:
        pass

    def flush_output(self) -> None:
        pass

    def modem_lines(self) -> ModemLines | None:
        port = self.port
        return ModemLines(port.cts, port.dsr, port.cd, port.ri, port.rts, port.dtr)

    def counters(self) -> None:
        return None

    def set_break(self, on: bool) -> None:
        self.port.break_condition = on

    def output_speed(self) -> int | None:
        return None

    def set_exclusive(self, on: bool) -> None:
        pass

    def closing_wait(self) -> int | None:
        return None

    def set_closing_wait(self, value: int) -> None:
        pass

    def hang_up_on_close(self, on: bool) -> bool:
        raise OSError(errno.ENOTTY, os.strerror(errno.ENOTTY))

    @contextmanager
    def opened_anew(self, path: str) -> Generator[Tty]:
        raise OSError(errno.ENOTTY, os.strerror(errno.ENOTTY))
        yield self


class LoopBackend(Backend):
    """``loop://``: a queue of bytes, which blocks while it is full."""

    def __init__(self, port: Any) -> None:
        super().__init__(port)
        self.chunk = 1024  # there is no line that would take its time

    def writable(self) -> bool:
        return not self.port.queue.full()

    def wait_writable(self, stop: threading.Event) -> None:
        line: queue.Queue[bytes] = self.port.queue
        with line.not_full:
            while self.port.is_open and line._qsize() >= line.maxsize and not stop.is_set():
                line.not_full.wait(WATCHDOG)

    def write(self, data: bytes) -> int:
        line: queue.Queue[bytes] = self.port.queue
        return super().write(data[: line.maxsize - line.qsize()])  # nobody else puts anything in

    def wait_readable(self, stop: threading.Event) -> None:
        _await_item(self.port.queue, self.port, stop)

    def interrupt(self) -> None:
        with self.port.queue.mutex:
            self.port.queue.not_full.notify_all()
            self.port.queue.not_empty.notify_all()


class _OverTcp(Backend):
    """What stands on a TCP connection: the kernel tells what of it the other machine has acknowledged."""

    proof_levels: ClassVar[ProofLevels] = {
        ProofLevel.ACCEPTED: "send(2)",
        ProofLevel.ACKNOWLEDGED: "SIOCOUTQ" if sys.platform == "linux" else UNKNOWN,
        ProofLevel.DRAINED: UNKNOWN,
        ProofLevel.TRANSMITTED: UNKNOWN,
        ProofLevel.CONFIRMED: UNKNOWN,
    }

    def __init__(self, port: Any) -> None:
        super().__init__(port)
        self._socket: socket.socket = port._socket
        self._wake, self._waker = socket.socketpair()

    def writable(self) -> bool:
        return bool(select.select([], [self._socket], [], 0)[1])

    def wait_writable(self, stop: threading.Event) -> None:
        while not stop.is_set() and not select.select([self._wake], [self._socket], [], WATCHDOG)[1]:
            self._slept()

    def interrupt(self) -> None:
        with suppress(OSError):  # full: a wake-up is on its way
            self._waker.send(b"!", socket.MSG_DONTWAIT)

    def _slept(self) -> None:
        with suppress(OSError):
            self._wake.recv(4096, socket.MSG_DONTWAIT)

    def output_queue(self) -> int | None:
        """Bytes that the other machine has not acknowledged."""
        return unacknowledged(self._socket)

    def closing_wait(self) -> int | None:
        return 0  # the kernel goes on sending behind a close, for as long as it takes

    def set_closing_wait(self, value: int) -> None:
        if value == CLOSING_WAIT_NONE:  # reset the connection, and drop what is not acknowledged
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def closed(self) -> None:
        self._socket.close()  # which pyserial leaves to the garbage collector, if the peer was gone
        self._wake.close()
        self._waker.close()


class SocketBackend(_OverTcp):
    """``socket://``: a raw TCP connection."""

    def __init__(self, port: Any) -> None:
        super().__init__(port)
        self.chunk = 65536
        # Otherwise its write waits for the socket to be ready once more *after* it has sent everything.
        port.write_timeout = 0
        port.timeout = 0

    def wait_readable(self, stop: threading.Event) -> None:
        # A wake-up may be left from an earlier step, and the socket have nothing: to read then looks like its end.
        while not stop.is_set() and self._socket not in select.select([self._socket, self._wake], [], [], WATCHDOG)[0]:
            self._slept()

    def read(self, size: int) -> bytes:
        data: bytes = self.port.read(size)
        return data


class Rfc2217Backend(_OverTcp):
    """``rfc2217://``: a remote port, by Telnet. Its write sends everything or fails, so that a chunk has to fit."""

    def __init__(self, port: Any) -> None:
        super().__init__(port)
        self.chunk = 512

    def wait_readable(self, stop: threading.Event) -> None:
        _await_item(self.port._read_buffer, self.port, stop)

    def read(self, size: int) -> bytes:
        """It has a thread of its own that reads, and a None in its queue for the end."""
        data = super().read(size)
        if not data and not self.port._thread.is_alive():
            raise ConnectionResetError(errno.ECONNRESET, os.strerror(errno.ECONNRESET))
        return data

    def interrupt(self) -> None:
        super().interrupt()
        with self.port._read_buffer.mutex:
            self.port._read_buffer.not_empty.notify_all()


def backend_for(port: Any) -> Backend:
    """The backend for ``port``, by the name of its module, as pyserial loads these by theirs."""
    module = type(port).__module__.rpartition(".")[2]
    kinds: dict[str, type[Backend]] = {
        "protocol_loop": LoopBackend,
        "protocol_socket": SocketBackend,
        "protocol_rfc2217": Rfc2217Backend,
        "rfc2217": Rfc2217Backend,
    }
    return kinds.get(module, Backend)(port)


def _await_item(items: queue.Queue[Any], port: Any, stop: threading.Event) -> None:
    with items.not_empty:
        while port.is_open and not items._qsize() and not stop.is_set():
            items.not_empty.wait(WATCHDOG)
