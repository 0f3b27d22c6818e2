"""SpiedPort: pyserial's ``spy://``, whose log is to see what the port has accepted, no more and no less."""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence
from typing import Any

from ..._buffers import first_bytes
from ._close import ClosePolicy
from ._port import SerialPort


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
        if not n:
            return
        try:
            show(b"".join(first_bytes([memoryview(each) for each in buffers], n)))
        except Exception:  # a full disk; pyserial's own "raw" format on a file: the count must not suffer from it
            logging.getLogger("serialwrite").exception("spy:// can't show what went through")

    def _close_now(self, policy: ClosePolicy) -> int | None:
        try:
            return super()._close_now(policy)
        finally:
            output = self.serial.formatter.output
            if output is not sys.stderr:  # which pyserial would leave open
                try:
                    output.close()
                except OSError:  # a full disk: what close() returns must not be lost for it
                    logging.getLogger("serialwrite").exception("spy:// can't close its log")
