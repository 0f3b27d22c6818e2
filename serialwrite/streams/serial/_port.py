"""SerialPort: a serial port, opened here or a ``serial.Serial`` that is open already."""

from __future__ import annotations

import asyncio
import os
import threading
import warnings
import weakref
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Never, overload

import serial

from ..._build import write_directly
from ..._errors import StreamClosed
from ..._executors import EventLoopExecutor, loop_executor
from ..._handler import Handler
from ..._operation import Operation, default_token as unspecified
from ..._signal_safe import ledger
from .._coroutine import Result, Spawned, in_thread
from ._choose_driver import driver_for, opened_driver
from ._close import (
    LONGEST_DRAIN,
    ClosePolicy,
    ClosingDrain,
    check_closing,
    close_forgotten,
    notify_when_closed,
)
from ._descriptor_driver import DescriptorDriver
from ._driver import Driver
from ._interrupted import prepare as prepare_closing
from ._open import check_port
from ._pyserial_names import PyserialNames

# The settings of a serial.Serial in the order of its arguments, behind the baud rate.
BY_POSITION = ("bytesize", "parity", "stopbits", "timeout", "xonxoff", "rtscts", "write_timeout", "dsrdtr")


class SerialPort(PyserialNames):
    """A serial port.

    Args:
        port: a device path, a pyserial URL, or an open ``serial.Serial``. One that has no file descriptor
            (``loop://``, a Windows COM port) is used on threads, see below.
        baudrate: bits per second; any other setting of pyserial's by its own name (``bytesize``, ``parity``,
            ``stopbits``, ``rtscts``, ``xonxoff``, ...). Not with an open ``serial.Serial``, which has its settings.
            And these: ``rts``, ``dtr``: the lines' states from the start; ``rs485_mode``: a
            ``serial.rs485.RS485Settings`` for the driver; ``low_latency=True``: the driver is not to wait for more.
        executor: where the operations run; None for the event loop of the first operation.
        in_flight: of ``rfc2217://`` alone: the most bytes that may be accepted here and not served over there. By
            default 0.1 s of the line, and 512 at least; None for no limit.

    A port that is opened here can't be opened again (``exclusive=False`` turns all of this off). That holds for
    programs that lock it with flock, as pyserial's ``exclusive`` does; on a device, for all programs but root's
    (TIOCEXCL). If another
    program has locked it, also by a UUCP lock file (``LCK..ttyUSB0``), opening fails; the message names that program if
    the system reports it.
    Writing goes to the port's descriptor, never through ``Serial.write``, which spins on a full port.

    A port without a descriptor (``driver.pollable`` is False) is written to by ``Serial.write``, in chunks, on a
    thread. Reads have another thread. :meth:`close` ends both. An open ``serial.Serial`` of that kind becomes the
    stream's: its timeouts are set, and nothing else may read or write it. ``bytes_transferred`` is exact at the
    boundaries of chunks: of one that fails, a part may have gone. A cancellation is terminal or partial there, and
    waits for the chunk that is under way, 50 ms or so.

    ``socket://HOST:PORT`` and ``rfc2217://HOST:PORT`` have no thread, and their socket is in :attr:`socket`; ``serial``
    is None. Opening one takes 5 s at most. On ``socket://``, ``bytes_transferred`` is what this machine's TCP has
    taken, and ``queued`` what the other machine has not acknowledged. The state of the line is unknown (see
    ``proof_levels``). On ``rfc2217://``, a server that speaks anything but Telnet within half a second is refused, with
    nothing sent to it. What the server grants is checked. It is asked, behind the data, what it has taken. ``queued``
    is what was accepted here and is not known to be served. No more than ``in_flight`` bytes are accepted ahead of the
    server, so a timeout means that the device is slow, not that a network buffers. The URL's options are pyserial's:
    ``ign_set_control``, ``poll_modem``, ``timeout`` and ``logging``. With ``ign_set_control``, answers about flow
    control, RTS, DTR and breaks are not looked at, because some servers give none. ``timeout`` is the seconds that the
    server has for an answer, 3 by default.

    As a context manager it closes with the policy "drain", and warns if that left something unsent.

    Raises:
        serial.SerialException: the port does not exist, is in use, or may not be opened; the message says which.
        ValueError: a setting that the device's driver did not take, or an open ``serial.Serial`` together with
            settings. Also a baud rate that is not a whole number above 0. A pty takes all settings; see
            :attr:`in_force`.

    Follows Asio's ``basic_serial_port``.
    """

    unsent: int | None = None
    """Once closed: bytes that had been accepted and were not sent; None where that is unknown."""

    def __init__(
        self,
        port: str | os.PathLike[str] | serial.SerialBase | Driver,
        baudrate: int | None = None,
        *by_position: Never,
        executor: EventLoopExecutor | None = None,
        **settings: Any,
    ) -> None:
        if by_position:  # as serial.Serial takes them
            extra: tuple[object, ...] = by_position
            named = ", ".join(f"{name}={value!r}" for name, value in zip(BY_POSITION, extra, strict=False))
            raise TypeError(f"SerialPort: pass each setting by its name: {named}")
        executor = loop_executor(executor, type(self).__name__)  # refused before anything is opened
        mine = isinstance(port, (str, os.PathLike))
        driver: Driver
        if isinstance(port, (str, os.PathLike)):
            settings.setdefault("exclusive", True)
            driver = opened_driver(os.fspath(port), 9600 if baudrate is None else baudrate, **settings)
        else:
            check_port(port.line if isinstance(port, Driver) else port, baudrate)
            if baudrate is not None or settings:
                given = ", ".join(["baudrate"] * (baudrate is not None) + list(settings))
                raise ValueError(f"{given}: the open serial.Serial has its settings already; set them there")
            driver = port if isinstance(port, Driver) else driver_for(port)
        prepare_closing()
        try:
            super().__init__(driver, executor)
            driver.check(mine=mine)
        except BaseException:
            if mine:
                driver.line.close()
            raise
        plain = type(self)._write_one is SerialPort._write_one  # noqa: SLF001 # a subclass may have its own
        if plain and type(self.driver) is DescriptorDriver and "fd" in vars(self.serial):
            self._write_direction.write_one = self.driver.write_one
            write_directly(self._write_direction, vars(self.serial), None, ledger)
        self._finishing = threading.Lock()
        self._finished = False
        # Forgotten, or open when the program ends, it would be closed by the kernel alone, which waits up to 30 s.
        self._finalizer = (
            weakref.finalize(self, close_forgotten, self.driver.device, self._line, repr(self), self._made_by)
            if mine
            else None
        )
        if mine:
            self._told_when_closed = True
            notify_when_closed(self._line, weakref.WeakMethod(self._closed_by_owner))

        self._fixed = type(self) is SerialPort  # a subclass has names of its own, and may set them later

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._line.port!r} at {self._line.baudrate}>"

    # -- what PollableStream asks for ---------------------------------------------------------------------

    def write_some_nowait(self, buffers: Sequence[Any], /) -> int:
        if self._closed:
            raise self._was_closed()
        return self.driver.write_some_nowait(buffers)

    def _write_one(self, data: bytes, /) -> int:
        return self.driver.write_one(data)

    def read_some_nowait(self, buffers: Sequence[Any], /) -> int:
        if self._closed:
            raise self._was_closed()
        return self.driver.read_some_nowait(buffers)

    def _wait_fd(self) -> int:
        return self.driver.wait_fd()

    @property
    def is_open(self) -> bool:
        return bool(self._line.is_open) and not self._closed

    # -- closing (rule 10) --------------------------------------------------------------------------------

    def close(self, policy: ClosePolicy = "drain", timeout: float | None = None) -> int | None:
        """Close within bounds; :meth:`async_close` is the form that does not block the event loop meanwhile.

        Operations that wait end with :class:`StreamClosed`, each with its count. Then, by ``policy``:

        * ``"drain"``: wait until what was accepted has left, for ``timeout`` seconds at most, and drop the rest.
          None: for as long as the queue shrinks, 30 s at most. It gives up if the queue does not change for
          0.5 s plus 1.5 times the predicted time (at most 5 s). The baud rate predicts that.
        * ``"discard"``: drop what is queued, and close.
        * ``"abort"``: close, and ask the device for nothing.

        Call it from any thread. If the port's event loop runs on another thread and is blocked, ``close`` returns None
        after 5 s. The port is then closed once that loop runs again.

        The kernel's closing_wait (30 s by default) is disabled during the close and restored afterwards.
        In a forked child all of them close the child's descriptor and no more: queue and lock are the parent's.

        Returns:
            Bytes accepted that are not sent; None where that is unknown. A USB driver counts a transfer as queued
            until all of it has ended (ftdi_sio: 256 bytes). The adapter may have taken some of it, and sends that.
        """
        check_closing(policy, timeout)
        if self._inherited:
            self._close_inherited()
            return None
        if self._executor.running_elsewhere():

            def begin(done: Callable[[int | None], None]) -> None:
                def complete(_: BaseException | None, unsent: int | None) -> None:
                    done(unsent)

                self._closing(policy, timeout).launch(Handler(complete, self._executor))

            longest = LONGEST_DRAIN if timeout is None else timeout
            return self._close_by_its_loop(begin, lambda: self._finish(policy), longest)
        self._stop_operations()
        if policy == "drain" and not self._finished:
            with suppress(OSError):
                ClosingDrain(self.driver.device, self._line, timeout).block()
        return self._finish(policy)

    @overload
    def async_close(self, /, *, policy: ClosePolicy = ..., timeout: float | None = ...) -> Operation[int | None]: ...
    @overload
    def async_close(self, token: Any, /, *, policy: ClosePolicy = ..., timeout: float | None = ...) -> Any: ...
    def async_close(
        self, token: Any = unspecified, /, *, policy: ClosePolicy = "drain", timeout: float | None = None
    ) -> Any:
        """Close without blocking the event loop; otherwise as :meth:`close`, whose result it gives.

        Cancellation: ends the draining. The port is closed nevertheless.
        """
        check_closing(policy, timeout)
        return self._initiate(self._closing(policy, timeout), token)

    def _closing(self, policy: ClosePolicy, timeout: float | None) -> Spawned:
        if self._inherited:

            async def close_here(_: Spawned) -> Result:
                self._close_inherited()
                return None, None

            return Spawned(EventLoopExecutor(), close_here, "async_close", sure=True)  # not on the parent's loop

        async def work(operation: Spawned) -> Result:
            if policy == "drain" and not self._finished:
                with suppress(asyncio.CancelledError, OSError):
                    await ClosingDrain(self.driver.device, self._line, timeout).wait()
            # On a thread, as a driver may take its time; and to its end, cancelled or not.
            return None, await in_thread(lambda: self._finish(policy), f"closing {self!r}", operation)

        return Spawned(self._executor, work, "async_close", before=self._stop_operations, sure=True)

    def _closed_by_owner(self) -> None:
        """The ``serial.Serial`` was closed, on whatever thread."""
        for direction in (self._write_direction, self._read_direction):
            direction.closed_by_owner()

    def _stop_operations(self) -> None:
        """From here on nothing is accepted any more; what waits ends."""
        self._closed = True
        self._write_direction.try_now = self.write_some_nowait  # which refuses, though the descriptor may be open yet
        for direction in (self._write_direction, self._read_direction):
            direction.abort(StreamClosed())
        for operation in tuple(self._spawned):
            operation.end_with(StreamClosed())

    def _finish(self, policy: ClosePolicy) -> int | None:
        with self._finishing:
            if not self._finished:
                self._finished = True
                if self._finalizer is not None:
                    self._finalizer.detach()
                for wait in tuple(self._line_waits):
                    wait.end()  # a device has its name back only once no thread is in its driver
                directions = self._write_direction, self._read_direction
                self.unsent = self.driver.close(directions, flush=policy != "abort")
        return self.unsent

    def _close(self) -> None:
        if self._finalizer is not None:
            self._finalizer.detach()
        self.driver.close_inherited()

    def __exit__(self, *error: object) -> None:
        self.close()
        self._warn_of_unsent(*error)

    async def __aexit__(self, *error: object) -> None:
        await self.async_close()
        self._warn_of_unsent(*error)

    def _warn_of_unsent(self, kind: object = None, *_: object) -> None:
        if self.unsent and kind is None:
            warnings.warn(
                f"{self!r} was closed with {self.unsent:,} accepted bytes unsent; "
                "drain it first, or call close(policy, timeout) yourself",
                RuntimeWarning,
                stacklevel=3,
            )
