"""The bytes that a tty gives its reader instead of those that a fault strikes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from serialwrite._posix import termios

if TYPE_CHECKING:
    from collections.abc import Iterator

    from serialwrite.testing.uart._injected_faults import Fault


def apply_fault(fault: Fault, before: bytes, input_flags: int) -> bytes:
    """Return what arrives for ``before``; ``input_flags`` is the receiver's c_iflag (termios(3))."""
    match fault.kind:
        case "drop":
            return b""
        case "duplicate":
            return before * 2
        case "swap":
            return before[::-1]
        case _:
            assert fault.bit is not None
            wrong = bytes([before[0] ^ 1 << fault.bit])
            return wrong if fault.kind == "flip" else _with_line_error(wrong, input_flags)


def _with_line_error(byte: bytes, input_flags: int) -> bytes:
    """What a reader gets for a byte with a parity or framing error.

    PARMRK does not work on a pty, where the mark itself would be taken as data.
    """
    if not input_flags & termios.INPCK:
        return byte
    return b"" if input_flags & termios.IGNPAR else b"\0"


def break_mark(input_flags: int) -> bytes:
    """Return what a reader gets for a break."""
    return b"" if input_flags & termios.IGNBRK else b"\0"


def split_at(data: bytes, characters: bytes) -> Iterator[tuple[int, bytes]]:
    """Give ``data`` in pieces, with offsets: runs without ``characters``, and each of these by itself."""
    one = re.escape(characters)
    for piece in re.finditer(b"[%b]|[^%b]+" % (one, one), data):
        yield piece.start(), piece[0]
