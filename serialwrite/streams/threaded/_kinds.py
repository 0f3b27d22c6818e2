"""The kinds of pyserial ports without a descriptor: how each is waited for, written to and read from."""

from __future__ import annotations

import errno
import os
import queue
import selectors
import socket
import struct
import sys
import threading
from contextlib import suppress
from typing import Any, ClassVar

import serial

from .._proof import UNKNOWN, ProofLevel, ProofLevels
from ..fd._descriptor import NO_SIGPIPE
from ..fd._socket import check_connected, unacknowledged
from ..serial._device import CLOSING_WAIT_NONE
from ..serial._no_line import no_line, refuse_changes
from ..serial._settings import Settings, asked_of
from ._backend import Backend

# Seconds that pyserial's close takes, always: it sleeps for 0.3, in case the same server is connected to again.
CLOSING_S = 0.35

# Seconds after which a thread that waits for pyserial's own looks whether that has ended, of which it need not say.
SOURCE_LOOK_S = 1.0
# poll(2) where the system has it: select(2) knows descriptors below 1,024 only.
POLLER: type[selectors.BaseSelector] = getattr(selectors, "PollSelector", selectors.SelectSelector)


class LoopBackend(Backend):
    """``loop://``: a queue of bytes, which blocks while it is full."""

    def __init__(self, port: Any) -> None:
        super().__init__(port)
        self.chunk = 1024  # it has no line, so nothing takes time

    def writable(self) -> bool:
        return not self.port.queue.full()

    def wait_writable(self, stop: threading.Event) -> None:
        line: queue.Queue[bytes] = self.port.queue
        with line.not_full:
            while self.port.is_open and line._qsize() >= line.maxsize and not stop.is_set():
                line.not_full.wait()

    def write(self, data: bytes) -> int:
        line: queue.Queue[bytes] = self.port.queue
        return super().write(data[: line.maxsize - line.qsize()])  # only this stream puts anything in

    def wait_readable(self, stop: threading.Event) -> None:
        _await_item(self.port.queue, self.port, stop)

    def set_break(self, on: bool) -> None:
        raise no_line(self.port.port, "break")

    def interrupt(self) -> None:
        with self.port.queue.mutex:
            self.port.queue.not_full.notify_all()
            self.port.queue.not_empty.notify_all()


class _Quiet(socket.socket):
    """A socket whose peer may be gone: an error to report, not a SIGPIPE."""

    __slots__ = ()

    def send(self, data: Any, flags: int = 0, /) -> int:
        return super().send(data, flags | NO_SIGPIPE)

    def sendall(self, data: Any, flags: int = 0, /) -> None:
        super().sendall(data, flags | NO_SIGPIPE)


class _OverTcp(Backend):
    """A port over a TCP connection: the kernel reports what the other machine has acknowledged."""

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
        self._socket.__class__ = _Quiet  # it is pyserial that sends
        self._wake, self._waker = socket.socketpair()

    def writable(self) -> bool:
        return bool(_ready({self._socket: selectors.EVENT_WRITE}, 0))

    def wait_writable(self, stop: threading.Event) -> None:
        wanted = {self._wake: selectors.EVENT_READ, self._socket: selectors.EVENT_WRITE}
        while not stop.is_set() and self._socket not in _ready(wanted, None):
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

    def check_peer(self) -> None:
        check_connected(self._socket)

    def close_port(self, port: Any) -> None:
        if not self._ended():
            port.close()
            return
        port.is_open = False  # without pyserial's sleep
        self._socket.close()

    def _ended(self) -> bool:
        """Whether the connection is over, or the server's half of it."""
        try:
            self._socket.settimeout(0)  # else Python would wait for something to come
            return not self._socket.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return False
        except OSError:
            return True

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

    has_lines = False  # pyserial makes some up

    def __init__(self, port: Any) -> None:
        super().__init__(port)
        self.chunk = 65536
        # Otherwise its write waits for the socket to be ready once more *after* it has sent everything.
        port.write_timeout = 0
        port.timeout = 0
        refuse_changes(port)

    def wait_readable(self, stop: threading.Event) -> None:
        # A wake-up may be left from an earlier step, and the socket have nothing: to read then looks like its end.
        wanted = {self._wake: selectors.EVENT_READ, self._socket: selectors.EVENT_READ}
        while not stop.is_set() and self._socket not in _ready(wanted, None):
            self._slept()

    def read(self, size: int) -> bytes:
        data: bytes = self.port.read(size)
        return data


class Rfc2217Backend(_OverTcp):
    """``rfc2217://``: a remote port, by Telnet. Its write sends everything or fails, so that a chunk has to fit."""

    closing_time = CLOSING_S

    def __init__(self, port: Any) -> None:
        super().__init__(port)
        self.chunk = 512

    def wait_readable(self, stop: threading.Event) -> None:
        _await_item(self.port._read_buffer, self.port, stop, self.port._thread)

    def settings(self) -> Settings:
        return asked_of(self.port)  # it raises what the server does not grant

    def read(self, size: int) -> bytes:
        """It has a thread of its own that reads, and a None in its queue for the end.

        pyserial's own read looks first whether that thread has ended, and what had come before is lost.
        """
        if not self.port.is_open:
            raise serial.PortNotOpenError
        data = bytearray()
        alive = self.port._thread.is_alive()
        with self.port._read_buffer.mutex:
            items = self.port._read_buffer.queue
            while len(data) < size and items and items[0] is not None:
                data += items.popleft()
            ended = bool(items) and items[0] is None
        if size and not data and (ended or not alive):
            raise ConnectionResetError(errno.ECONNRESET, os.strerror(errno.ECONNRESET))
        return bytes(data)

    def close_port(self, port: Any) -> None:
        super().close_port(port)
        thread, port._thread = port._thread, None
        if thread is not None:  # else pyserial has waited for it
            thread.join(CLOSING_S)

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


def _ready(wanted: dict[socket.socket, int], seconds: float | None) -> set[Any]:
    """Those of the sockets that are ready for what is ``wanted`` of them, within ``seconds``; None: once one is."""
    with POLLER() as poller:
        for sock, events in wanted.items():
            poller.register(sock, events)
        return {key.fileobj for key, _ in poller.select(seconds)}


def _await_item(
    items: queue.Queue[Any], port: Any, stop: threading.Event, source: threading.Thread | None = None
) -> None:
    with items.not_empty:
        while port.is_open and not items._qsize() and not stop.is_set() and (source is None or source.is_alive()):
            items.not_empty.wait(None if source is None else SOURCE_LOOK_S)
