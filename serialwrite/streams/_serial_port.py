"""SerialPort: a serial port, opened here or a ``serial.Serial`` that is open already."""

from __future__ import annotations

import asyncio
import errno
import os
import threading
import warnings
import weakref
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Self, overload

import serial

from .._cancellation import CancellationType
from .._errors import StreamClosed, TransferError, transfer_error
from .._executors import EventLoopExecutor
from .._operation import Operation, default_token as unspecified, resolve
from .._tokens import use_future
from ._closing import POLICIES, ClosePolicy, close_now, drain_before_closing, drain_bound
from ._descriptor import read_descriptor, write_descriptor
from ._drain import Drain, DrainLevel, discard, seconds_per_byte
from ._opening import has_descriptor, is_url, made_ours, opened, unopened
from ._pollable import PollableStream
from ._proof import UNKNOWN, ProofLevel, ProofLevels
from ._spawned import Result, Spawned, completion
from ._stall import StallWatch
from ._tty import LineCounters, ModemLines, Tty

if TYPE_CHECKING:
    from ._on_wire import OnWire


class SerialPort(PollableStream):
    """A serial port.

    Args:
        port: a device path, a pyserial URL, or an open ``serial.Serial``. One that has no file descriptor
            (``loop://``, ``rfc2217://``, ``socket://``, a Windows COM port) makes a :class:`BlockingPortStream`,
            which is a SerialPort, too.
        baudrate: bits per second; any other setting of pyserial's by its own name (``bytesize``, ``parity``,
            ``stopbits``, ``rtscts``, ``xonxoff``, ...). Not with an open ``serial.Serial``, which has its settings.
            And these: ``rts``, ``dtr``: the lines' states from the start; ``rs485_mode``: a
            ``serial.rs485.RS485Settings`` for the driver; ``low_latency``: true to have it not wait for more.
        executor: where the operations run; None for the event loop of the first operation.

    A port that is opened here is kept from being opened again, by any program (``exclusive=False`` turns that off).
    Writing goes to the port's descriptor, never through ``Serial.write``, which spins on a full port.
    As a context manager it closes with the policy "drain", and warns if that left something unsent.

    Raises:
        serial.SerialException: the port does not exist, is in use, or may not be opened; the message says which.
        ValueError: a setting that the port can't have, or an open ``serial.Serial`` together with settings.

    Follows Asio's ``basic_serial_port``.
    """

    unsent: int | None = None
    """Once closed: bytes that had been accepted and were not sent; None where the driver can't tell."""

    def __new__(cls, port: Any, *_: Any, **__: Any) -> Self:
        kind: Any = _kind_for(port) if cls is SerialPort else cls
        return super().__new__(kind)  # type: ignore[no-any-return] # SerialPort, or a subclass of it

    def __init__(
        self,
        port: str | os.PathLike[str] | serial.SerialBase,
        baudrate: int | None = None,
        *,
        executor: EventLoopExecutor | None = None,
        **settings: Any,
    ) -> None:
        super().__init__(executor)
        self._tty = Tty(self.wait_fd)
        self._spawned: set[Spawned] = set()  # operations other than reads and writes
        self._finishing = threading.Lock()
        self._finished = False
        if isinstance(port, (str, os.PathLike)):
            settings.setdefault("exclusive", True)
            baudrate = 9600 if baudrate is None else baudrate
            self.serial: Any = opened(os.fspath(port), baudrate, **settings)
            self._take(baudrate)
        else:
            if baudrate is not None or settings:
                given = ", ".join(["baudrate"] * (baudrate is not None) + list(settings))
                raise ValueError(f"{given}: set on the open serial.Serial itself, which has its settings already")
            self.serial = port
            self._check_open()
        self._stall = StallWatch(self._tty, self.serial)

    def _take(self, baudrate: int) -> None:
        """The port was opened here: make it ours alone."""
        try:
            made_ours(self._tty, self.serial, baudrate)
        except BaseException:
            self.serial.close()
            raise
        # Forgotten, or still open when the program ends, it would be closed by the kernel, which takes 30 s for that.
        self._finalizer = weakref.finalize(self, _close_forgotten, self._tty_of(self.serial), self.serial, repr(self))

    @staticmethod
    def _tty_of(port: Any) -> Tty:
        return Tty(lambda: _fileno(port))

    def _check_open(self) -> None:
        self.wait_fd()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.serial.port!r} at {self.serial.baudrate}>"

    # -- what PollableStream asks for ---------------------------------------------------------------------

    def write_some_nowait(self, buffers: Sequence[Any], /) -> int:
        fd = self.serial.fd
        if fd is None or self._closed:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        try:
            return write_descriptor(fd, buffers)
        except BlockingIOError:
            self._note_full()
            raise

    def read_some_nowait(self, buffers: Sequence[Any], /) -> int:
        if self._closed:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        return read_descriptor(self.wait_fd(), buffers)

    def wait_fd(self) -> int:
        return _fileno(self.serial)

    def is_open(self) -> bool:
        return bool(self.serial.is_open) and not self._closed

    # -- closing (rule 10) --------------------------------------------------------------------------------

    def close(self, policy: ClosePolicy = "drain", timeout: float | None = None) -> int | None:
        """Close within bounds; :meth:`async_close` is the form that does not block the event loop meanwhile.

        Operations that wait end with :class:`StreamClosed`, each with its count. Then, by ``policy``:

        * ``"drain"``: wait until what was accepted has left, for ``timeout`` seconds at most (None: half as much again
          as the baud rate predicts, and half a second; at most 5 s), and drop the rest.
        * ``"discard"``: drop what is queued, and close.
        * ``"abort"``: close, and ask the device for nothing.

        The kernel's own wait for the queue (closing_wait, 30 s) is kept out of the way, and left as it was.

        Returns:
            Bytes accepted that are not sent; None where the driver can't tell.
        """
        _check_policy(policy)
        if self._executor.running_elsewhere():
            future = use_future.initiate(self._closing_operation(policy, timeout))
            return future.result()
        self._stop_operations()
        if policy == "drain" and not self._finished:
            self._drain_before_closing(timeout)
        return self._finish(policy)

    @overload
    def async_close(self, *, policy: ClosePolicy = ..., timeout: float | None = ...) -> Operation[int | None]: ...
    @overload
    def async_close(self, token: Any, /, *, policy: ClosePolicy = ..., timeout: float | None = ...) -> Any: ...
    def async_close(
        self, token: Any = unspecified, /, *, policy: ClosePolicy = "drain", timeout: float | None = None
    ) -> Any:
        """Close without blocking the event loop; otherwise as :meth:`close`, whose result it gives.

        Cancellation: ends the draining. The port is closed nevertheless.
        """
        _check_policy(policy)
        return self._initiate(self._closing_operation(policy, timeout), token)

    def _closing_operation(self, policy: ClosePolicy, timeout: float | None) -> Spawned:
        async def work(operation: Spawned) -> Result:
            self._stop_operations()
            if policy == "drain" and not self._finished:
                with suppress(TimeoutError, asyncio.CancelledError, OSError):
                    await self._async_drain_before_closing(operation, timeout)
            # On a thread: a driver may take its time.
            return await completion(self._finish_on_a_thread(policy), self._executor)

        return Spawned(self._executor, work, "async_close")

    def _drain_before_closing(self, timeout: float | None) -> None:
        drain_before_closing(self._tty, self.serial, timeout)

    async def _async_drain_before_closing(self, operation: Spawned, timeout: float | None) -> None:
        async with asyncio.timeout(drain_bound(self._tty, self.serial) if timeout is None else timeout):
            await Drain(self._tty, seconds_per_byte(self.serial)).run(operation)

    def _stop_operations(self) -> None:
        self._closed = True
        for side in (self.write_side, self.read_side):
            side.abort(StreamClosed())
        for operation in tuple(self._spawned):
            operation.fail(StreamClosed())

    def _finish_on_a_thread(self, policy: ClosePolicy) -> Any:
        def start(handler: Any) -> None:
            def finish() -> None:
                unsent = self._finish(policy)
                with suppress(RuntimeError):  # the loop was closed meanwhile
                    self._executor.post(handler, None, unsent)

            threading.Thread(target=finish, name=f"closing {self!r}", daemon=True).start()

        return start

    def _finish(self, policy: ClosePolicy) -> int | None:
        with self._finishing:
            if not self._finished:
                self._finished = True
                self.unsent = self._close_for_good(policy)
        return self.unsent

    def _close_for_good(self, policy: ClosePolicy) -> int | None:
        if hasattr(self, "_finalizer"):
            self._finalizer.detach()
        return close_now(self._tty, self.serial, flush=policy != "abort")

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self.close()
        if kind is None:
            self._warn_of_unsent()

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        await self.async_close()
        if kind is None:
            self._warn_of_unsent()

    def _warn_of_unsent(self) -> None:
        if self.unsent:
            warnings.warn(
                f"{self!r} was closed with {self.unsent:,} accepted bytes unsent; "
                "drain it first, or call close(policy, timeout) yourself",
                RuntimeWarning,
                stacklevel=3,
            )


def _fileno(port: Any) -> int:
    fd: int | None = port.fd
    if fd is None:
        raise OSError(errno.EBADF, f"{port.port} is closed; open() it first")
    return fd


def _check_policy(policy: str) -> None:
    if policy not in POLICIES:
        raise ValueError(f"policy={policy!r}: pass one of {', '.join(map(repr, POLICIES))}")


def _kind_for(port: Any) -> type[SerialPort]:
    """The class for ``port``: not every one of pyserial's has a file descriptor."""
    if isinstance(port, (str, os.PathLike)):
        name = os.fspath(port)
        port = unopened(name) if is_url(name) else serial.Serial()
    if port is None or not hasattr(port, "is_open"):
        return SerialPort  # which says what is wrong with it
    if not has_descriptor(port):
        from ._blocking import BlockingPortStream  # noqa: PLC0415 # a subclass of this class

        return BlockingPortStream
    if hasattr(port, "formatter"):
        from ._spied import SpiedPort  # noqa: PLC0415 # a subclass of this class

        return SpiedPort
    return SerialPort


def _close_forgotten(tty: Tty, port: Any, name: str) -> None:
    if not port.is_open:
        return
    with suppress(OSError):
        drain_before_closing(tty, port, None)
        unsent = close_now(tty, port, flush=True)
        rest = f", with {unsent:,} accepted bytes unsent" if unsent else ""
        warnings.warn(f"{name} was never closed: use it in a `with` block{rest}", ResourceWarning, stacklevel=2)
