"""Reconnecting: a stream over a serial port that is opened again whenever it is plugged in again."""

from __future__ import annotations

import asyncio
import errno
import os
from contextlib import suppress
from functools import partial
from typing import Any, Self, overload

from ..._direction import READING, WRITING, Way
from ..._errors import Disconnected, StreamClosed
from ..._executors import EventLoopExecutor, loop_executor
from ..._operation import Operation, default_token as unspecified, initiate
from ..._tokens import detached
from .._coroutine import Result, Spawned, completion, in_thread
from ..serial._close import ClosePolicy, check_closing
from ..serial._port import SerialPort
from ..serial._port_lookout import port_lookout
from ..serial._ports import PortMatch
from ..serial._settings import checked_opening
from ._layer import Layer
from ._port_turn import PortTurn

# What a failed open never recovers from by waiting: not a serial port; this process has no descriptor left.
HOPELESS = {errno.ENOTTY, errno.EMFILE, errno.ENFILE}


class Reconnecting(Layer):
    """A serial port that may be unplugged and plugged in again, under the same name or another one.

    ``async with sw.Reconnecting("0403:6001", 115200) as port: await port.async_write(b"...", timeout=5.0)``

    Args:
        match: which port, as for :func:`async_wait_for_port`: a path, a pattern of paths, ``"VID:PID"``, a USB serial
            number or ``"hwgrep://REGEX"``.
        baudrate, settings: those of :class:`SerialPort`, each time that the port is opened.
        executor: where the operations run; None for the event loop of the first operation.

    ``stream`` is the port that is open now, None while there is none: for its lines, its counters, ``async_drain``.
    If that is closed (to let another program have the device), the next operation opens it again.

    Nothing is opened before the first operation. An operation that finds no open port waits until one that matches is
    there and can be opened. Its ``timeout`` counts that wait, too, and ``stall`` says what it waits for.
    A port that another program has open, or that may not be opened yet, is tried again at each look.

    When the port is unplugged, every running operation ends with :class:`Disconnected` and its count. If none runs, the
    next one does. Nothing is sent again: whether ``error.remaining`` is to be resumed, or all to
    be sent anew, is for the caller to say. The next operation waits for the port.

    Raises:
        TypeError, ValueError: ``match`` or a setting can't be used. An operation raises it if the driver refuses one.

    Cancellation: terminal, partial and total while an operation waits for the port; then as the port has it.

    Without an event loop the blocking forms run one for each call.
    """

    def __init__(
        self,
        match: str | os.PathLike[str],
        baudrate: int | None = None,
        *,
        executor: EventLoopExecutor | None = None,
        **settings: Any,
    ) -> None:
        super().__init__(None)
        self.stream: SerialPort | None = None
        self._executor = loop_executor(executor, type(self).__name__)
        self._match = PortMatch(match)
        checked_opening({"baudrate": 9600 if baudrate is None else baudrate, **settings})
        self._settings: dict[str, Any] = {"baudrate": baudrate, **settings}
        self._turns: dict[str, PortTurn] = {}  # what uses each direction
        self._waiting: list[PortTurn] = []
        self._opening: asyncio.Task[None] | None = None
        self._unwanted = False  # the opening was cancelled, as nothing waited for it any more
        self._cut_off: SerialPort | None = None  # a port that is gone, until it is known to be closed
        self._reason: str | None = None  # why the last try to open the port has failed
        self._closed = False

    def __repr__(self) -> str:
        return f"<Reconnecting to {self._match}, {'not open' if self.stream is None else f'now {self.stream!r}'}>"

    def get_executor(self) -> EventLoopExecutor:
        """Where the operations run."""
        return self._executor

    @property
    def is_open(self) -> bool:
        """Whether it was not closed on this direction; a port need not be there. See ``stream``."""
        return not self._closed

    def _own_stall(self) -> str | None:
        if self.stream is not None or not self._turns:
            return None
        return "; ".join(filter(None, (f"waiting for {self._match}", self._reason)))

    def _blocking_timeout(self, way: Way) -> float | None:
        return (
            self._settings.get("write_timeout" if way is WRITING else "timeout") or None
        )  # also while it is unplugged

    @property
    def _write_direction(self) -> PortTurn:
        return PortTurn(self, WRITING)

    @property
    def _read_direction(self) -> PortTurn:
        return PortTurn(self, READING)

    def _open_port(self) -> SerialPort | None:
        """The port, if it is open. One that was closed, on this direction, is opened again by the next operation."""
        if self.stream is not None and not self.stream.is_open:
            self._cut_off, self.stream = self.stream, None
        return self.stream

    # -- opening -------------------------------------------------------------------------------------------

    def _want(self, turn: PortTurn) -> None:
        """Let ``turn`` have the port, once it is open."""
        self._waiting.append(turn)
        if self._opening_now is None:
            self._start_opening()

    def _forgo(self, turn: PortTurn) -> None:
        if turn in self._waiting:
            self._waiting.remove(turn)
            if not self._waiting and (opening := self._opening_now) is not None:
                self._unwanted = True
                opening.cancel()

    @property
    def _opening_now(self) -> asyncio.Task[None] | None:
        task = self._opening
        return None if task is None or task.done() or task.get_loop().is_closed() else task

    def _start_opening(self) -> None:
        self._unwanted, self._reason = False, None
        self._opening = asyncio.get_running_loop().create_task(self._open_when_there(), name=f"opening {self._match}")
        self._opening.add_done_callback(self._opening_ended)

    def _opening_ended(self, task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self._refuse(error)
        elif self._unwanted and self._waiting and self._opening_now is None:  # wanted again meanwhile
            self._start_opening()

    async def _open_when_there(self) -> None:
        if self._cut_off is not None:  # a device gets its name back only once nothing has it open
            await self._closed_behind(self._cut_off)
            self._cut_off = None
        while self._waiting:
            found = await port_lookout().find(self._match)
            opening = partial(SerialPort, found.device, executor=self._executor, **self._settings)
            try:
                port = await in_thread(opening, f"opening {found.device}")
            except OSError as error:
                if error.errno in HOPELESS:
                    raise
                self._reason = error.strerror or str(error)
            else:
                await self._take(port)

    def _refuse(self, error: BaseException) -> None:
        for turn in tuple(self._waiting):
            turn.refuse(error)

    async def _take(self, port: SerialPort) -> None:
        if self._closed:
            await self._closed_behind(port)
            return
        self.stream = port
        for turn in tuple(self._waiting):
            self._waiting.remove(turn)
            turn.admit(port)

    async def _closed_behind(self, port: SerialPort) -> None:
        await completion(port.async_close(policy="abort").launch, self._executor)

    # -- losing it -------------------------------------------------------------------------------------------

    def _lose(self, port: SerialPort, error: Disconnected, user: Any) -> None:
        """``port`` is gone, as the operation ``user`` has met with: end the other one, and close the port."""
        if self.stream is not port:
            return
        self.stream, self._cut_off = None, port
        for direction in (port._write_direction, port._read_direction):
            if direction.user is not user:
                direction.abort(Disconnected(error.errno))

    def _left(self, port: SerialPort) -> None:
        """An operation has left ``port``: close it if it is gone, so that the device can have its name back."""
        if port is self._cut_off and port._write_direction.user is port._read_direction.user is None:
            port.async_close(detached, policy="abort")

    # -- closing -------------------------------------------------------------------------------------------

    def close(self, policy: ClosePolicy = "drain", timeout: float | None = None) -> int | None:
        """Close it for good, and the port, if one is open, as :meth:`SerialPort.close` does, whose result it gives.

        Operations that wait for the port end with :class:`StreamClosed`.
        """
        check_closing(policy, timeout)
        port = self._let_go()
        return None if port is None else port.close(policy, timeout)

    @overload
    def async_close(self, /, *, policy: ClosePolicy = ..., timeout: float | None = ...) -> Operation[int | None]: ...
    @overload
    def async_close(self, token: Any, /, *, policy: ClosePolicy = ..., timeout: float | None = ...) -> Any: ...
    def async_close(
        self, token: Any = unspecified, /, *, policy: ClosePolicy = "drain", timeout: float | None = None
    ) -> Any:
        """Close without blocking the event loop; otherwise as :meth:`close`.

        Cancellation: ends the draining. The port is closed nevertheless.
        """
        check_closing(policy, timeout)

        async def work(operation: Spawned) -> Result:
            port = self._let_go()
            while (opening := self._opening_now) is not None:
                with suppress(asyncio.CancelledError):  # whatever it has opened is to be closed
                    await asyncio.wait({opening})
            if port is None:
                return None, None
            return await completion(port.async_close(policy=policy, timeout=timeout).launch, self._executor, operation)

        return initiate(Spawned(self._executor, work, "async_close", sure=True), token)

    def _let_go(self) -> SerialPort | None:
        """From here on nothing is opened any more, and what waits ends. The port is the caller's to close."""
        self._closed = True
        with suppress(RuntimeError):  # without an event loop nothing can wait
            self._executor.post(self._end_waits)
        port, self.stream = self.stream, None
        return port

    def _end_waits(self) -> None:
        for turn in tuple(self._waiting):
            turn.refuse(StreamClosed(reason=f"{self!r} was closed"))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        port = self._let_go()
        if port is not None:
            port.__exit__(*error)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        port = self.stream
        await self.async_close()
        if port is not None:
            await port.__aexit__(*error)  # which warns of what was left unsent
