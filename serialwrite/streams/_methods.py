"""The free functions as methods: ``port.async_write(data)`` is ``async_write(port, data)``, with all its signatures."""

from __future__ import annotations

from .. import _read, _write


class WriteMethods:
    """Of a stream that can be written to."""

    write = _write.write
    async_write = _write.async_write


class ReadMethods:
    """Of a stream that can be read."""

    read = _read.read
    async_read = _read.async_read
    read_until = _read.read_until
    async_read_until = _read.async_read_until


class StreamMethods(WriteMethods, ReadMethods):
    """Of a stream with both directions."""
