"""as_stream: adapts ports, sockets, transports and descriptors to streams. Stream modules register here."""

from __future__ import annotations

import asyncio
import io
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, runtime_checkable
from weakref import WeakKeyDictionary, WeakValueDictionary

from ._executors import Executor

if TYPE_CHECKING:
    import socket

    import serial


@runtime_checkable
class AsyncWriteStream(Protocol):
    """What async_write needs of a stream. A user's own needs no more than this.

    =====================================  =============================================================
    ``get_executor()``                     where its handlers run
    ``async_write_some(buffers, token)``   start writing some of ``buffers`` (memoryviews of bytes): at least
                                           one byte, or an error; complete ``handler(error, n)`` once, later
    ``write_some_nowait(buffers) -> int``  optional: try at once; BlockingIOError when nothing can be taken
    ``default_token``                      optional: what ``async_write`` uses when it is given no token
    =====================================  =============================================================

    Follows Asio's AsyncWriteStream requirements.
    """

    def get_executor(self) -> Executor: ...
    def async_write_some(self, buffers: Any, token: Any = ..., /) -> Any: ...


@runtime_checkable
class AsyncReadStream(Protocol):
    """What async_read needs of a stream; see :class:`AsyncWriteStream`, its mirror.

    ======================================  =============================================================
    ``get_executor()``                      where its handlers run
    ``async_read_some(buffers, token)``     start reading into ``buffers`` (writable memoryviews): at least
                                            one byte, or an error; complete ``handler(error, n)`` once, later
    ``read_some_nowait(buffers) -> int``    optional: try at once; BlockingIOError when nothing is there
    ======================================  =============================================================

    Follows Asio's AsyncReadStream requirements.
    """

    def get_executor(self) -> Executor: ...
    def async_read_some(self, buffers: Any, token: Any = ..., /) -> Any: ...


ReadTarget: TypeAlias = "AsyncReadStream | serial.SerialBase | socket.socket | int"
"""What async_read takes as its stream: one, or anything that as_stream adapts and that can be read."""

WriteTarget: TypeAlias = (
    "AsyncWriteStream | serial.SerialBase | socket.socket | asyncio.StreamWriter | asyncio.WriteTransport | int"
)
"""What async_write takes as its stream: one, or anything that as_stream adapts."""

# What makes a stream of what it fits; the first that fits does it.
_makers: list[tuple[Callable[[Any], bool], Callable[[Any], Any]]] = []
# The same object adapted twice gives the same stream: one writer at a time, however it was named.
_by_object: WeakKeyDictionary[Any, Any] = WeakKeyDictionary()
_by_identity: list[tuple[Any, Any]] = []  # objects and their streams
_by_number: WeakValueDictionary[int, Any] = WeakValueDictionary()


def register(fits: Callable[[Any], bool], make: Callable[[Any], Any]) -> None:
    """Let as_stream use ``make(target)`` for every target that ``fits``, and that nothing registered before fits."""
    _makers.append((fits, make))


def as_stream(target: WriteTarget | ReadTarget, /) -> Any:
    """``target`` as a stream; the same object adapted twice gives the same stream.

    Args:
        target: a stream (returned as it is), an open ``serial.Serial``, a socket, a StreamWriter or transport of
            asyncio or pyserial-asyncio, or an open file descriptor. A ``serial.rs485.RS485`` becomes a :class:`RS485`.

    Raises:
        TypeError: ``target`` is none of these; the message says what to do.
        OSError: a file descriptor that is not open.
    """
    if hasattr(target, "async_write_some") or hasattr(target, "async_read_some"):
        return target
    key: Any = target.transport if isinstance(target, asyncio.StreamWriter) else target
    make = _maker(key)
    if isinstance(key, int):
        stream = _by_number.get(key)
        if stream is None or not is_open(stream):
            stream = _by_number[key] = make(key)
        return stream
    try:
        known = _by_object.get(key)
    except TypeError:  # it does not support weak references
        return _known_by_identity(key, make)
    if known is None or getattr(known, "_closed", False):
        _forget_closed()
        known = _by_object[key] = make(key)
    return known


def _forget_closed() -> None:
    """A stream keeps what it stands on alive, so a weak key never goes by itself."""
    for key, stream in list(_by_object.items()):
        if not is_open(stream) and not _in_use(stream):
            del _by_object[key]


def is_open(stream: Any) -> bool:
    """Whether ``stream`` is open on this side. Of a user's own, what its ``is_open`` says, method or not; else True."""
    told = getattr(stream, "is_open", True)
    return bool(told() if callable(told) else told)


def _in_use(stream: Any) -> bool:
    while hasattr(stream, "stream"):
        stream = stream.stream  # a layer: who uses it uses what it is over
    directions = (getattr(stream, name, None) for name in ("_write_direction", "_read_direction"))
    return any(getattr(direction, "user", None) is not None for direction in directions)


def _known_by_identity(target: Any, make: Callable[[Any], Any]) -> Any:
    """uvloop's TLS transports can't be weakly referenced: theirs are kept until they are closed."""
    _by_identity[:] = [(key, stream) for key, stream in _by_identity if is_open(stream)]
    for key, stream in _by_identity:
        if key is target:
            return stream
    stream = make(target)
    _by_identity.append((target, stream))
    return stream


def _maker(target: Any) -> Callable[[Any], Any]:
    """What makes a stream of ``target``."""
    for fits, make in _makers:
        if fits(target):
            return make
    if isinstance(target, (str, os.PathLike)):
        raise TypeError(
            f"stream: got the name {target!r}; open it first, for example SerialPort({os.fspath(target)!r})"
        )
    kind = type(target).__name__
    if isinstance(target, (bytes, bytearray, memoryview)):
        raise TypeError(f"stream: can't write to {kind}; the stream comes first: write(stream, buffers)")
    if isinstance(target, asyncio.StreamReader):
        raise TypeError(
            "stream: got a StreamReader; read with its own methods (readexactly, readuntil), "
            "and write to the StreamWriter that came with it"
        )
    if isinstance(target, tuple):
        raise TypeError("stream: got a tuple; of a (reader, writer) pair pass the writer")
    if isinstance(target, io.IOBase):
        raise TypeError("stream: this file has a buffer of its own; open it with buffering=0, or pass its fileno()")
    raise TypeError(
        f"stream: can't write to {kind}; pass a SerialPort, serial.Serial, socket, StreamWriter, "
        "transport or file descriptor, or an object with async_write_some(buffers, token) and get_executor()"
    )
