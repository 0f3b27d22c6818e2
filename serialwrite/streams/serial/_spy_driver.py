"""SpyDriver: drives pyserial's ``spy://``, so that its log has exactly what the port has accepted."""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence
from typing import Any

from ..._buffers import first_bytes
from ._descriptor_driver import DescriptorDriver


class SpyDriver(DescriptorDriver):
    """Shows what goes through the port, as pyserial's ``spy://`` URLs do."""

    def write_some_nowait(self, buffers: Sequence[Any], /) -> int:
        n = super().write_some_nowait(buffers)
        self._show(self.serial.formatter.tx, buffers, n)
        return n

    def write_one(self, data: bytes, /) -> int:
        return self.write_some_nowait((data,))

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

    def close(self, directions: Sequence[Any], /, *, flush: bool) -> int | None:
        try:
            return super().close(directions, flush=flush)
        finally:
            output = self.serial.formatter.output
            if output is not sys.stderr:  # which pyserial would leave open
                try:
                    output.close()
                except OSError:  # a full disk: what close() returns must not be lost for it
                    logging.getLogger("serialwrite").exception("spy:// can't close its log")
