"""RS485: a half-duplex port whose transmitter we switch by RTS ourselves, where its driver doesn't."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import serial.rs485

from .._operation import Handler
from ._closing import ClosingDrain
from ._drain import FIFO, seconds_per_byte
from ._layer import Step
from ._on_wire import OnWire
from ._proof import UNKNOWN, ProofLevel
from ._spawned import Result, Spawned
from ._tty_stream import TtyStream


class RS485(OnWire):
    """``port`` on an RS-485 bus: RTS switches the transmitter on before a write, and off behind its last bit.

    A write completes when the line has been turned around: the other end may answer from then on. It counts
    transmitted bytes, and is cancelled, as ``port.on_wire``. However it ends, it ends once the line was turned around.
    Where the driver has an RS-485 mode of its own (``SerialPort(..., rs485_mode=...)``), that one is more exact.

    Args:
        port: a serial port whose driver tells what is queued.
        settings: pyserial's: the levels of RTS, and the delays before and behind a transmission, in seconds.

    Raises:
        io.UnsupportedOperation: the driver can't tell what has left its queue.
    """

    name = "RS485"

    def __init__(self, port: TtyStream, settings: serial.rs485.RS485Settings | None = None) -> None:
        super().__init__(port)
        if settings is not None and not hasattr(settings, "rts_level_for_rx"):
            raise TypeError(f"settings: got {settings!r}; pass a serial.rs485.RS485Settings")
        self._settings: Any = serial.rs485.RS485Settings() if settings is None else settings
        self._transmitting = False
        self.stream.rts = self._settings.rts_level_for_rx

    def write_step(self, below: Step, buffers: Any, handler: Handler) -> None:
        port: TtyStream = self.stream

        async def work(operation: Spawned) -> Result:
            await port._drain(None).wait()
            more = False
            try:
                await self._transmit_on()
                error, n = await self.transmit(operation, below, buffers)
                more = error is None and n < sum(map(len, buffers))
                return error, n
            finally:
                if not more:  # between the steps of one write the line stays ours
                    await self._turned()

        Spawned(self.get_executor(), work, "async_write_some", among=port._spawned).launch(handler)

    def leave(self, then: Callable[[], object]) -> bool:
        if not self._transmitting:
            return False
        # The write was content with a part. Until the line has been turned around nothing else may be written.
        self._turn().add_done_callback(lambda _: then())
        return True

    async def _transmit_on(self) -> None:
        if not self._transmitting:
            self._transmitting = True
            self.stream.rts = self._settings.rts_level_for_tx
            await asyncio.sleep(self._settings.delay_before_tx or 0.0)

    async def _turned(self) -> None:
        """Turn the line around, and stay until that is done: it is bounded, and a cancellation comes too late for it."""
        turning = self._turn()
        while not turning.done():
            with suppress(asyncio.CancelledError):
                await asyncio.wait((turning,))

    def _turn(self) -> asyncio.Task[None]:
        return asyncio.get_running_loop().create_task(self._transmit_off(), name=f"turning {self!r} around")

    async def _transmit_off(self) -> None:
        if not self._transmitting:
            return
        port: TtyStream = self.stream
        with suppress(OSError):  # hung up, unplugged or closed: there is no line to turn around
            try:
                # A driver that ignores a discard may hold bytes that never leave: given up as by a close.
                await ClosingDrain(port._tty, port.serial, None).wait()
                if port.proof_levels[ProofLevel.TRANSMITTED] == UNKNOWN:
                    await asyncio.sleep((self.hidden or FIFO) * seconds_per_byte(port.serial))
                await asyncio.sleep(self._settings.delay_before_rx or 0.0)
            finally:  # the event loop may be ending, which cancels every task
                self._transmitting = False
                port.rts = self._settings.rts_level_for_rx
