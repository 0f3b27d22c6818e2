"""The errors of a transfer. Each one says how many bytes had been transferred when it happened."""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar, cast

# The errno values by which drivers report a peer that went away. A hung-up tty: EIO. An unplugged USB adapter: ENODEV,
# then EIO or ENXIO. The others: a closed pipe or connection, a failed network.
DISCONNECTED = frozenset(
    {
        errno.EIO,
        errno.ENODEV,
        errno.ENXIO,
        errno.EPIPE,
        errno.ECONNRESET,
        errno.ECONNABORTED,
        errno.ESHUTDOWN,
        errno.ENOTCONN,
        errno.ETIMEDOUT,
    }
)


class TransferError(OSError):
    """A read or write ended early.

    Attributes:
        bytes_transferred: bytes that had gone through: accepted by the operating system for a write,
            stored in the caller's buffers for a read.
        remaining: what is left of the caller's buffers, as memoryviews onto them (nothing is copied).
            Pass it to ``async_write`` to resume without a duplicated or a missing byte.
        errno: the operating system's error number.
        queued: bytes still in the driver's output queue when it ended; None where that is unknown. On ``rfc2217://``:
            those that the server was not known to have taken.
        served: of the bytes of this write, those that the server of a remote port had taken; None on other streams.
        stall: what held the port when it ended (``"CTS low"``, ``"XOFF received"``,
            ``"peer not reading"``); None where nothing held it, or that is unknown.
        total: bytes asked for; None where that is unknown.
        data: what a read of a size had got; None for any other operation.
        awaited: what a read had been waiting for and had not got, in words; None where it waited for a count.
        elapsed: seconds from the start of the operation to its end; None where it was not measured.
    """

    default_errno: ClassVar[int] = errno.EIO

    def __init__(
        self,
        errno: int | None = None,
        reason: str | None = None,
        *,
        bytes_transferred: int = 0,
        remaining: tuple[memoryview, ...] = (),
        total: int | None = None,
        elapsed: float | None = None,
        queued: int | None = None,
        stall: str | None = None,
        verb: str = "accepted",
    ) -> None:
        code = self.default_errno if errno is None else errno
        super().__init__(code, reason or os.strerror(code))
        self.bytes_transferred = bytes_transferred
        self._remaining: tuple[memoryview, ...] | Callable[[], tuple[memoryview, ...]] = remaining
        self.total = total
        self.elapsed = elapsed
        self.queued = queued
        self.stall = stall
        self.data: bytes | None = None
        self.awaited: str | None = None
        self.served: int | None = None
        self.verb = verb  # what "transferred" means in the message; empty if the operation transfers nothing

    @property
    def remaining(self) -> tuple[memoryview, ...]:
        # Made when asked for: a view that is kept would stop its bytearray from being resized.
        return self._remaining() if callable(self._remaining) else self._remaining

    def ask_remaining(self, source: Callable[[], tuple[memoryview, ...]]) -> None:
        """Have ``remaining`` ask ``source``, each time."""
        self._remaining = source

    def __reduce__(self) -> tuple[Any, ...]:
        # For another process, which gets copies of what remains: the caller's memory can't go there.
        copies = tuple(map(bytes, self.remaining))
        state = {**self.__dict__, "_remaining": partial(_views_of, copies)}
        return type(self), (self.errno, self.strerror), state

    def __str__(self) -> str:
        if not self.verb and self.awaited is None:
            return self._reason()
        if not self.verb:  # of an operation that transfers nothing
            waited = "waited" if self.elapsed is None else f"waited {self.elapsed:.2f} s"
            return f"{waited} for {self.awaited}; {self._reason()}"
        count = f"{self.bytes_transferred:,}"
        if self.total is not None:
            count += f" of {self.total:,}"
        count += f" bytes {self.verb}"
        if self.elapsed is not None:
            count += f" in {self.elapsed:.2f} s"
        served = "" if self.served is None or self.verb == "served" else f"{self.served:,} served"
        return "; ".join(filter(None, (count, served, self._reason(), self.awaited)))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self)!r})"

    def _reason(self) -> str:
        return self.stall or str(self.strerror)


def _views_of(copies: tuple[bytes, ...]) -> tuple[memoryview, ...]:
    return tuple(map(memoryview, copies))


class OperationAborted(TransferError):
    """The operation was cancelled (ECANCELED). What it had transferred stays transferred."""

    default_errno: ClassVar[int] = errno.ECANCELED

    def _reason(self) -> str:
        return "cancelled" + (f" while held by: {self.stall}" if self.stall else "")


class TransferTimeout(OperationAborted, TimeoutError):
    """The time given ran out (ETIMEDOUT). What was transferred stays transferred.

    Attributes:
        idle_timeout: the seconds for which nothing had moved, where it was that limit; None where it was another.
    """

    default_errno: ClassVar[int] = errno.ETIMEDOUT
    idle_timeout: float | None = None

    def _reason(self) -> str:
        if self.idle_timeout is None:
            return self.stall or "timed out"
        idle = f"idle for {self.idle_timeout:g} s (idle_timeout)"
        return f"{idle}; {self.stall}" if self.stall else idle


def timed_out(error: OperationAborted) -> TransferTimeout:
    """The timeout that made an operation end with ``error``."""
    timeout = TransferTimeout()
    timeout.__dict__.update(error.__dict__)
    return timeout


class Disconnected(TransferError, ConnectionError):
    """The other side is gone: unplugged, hung up, or the peer closed (EIO, ENODEV, ENXIO, EPIPE, ECONNRESET)."""

    def _reason(self) -> str:
        return f"disconnected ({self.strerror})"


class StreamClosed(TransferError):
    """The stream was closed on this side (EBADF), before the operation or during it."""

    default_errno: ClassVar[int] = errno.EBADF

    def _reason(self) -> str:
        closed = "the stream is closed on this side; open it again to go on"
        return closed if self.strerror == os.strerror(errno.EBADF) else str(self.strerror)


class EndOfFile(TransferError, EOFError):
    """A read met the end of the stream before its condition was met."""

    default_errno: ClassVar[int] = errno.ENODATA

    def _reason(self) -> str:
        return "end of file"


class StreamBusy(RuntimeError):
    """Raised at once by the second of two overlapping operations on a stream. The first is unharmed."""

    def __init__(self, stream: object, doing: str = "write") -> None:
        hint = "; wrap the stream in Queued(stream) to line writes up" if doing == "write" else ""
        super().__init__(f"another {doing} is in progress on {stream!r}: wait until it has completed{hint}")

    def __reduce__(self) -> tuple[Any, ...]:
        return _busy, self.args  # for another process, where the stream can't go


def _busy(message: str) -> StreamBusy:
    error = StreamBusy.__new__(StreamBusy, message)
    error.args = (message,)
    return error


def transfer_error(error: BaseException) -> TransferError:
    """Convert ``error``, raised by the operating system or by a stream, to a TransferError with its errno."""
    if isinstance(error, TransferError):
        return error
    if isinstance(error, asyncio.CancelledError):
        return _caused(OperationAborted(), error)
    if isinstance(error, EOFError):
        return _caused(EndOfFile(), error)
    number = error.errno if isinstance(error, OSError) else None
    if number is None:
        kind = Disconnected if isinstance(error, ConnectionError) else TransferError
        return _caused(kind(reason=f"{type(error).__name__}: {error}"), error)
    if number == errno.EBADF:
        return _caused(StreamClosed(reason=cast("OSError", error).strerror), error)
    if number == errno.ECANCELED:
        return _caused(OperationAborted(), error)
    kind = Disconnected if number in DISCONNECTED else TransferError
    return _caused(kind(number), error)


def of_the_system(error: Exception) -> bool:
    """Whether ``error`` is one that a step of a stream may end with: a TransferError, or an OSError with an errno."""
    return isinstance(error, TransferError) or (isinstance(error, OSError) and error.errno is not None)


def _caused(mine: TransferError, cause: BaseException) -> TransferError:
    mine.__cause__ = cause
    return mine
