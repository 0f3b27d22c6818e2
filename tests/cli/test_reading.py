"""Reading until a limit: where it ends, what is shown of it, and what is asked of the port."""

import asyncio
import re
import socket
from collections import deque

import pytest

from serialwrite import EndOfFile, EventLoopExecutor, SocketStream, TransferTimeout, async_initiate, deferred
from serialwrite.cli import _reading
from serialwrite.cli._endings import Ending, Outcome
from serialwrite.cli._read_command import ReadReport
from serialwrite.cli._reading import Lines, Match, Reading, Shown


class Pieces:
    """A stream that gives its pieces, one a read, and then waits for ever; at None it has ended."""

    def __init__(self, *pieces):
        self.executor = EventLoopExecutor()
        self.pieces = deque(pieces)
        self.asked = []

    def get_executor(self):
        return self.executor

    def async_read_some(self, buffers, token=deferred, /):
        (buffer,) = buffers
        self.asked.append(len(buffer))

        def initiation(handler):
            if not self.pieces:
                handler.cancellation_slot.assign(lambda _: self.executor.post(handler, asyncio.CancelledError(), 0))
                return
            piece = self.pieces.popleft()
            if piece is None:
                self.executor.post(handler, EndOfFile(), 0)
                return
            buffer[: len(piece)] = piece
            self.executor.post(handler, None, len(piece))

        return async_initiate(initiation, token, self.executor)


class Room:
    """An output with room for so many more reads."""

    def __init__(self, reads=1000):
        self.reads = reads

    async def room(self):
        self.reads -= 1
        return self.reads >= 0


async def read(stream, limits=(), room=None, **options):
    shown = bytearray()
    reading = Reading(stream, shown.extend, room or Room(), dict(limits), **options)
    try:
        await reading.run()
    finally:
        reading.shown = bytes(shown)
    return reading


@pytest.mark.parametrize(
    ("limits", "pieces", "shown", "surplus", "ended_by"),
    [
        ({"lines": 2}, [b"a\nb", b"b\nc\n"], b"a\nbb\n", 2, "lines"),
        ({"lines": 3}, [b"a\nb\nc\n"], b"a\nb\nc\n", 0, "lines"),
        ({"until": b"OK"}, [b"xO", b"Kmore"], b"xOK", 4, "until"),
        ({"until": b"^OK"}, [b"NOK\n", b"O", b"K"], b"NOK\nOK", 0, "until"),
        ({"until": b"OK", "lines": 1}, [b"a\nOK"], b"a\n", 2, "lines"),
        ({"until": b"OK", "lines": 2}, [b"a\nOK\n"], b"a\nOK", 1, "until"),
    ],
)
async def test_ends_at_first_limit_and_counts_surplus(limits, pieces, shown, surplus, ended_by):
    made = {
        name: Lines(each) if name == "lines" else Match(re.compile(each, re.MULTILINE)) for name, each in limits.items()
    }
    reading = await read(Pieces(*pieces), made)
    assert (reading.shown, reading.surplus, reading.ended_by) == (shown, surplus, ended_by)
    assert reading.count == len(shown)


@pytest.mark.parametrize(
    ("piece", "said"), [(b"OK\r\n>", "; 3 more came behind the end, and are dropped"), (b"OK", "")]
)
async def test_summary_counts_what_came_behind_the_end(piece, said):
    reading = await read(Pieces(piece), {"until": Match(re.compile(b"OK"))})
    report = ReadReport("port", "file", None, reading, Ending(Outcome.COMPLETE))
    assert re.fullmatch(rf"2 bytes read in [^;]* s{said}", report.summary())


async def test_number_of_bytes_asks_port_for_no_more():
    stream = Pieces(b"abc", b"de")
    reading = await read(stream, most=5)
    assert (reading.shown, reading.ended_by, stream.asked) == (b"abcde", "bytes", [5, 2])


@pytest.mark.parametrize("tail", [b"O", b"^O"])
async def test_match_across_long_pieces_is_found(tail):
    long = b"O" * 10_000
    ends = Match(re.compile(tail + b"K", re.MULTILINE))
    reading = await read(Pieces(long, long, b"\nO", b"K"), {"until": ends})
    assert (reading.count, reading.ended_by) == (20_003, "until")


async def test_line_begin_does_not_match_where_old_bytes_were_cut():
    until = Match(re.compile(b"^x+K", re.MULTILINE))
    reading = await read(Pieces(b"a" + b"x" * 9_000, b"K\n"), {"lines": Lines(1), "until": until})
    assert reading.ended_by == "lines"


async def test_seconds_end_reads_that_never_wait():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.send(b"x" * 100)
        reading = await read(SocketStream(ours), most=99, seconds=0.0)
    assert (reading.shown, reading.ended_by) == (b"", "seconds")


async def test_seconds_end_a_read_that_waits():
    reading = await read(Pieces(b"a"), seconds=0.05)
    assert (reading.shown, reading.ended_by) == (b"a", "seconds")


@pytest.mark.parametrize(
    "limits", [{"timeout": 0.05}, {"idle_timeout": 0.05, "seconds": 9}, {"timeout": 0.05, "seconds": 9}]
)
async def test_timeout_keeps_what_had_come(limits):
    shown = bytearray()
    reading = Reading(Pieces(b"a"), shown.extend, Room(), {"lines": Lines(1)}, **limits)
    with pytest.raises(TransferTimeout):
        await reading.run()
    assert (bytes(shown), reading.count, reading.ended_by) == (b"a", 1, None)


async def test_end_of_stream_is_raised():
    with pytest.raises(EndOfFile):
        await read(Pieces(b"a", None))


async def test_output_without_a_reader_ends_it():
    reading = await read(Pieces(b"a", b"b"), room=Room(1))
    assert (reading.shown, reading.ended_by) == (b"a", None)


def test_hex_dump_shows_each_piece_at_once():
    shown = Shown(in_hex=True, timestamps=False)
    assert shown.text(bytes(range(0x3A, 0x4C))).decode().splitlines() == [
        "00000000  3a 3b 3c 3d 3e 3f 40 41 42 43 44 45 46 47 48 49  :;<=>?@ABCDEFGHI",
        "00000010  4a 4b                                            JK",
    ]
    assert shown.text(b"\0\xff").decode() == f"00000012  00 ff{' ' * 44}..\n"


def test_timestamps_stand_before_each_line_only():
    class Clock(_reading.dt.datetime):
        @classmethod
        def now(cls, tz=None):
            return cls(2026, 1, 2, 3, 4, 5, 678_000)

    shown = Shown(in_hex=False, timestamps=True)
    before, _reading.dt.datetime = _reading.dt.datetime, Clock
    try:
        text = shown.text(b"a\nb") + shown.text(b"c\n\n") + shown.text(b"d")
    finally:
        _reading.dt.datetime = before
    stamp = b"2026-01-02 03:04:05.678  "
    assert text == b"%sa\n%sbc\n%s\n%sd" % (stamp, stamp, stamp, stamp)
