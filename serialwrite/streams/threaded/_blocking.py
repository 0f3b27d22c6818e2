"""BlockingPortStream: a port with no file descriptor to wait for, written to and read from on threads of its own."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, ClassVar

import serial

from ..._errors import OperationAborted, StreamClosed
from ..._executors import EventLoopExecutor
from ..._handler import Handler
from .._coroutine import Result, completion
from .._proof import ProofLevels
from ..serial._close import ClosePolicy
from ..serial._open import kind_of
from ..serial._port import SerialPort
from ..serial._stall import CTS_LOW, NOT_READING
from ._backend import Backend
from ._kinds import backend_for
from ._worker import ReadingThread, WritingThread


class BlockingPortStream(SerialPort):
    """A serial port without a file descriptor: ``loop://``, ``rfc2217://``, ``socket://``, a Windows COM port.

    Args and errors are those of :class:`SerialPort`, which makes one of these where it has to.
    An open ``serial.Serial`` becomes the stream's: its timeouts are set, and nothing else may read or write it.

    Writes go to ``Serial.write`` in chunks, on a thread of the stream's that ends with :meth:`close`; reads have
    another. ``bytes_transferred`` is exact at the boundaries of chunks: of one that fails, a part may have gone.
    Behind a network it counts what this machine's TCP has taken; ``queued`` is then what the other machine has not
    acknowledged (Telnet's own bytes included), and nothing can be told of the line (see ``proof_levels``).

    Cancellation: terminal and partial. It waits for the chunk that is under way, 50 ms or so.
    """

    needs: ClassVar[tuple[str, ...]] = ()  # what pyserial calls is its own business
    _backend: Backend

    def __init__(
        self,
        port: str | os.PathLike[str] | serial.SerialBase,
        baudrate: int | None = None,
        *,
        executor: EventLoopExecutor | None = None,
        **settings: Any,
    ) -> None:
        if kind_of(port) != "blocking" and (isinstance(port, (str, os.PathLike)) or hasattr(port, "fd")):
            # pyserial's write to a full one returns when it likes, and no timeout of ours could end it.
            raise TypeError(
                f"port: {port!r} is a port with a file descriptor; pass it to SerialPort, which needs no thread"
            )
        super().__init__(port, baudrate, executor=executor, **settings)
        self.write_direction: Any = WritingThread(self)
        self.read_direction: Any = ReadingThread(self)

    def _check(self, *, mine: bool) -> None:
        self._tty = self._backend = backend_for(self.serial)
        if not self.serial.is_open:
            raise StreamClosed(reason=f"port {self.serial.port} is closed; open() it first")

    @property
    def proof_levels(self) -> ProofLevels:
        return self._backend.proof_levels

    def held_by(self) -> str | None:
        with suppress(OSError):  # closed, or a remote port that doesn't tell its lines
            if self.serial.rtscts and not self.serial.cts:
                return CTS_LOW
        with suppress(OSError):
            return None if self._backend.writable() else NOT_READING
        return None

    def write_some_nowait(self, buffers: Sequence[Any], /) -> int:
        raise BlockingIOError(errno.EAGAIN, "this port can only be written to on its thread")

    def read_some_nowait(self, buffers: Sequence[Any], /) -> int:
        raise BlockingIOError(errno.EAGAIN, "this port can only be read on its thread")

    def wait_fd(self) -> int:
        raise OSError(errno.ENOTTY, f"{self.serial.port} has no file descriptor")

    async def _hold_break(self, seconds: float) -> Result:
        def work(stop: threading.Event) -> int:
            self._tty.set_break(True)
            try:
                stop.wait(seconds)
            finally:
                self._tty.set_break(False)
            if stop.is_set():
                raise OperationAborted
            return 0

        def start(handler: Handler) -> None:
            handler.cancellation_slot.assign(self.write_direction.cancel)
            self.write_direction.run(work, handler)

        return await completion(start, self._executor)

    def _to_finalize(self) -> tuple[Backend, Any]:
        return self._backend, self.serial

    def _close(self) -> None:
        super()._close()
        self._backend.closed()

    def _close_now(self, policy: ClosePolicy) -> int | None:
        unsent = super()._close_now(policy)
        for side in (self.write_direction, self.read_direction):
            side.end()
        self._backend.closed()
        return unsent
