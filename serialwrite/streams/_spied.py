"""SpiedPort: pyserial's ``spy://``, whose log is to see what the port has accepted, no more and no less."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ._paced import first_bytes
from ._serial_port import SerialPort


class SpiedPort(SerialPort):
    """A serial port that shows what goes through it, as pyserial's ``spy://`` URLs do. Made by ``SerialPort(url)``."""

    def write_some_nowait(self, buffers: Sequence[Any], /) -> int:
        n = super().write_some_nowait(buffers)
        self._show(self.serial.formatter.tx, buffers, n)
        return n

    def read_some_nowait(self, buffers: Sequence[Any], /) -> int:
        n = super().read_some_nowait(buffers)
        self._show(self.serial.formatter.rx, buffers, n)
        return n

    @staticmethod
    def _show(show: Any, buffers: Sequence[Any], n: int) -> None:
        if n:
            show(b"".join(first_bytes([memoryview(each) for each in buffers], n)))
