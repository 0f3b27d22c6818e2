"""ThreadDriver: drives a port without a file descriptor, on threads of its own."""

from __future__ import annotations

import errno
import threading
from collections.abc import Sequence
from contextlib import suppress
from types import SimpleNamespace
from typing import Any

from ..._errors import OperationAborted, StreamClosed
from ..._handler import Handler
from .._coroutine import Result, completion
from .._proof import ProofLevels
from ..fd._standstill import NOT_READING, Standstill
from ..fd._stream import PollableStream
from ..serial._close import close_inherited, close_now
from ..serial._stall import CTS_LOW
from ._backend import Backend
from ._kinds import backend_for
from ._worker import ReadingThread, WorkerDirection, WritingThread


class ThreadDriver:
    """See :class:`Driver`. Writes go to ``Serial.write`` in chunks, on a thread that ends with the port; so do reads.

    Args:
        port: an open object of pyserial's, which this owns from now on. Its timeouts are set, and nothing else may use
            it.
    """

    pollable = False
    socket = traffic = None

    def __init__(self, port: Any) -> None:
        self.serial = self.line = port
        # Its own, which the thread does not go by, and which may have to be others for that.
        self.timeouts = SimpleNamespace(timeout=port.timeout, write_timeout=port.write_timeout)
        self.device: Backend = backend_for(port)
        self._standstill = Standstill()

    def check(self, *, mine: bool) -> None:
        if not self.serial.is_open:
            raise StreamClosed(reason=f"port {self.serial.port} is closed; open() it first")

    def directions(self, stream: PollableStream, /) -> tuple[WorkerDirection, WorkerDirection]:
        return WritingThread(stream, self.device), ReadingThread(stream, self.device)

    def write_some_nowait(self, buffers: Sequence[Any], /) -> int:
        raise BlockingIOError(errno.EAGAIN, "this port can only be written to on its thread")

    write_one = write_some_nowait

    def read_some_nowait(self, buffers: Sequence[Any], /) -> int:
        raise BlockingIOError(errno.EAGAIN, "this port can only be read on its thread")

    def wait_fd(self) -> int:
        raise OSError(errno.ENOTTY, f"{self.serial.port} has no file descriptor")

    def proofs(self) -> ProofLevels:
        return self.device.proof_levels

    def note(self, queued: int | None, accepted: int | None, /) -> None:
        """What is remembered is seen when what holds it is asked."""

    def stall_reason(self, accepted: int | None, quiet: float, /) -> str | None:
        with suppress(OSError):  # closed, or a remote port that doesn't report its lines
            if self.serial.rtscts and not self.serial.cts:
                return CTS_LOW
        with suppress(OSError):
            still = self._standstill.see(self.device.output_queue(), accepted)
            return None if still < quiet or self.device.writable() else NOT_READING
        return None

    async def hold_break(self, stream: PollableStream, seconds: float, /) -> Result:
        direction: Any = stream._write_direction

        def work(stop: threading.Event) -> int:
            self.device.set_break(True)
            try:
                stop.wait(seconds)
            finally:
                self.device.set_break(False)
            if stop.is_set():
                raise OperationAborted
            return 0

        def start(handler: Handler) -> None:
            handler.cancellation_slot.assign(direction.cancel)
            direction.run(work, handler)

        return await completion(start, stream.get_executor())

    def close(self, directions: Sequence[WorkerDirection], /, *, flush: bool) -> int | None:
        unsent = close_now(self.device, self.serial, flush=flush)
        for each in directions:
            each.end()
        self.device.closed()
        return unsent

    def close_inherited(self) -> None:
        close_inherited(self.serial)
        self.device.closed()
