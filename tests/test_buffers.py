"""Memory of every kind, cut anywhere: compared with what joined bytes would do."""

import asyncio
import contextlib
import ctypes
import mmap
import os
import socket
from array import array
from pickle import PickleBuffer

import pytest
from hypothesis import given, strategies as st
from waiting import is_written_to, until

import serialwrite as sw
from serialwrite._buffers import MAX_BUFFER_COUNT, first_bytes, views
from serialwrite._cursors import ConsumingBuffers, remaining
from serialwrite.testing import PtyPair

LISTS = st.lists(st.binary(max_size=12), max_size=8)


def mapped():
    memory = mmap.mmap(-1, 4096)
    memory[:6] = b"mapped"
    return memory


KINDS = {
    "bytes": lambda: b"abcdef",
    "bytearray": lambda: bytearray(b"abcdef"),
    "memoryview": lambda: memoryview(b"abcdef"),
    "slice": lambda: memoryview(b"abcdef")[2:5],
    "itemsize 4": lambda: memoryview(array("I", [1, 2, 3])),
    "array of doubles": lambda: array("d", [1.0, 2.0]),
    "two dimensions": lambda: memoryview(bytes(12)).cast("B", (3, 4)),
    "empty array": lambda: array("I"),
    "empty bytes": lambda: b"",
    "ctypes": lambda: (ctypes.c_uint16 * 3)(1, 2, 3),
    "ctypes, big-endian": lambda: (ctypes.c_uint32.__ctype_be__ * 2)(1, 2),
    "mmap": mapped,
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_seen_as_its_bytes(kind):
    data = KINDS[kind]()
    expected = bytes(data)
    view = sw.buffer(data)
    assert (bytes(view), view.itemsize, view.ndim) == (expected, 1, 1)
    assert sw.buffer_size(data) == len(expected)
    assert bytes(sw.buffer(data, 2)) == expected[:2]
    view.release()


def test_numpy_arrays():
    numpy = pytest.importorskip("numpy")
    for data in (numpy.arange(6, dtype=">i4"), numpy.zeros((2, 3), dtype="f8"), numpy.zeros(0, dtype="i2")):
        assert bytes(sw.buffer(data)) == data.tobytes()
    with pytest.raises(TypeError, match="not contiguous"):
        sw.buffer(numpy.arange(10)[::2])
    with pytest.raises(TypeError, match="not contiguous"):
        sw.buffer(numpy.zeros((2, 3), order="F"))


@given(LISTS, st.lists(st.tuples(st.integers(0, 20), st.integers(0, 20))))
def test_the_cursor_is_a_cursor_over_the_joined_bytes(parts, steps):
    whole = b"".join(parts)
    cursor = ConsumingBuffers(views(parts))
    position = 0
    for size, consumed in steps:
        prepared = cursor.prepare(size)
        assert b"".join(prepared) == whole[position : position + size]
        assert cursor.offered == sum(map(len, prepared))
        n = min(consumed, len(whole) - position)
        cursor.consume(n)
        position += n
        assert (cursor.total_consumed, cursor.total_size - cursor.total_consumed) == (position, len(whole) - position)
        rest = remaining(views(parts), position)
        assert b"".join(rest) == whole[position:]
        assert all(rest)  # none of them is empty
    assert cursor.total_size == len(whole)


@given(LISTS, st.integers(0, 60))
def test_first_bytes_are_whole_and_no_view_more(parts, size):
    chosen = first_bytes(views(parts), size)
    assert b"".join(chosen) == b"".join(parts)[:size]
    assert not chosen or sum(map(len, chosen[:-1])) < size


@given(LISTS, st.lists(st.integers(0, 12), max_size=8), st.none() | st.integers(0, 60))
def test_buffer_copy_is_a_copy_of_the_joined_bytes(source, sizes, limit):
    whole = b"".join(source)
    targets = [bytearray(size) for size in sizes]
    n = sw.buffer_copy(targets, source, *([] if limit is None else [limit]))
    assert n == min(len(whole), sum(sizes), *([] if limit is None else [limit]))
    copied = b"".join(targets)
    assert copied == whole[:n] + bytes(len(copied) - n)


def test_no_more_buffers_than_the_kernel_takes():
    cursor = ConsumingBuffers(views([b"x"] * 5000))
    assert len(cursor.prepare(10**9)) == MAX_BUFFER_COUNT


def test_released_memory_can_be_resized():
    memory = bytearray(b"abcdef")
    cursor = ConsumingBuffers(views([memory]))
    cursor.prepare(3)
    with pytest.raises(BufferError):
        memory.append(0)
    cursor.release()
    memory.append(0)


class Hoarder:
    """A user's stream that takes three bytes at a time, and keeps the views that it was given."""

    def __init__(self, keep=list):
        self.executor, self.keep, self.kept = sw.EventLoopExecutor(), keep, []

    def get_executor(self):
        return self.executor

    def async_write_some(self, buffers, token=sw.deferred, /):
        def initiation(handler):
            self.kept.append(self.keep(buffers))
            self.executor.post(handler, None, min(3, sum(map(len, buffers))))

        return sw.async_initiate(initiation, token, self.executor)


@pytest.mark.parametrize("sizes", [[4], [2, 4, 1]])
async def test_memory_is_released_from_views_that_a_stream_keeps(sizes):
    memory, stream = [bytearray(size) for size in sizes], Hoarder()
    assert await sw.async_write(stream, memory) == sum(sizes)
    assert len(stream.kept) > 1
    for one in memory:
        one.append(0)  # a BufferError, if a view were left


async def test_memory_that_a_stream_holds_keeps_no_other_exported():
    memory = [bytearray(b"ab"), bytearray(b"cd"), bytearray(b"ef")]
    stream = Hoarder(lambda buffers: (PickleBuffer(buffers[0]), list(buffers)))
    assert await sw.async_write(stream, memory) == 6
    with pytest.raises(BufferError):
        memory[0].append(0)
    memory[2].append(0)
    stream.kept.clear()
    memory[0].append(0)


async def test_memory_is_exported_until_just_before_the_handler_runs():
    memory = bytearray(1 << 20)
    with pytest.raises(sw.TransferTimeout) as info:
        async with stalled_pipe() as stream:
            operation = sw.async_write(stream, memory, timeout=0.05)
            with pytest.raises(BufferError):
                memory.clear()
            await operation
    memory.clear()
    assert info.value.bytes_transferred == operation.bytes_transferred > 0


async def test_a_handler_may_resize_the_memory():
    memory, results = bytearray(b"abc"), []

    def handler(error, n):
        memory.extend(b"more")
        results.append((error, n))

    async with stalled_pipe() as stream:
        sw.async_write(stream, memory, handler)
        await stream_is_idle(stream)
    assert results == [(None, 3)]


class stalled_pipe:  # noqa: N801 # a function in all but its form
    async def __aenter__(self):
        self.reader, writer = os.pipe()
        self.stream = sw.DescriptorStream(writer)
        return self.stream

    async def __aexit__(self, *_):
        self.stream.close()
        os.close(self.reader)


async def stream_is_idle(stream):
    await until(lambda: not is_written_to(stream))


async def test_a_dynamic_buffer_loses_what_was_written_on_every_ending():
    memory = bytearray(range(256)) * 1024
    whole = bytes(memory)
    async with stalled_pipe() as stream:
        operation = sw.async_write(stream, sw.dynamic_buffer(memory), timeout=0.05)
        with pytest.raises(sw.TransferTimeout) as info:
            await operation
    n = info.value.bytes_transferred
    assert 0 < n < len(whole)
    assert memory == whole[n:]
    assert b"".join(info.value.remaining) == b"".join(operation.remaining) == whole[n:]


def test_a_dynamic_buffer_needs_a_bytearray():
    with pytest.raises(TypeError, match="bytearray"):
        sw.dynamic_buffer(b"abc")


def test_a_run_of_empty_buffers_does_not_fill_a_step():
    cursor = ConsumingBuffers(views([b""] * (2 * MAX_BUFFER_COUNT) + [b"x"] + [b""] * MAX_BUFFER_COUNT))
    assert b"".join(cursor.prepare(10)) == b"x"
    cursor.consume(1)
    assert cursor.total_consumed == cursor.total_size


async def test_what_lies_behind_many_empty_buffers_is_written():
    near, far = socket.socketpair()
    with near, far:
        assert await sw.async_write(near, [b""] * (2 * MAX_BUFFER_COUNT) + [b"x"]) == 1
        assert far.recv(10) == b"x"


class Pair(ctypes.Structure):
    _fields_ = (("name", ctypes.c_char_p), ("length", ctypes.c_int))


POINTERS = {
    "objects": lambda: pytest.importorskip("numpy").array([object()]),
    "a field of objects": lambda: pytest.importorskip("numpy").zeros(2, dtype=[("n", "i4"), ("what", "O")]),
    "python objects": lambda: (ctypes.py_object * 1)(b"x"),
    "pointers": ctypes.POINTER(ctypes.c_int) * 2,
    "void pointers": ctypes.c_void_p * 2,
    "strings of C": lambda: (ctypes.c_char_p * 1)(b"x"),
    "wide strings of C": lambda: (ctypes.c_wchar_p * 1)("x"),
    "functions": ctypes.CFUNCTYPE(None) * 1,
    "a structure with a pointer": lambda: Pair(b"x", 1),
}


@pytest.mark.parametrize("kind", POINTERS)
def test_memory_that_holds_pointers_is_refused(kind):
    memory = POINTERS[kind]()
    for buffers in (memory, [b"before", memory]):
        with pytest.raises(TypeError, match=r"^buffers(\[1\])?: this memory holds pointers.*pass the data itself"):
            sw.buffer_size(buffers)


def test_memory_whose_format_only_looks_like_pointers_is_data():
    numpy = pytest.importorskip("numpy")
    assert sw.buffer_size(numpy.zeros(2, dtype="complex128")) == 32
    assert sw.buffer_size(numpy.zeros(2, dtype=[("OPz&X", "u1")])) == 2
    assert sw.buffer_size((ctypes.c_wchar * 2)()) == 2 * ctypes.sizeof(ctypes.c_wchar)


@pytest.mark.parametrize(
    "buffers", [{b"a": b"data"}, {b"a", b"b"}, frozenset((b"a",))], ids=["dict", "set", "frozenset"]
)
def test_collection_without_the_order_of_the_data_is_refused(buffers):
    with pytest.raises(TypeError, match=f"^buffers: got {type(buffers).__name__}; pass "):
        sw.buffer_size(buffers)
    assert sw.buffer_size({b"a": b"data"}.values()) == 4


MANY = [b"%04d," % n for n in range(3 * MAX_BUFFER_COUNT)]


@pytest.mark.parametrize("kind", ["pipe", "pty", "socket", "a socket's number"])
async def test_more_buffers_than_the_kernel_takes_at_once(kind):
    with contextlib.ExitStack() as stack:
        near, far = socket.socketpair()
        stack.enter_context(near)
        stack.enter_context(far)
        if kind == "pipe":
            reader, writer = os.pipe()
            stack.callback(os.close, reader)
            stream = stack.enter_context(sw.DescriptorStream(writer))
        elif kind == "pty":
            rig = stack.enter_context(PtyPair())
            stream, reader = stack.enter_context(sw.SerialPort(rig.port)), rig.open_peer()
            stack.enter_context(reader)
        else:
            stream, reader = (
                sw.SocketStream(near) if kind == "socket" else sw.DescriptorStream(os.dup(near.fileno())),
                far,
            )
            stack.enter_context(stream)
        taken = stream.write_some_nowait(list(map(memoryview, MANY[: MAX_BUFFER_COUNT + 1])))
        # A pty takes 2,048 bytes at least; more if the kernel has passed these on meanwhile.
        assert taken == 5 * MAX_BUFFER_COUNT or (kind == "pty" and 2048 <= taken < 5 * MAX_BUFFER_COUNT)
        fd = reader if isinstance(reader, int) else reader.fileno()
        os.set_blocking(fd, False)
        assert await arrived(fd, taken) == b"".join(MANY)[:taken]
        for token in (sw.deferred, sw.use_promise):
            writing = asyncio.ensure_future(as_future(sw.async_write(stream, MANY, token, timeout=30)))
            assert await arrived(fd, 5 * len(MANY)) == b"".join(MANY)
            assert await writing == 5 * len(MANY)


async def arrived(fd, size):
    """So many bytes, as they come."""
    got = b""
    while len(got) < size:
        with contextlib.suppress(BlockingIOError):
            got += os.read(fd, 1 << 16)
        await asyncio.sleep(0)
    return got


async def as_future(awaitable):
    return await awaitable


async def test_read_grows_a_dynamic_buffer_to_its_max_size_only():
    near, far = socket.socketpair()
    with near, far:
        far.send(b"abcdef")
        memory = bytearray(b"01")
        assert await sw.async_read(near, sw.dynamic_buffer(memory, 5)) == 3
        assert (memory, near.recv(10)) == (b"01abc", b"def")


class Plain(ctypes.Structure):
    _fields_ = (("first", ctypes.c_uint16), ("second", ctypes.c_uint32))


def test_memory_of_ctypes_is_seen_as_its_bytes():
    assert sw.buffer_size((ctypes.c_uint16 * 2)(1, 2)) == 4
    assert bytes(sw.buffer((ctypes.c_uint16.__ctype_be__ * 2)(1, 2))) == b"\0\x01\0\x02"
    assert sw.buffer_size((ctypes.c_uint16 * 0)()) == sw.buffer_size(array("H")) == 0
    assert sw.buffer_size((Plain * 2)()) == 2 * ctypes.sizeof(Plain)


async def test_memory_to_read_into_has_to_be_writable_all_of_it():
    near, far = socket.socketpair()
    with near, far:
        with pytest.raises(TypeError, match="read-only"):
            sw.async_read(near, [bytearray(1), b"x"])
