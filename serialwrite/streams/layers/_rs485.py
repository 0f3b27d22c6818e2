"""RS485: a half-duplex port whose transmitter this class switches by RTS, if its driver does not."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import serial.rs485

from ..._adapting import as_stream
from ..._direction import WRITING, direction_of
from ..._errors import transfer_error
from ..._handler import Handler
from .._coroutine import Result, Spawned
from .._proof import UNKNOWN, ProofLevel
from ..serial._close import ClosingDrain
from ..serial._descriptor_driver import DescriptorDriver
from ..serial._drain import FIFO, seconds_per_byte
from ..serial._open import check_write, is_plain_bus
from ..serial._port import SerialPort
from ..serial._tty_stream import TtyStream
from ._layer import Step
from ._on_wire import OnWire

PYSERIALS_SET_RTS: Any = getattr(serial.SerialBase, "setRTS")  # noqa: B009 # its types leave it out


class RS485(OnWire):
    """``port`` on an RS-485 bus: RTS switches the transmitter on before a write, and off behind its last bit.

    A write completes when the line has been turned around: the other end may answer from then on. It counts
    transmitted bytes, and is cancelled, as ``port.on_wire``. However it ends, it ends once the line was turned around.
    Where the driver has an RS-485 mode of its own (``SerialPort(..., rs485_mode=...)``), that one is more exact.

    Args:
        port: a serial port whose driver reports its queue, or an open ``serial.rs485.RS485``. The ``rs485_mode`` of the
            latter is read before each transmission; None there switches nothing.
        settings: pyserial's: the levels of RTS, and the delays before and behind a transmission, in seconds.

    Raises:
        io.UnsupportedOperation: the driver does not report what has left its queue.
    """

    _name = "RS485"

    def __init__(
        self, port: TtyStream | serial.rs485.RS485, settings: serial.rs485.RS485Settings | None = None
    ) -> None:
        self._bus: Any = port if isinstance(port, serial.rs485.RS485) else None
        if self._bus is not None and settings is not None:
            raise ValueError(f"settings: {port!r} has its own; set its rs485_mode instead")
        over: Any = as_stream(port) if self._bus is None else _port_of(self._bus)
        if not isinstance(over, TtyStream):
            raise TypeError(f"RS485: got {port!r}; pass a SerialPort, and put layers over this one")
        super().__init__(over)
        if settings is not None and not hasattr(settings, "rts_level_for_rx"):
            raise TypeError(f"settings: got {settings!r}; pass a serial.rs485.RS485Settings")
        self._given: Any = serial.rs485.RS485Settings() if settings is None else settings
        self._settings: Any = None  # of the transmission that is under way
        if self._bus is None:
            self._set_rts(self._given.rts_level_for_rx)

    @property
    def _mode(self) -> Any:
        return self._given if self._bus is None else self._bus.rs485_mode

    @property
    def _write_direction(self) -> Any:
        direction = super()._write_direction
        if not self._checked:
            direction.claim = self._claim_checked
        return direction

    def _claim_checked(self, user: Any) -> None:
        if self._mode is not None and self.stream.is_open:
            super()._check_driver()
            self._checked = True
        direction_of(self.stream, WRITING).claim(user)

    def _check_driver(self) -> None:
        self._checked = self._bus is None
        if self._checked:  # else it is looked at before the first write: any port can be read
            super()._check_driver()

    @property
    def _closed(self) -> bool:
        return bool(self.stream._closed)

    def _write_step(self, below: Step, buffers: Any, handler: Handler) -> None:
        port: TtyStream = self.stream
        if self._mode is None and self._settings is None:  # the owner of the bus has switched it off
            below(buffers, handler)
            return

        async def work(operation: Spawned) -> Result:
            await port._drain(None).wait()
            more = False
            try:
                await self._transmit_on()
                error, n = await self._transmit(operation, below, buffers)
                more = error is None and n < sum(map(len, buffers))
                return error, n
            finally:
                if not more:  # between the steps of one write the line stays ours
                    await self._turned()

        Spawned(self.get_executor(), work, "async_write_some", among=port._spawned).launch(handler)

    def _leave(self, then: Callable[[], object]) -> bool:
        if self._settings is None:
            return False
        # The write was content with a part. Until the line has been turned around nothing else may be written.
        self._turn().add_done_callback(lambda _: then())
        return True

    async def _transmit_on(self) -> None:
        if self._settings is None and (mode := self._mode) is not None:
            self._settings = mode
            self._set_rts(mode.rts_level_for_tx)
            await asyncio.sleep(mode.delay_before_tx or 0.0)

    def _set_rts(self, on: bool) -> None:
        kind: Any = type(self._bus)  # pyright: ignore[reportUnknownVariableType] # any
        if self._bus is None or kind.setRTS is PYSERIALS_SET_RTS:
            self.stream.rts = on
            return
        self.stream._check_open()  # it has a transmitter that is not switched by RTS
        try:
            self._bus.setRTS(on)
        except OSError as error:
            raise transfer_error(error) from error

    async def _turned(self) -> None:
        """Turn the line around, and stay until that is done, cancelled or not: it is bounded."""
        turning = self._turn()
        while not turning.done():
            with suppress(asyncio.CancelledError):
                await asyncio.wait((turning,))

    def _turn(self) -> asyncio.Task[None]:
        return asyncio.get_running_loop().create_task(self._transmit_off(), name=f"turning {self!r} around")

    async def _transmit_off(self) -> None:
        settings = self._settings
        if settings is None:
            return
        port: TtyStream = self.stream
        with suppress(OSError):  # hung up, unplugged or closed: RTS can't be switched
            try:
                # A driver that ignores a discard may hold bytes that never leave: given up as by a close.
                await ClosingDrain(port.driver.device, port._line, None).wait()
                if port.proof_levels[ProofLevel.TRANSMITTED] == UNKNOWN:
                    await asyncio.sleep((self.hidden or FIFO) * seconds_per_byte(port._line))
                await asyncio.sleep(settings.delay_before_rx or 0.0)
            finally:  # the event loop may be ending, which cancels every task
                self._settings = None
                self._set_rts(settings.rts_level_for_rx)


def _port_of(bus: serial.rs485.RS485) -> SerialPort:
    """The port of ``bus``, past whose ``write`` it goes: RS485 switches the transmitter itself."""
    if not is_plain_bus(bus):
        check_write(bus)
    return SerialPort(DescriptorDriver(bus))
