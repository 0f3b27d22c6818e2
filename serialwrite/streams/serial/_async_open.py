"""async_open: a serial port, opened on a thread, as a device or a network may take its time over that."""

from __future__ import annotations

import asyncio
import os
from functools import partial
from typing import Any, overload

from ..._errors import TransferError
from ..._executors import EventLoopExecutor, loop_executor
from ..._operation import Operation, default_token as unspecified, initiate
from .._coroutine import Result, Spawned, threaded
from ._port import SerialPort


@overload
def async_open(
    port: str | os.PathLike[str],
    baudrate: int | None = ...,
    /,
    *,
    timeout: float | None = ...,
    executor: EventLoopExecutor | None = ...,
    **settings: Any,
) -> Operation[SerialPort]: ...
@overload
def async_open(
    port: str | os.PathLike[str],
    baudrate: int | None,
    token: Any,
    /,
    *,
    timeout: float | None = ...,
    executor: EventLoopExecutor | None = ...,
    **settings: Any,
) -> Any: ...
def async_open(
    port: str | os.PathLike[str],
    baudrate: int | None = None,
    token: Any = unspecified,
    /,
    *,
    timeout: float | None = None,
    executor: EventLoopExecutor | None = None,
    **settings: Any,
) -> Any:
    """Open a serial port without blocking the event loop.

    ``async with await async_open("/dev/ttyUSB0", 115200, timeout=5) as port: ...``

    Args:
        port: a device path, or a pyserial URL.
        baudrate: bits per second; 9600 where it is not given.
        token: any completion token; ``handler(error, port)``, where ``port`` is None if there is an error.
        timeout: seconds for the opening; None for no limit. The port's own ``timeout`` can be assigned later.
        executor: where the operations run; None for the running event loop.
        settings: as :class:`SerialPort` takes them.

    Returns:
        What the token gives; awaited: the open :class:`SerialPort`.

    Raises:
        What :class:`SerialPort` raises, from the awaiting forms: ``serial.SerialException``, ValueError.
        TransferTimeout: it was not open by then. If the system opens it later nevertheless, it is closed again.

    Cancellation: total: a port that the system opens later is closed again.
    """
    executor = loop_executor(executor, "async_open")
    baudrate = settings.pop("baudrate", baudrate)  # by name it is one of the settings

    async def work(_: Spawned) -> Result:
        opening = threaded(partial(SerialPort, port, baudrate, executor=executor, **settings), f"opening {port}")
        try:
            await asyncio.wait((opening,))
        except asyncio.CancelledError:
            opening.add_done_callback(_close)
            raise
        error = opening.exception()
        return error, None if error else opening.result()

    def describe(error: TransferError) -> None:
        error.verb = ""  # nothing was to be transferred
        error.awaited = f"port {os.fspath(port)!r} to open"

    return initiate(Spawned(executor, work, "async_open", timeout=timeout, describe=describe), token)


def _close(opening: asyncio.Future[SerialPort]) -> None:
    """It was opened for nothing. Nothing is queued yet."""
    if opening.exception() is None:
        opening.result().close("abort")
