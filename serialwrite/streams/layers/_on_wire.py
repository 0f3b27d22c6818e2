"""OnWire: a serial port as a stream whose count is of transmitted bytes."""

from __future__ import annotations

import asyncio
import io
from typing import Any

from ..._cancellation import CancellationType
from ..._errors import OperationAborted, TransferError, transfer_error
from ..._handler import Handler
from .._coroutine import Result, Spawned, completion
from .._proof import UNKNOWN, ProofLevel
from ._layer import Layer, Step


class OnWire(Layer):
    """``port`` as a stream whose ``bytes_transferred`` counts *transmitted* bytes; made by ``port.on_wire``.

    Each write_some waits until what was queued before has left, then hands over what the port takes. It completes once
    that has left the queue, and the shift register if the driver reports it (else see :attr:`hidden`).

    Cancellation: terminal and partial; total while nothing has been handed over. What is queued is discarded. The count
    is of the bytes that the discard is not proved to have dropped: they have been sent. If a driver ignores a discard
    (ftdi_sio, cdc_acm), some are still to be sent: ``queued`` on the error says how many.
    ``port.close()`` during a write leaves the queue to the close, whose result says what of it is not sent.

    Raises:
        io.UnsupportedOperation: the driver does not report what has left its queue.
    """

    _verb: str | None = "transmitted"
    _name = "on_wire"
    _waits = True

    def __init__(self, port: Any) -> None:  # which makes this one
        super().__init__(port)
        self._check_driver()

    def _check_driver(self) -> None:
        port = self.stream
        port._check_open()
        if port.proof_levels[ProofLevel.DRAINED] == UNKNOWN:
            raise io.UnsupportedOperation(
                f"{self._name}: the driver of {port!r} does not report what has left its queue; use the port itself"
            )

    @property
    def hidden(self) -> int | None:
        """Bytes that the hardware may hold when a write completes: 0 if the driver reports the shift register, else
        None."""
        if self.stream.proof_levels[ProofLevel.TRANSMITTED] != UNKNOWN:
            return 0
        try:
            return self.stream.driver.device.fifo_size() or None
        except OSError:
            return None

    def _write_step(self, below: Step, buffers: Any, handler: Handler) -> None:
        port = self.stream

        async def work(operation: Spawned) -> Result:
            await port._drain(None).wait()
            return await self._transmit(operation, below, buffers)

        Spawned(self.get_executor(), work, "async_write_some", among=port._spawned).launch(handler)

    async def _transmit(self, operation: Spawned, below: Step, buffers: Any) -> Result:
        """Hand over what the port takes, and wait until it has left. The queue was empty."""
        error, accepted = await completion(lambda inner: below(buffers, inner), self.get_executor(), operation)
        if error is not None:
            return error, accepted
        operation.narrow(CancellationType.TERMINAL | CancellationType.PARTIAL)
        try:
            if operation.stopping:
                raise asyncio.CancelledError
            drain = self.stream._drain(None)

            def note() -> None:
                operation.count = accepted - min(accepted, drain.queued or 0)

            await drain.wait(note, sure=True)
        except asyncio.CancelledError:
            if operation.failure is None:  # not closed, but cancelled
                operation.count = accepted - self._discarded(accepted)
            return OperationAborted(), operation.count
        except OSError as gone:  # hung up or unplugged: what has left since the last look isn't known
            return transfer_error(gone), operation.count
        return None, accepted

    def _discarded(self, accepted: int) -> int:
        try:
            gone: int = self.stream.discard_output()
        except TransferError:
            return 0
        return min(accepted, gone)
