"""async_read_until: what it searches, what it goes on from, what it says that it waited for."""

import asyncio
import errno
import re
import socket

import pytest
from waiting import until

import serialwrite as sw
from serialwrite._until import LONGEST_MATCH
from serialwrite.testing import PtyPair

BOUND = 10
NEVER = re.compile(rb"never")


class Counted:
    """A pattern that counts the bytes it was made to search. The delimiter of a read needs ``pattern`` and ``search``."""

    def __init__(self, pattern):
        self._compiled = re.compile(pattern)
        self.pattern = pattern
        self.bytes = 0

    def search(self, data, start=0):
        self.bytes += len(data) - start
        return self._compiled.search(data, start)


@pytest.fixture
def pair():
    near, far = socket.socketpair()
    with near, far:
        yield sw.SocketStream(near), far


async def came(stream, buffer, data):
    """Read ``data`` into ``buffer``, in vain."""
    with pytest.raises(sw.TransferTimeout):
        await sw.async_read_until(stream, buffer, NEVER, timeout=0.01)
    assert buffer.data.endswith(data)


async def test_a_pattern_searches_what_is_new_and_an_overlap_only(pair):
    stream, far = pair
    pattern, buffer = Counted(rb"never|END"), sw.dynamic_buffer(bytearray())
    size = 1 << 20
    sending = asyncio.create_task(asyncio.to_thread(far.sendall, bytes(size) + b"END"))
    n = await sw.async_read_until(stream, buffer, pattern, timeout=BOUND, longest_match=8)
    await sending
    assert n == size + 3
    assert pattern.bytes < 2 * size  # all of it once, and 8 bytes a read again; whole buffers would be far more


async def test_repeated_short_timeouts_go_on_where_they_were(pair):
    stream, far = pair
    pattern, buffer = Counted(rb"END"), sw.dynamic_buffer(bytearray(bytes(1 << 16)))
    for _ in range(20):
        with pytest.raises(sw.TransferTimeout):
            await sw.async_read_until(stream, buffer, pattern, timeout=0)
    assert pattern.bytes < (1 << 16) + 45 * (LONGEST_MATCH + 1)
    far.sendall(b"END")
    assert await sw.async_read_until(stream, buffer, pattern, timeout=BOUND) == (1 << 16) + 3


CHANGES = {
    "in the middle": lambda data: data.__setitem__(slice(100, 103), b"END"),
    "at the front": lambda data: data.__setitem__(slice(0, 3), b"END"),
    "taken from the front": lambda data: data.__delitem__(slice(0, 5000)),
    "another one": lambda data: data.__setitem__(slice(None), b"END" + bytes(20000)),
    "emptied": lambda data: data.clear(),
}


@pytest.mark.parametrize("change", CHANGES)
async def test_a_buffer_that_was_changed_in_between_is_searched_anew(pair, change):
    stream, far = pair
    pattern = re.compile(rb"\\A.?E(?:ND)|END".replace(b"\\\\", b"\\"))
    buffer = sw.dynamic_buffer(bytearray(bytes(20000)))
    for _ in range(2):
        with pytest.raises(sw.TransferTimeout):
            await sw.async_read_until(stream, buffer, pattern, timeout=0)
    CHANGES[change](buffer.data)
    expected = pattern.search(buffer.data + b"END").end()
    far.sendall(b"END")
    assert await sw.async_read_until(stream, buffer, pattern, timeout=BOUND) == expected


async def test_another_pattern_goes_on_from_nothing(pair):
    stream, _ = pair
    buffer = sw.dynamic_buffer(bytearray(b"END" + bytes(20000)))
    with pytest.raises(sw.TransferTimeout):
        await sw.async_read_until(stream, buffer, NEVER, timeout=0)
    assert await sw.async_read_until(stream, buffer, re.compile(rb"END"), timeout=BOUND) == 3


@pytest.mark.parametrize("split", range(1, 8))
async def test_a_match_that_came_in_two_parts_is_found(pair, split):
    stream, far = pair
    buffer = sw.dynamic_buffer(bytearray(bytes(9000)))
    match = b"BEG..END"
    buffer.append(match[:split])
    await came(stream, buffer, match[:split])
    pattern = re.compile(rb"BEG.*END")
    with pytest.raises(sw.TransferTimeout):
        await sw.async_read_until(stream, buffer, pattern, timeout=0, longest_match=8)
    far.sendall(match[split:])
    assert await sw.async_read_until(stream, buffer, pattern, timeout=BOUND, longest_match=8) == 9008


async def test_longest_match_finds_what_the_default_does_not(pair):
    stream, far = pair
    pattern = re.compile(rb"BEGIN.*END", re.DOTALL)
    far.sendall(b"BEGIN" + bytes(3 * LONGEST_MATCH))
    buffers = [sw.dynamic_buffer(bytearray()) for _ in range(2)]
    await came(stream, buffers[0], b"\0")
    buffers[1].append(buffers[0].data)
    for buffer, size in zip(buffers, (LONGEST_MATCH, 4 * LONGEST_MATCH), strict=True):
        with pytest.raises(sw.TransferTimeout):
            await sw.async_read_until(stream, buffer, pattern, timeout=0, longest_match=size)
        buffer.append(b"END")
    with pytest.raises(sw.TransferTimeout, match=r"no match of up to 4,096 bytes of b'BEGIN\.\*END' has come$"):
        await sw.async_read_until(stream, buffers[0], pattern, timeout=0)
    n = await sw.async_read_until(stream, buffers[1], pattern, timeout=0, longest_match=4 * LONGEST_MATCH)
    assert n == len(buffers[1])


@pytest.mark.parametrize("data", [b"", b"abc"])
async def test_a_pattern_that_matches_nothing_at_the_front_is_there(pair, data):
    assert await sw.async_read_until(pair[0], sw.dynamic_buffer(bytearray(data)), re.compile(b"x*"), timeout=BOUND) == 0


@pytest.mark.parametrize(
    ("delimiter", "awaited"),
    [(b"\r\n", "b'\\r\\n' has not come"), (re.compile(b"OK|ERROR"), "no match of b'OK|ERROR' has come")],
    ids=["bytes", "a pattern"],
)
async def test_what_was_awaited_is_told_with_every_early_ending(pair, delimiter, awaited):
    stream, far = pair
    buffer = sw.dynamic_buffer(bytearray(), 8)
    far.sendall(b"abc")
    with pytest.raises(
        sw.TransferTimeout, match=rf"^3 of 8 bytes received in 0\.\d\d s; timed out; {re.escape(awaited)}$"
    ):
        await sw.async_read_until(stream, buffer, delimiter, timeout=0.01)
    far.sendall(b"abcdef")
    with pytest.raises(sw.TransferError, match=rf"; the buffer is at its max_size; {re.escape(awaited)}$"):
        await sw.async_read_until(stream, buffer, delimiter, timeout=BOUND)
    far.close()
    with pytest.raises(sw.EndOfFile, match=rf"; end of file; {re.escape(awaited)}$") as info:
        await sw.async_read_until(stream, sw.dynamic_buffer(bytearray()), delimiter, timeout=BOUND)
    assert info.value.awaited == awaited


@pytest.mark.parametrize(
    ("longest", "error"), [(0, ValueError), (-1, ValueError), (1.5, TypeError), (True, TypeError), (None, TypeError)]
)
async def test_a_longest_match_that_can_not_be(pair, longest, error):
    with pytest.raises(error, match=rf"^longest_match={longest}: pass a number of bytes, 1 or more"):
        sw.async_read_until(pair[0], sw.dynamic_buffer(bytearray()), NEVER, longest_match=longest)


def test_inside_a_loop_read_until_names_itself():
    async def inside(port):
        with pytest.raises(RuntimeError, match=r"^read_until\(\) would block .*await async_read_until\(\.\.\.\)"):
            sw.read_until(port, sw.dynamic_buffer(bytearray()), b"x")
        with pytest.raises(RuntimeError, match=r"^read\(\) would block .*await async_read\(\.\.\.\)"):
            sw.read(port, 4)

    with PtyPair() as rig, sw.SerialPort(rig.port) as port:
        asyncio.run(inside(port))


@pytest.mark.parametrize("blocking", [False, True], ids=["async", "blocking"])
async def test_a_delimiter_split_over_two_reads_is_found(blocking):
    near, far = socket.socketpair()
    with near, far:
        far.send(b"line\r")
        buffer = sw.dynamic_buffer(bytearray())
        if blocking:
            reading = asyncio.create_task(asyncio.to_thread(sw.read_until, near, buffer, b"\r\n", timeout=10))
        else:
            reading = asyncio.create_task(sw.async_read_until(near, buffer, b"\r\n", timeout=10))
        await until(lambda: len(buffer) >= 5)
        far.send(b"\nrest")
        assert await reading == 6
        assert buffer.data.startswith(b"line\r\n")


async def test_a_delimiter_that_fills_the_buffer_is_found(pair):
    stream, far = pair
    far.sendall(b"abcd\r\nmore")
    buffer = sw.dynamic_buffer(bytearray(), 6)
    assert await sw.async_read_until(stream, buffer, b"\r\n", timeout=BOUND) == 6


async def test_without_the_delimiter_the_buffer_ends_at_its_max_size():
    near, far = socket.socketpair()
    with near, far:
        far.send(b"abcdefgh")
        buffer = sw.dynamic_buffer(bytearray(b"01"), 6)
        with pytest.raises(sw.TransferError) as caught:
            await sw.async_read_until(near, buffer, b"\n", timeout=10)
        assert (caught.value.errno, caught.value.bytes_transferred) == (errno.ENOBUFS, 4)
        assert (buffer.data, near.recv(10)) == (b"01abcd", b"efgh")
