"""as_stream: whatever people write to, as a stream."""

from __future__ import annotations

import asyncio
import io
import os
import socket
from collections.abc import Callable
from typing import Any, Protocol, TypeAlias, runtime_checkable
from weakref import WeakKeyDictionary, WeakValueDictionary

import serial
import serial.rs485

from .._executors import Executor
from .fd._buffered import BufferedTransportStream
from .fd._descriptor import DescriptorStream
from .fd._socket import SocketStream
from .fd._stream import PollableStream
from .fd._transport import TransportStream, has_descriptor
from .layers._rs485 import RS485
from .serial._open import kind_of
from .serial._port import SerialPort


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

Adapted: TypeAlias = "PollableStream | BufferedTransportStream | RS485"

# The same object adapted twice gives the same stream: one writer at a time, however it was named.
_by_object: WeakKeyDictionary[Any, Adapted] = WeakKeyDictionary()
_by_identity: list[BufferedTransportStream] = []
_by_number: WeakValueDictionary[int, DescriptorStream] = WeakValueDictionary()


def as_stream(target: WriteTarget | ReadTarget, /) -> Any:
    """``target`` as a stream; the same object adapted twice gives the same stream.

    Args:
        target: a stream (returned as it is), an open ``serial.Serial`` (a ``serial.rs485.RS485`` becomes a
            :class:`RS485`), a socket, a pyserial-asyncio or asyncio
            StreamWriter or transport, or the number of an open file descriptor.

    Raises:
        TypeError: ``target`` is none of these; the message says what to do.
        OSError: a file descriptor that is not open.
    """
    if hasattr(target, "async_write_some") or hasattr(target, "async_read_some"):
        return target
    if isinstance(target, int) and not isinstance(target, bool):
        stream = _by_number.get(target)
        if stream is None or not stream.is_open():
            stream = _by_number[target] = DescriptorStream(target)
        return stream
    key: Any = target.transport if isinstance(target, asyncio.StreamWriter) else target
    make = _maker(key)
    try:
        known = _by_object.get(key)
    except TypeError:  # no weak reference to it can be had
        return _known_by_identity(key)
    if known is None or getattr(known, "_closed", False):
        _forget_closed()
        known = _by_object[key] = make(key)
    return known


def _forget_closed() -> None:
    """A stream keeps what it stands on alive, so a weak key never goes by itself."""
    for key, stream in list(_by_object.items()):
        over = stream.transport.is_closing() if isinstance(stream, BufferedTransportStream) else not stream.is_open()
        if over and not _in_use(stream):
            del _by_object[key]


def _in_use(stream: Adapted) -> bool:
    stream = stream.stream if isinstance(stream, RS485) else stream
    return isinstance(stream, PollableStream) and (
        stream.write_direction.user is not None or stream.read_direction.user is not None
    )


def _known_by_identity(transport: Any) -> BufferedTransportStream:
    """uvloop's TLS transports can't be weakly referenced: theirs are kept until they are closed."""
    _by_identity[:] = [stream for stream in _by_identity if not stream.transport.is_closing()]
    for stream in _by_identity:
        if stream.transport is transport:
            return stream
    _by_identity.append(BufferedTransportStream(transport))
    return _by_identity[-1]


def _maker(target: Any) -> Callable[[Any], Adapted]:
    """What makes a stream of ``target``."""
    if isinstance(target, serial.rs485.RS485) and kind_of(target) == "descriptor":
        return RS485
    if isinstance(target, serial.SerialBase):
        return SerialPort
    if isinstance(target, socket.socket):
        return SocketStream
    if isinstance(target, asyncio.BaseTransport) or hasattr(target, "get_write_buffer_size"):
        return TransportStream if has_descriptor(target) else BufferedTransportStream
    if isinstance(target, io.RawIOBase):
        return DescriptorStream
    if isinstance(target, (str, os.PathLike)):
        raise TypeError(
            f"stream: got the name {target!r}; open it first, for example SerialPort({os.fspath(target)!r})"
        )
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
        f"stream: can't write to {type(target).__name__}; pass a SerialPort, serial.Serial, socket, StreamWriter, "
        "transport or file descriptor, or an object with async_write_some(buffers, token) and get_executor()"
    )
