"""The free functions as methods, with all signatures: ``port.async_write(data)`` is ``async_write(port, data)``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from .. import _read, _write
from .._absent import lacks
from ._advice import INSTEAD, absent, not_iterable


@lacks(INSTEAD, absent)
class WriteMethods:
    """Of a stream that can be written to; and what it says of names that it does not have."""

    # Final, so that no type checker has to infer what may be assigned later.
    write: Final = _write.write
    async_write: Final = _write.async_write

    # What few streams have: here, so that it is not looked for in vain.
    _blocking_timeout: Any = None
    _sized_transfer: Any = None

    if not TYPE_CHECKING:  # a checker would take a stream for an iterable

        def __iter__(self) -> Any:
            raise not_iterable(self)

        __aiter__ = __iter__


class ReadMethods:
    """Of a stream that can be read."""

    read: Final = _read.read
    async_read: Final = _read.async_read
    read_until: Final = _read.read_until
    async_read_until: Final = _read.async_read_until


class StreamMethods(WriteMethods, ReadMethods):
    """Of a stream with both directions."""
