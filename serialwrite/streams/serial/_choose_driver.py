"""Which driver a port gets: by its URL, or by what its ``serial.Serial`` is."""

from __future__ import annotations

import io
from typing import Any

from ._descriptor_driver import DescriptorDriver
from ._driver import Driver
from ._open import check_write, kind_of, opened
from ._spy_driver import SpyDriver


def opened_driver(port: str, baudrate: int, **settings: Any) -> Driver:
    """Open ``port``: the driver for it."""
    if kind_of(port) == "remote":
        from ..remote._open import opened_remote  # noqa: PLC0415 # a sixth of the import time, for remote ports alone

        return opened_remote(port, baudrate, **settings)
    if "in_flight" in settings:
        raise io.UnsupportedOperation(f"in_flight: nothing proves what {port} has served; leave it out")
    made = opened(port, baudrate, **settings)
    try:
        return driver_for(made)
    except BaseException:
        made.close()
        raise


def driver_for(port: Any) -> Driver:
    """The driver for ``port``, an object of pyserial's that is open."""
    kind = kind_of(port)
    if kind == "blocking":
        from ..threaded._thread_driver import ThreadDriver  # noqa: PLC0415 # for ports without a descriptor alone

        return ThreadDriver(port)
    check_write(port)
    return SpyDriver(port) if kind == "spied" else DescriptorDriver(port)
