"""The other libraries for serial ports, each used as its own documentation shows."""

# ruff: noqa: PLC0415 # a peer is imported only where it is measured

import asyncio
import importlib
from typing import Any

from ._shapes import Awaited, Contestant, End, Synchronous
from .standard import StreamWriter

BAUDRATE = 115_200  # of no meaning on a pty, but asked for


class Pyserial(Synchronous):
    """``port.write(data)``."""

    links = ("pty",)
    actions = ("repeat", "gather", "timeout")
    requires = ("serial",)

    def open(self, end: End) -> Any:
        import serial

        return serial.Serial(end.name, BAUDRATE)

    def repeat(self, stream: Any, data: bytes, times: int) -> None:
        for _ in range(times):
            stream.write(data)

    def timeout(self, stream: Any, data: bytes, seconds: float) -> int | None:
        import serial

        stream.write_timeout = seconds
        try:
            stream.write(data)
        except serial.SerialTimeoutException:
            return None
        raise AssertionError("the peer does not read, and yet the write ended")


class SerialWriter(StreamWriter):
    """A library whose ports are asyncio streams: ``reader, writer = await open_serial_connection(...)``."""

    links = ("pty",)

    def __init__(self, name: str, module: str) -> None:
        super().__init__(name)
        self.requires = (module,)

    async def open(self, end: End) -> asyncio.StreamWriter:
        module = importlib.import_module(self.requires[0])
        _, writer = await module.open_serial_connection(url=end.name, baudrate=BAUDRATE)
        return writer


class Serialx(SerialWriter):
    async def open(self, end: End) -> asyncio.StreamWriter:
        import serialx

        _, writer = await serialx.open_serial_connection(end.name, baudrate=BAUDRATE)
        return writer


class Aioserial(Awaited):
    """``await port.write_async(data)``."""

    links = ("pty",)
    requires = ("aioserial",)

    async def open(self, end: End) -> Any:
        import aioserial

        return aioserial.AioSerial(end.name, BAUDRATE)

    async def repeat(self, stream: Any, data: bytes, times: int) -> None:
        for _ in range(times):
            await stream.write_async(data)


class Auserial(Awaited):
    """``await port.write(data)``, which may take less than all, or raise BlockingIOError."""

    links = ("pty",)
    requires = ("auserial",)

    async def open(self, end: End) -> Any:
        import auserial

        port = auserial.AUSerial(end.name)
        await port.open()
        return port

    async def repeat(self, stream: Any, data: bytes, times: int) -> None:
        for _ in range(times):
            left = memoryview(data)
            while left:
                try:  # noqa: SIM105 # suppress() would cost it time
                    left = left[await stream.write(left) :]
                except BlockingIOError:
                    pass


CONTESTANTS: list[Contestant] = [
    Pyserial("pyserial"),
    SerialWriter("pyserial-asyncio", "serial_asyncio"),
    SerialWriter("pyserial-asyncio-fast", "serial_asyncio_fast"),
    Serialx("serialx", "serialx"),
    Aioserial("aioserial"),
    Auserial("auserial"),
]
