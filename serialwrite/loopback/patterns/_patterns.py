"""The test patterns: endless byte streams that can be read from any offset."""

from __future__ import annotations

import hashlib
import threading
from abc import ABC, abstractmethod
from collections import OrderedDict
from pathlib import Path
from typing import ClassVar, Final

from serialwrite.loopback.patterns._prbs import POLYNOMIALS, ChunkRun, Locator

PATTERN_NAMES: Final = (
    *("prbs7", "prbs9", "prbs15", "prbs23", "prbs31"),
    *("counting", "walking", "all256", "0x55", "0xaa", "55aa", "random", "hex:…", "file:…"),
)


class Pattern(ABC):
    """An endless byte stream with random access; safe to read from several threads."""

    name: str
    period: int | None
    """After how many bytes the stream repeats; None if never.  A loss of a whole period can't be seen."""

    @abstractmethod
    def block(self, offset: int, size: int) -> bytes:
        """Return ``size`` bytes of the stream from byte ``offset`` on."""

    def locate(self, window: bytes, near: int) -> int | None:
        """Return the offset closest to ``near`` at which the stream holds ``window``; None if it isn't known.

        Only patterns that need no search implement it.
        """
        return None


class Repeating(Pattern):
    """A cycle of bytes, over and over: constants, walking bits, a file, and the short PRBS."""

    def __init__(self, name: str, cycle: bytes) -> None:
        """Repeat ``cycle``; at least one byte."""
        if not cycle:
            raise ValueError(f"pattern={name!r}: it is empty; pass at least one byte")
        self.name, self.period, self.cycle = name, len(cycle), cycle
        self._unrolled = cycle * (max(1 << 16, len(cycle)) // len(cycle) + 1)

    def block(self, offset: int, size: int) -> bytes:
        """Return ``size`` bytes from ``offset`` on."""
        length = len(self.cycle)
        start = offset % length
        if start + size <= len(self._unrolled):
            return self._unrolled[start : start + size]
        whole = self.cycle * ((start + size) // length + 1)
        return whole[start : start + size]

    def locate(self, window: bytes, near: int) -> int | None:
        """Return the place of ``window`` closest to ``near``, ambiguous by whole cycles (poor data: by more)."""
        length = len(self.cycle)
        at = (self.cycle + self.block(0, len(window) - 1)).find(window)
        return None if at < 0 else _nearest(at, length, near)


class _Chunked(Pattern):
    """A pattern made in chunks; the last ones are kept, since a checker looks back at what it just read."""

    CHUNK: ClassVar[int] = 1 << 14
    KEPT: ClassVar[int] = 64

    def __init__(self) -> None:
        self._chunks: OrderedDict[int, bytes] = OrderedDict()
        self._lock = threading.Lock()

    def block(self, offset: int, size: int) -> bytes:
        """Return ``size`` bytes from ``offset`` on."""
        first, skip = divmod(offset, self.CHUNK)
        if skip + size <= self.CHUNK:
            return self._chunk(first)[skip : skip + size]
        last = (offset + size - 1) // self.CHUNK
        pieces = [self._chunk(index) for index in range(first, last + 1)]
        pieces[0] = pieces[0][skip:]
        pieces[-1] = pieces[-1][: offset + size - last * self.CHUNK]
        return b"".join(pieces)

    def _chunk(self, index: int) -> bytes:
        chunk = self._chunks.get(index)
        if chunk is None:
            with self._lock:
                chunk = self._chunks.get(index)  # another thread may have made it meanwhile
                if chunk is None:
                    chunk = self._chunks[index] = self._make(index)
                    if len(self._chunks) > self.KEPT:
                        self._chunks.popitem(last=False)
        return chunk

    @abstractmethod
    def _make(self, index: int) -> bytes: ...


class Prbs(_Chunked):
    """PRBS-23 and PRBS-31: too long for a table, so made chunk by chunk (see _prbs for the trick)."""

    RUNS: ClassVar[int] = 4  # a writer, a checker behind it, and both ways round

    def __init__(self, order: int) -> None:
        """Make the PRBS of ``order`` stages."""
        super().__init__()
        self.polynomial = POLYNOMIALS[order]
        self.name, self.period = f"prbs{order}", self.polynomial.period
        self._runs: OrderedDict[int, ChunkRun] = OrderedDict()
        self._locator: Locator | None = None

    def locate(self, window: bytes, near: int) -> int | None:
        """Return the place of ``window`` (8 bytes or more) closest to ``near``; it is known modulo the period."""
        if self._locator is None:
            self._locator = Locator(self.polynomial)
        at = self._locator.locate(window)
        return None if at is None else _nearest(at, self.polynomial.period, near)

    def _make(self, index: int) -> bytes:
        run = self._runs.pop(index, None) or ChunkRun(self.polynomial, index, self.CHUNK)
        chunk = run.next()
        self._runs[index + 1] = run
        if len(self._runs) > self.RUNS:
            self._runs.popitem(last=False)
        return chunk


class Counting(_Chunked):
    """32-bit big-endian counters, 0, 1, 2, …: eight bytes say where they are, and a hex dump is readable."""

    def __init__(self) -> None:
        """Count words of four bytes."""
        super().__init__()
        self.name, self.period = "counting", 1 << 34
        words = self.CHUNK // 4
        self._base = int.from_bytes(b"".join(word.to_bytes(4, "big") for word in range(words)), "big")
        self._ones = int.from_bytes(b"\x00\x00\x00\x01" * words, "big")

    def locate(self, window: bytes, near: int) -> int | None:
        """Return the place of ``window`` (8 bytes or more) closest to ``near``."""
        for shift in range(4 if len(window) >= 8 else 0):
            at = int.from_bytes(window[shift : shift + 4], "big") * 4 - shift
            if self.block(at % (1 << 34), len(window)) == window:
                return _nearest(at, 1 << 34, near)
        return None

    def _make(self, index: int) -> bytes:
        # every lane gets the same addend; chunks are aligned, so no lane carries into the next
        first = index * (self.CHUNK // 4) % (1 << 32)
        return (self._base + first * self._ones).to_bytes(self.CHUNK, "big")


class Random(_Chunked):
    """Bytes from a seed: chunk i of 16,384 bytes is SHAKE-128 of ``serialwrite:SEED:i``, the same anywhere."""

    def __init__(self, seed: int) -> None:
        """Derive every byte from ``seed``."""
        super().__init__()
        self.name, self.period, self.seed = f"random:{seed}", None, seed

    def _make(self, index: int) -> bytes:
        return hashlib.shake_128(f"serialwrite:{self.seed}:{index}".encode()).digest(self.CHUNK)


class Mapped(Pattern):
    """Another pattern with some byte values replaced, for lines that can't carry all of them."""

    def __init__(self, inner: Pattern, table: bytes, suffix: str) -> None:
        """Replace each byte of ``inner`` by its entry in the 256 bytes of ``table``."""
        self.name, self.period = f"{inner.name}{suffix}", inner.period
        self._inner, self._table = inner, table

    def block(self, offset: int, size: int) -> bytes:
        """Return ``size`` bytes from ``offset`` on."""
        return self._inner.block(offset, size).translate(self._table)


def make_pattern(name: str, *, seed: int = 0) -> Pattern:
    """Return the pattern called ``name``: one of PATTERN_NAMES, ``hex:DEADBEEF`` or ``file:PATH``.

    Raises ValueError for an unknown name or a pattern without bytes, OSError for a file that can't be read.
    """
    kind, _, argument = name.partition(":")
    cycles = {
        "walking": bytes(1 << bit for bit in range(8)) + bytes(0xFF ^ (1 << bit) for bit in range(8)),
        "all256": bytes(range(256)),
        "0x55": b"\x55",
        "0xaa": b"\xaa",
        "55aa": b"\x55\xaa",
    }
    if name in cycles:
        return Repeating(name, cycles[name])
    if name in ("prbs7", "prbs9", "prbs15"):
        return _short_prbs(int(name[4:]))
    if name in ("prbs23", "prbs31"):
        return Prbs(int(name[4:]))
    if name == "counting":
        return Counting()
    if kind == "random":
        return Random(int(argument) if argument else seed)
    if kind == "hex":
        return Repeating(name, bytes.fromhex(argument))
    if kind == "file" and argument:
        return Repeating(name, Path(argument).read_bytes())
    raise ValueError(f"pattern={name!r}: pass one of {', '.join(PATTERN_NAMES)}")


def for_line(pattern: Pattern, *, data_bits: int = 8, avoid: bytes = b"") -> Pattern:
    """Return ``pattern`` as a line with ``data_bits`` bits a byte can carry it, without the bytes in ``avoid``.

    XON/XOFF flow control needs ``avoid=b"\\x11\\x13"``: each avoided byte has bit 5 turned round.
    The pattern itself comes back where nothing has to change.
    """
    if not 5 <= data_bits <= 8:
        raise ValueError(f"data_bits={data_bits}: pass 5, 6, 7 or 8")
    mask = (1 << data_bits) - 1
    table = bytes((value & mask) ^ (0x20 if value & mask in avoid else 0) & mask for value in range(256))
    if table == bytes(range(256)):
        return pattern
    clash = sorted(set(avoid) & set(table))
    if clash:
        raise ValueError(
            f"avoid: byte {clash[0]:#04x} can't be avoided with {data_bits} data bits; pass more data bits"
        )
    suffix = (f"&{mask:#04x}" if data_bits < 8 else "") + (f"-{avoid.hex()}" if avoid else "")
    if isinstance(pattern, Repeating):
        return Repeating(f"{pattern.name}{suffix}", pattern.cycle.translate(table))
    return Mapped(pattern, table, suffix)


def _short_prbs(order: int) -> Repeating:
    polynomial = POLYNOMIALS[order]
    bits = polynomial.expand(polynomial.start, polynomial.period * 8)
    if polynomial.inverted:
        bits ^= (1 << polynomial.period * 8) - 1
    return Repeating(f"prbs{order}", bits.to_bytes(polynomial.period, "little"))


def _nearest(at: int, period: int, near: int) -> int:
    """Return the offset congruent to ``at`` that is closest to ``near`` and not negative."""
    best = at + round((near - at) / period) * period
    return best if best >= 0 else best + period
