"""Rig, the base class of all rigs: two connected ends, valid inside a ``with`` block. Its limits are its ``quirks``."""

from __future__ import annotations

import contextlib
import io
import os
import sys
import warnings
import weakref
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar, Generic, Literal, Self, TypeVar

from serialwrite._posix import lacking

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator
    from types import TracebackType

End = Literal["port", "peer"]
EndT = TypeVar("EndT", "str", "socket.socket")

# What a rig can't do or doesn't have. Tests skip by quirk, never by a guess at the platform.
NOT_A_TTY = "not-a-tty"  # no line settings at all: a socket
NO_MODEM_LINES = "no-modem-lines"  # no RTS, CTS, DTR, DSR, DCD, RI
NO_CHARACTER_FORMAT = "no-character-format"  # 8 data bits without parity is all that can be set
NO_PACING = "no-pacing"  # the baud rate is accepted and means nothing
NO_OUTPUT_QUEUE = "no-output-queue"  # the driver's queue always reads 0, and draining returns at once
NO_LINE_ERRORS = "no-line-errors"  # no parity, framing or break reaches the other end
NO_DESCRIPTOR = "no-descriptor"  # an end is a URL, which SerialPort alone opens
NO_STALL = "no-stall"  # the rig can't hold the line; a peer that doesn't read must do it
NO_HANG_UP = "no-hang-up"  # the rig can't cut the line
HANGS_UP_BOTH = "hangs-up-both"  # cutting one end cuts the other too
LOSSY = "lossy"  # bytes may be lost, added or changed: compare with the rig's own record of it
LOOPBACK = "loopback"  # one device with its output wired to its own input: port and peer are the same


class RigUnavailable(RuntimeError):  # names a state of the machine, as a skip reason does
    """The rig is not available on this machine. The message says what is missing and how to install it."""


def check_end(end: str) -> End:
    """Return ``end``, or raise ``ValueError`` where it is neither "port" nor "peer"."""
    if end == "port":
        return "port"
    if end == "peer":
        return "peer"
    raise ValueError(f"end={end!r}: pass 'port' or 'peer'")


class Rig(ABC, Generic[EndT]):
    """Two ends of one line, ``port`` and ``peer``, for as long as a ``with`` or ``async with`` block lasts.

    Ends are device paths, or connected sockets on the rigs made of sockets.
    ``port, peer = rig`` unpacks them; ``open_port()`` and ``open_peer()`` give what a test reads and writes.
    ``quirks`` names what this rig can't do.
    A rig is opened once: ``with``, or ``open()`` and ``close()``.
    """

    name: ClassVar[str]
    quirks: frozenset[str] = frozenset()
    needs: ClassVar[tuple[str, ...]] = ()  # what of the system it calls that not every system has

    def __init__(self) -> None:
        # Everything acquired is pushed here at once. A failure half-way, a forgotten rig and the interpreter's exit
        # then release it in reverse order.
        self._resources = contextlib.ExitStack()
        self._finalizer: weakref.finalize[..., Rig[EndT]] | None = None
        self._made_by = os.getpid()
        self._ends: tuple[EndT, EndT] | None = None

    @abstractmethod
    def _open(self, resources: contextlib.ExitStack) -> tuple[EndT, EndT]:
        """Acquire everything, each piece pushed on ``resources`` once acquired, and return (port, peer)."""

    @abstractmethod
    def open_port(self) -> EndT | io.FileIO:
        """Return the port, opened raw and non-blocking: a file object, or the socket itself."""

    @abstractmethod
    def open_peer(self) -> EndT | io.FileIO:
        """Return the peer, opened raw and non-blocking: a file object, or the socket itself."""

    def hang_up(self, end: End) -> None:
        """Cut the line as seen from ``end``: its writes fail from now on.

        Raises ``NotImplementedError`` on a rig with the quirk "no-hang-up".
        """
        raise NotImplementedError(f"{self.name} can't hang up {end} (quirk {NO_HANG_UP!r})")

    @property
    def port(self) -> EndT:
        """The end under test."""
        return self._opened()[0]

    @property
    def peer(self) -> EndT:
        """The far end."""
        return self._opened()[1]

    def __iter__(self) -> Iterator[EndT]:
        return iter(self._opened())

    def open(self) -> Self:
        """Acquire the rig and return it; a rig that is open already is returned as it is.

        Raises:
            RigUnavailable: this machine can't have it; the message names what is missing.
        """
        if self._finalizer is None:
            if missing := lacking(*self.needs):
                raise RigUnavailable(
                    f"{type(self).__name__} needs {missing}, which this system ({sys.platform}) lacks; use TcpPair"
                )
            resources = self._resources
            try:
                self._ends = self._open(resources)
            except BaseException:
                resources.close()
                raise
            self._finalizer = weakref.finalize(self, _close_forgotten, resources, self.name, self._made_by)
        elif not self._finalizer.alive:
            raise RuntimeError(f"{self.name} was closed; a rig is opened once")
        return self

    def close(self) -> None:
        """Give everything back: threads, processes, links, descriptors. Bounded, and idempotent.

        In a forked child it does nothing: they are the parent's.
        """
        if self._made_by != os.getpid():
            self._ends = None
        elif self._finalizer is None or self._finalizer.detach() is not None:
            self._ends = None
            self._resources.close()

    def _opened(self) -> tuple[EndT, EndT]:
        if self._ends is None:
            raise RuntimeError(f"{self.name} is not open: use `with {type(self).__name__}(...) as rig:`")
        return self._ends

    def __repr__(self) -> str:
        ends = "closed" if self._ends is None else " <-> ".join(map(self._name_of, self._ends))
        return f"<{type(self).__name__} {ends}>"

    def _name_of(self, end: EndT) -> str:
        """``end`` in a few words."""
        return str(end)

    def __enter__(self) -> Self:
        return self.open()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self.open()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class PathRig(Rig[str]):
    """A rig whose ends are device paths."""

    needs: ClassVar[tuple[str, ...]] = ("termios.tcsetattr", "os.O_NOCTTY")

    def open_port(self) -> io.FileIO:
        return open_device(self.port)

    def open_peer(self) -> io.FileIO:
        return open_device(self.peer)


def open_device(path: str) -> io.FileIO:
    """Open a device raw and non-blocking, without making it this process's controlling terminal."""
    flags = os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK
    return io.FileIO(path, "r+", opener=lambda name, _: os.open(name, flags))


def _close_forgotten(resources: contextlib.ExitStack, name: str, made_by: int) -> None:
    if made_by != os.getpid():
        return
    with contextlib.ExitStack() as stack:
        stack.push(resources)  # closed even where the warning is an error
        message = f"a {name} rig was never closed: use it in a `with` block"
        warnings.warn(message, ResourceWarning, stacklevel=2)
