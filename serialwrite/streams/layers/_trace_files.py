"""The files that a trace is written to: JSON, an event a line, and pcapng, which Wireshark opens."""

from __future__ import annotations

import json
import struct
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ._trace_event import TraceEvent

# pcapng, draft-ietf-opsawg-pcapng: block types and the magic number of the section header.
SECTION, INTERFACE, PACKET = 0x0A0D0D0A, 1, 6
BYTE_ORDER = 0x1A2B3C4D
COMMENT = 1
# https://www.tcpdump.org/linktypes.html: a header with the time and the direction before the bytes themselves.
LINKTYPE_RTAC_SERIAL = 250
RTAC_TX, RTAC_RX = 0x01, 0x02  # DATA_TX_START, DATA_RX_START


def trace_file(path: str) -> JsonlFile | PcapngFile:
    """A new file for a trace, of the kind that its name says."""
    return PcapngFile(path) if path.endswith(".pcapng") else JsonlFile(path)


class RecordFile:
    """A new file of whole records, each in the file at once. After its first failure it only raises that."""

    def __init__(self, path: str) -> None:
        self._file = Path(path).open("wb", buffering=0)  # noqa: SIM115 # open until close()
        self._size = 0
        self.failure: OSError | None = None  # the first

    def append(self, record: bytes) -> None:
        """Write ``record`` whole, or raise OSError and leave nothing of it in the file."""
        if self.failure is None:
            rest = memoryview(record)
            try:
                while rest:
                    rest = rest[self._file.write(rest) :]
            except OSError as error:
                self.failure = error
                with suppress(OSError):  # a pipe can't be cut
                    self._file.truncate(self._size)
        if self.failure is not None:
            raise self.failure
        self._size += len(record)

    def close(self) -> None:
        self._file.close()


class JsonlFile(RecordFile):
    """One JSON object a line: the fields of a :class:`TraceEvent`, ``data`` in hexadecimal, ``error`` in words."""

    def write(self, event: TraceEvent) -> None:
        fields = {
            "time": round(event.time, 6),
            "direction": event.direction,
            "asked": event.asked,
            "count": event.count,
            "elapsed": round(event.elapsed, 6),
            "error": None if event.error is None else f"{type(event.error).__name__}: {event.error}",
            "data": event.data.hex(),
        }
        self.append(json.dumps(fields).encode() + b"\n")


class PcapngFile(RecordFile):
    """A capture with a packet for each event; the ending of one that failed is the packet's comment."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        with suppress(OSError):  # the first event raises it: a full disk must not keep the port from being opened
            self._block(SECTION, struct.pack("<IHHq", BYTE_ORDER, 1, 0, -1))
            self._block(INTERFACE, struct.pack("<HHI", LINKTYPE_RTAC_SERIAL, 0, 0))

    def write(self, event: TraceEvent) -> None:
        micros = int(event.time * 1e6)
        kind = RTAC_TX if event.direction == "write" else RTAC_RX
        packet = struct.pack(">IIBBH", *divmod(micros, 1_000_000), kind, 0, 0) + event.data
        size = len(packet)
        options = b"" if event.error is None else _option(COMMENT, event.summary.encode())
        head = struct.pack("<IIIII", 0, micros >> 32, micros & 0xFFFFFFFF, size, size)
        self._block(PACKET, head + _padded(packet) + options)

    def _block(self, kind: int, body: bytes) -> None:
        size = struct.pack("<I", len(body) + 12)
        self.append(struct.pack("<I", kind) + size + body + size)


def _option(code: int, value: bytes) -> bytes:
    return struct.pack("<HH", code, len(value)) + _padded(value) + struct.pack("<HH", 0, 0)


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)
