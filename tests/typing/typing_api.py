"""What a caller sees, in the words of the type checkers. Checked by mypy --strict and pyright strict; never run."""

from __future__ import annotations

import array
import asyncio
import mmap
import re
import socket
from collections.abc import Coroutine
from typing import Any, assert_type, overload

import serial

import serialwrite as sw
from serialwrite import (
    AsyncReadStream,
    AsyncWriteStream,
    Completion,
    CompletionToken,
    ErrorRef,
    Executor,
    Handler,
    Operation,
    OperationFuture,
    OperationPromise,
    TransferError,
    append,
    as_tuple,
    async_initiate,
    async_read,
    async_read_until,
    async_write,
    bind_cancellation_slot,
    bind_executor,
    bind_immediate_executor,
    cancel_after,
    cancel_at,
    consign,
    deferred,
    detached,
    inline_executor,
    prepend,
    redirect_error,
    spawn,
    use_awaitable,
    use_future,
    use_promise,
    yield_context,
)

slot = sw.CancellationSignal().slot
ref = ErrorRef()


def on_done(error: TransferError | None, n: int) -> None: ...
def on_data(error: TransferError | None, data: bytes) -> None: ...
def on_pair(pair: Completion) -> None: ...
def on_count(n: int) -> None: ...
def used(coroutine: object) -> None: ...


class Collected(CompletionToken[list[int], list[Completion]]):
    """A token that somebody else wrote."""

    def initiate(self, operation: Operation[Any], /) -> Any:
        results: list[Any] = []
        operation.launch(Handler(lambda *args: results.append(operation.result(args)), operation.executor))
        return results


class Counted(CompletionToken[list[int], list[Completion]]):
    """Another, which says all of it."""

    @overload
    def initiate(self, operation: Operation[int], /) -> list[int]: ...
    @overload
    def initiate(self, operation: Operation[Completion], /) -> list[Completion]: ...
    def initiate(self, operation: Operation[Any], /) -> list[Any]:
        return [operation.bytes_transferred]


# -- each token ---------------------------------------------------------------------------------------


def tokens(s: AsyncWriteStream, b: bytes) -> None:
    assert_type(async_write(s, b), Operation[int])
    assert_type(async_write(s, b, deferred), Operation[int])
    used(assert_type(async_write(s, b, use_awaitable), Coroutine[Any, Any, int]))
    assert_type(async_write(s, b, use_future), OperationFuture[int])
    assert_type(async_write(s, b, use_promise), OperationPromise[int])
    assert_type(async_write(s, b, detached), None)
    assert_type(async_write(s, b, on_done), None)
    async_write(s, b, lambda error, n: print(n, error))
    assert_type(async_write(s, b, Collected()), list[int])
    assert_type(async_write(s, b, Counted()), list[int])


def stackful(s: AsyncWriteStream, b: bytes, yield_: yield_context) -> None:
    assert_type(async_write(s, b, yield_), int)
    assert_type(async_write(s, b, as_tuple(yield_)), Completion)
    error, n = async_write(s, b, cancel_after(1, as_tuple(yield_)))
    assert_type(error, TransferError | None)
    assert_type(n, int)
    assert_type(async_write(s, b, redirect_error(yield_, ref)), int)


async def awaiting(s: AsyncWriteStream, b: bytes) -> None:
    assert_type(await async_write(s, b), int)
    assert_type(await async_write(s, b, use_awaitable), int)
    assert_type(await async_write(s, b, use_promise), int)
    assert_type(await async_write(s, b, as_tuple(deferred)), Completion)
    assert_type(await async_write(s, b, as_tuple(use_awaitable)), Completion)
    error, n = await async_write(s, b, as_tuple(use_promise))
    assert_type(error, TransferError | None)
    assert_type(n, int)
    assert_type(await asyncio.create_task(async_write(s, b)), int)
    assert_type(use_future_elsewhere(s, b).result(1.0), int)


def use_future_elsewhere(s: AsyncWriteStream, b: bytes) -> OperationFuture[int]:
    return async_write(s, b, use_future)


def later(s: AsyncWriteStream, b: bytes) -> None:
    operation = async_write(s, b)
    assert_type(operation(use_future), OperationFuture[int])
    assert_type(operation(as_tuple(use_future)), OperationFuture[Completion])
    assert_type(operation(deferred), Operation[int])
    assert_type(operation(detached), None)
    assert_type(operation(on_done), None)
    assert_type(async_write(s, b, as_tuple(deferred))(use_future), OperationFuture[Completion])
    used(assert_type(async_write(s, b, cancel_after(1.0))(use_awaitable), Coroutine[Any, Any, int]))
    assert_type(async_write(s, b, as_tuple())(use_promise), OperationPromise[Completion])


# -- each adapter, outside as_tuple and inside it --------------------------------------------------------


def adapters(s: AsyncWriteStream, b: bytes, executor: Executor) -> None:
    assert_type(async_write(s, b, as_tuple(use_future)), OperationFuture[Completion])
    assert_type(async_write(s, b, as_tuple(Collected())), list[Completion])
    assert_type(async_write(s, b, as_tuple(on_pair)), None)
    async_write(s, b, as_tuple(lambda pair: print(pair[0], pair[1])))
    assert_type(async_write(s, b, as_tuple(detached)), None)

    assert_type(async_write(s, b, redirect_error(use_future, ref)), OperationFuture[int])
    used(assert_type(async_write(s, b, redirect_error(use_awaitable, ref)), Coroutine[Any, Any, int]))
    assert_type(async_write(s, b, redirect_error(on_count, ref)), None)
    assert_type(async_write(s, b, redirect_error(as_tuple(use_future), ref)), OperationFuture[Completion])

    assert_type(async_write(s, b, cancel_after(1.0)), Operation[int])
    assert_type(async_write(s, b, cancel_after(1, use_future)), OperationFuture[int])
    assert_type(async_write(s, b, cancel_after(1, on_done)), None)
    assert_type(async_write(s, b, cancel_after(1, use_future, sw.CancellationType.PARTIAL)), OperationFuture[int])
    assert_type(async_write(s, b, cancel_after(1.0, cancel_type=sw.CancellationType.TOTAL)), Operation[int])
    assert_type(async_write(s, b, cancel_after(1, as_tuple(use_future))), OperationFuture[Completion])
    assert_type(async_write(s, b, as_tuple(cancel_after(1, use_future))), OperationFuture[Completion])

    assert_type(async_write(s, b, cancel_at(1.0)), Operation[int])
    assert_type(async_write(s, b, cancel_at(1, use_promise)), OperationPromise[int])
    assert_type(async_write(s, b, cancel_at(1, on_done)), None)
    assert_type(async_write(s, b, cancel_at(1, as_tuple(use_promise))), OperationPromise[Completion])
    assert_type(async_write(s, b, as_tuple(cancel_at(1, use_promise))), OperationPromise[Completion])

    used(assert_type(async_write(s, b, bind_cancellation_slot(slot, use_awaitable)), Coroutine[Any, Any, int]))
    assert_type(async_write(s, b, bind_cancellation_slot(slot, on_done)), None)
    assert_type(async_write(s, b, bind_cancellation_slot(slot, as_tuple(deferred))), Operation[Completion])
    assert_type(async_write(s, b, as_tuple(bind_cancellation_slot(slot, deferred))), Operation[Completion])

    assert_type(async_write(s, b, bind_executor(executor, use_future)), OperationFuture[int])
    assert_type(async_write(s, b, bind_executor(executor, on_done)), None)
    assert_type(async_write(s, b, bind_executor(executor, as_tuple(use_future))), OperationFuture[Completion])
    assert_type(async_write(s, b, as_tuple(bind_executor(executor, use_future))), OperationFuture[Completion])

    assert_type(async_write(s, b, bind_immediate_executor(inline_executor, use_future)), OperationFuture[int])
    assert_type(async_write(s, b, bind_immediate_executor(inline_executor, on_done)), None)
    assert_type(async_write(s, b, bind_immediate_executor(executor, as_tuple(detached))), None)
    assert_type(async_write(s, b, as_tuple(bind_immediate_executor(executor, detached))), None)

    assert_type(async_write(s, b, consign(use_future, b, 1)), OperationFuture[int])
    assert_type(async_write(s, b, consign(on_done, b)), None)
    assert_type(async_write(s, b, consign(as_tuple(use_future), b)), OperationFuture[Completion])
    assert_type(async_write(s, b, as_tuple(consign(use_future, b))), OperationFuture[Completion])

    # Python has no type for a result with more values added: Any, on purpose.
    assert_type(async_write(s, b, append(use_future, 1)), Any)
    assert_type(async_write(s, b, as_tuple(append(use_future, 1))), Any)
    assert_type(async_write(s, b, prepend(use_future, 1)), Any)
    assert_type(async_write(s, b, prepend(as_tuple(use_future), 1)), Any)

    assert_type(
        async_write(s, b, bind_cancellation_slot(slot, cancel_after(1, as_tuple(consign(Collected(), b))))),
        list[Completion],
    )


# -- arguments ----------------------------------------------------------------------------------------


def streams(port: serial.Serial, sock: socket.socket, writer: asyncio.StreamWriter, b: bytes) -> None:
    assert_type(async_write(port, b), Operation[int])
    assert_type(async_write(sock, b), Operation[int])
    assert_type(async_write(writer, b), Operation[int])
    assert_type(async_write(writer.transport, b), Operation[int])
    assert_type(async_write(1, b), Operation[int])
    assert_type(async_write(sw.SerialPort("/dev/ttyUSB0", 115200, rtscts=True), b), Operation[int])
    assert_type(sw.write(port, b, timeout=1.0, idle_timeout=1), int)
    assert_type(sw.read(port, bytearray(1)), int)
    assert_type(sw.read(port, 4), bytes)


def buffers(s: AsyncWriteStream, b: bytes, mapped: mmap.mmap) -> None:
    async_write(s, bytearray(b))
    async_write(s, memoryview(b))
    async_write(s, array.array("i", [1]))
    async_write(s, mapped)
    async_write(s, [b, memoryview(b), bytearray(b)])
    async_write(s, (b for _ in range(2)))
    async_write(s, sw.dynamic_buffer(bytearray()))


def conditions(s: AsyncWriteStream, b: bytes) -> None:
    def own(error: TransferError | None, n: int) -> bool:
        return error is not None or n >= 3

    async_write(s, b, completion_condition=sw.transfer_all(), timeout=1)
    async_write(s, b, use_future, completion_condition=sw.transfer_at_least(1))
    async_write(s, b, on_done, completion_condition=sw.transfer_exactly(1), timeout=0.5)
    async_write(s, b, completion_condition=own)
    async_write(s, b, completion_condition=lambda error, n: 0 if error else 10 - n)


def reading(s: AsyncReadStream, into: bytearray) -> None:
    assert_type(async_read(s, into), Operation[int])
    assert_type(async_read(s, into, use_future), OperationFuture[int])
    assert_type(async_read(s, into, as_tuple(use_future)), OperationFuture[Completion])
    assert_type(async_read(s, into, on_done), None)
    assert_type(async_read(s, 4), Operation[bytes])
    assert_type(async_read(s, 4, deferred), Operation[bytes])
    assert_type(async_read(s, 4, use_future), OperationFuture[bytes])
    assert_type(async_read(s, 4, use_promise), OperationPromise[bytes])
    assert_type(async_read(s, 4, detached), None)
    assert_type(async_read(s, 4, on_data), None)
    dynamic = sw.dynamic_buffer(into)
    assert_type(async_read_until(s, dynamic, b"\n"), Operation[int])
    assert_type(async_read_until(s, dynamic, re.compile(rb"OK|ERROR"), use_promise), OperationPromise[int])
    assert_type(sw.read_until(s, dynamic, b"\n", timeout=1, idle_timeout=1), int)


async def reading_lines(s: AsyncReadStream) -> None:
    lines = sw.Buffered(s, limit=1000)
    assert_type(lines.async_readline(timeout=1), Operation[bytes])
    assert_type(lines.async_read_until(re.compile(rb"OK|ERROR")), Operation[bytes])
    assert_type(lines.async_read_exactly(4, deferred), Operation[bytes])
    assert_type(await lines.async_readline(), bytes)
    assert_type(lines.readline(timeout=1, idle_timeout=1), bytes)
    assert_type(lines.read_until(b"\r\n"), bytes)
    assert_type(lines.read_exactly(4), bytes)
    assert_type([line async for line in lines], list[bytes])
    assert_type(list(lines), list[bytes])


def discovery() -> None:
    assert_type(sw.ports(), list[sw.PortInfo])
    assert_type(sw.async_wait_for_port("0403:6001", timeout=1), Operation[sw.PortInfo])
    assert_type(sw.SerialPort(sw.ports()[0], 115200).is_open, bool)


# -- operations and streams of one's own --------------------------------------------------------------


class Recorder:
    """The user's stream of the documentation."""

    def __init__(self) -> None:
        self.executor = sw.EventLoopExecutor()
        self.data = bytearray()

    def get_executor(self) -> sw.EventLoopExecutor:
        return self.executor

    def async_write_some(self, buffers: Any, token: Any = sw.deferred, /) -> Any:
        def initiation(handler: Handler) -> None:
            n = sw.buffer_size(buffers)
            self.data += b"".join(buffers)
            self.executor.post(handler, None, n)

        return sw.async_initiate(initiation, token, self.executor)


def of_ones_own(executor: Executor) -> None:
    stream: AsyncWriteStream = Recorder()
    assert_type(async_write(stream, b""), Operation[int])
    assert_type(async_write(Recorder(), b"", use_future), OperationFuture[int])

    def initiation(handler: Handler) -> None:
        executor.post(handler, None, 1)

    assert_type(async_initiate(initiation, deferred, executor), Operation[int])
    assert_type(async_initiate(initiation, use_future, executor), OperationFuture[int])
    assert_type(async_initiate(initiation, on_done, executor), None)
    assert_type(async_initiate(initiation, Collected(), executor), list[int])


# -- stackful coroutines ------------------------------------------------------------------------------


def spawning(executor: Executor, io: sw.IoThread) -> None:
    def text(yield_: yield_context) -> str:
        return str(yield_)

    def count(yield_: yield_context) -> int:
        return async_write(Recorder(), b"", yield_)

    def on_text(error: Exception | None, value: str | None) -> None: ...

    assert_type(spawn(executor, text), Operation[str])
    assert_type(spawn(io, text, deferred), Operation[str])
    used(assert_type(spawn(executor, text, use_awaitable), Coroutine[Any, Any, str]))
    assert_type(spawn(executor, text, use_future), OperationFuture[str])
    assert_type(spawn(executor, text, use_promise), OperationPromise[str])
    assert_type(spawn(executor, text, detached), None)
    assert_type(spawn(executor, text, on_text), None)
    assert_type(spawn(executor, count, cancel_after(1, use_future)), OperationFuture[int])
    assert_type(spawn(executor, count, Collected()), list[int])

    def nested(yield_: yield_context) -> None:
        assert_type(spawn(yield_, text, yield_), str)
        assert_type(spawn(yield_, count, yield_), int)

    assert_type(spawn(executor, nested), Operation[None])


async def methods(port: sw.SerialPort, layer: sw.Queued, transport: sw.BufferedTransportStream) -> None:
    """Typed as the free functions are: they are these."""
    assert_type(await port.async_write(b"data", timeout=1.0), int)
    assert_type(port.async_write(b"data", use_future), OperationFuture[int])
    assert_type(await layer.async_read(4), bytes)
    assert_type(await layer.async_read(bytearray(4), idle_timeout=1.0), int)
    assert_type(await port.async_read_until(sw.dynamic_buffer(bytearray()), b"\n"), int)
    assert_type((port.write(b"data"), port.read(4), port.read(bytearray(4))), tuple[int, bytes, int])
    assert_type(
        (transport.write(b"data"), transport.is_open, port.is_open, layer.is_open), tuple[int, bool, bool, bool]
    )
