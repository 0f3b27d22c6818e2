"""Checks of the memory that the caller passes, and views of it without copying a byte."""

from __future__ import annotations

import operator
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from typing_extensions import Buffer

    BytesLike: TypeAlias = Buffer
else:
    BytesLike = Any  # collections.abc.Buffer came with Python 3.12

# The most buffers that the kernel takes in one writev or readv (IOV_MAX on Linux and macOS).
MAX_BUFFER_COUNT = 1024

# The items of a memory that are pointers, in its format: Python objects, C's pointers, functions and strings.
# A name of a field stands between colons; Zf, Zd and Zg are numpy's complex numbers.
_FIELD_NAMES, _POINTER_CODES = re.compile(":[^:]*:"), re.compile("[OP&Xz]|Z(?![fdg])")


def buffer(data: BytesLike, max_size: int | None = None, /) -> memoryview:
    """A view of ``data`` as single bytes, at most ``max_size`` of them. Nothing is copied.

    Args:
        data: bytes-like and C-contiguous, of any itemsize.
        max_size: bytes; None for all of it.

    Raises:
        TypeError: ``data`` is text, is not bytes-like, or its memory is not contiguous; the message says what to do.

    Follows Asio's ``buffer()``.
    """
    if isinstance(data, str):
        raise TypeError("buffers: got str; encode it first, for example text.encode()")
    try:
        view = memoryview(data)
    except TypeError:
        raise TypeError(
            f"buffers: got {type(data).__name__}; pass bytes-like memory (bytes, bytearray, memoryview, array, numpy)"
        ) from None
    if not view.c_contiguous:
        raise TypeError("buffers: this memory is not contiguous; pass a contiguous copy, for example bytes(view)")
    if view.format != "B" or view.ndim != 1:
        if _POINTER_CODES.search(_FIELD_NAMES.sub("", view.format)):
            raise TypeError(
                f"buffers: this memory holds pointers, not data (its format is {view.format!r}); "
                "pass the data itself, for example numpy.array(values, dtype='uint8')"
            )
        from pickle import PickleBuffer  # noqa: PLC0415 # a tenth of the import time, for this alone

        # Not view.cast("B"): that refuses empty views, numpy's structured and foreign-endian items, and ctypes'.
        view = PickleBuffer(view).raw()
    return view if max_size is None else view[: checked_count(max_size, f"max_size={max_size!r}")]


def checked_count(n: Any, given: str, least: int = 0) -> int:
    """``n`` as a number of bytes, ``least`` or more; ``given`` is what the caller wrote, for the error.

    Raises:
        TypeError: it is not a whole number; a bool is not one. ValueError: it is less.
    """
    told = f"{given}: pass a number of bytes, {least} or more"
    try:
        if isinstance(n, bool):
            raise TypeError
        count = operator.index(n)
    except TypeError:
        raise TypeError(told) from None
    if count < least:
        raise ValueError(told)
    return count


def first_bytes(buffers: Sequence[memoryview], size: int) -> list[memoryview]:
    """The first ``size`` bytes of ``buffers``."""
    chosen: list[memoryview] = []
    for view in buffers:
        if size <= 0:
            break
        chosen.append(view[:size])
        size -= len(view)
    return chosen


def gather(buffers: BytesLike | Iterable[BytesLike]) -> tuple[BytesLike, ...]:
    """One bytes-like, or an iterable of them, as a tuple of what the caller passed."""
    if type(buffers) is list or type(buffers) is tuple:  # most are: to ask a list for its memory is an exception
        return tuple(buffers)  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType] # narrowed by type()
    if isinstance(buffers, (str, int)):
        hint = "encode it first, for example text.encode()" if isinstance(buffers, str) else "pass bytes([n])"
        raise TypeError(f"buffers: got {type(buffers).__name__}; {hint}")
    try:
        memoryview(buffers)  # type: ignore[arg-type] # asks whether it is one bytes-like: the answer may be no
    except TypeError:
        given: Any = buffers
        name = type(given).__name__
        if isinstance(given, (Mapping, set, frozenset)):  # whose items are not the data, or have no order
            hint = "its values(), or its keys()" if isinstance(given, Mapping) else "a list"
            raise TypeError(f"buffers: got {name}; pass {hint}") from None
        try:
            return tuple(given)  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType] # it is the iterable
        except TypeError:
            raise TypeError(f"buffers: got {name}; pass bytes-like memory, or an iterable of it") from None
    return (buffers,)  # type: ignore[return-value] # it is a bytes-like


def views(buffers: BytesLike | Iterable[BytesLike]) -> tuple[memoryview, ...]:
    """One bytes-like, or an iterable of them, as byte views."""
    given = gather(buffers)
    if len(given) == 1 and given[0] is buffers:
        return (buffer(given[0]),)
    return tuple(_view(one, index) for index, one in enumerate(given))


def _view(one: BytesLike, index: int) -> memoryview:
    try:
        return buffer(one)
    except TypeError as error:
        hint = "; for a list of byte values pass bytes(values)" if isinstance(one, int) else ""
        raise TypeError(f"buffers[{index}]: {str(error).removeprefix('buffers: ')}{hint}") from None


def buffer_size(buffers: BytesLike | Iterable[BytesLike], /) -> int:
    """Bytes in all of ``buffers`` (one bytes-like, or an iterable of them). Follows Asio's ``buffer_size``."""
    return sum(view.nbytes for view in views(buffers))


class DynamicBuffer:
    """A bytearray that a write consumes from the front and a read appends to. Made by :func:`dynamic_buffer`."""

    __slots__ = ("_data", "max_size", "searched")

    def __init__(self, data: bytearray, max_size: int | None = None) -> None:
        if not isinstance(data, bytearray):  # pyright: ignore[reportUnnecessaryIsInstance] # callers may be untyped
            raise TypeError(
                f"dynamic_buffer: got {type(data).__name__}; it needs a bytearray, which can grow and shrink"
            )
        self._data = data
        self.max_size: int | None = (
            None if max_size is None else checked_count(max_size, f"dynamic_buffer: max_size={max_size!r}")
        )
        self.searched: tuple[object, bytes] | None = None  # what async_read_until looked for in vain, and where

    def __len__(self) -> int:
        return len(self._data)

    def __bytes__(self) -> bytes:
        return bytes(self._data)

    def __repr__(self) -> str:
        return f"dynamic_buffer({len(self._data)} bytes)"

    @property
    def data(self) -> bytearray:
        """The bytearray itself, the caller's own."""
        return self._data

    def consume(self, n: int) -> None:
        """Remove the first ``n`` bytes."""
        del self._data[:n]

    def append(self, data: bytes | bytearray | memoryview) -> None:
        """Add ``data`` at the end."""
        self._data += data


def dynamic_buffer(data: bytearray, max_size: int | None = None, /) -> DynamicBuffer:
    """Let an operation shrink or grow ``data``.

    Args:
        data: a bytearray of the caller's.
        max_size: the most bytes that a read may let it grow to; None for no limit.

    A write takes what ``data`` holds when it is started. Just before the handler runs, on every ending, it removes what
    was written from the front. A read appends. Follows Asio's ``dynamic_buffer``.
    """
    return DynamicBuffer(data, max_size)


Buffers: TypeAlias = BytesLike | Iterable[BytesLike] | DynamicBuffer
"""What a transfer takes: one bytes-like (bytes, bytearray, memoryview, array, mmap, numpy), C-contiguous and of any
itemsize; an iterable of them; or a dynamic_buffer."""
