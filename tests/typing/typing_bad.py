"""Misuses. Both checkers must refuse each line marked so, and no other: see test_typing.py."""

from __future__ import annotations

from typing import Any

import serialwrite as sw


def arguments(s: sw.AsyncWriteStream, b: bytes) -> None:
    sw.async_write(object(), b)  # refused: not a stream
    sw.async_write(s, "text")  # refused: text has no bytes before it is encoded
    sw.async_write(s, 5, sw.use_future)  # refused: a number is no memory
    sw.async_write(s, b, 42)  # refused: not a token
    sw.async_write(s, b, timeout="1 s")  # refused: seconds
    sw.async_write(s, b, completion_condition=10)  # refused: a condition is called
    sw.write(s, b, sw.use_future)  # refused: the blocking form takes no token


def handlers(s: sw.AsyncWriteStream, b: bytes) -> None:
    def raw(error: sw.TransferError | None, n: int) -> None: ...
    def text(error: str, n: int) -> None: ...

    sw.async_write(s, b, lambda n: None)  # refused: a handler takes error and count
    sw.async_write(s, b, sw.as_tuple(raw))  # refused: as_tuple gives one value
    sw.async_write(s, b, sw.redirect_error(raw, sw.ErrorRef()))  # refused: the error was taken out
    sw.async_write(s, b, sw.consign(text, b))  # refused: an error is no text


def adapters(s: sw.AsyncWriteStream, b: bytes, signal: sw.CancellationSignal, executor: sw.Executor) -> None:
    sw.cancel_after("1s", sw.use_future)  # refused: seconds
    sw.bind_cancellation_slot(signal, sw.use_future)  # refused: the signal's slot
    sw.bind_executor(sw.use_future, executor)  # refused: the executor comes first
    sw.redirect_error(sw.use_future, None)  # refused: needs an ErrorRef
    sw.as_tuple(3)  # refused: not a token


async def results(s: sw.AsyncWriteStream, b: bytes) -> None:
    await sw.async_write(s, b, sw.use_future)  # refused: for other threads, not for await
    await sw.async_write(s, b, sw.detached)  # refused: nothing to await
    n: int = await sw.async_write(s, b, sw.as_tuple(sw.deferred))  # refused: (error, count)
    m: int = sw.async_write(s, b)  # refused: not awaited
    print(n, m)


class Wrong(sw.CompletionToken[int, sw.Completion]):
    def initiate(self, operation: str, /) -> Any: ...  # refused: it is given an operation


def spawning(executor: sw.Executor) -> None:
    def session(yield_: sw.yield_context) -> str:
        return sw.async_write(0, b"", yield_)  # refused: a count is no text

    def of_two(one: int, two: int) -> None: ...

    sw.spawn(executor, of_two)  # refused: the function is given a yield_context
    sw.spawn(executor, session, 42)  # refused: not a token
