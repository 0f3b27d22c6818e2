"""Paced: a stream that is written to slowly, for devices that would lose what comes too fast."""

from __future__ import annotations

import asyncio
import math
import re
import time
from collections.abc import Callable, Sequence
from numbers import Real
from typing import Any, TypeAlias

from .._errors import OperationAborted, StreamClosed, TransferTimeout
from .._operation import Handler
from ._layer import Layer, Step
from ._pollable_side import WATCHDOG
from ._spawned import Result, Spawned, completion

Prompt: TypeAlias = "bytes | re.Pattern[bytes]"

# Bytes go out in slices of about this long, in seconds, where only a rate is asked for.
SLICE = 0.02
# Bytes of one write_some that are searched for the end of a line.
LONGEST_LINE = 4096


class Paced(Layer):
    """``stream``, slowed down. Everything that is given applies together; gaps are from the end of a write.

    Args:
        stream: any stream. ``Paced(port)`` counts and times what the driver accepts;
            ``Paced(port.on_wire, byte_gap=...)`` what has left the port, so that the gaps are on the line.
        bytes_per_second: the rate, kept over time: a late byte is made up for within 20 ms. None for no limit.
        byte_gap: seconds after each byte.
        chunk_size: bytes written at a time; None for as many as fit.
        chunk_gap: seconds after each chunk of ``chunk_size`` bytes.
        line_gap: seconds after each line.
        line_end: what ends a line.
        prompt: bytes, or a compiled bytes pattern, which must have come from the device before the next line goes out.
            The layer then reads from ``stream``, which nothing else may do meanwhile.
        prompt_timeout: seconds to wait for the prompt; None for no limit.
        on_reply: called with the bytes that came while it was waiting for the prompt.

    Cancellation: whatever the stream beneath has, and total while it waits for its time: then nothing was written.
    """

    def __init__(
        self,
        stream: Any,
        *,
        bytes_per_second: float | None = None,
        byte_gap: float = 0.0,
        chunk_size: int | None = None,
        chunk_gap: float = 0.0,
        line_gap: float = 0.0,
        line_end: bytes = b"\n",
        prompt: Prompt | None = None,
        prompt_timeout: float | None = None,
        on_reply: Callable[[bytes], object] | None = None,
    ) -> None:
        super().__init__(stream)
        gaps = {"byte_gap": byte_gap, "chunk_gap": chunk_gap, "line_gap": line_gap}
        _check(bytes_per_second, chunk_size, line_end, prompt, prompt_timeout, on_reply, **gaps)
        self._rate = bytes_per_second
        self._byte_gap = byte_gap
        self._chunk_size = chunk_size
        self._chunk_gap = chunk_gap
        self._line_gap = line_gap
        self._line_end = line_end
        self._prompt = re.compile(re.escape(prompt)) if isinstance(prompt, bytes) else prompt
        self._prompt_given = prompt
        self._prompt_timeout = prompt_timeout
        self._on_reply = on_reply
        self._due = 0.0  # when the next byte may go out, on time.monotonic
        self._in_chunk = 0  # bytes of the current chunk that have gone out
        self._line = bytearray()  # the last bytes of the current line that have
        self._reply: bytearray | None = None  # what has come so far, while the prompt is awaited

    def held_by(self) -> str | None:
        return (
            None if self._reply is None else f"no prompt {getattr(self._prompt_given, 'pattern', self._prompt_given)!r}"
        )

    def write_step(self, below: Step, buffers: Sequence[memoryview], handler: Handler) -> None:
        executor = self.get_executor()

        async def work(operation: Spawned) -> Result:
            if self._reply is not None:
                await self._await_prompt(operation)
            await self._await_time()
            chosen = self._slice(buffers)
            error, n = await completion(lambda inner: below(chosen, inner), executor, operation)
            operation.count = n
            self._account(b"".join(chosen)[:n])
            for view in chosen:
                view.release()
            return error, n

        Spawned(executor, work, "async_write_some").launch(handler)

    # -- how much now --------------------------------------------------------------------------------------

    def _slice(self, buffers: Sequence[memoryview]) -> list[memoryview]:
        """The bytes that may go out together."""
        size = sum(map(len, buffers))
        if self._rate is not None:
            size = min(size, max(1, int(self._rate * SLICE)))
        if self._byte_gap:
            size = min(size, 1)
        if self._chunk_size is not None:
            size = min(size, self._chunk_size - self._in_chunk)
        if self._line_gap or self._prompt is not None:
            size = min(size, self._to_line_end(buffers))
        return first_bytes(buffers, size)

    def _to_line_end(self, buffers: Sequence[memoryview]) -> int:
        """Bytes up to the end of the line and including it, or as far as is searched."""
        tail = self._tail()
        text = bytes(tail) + b"".join(first_bytes(buffers, LONGEST_LINE))
        found = text.find(self._line_end)
        return (len(text) if found < 0 else found + len(self._line_end)) - len(tail)

    def _tail(self) -> bytearray:
        """What a line's end may have begun with, in what has gone out."""
        return self._line[-(len(self._line_end) - 1) :] if len(self._line_end) > 1 else bytearray()

    # -- when the next ---------------------------------------------------------------------------------------

    def _account(self, written: bytes) -> None:
        """Reckon when the next byte may go out."""
        if not written:
            return
        now = time.monotonic()
        gap = self._byte_gap
        if self._rate is not None:
            self._due = max(self._due, now - SLICE) + len(written) / self._rate
        if self._chunk_size is not None:
            self._in_chunk = (self._in_chunk + len(written)) % self._chunk_size
            gap += 0 if self._in_chunk else self._chunk_gap
        self._line += written
        if self._line.endswith(self._line_end):
            self._line.clear()
            gap += self._line_gap
            self._reply = None if self._prompt is None else bytearray()
        else:
            self._line = self._tail()
        if gap:
            self._due = max(self._due, now) + gap

    async def _await_time(self) -> None:
        while (left := self._due - time.monotonic()) > 0:
            # Not in one go: it must not take the rest of a long gap to notice that the stream was closed.
            await asyncio.sleep(min(left, WATCHDOG))
            if not self.is_open():
                raise StreamClosed

    async def _await_prompt(self, operation: Spawned) -> None:
        assert self._reply is not None
        assert self._prompt is not None
        deadline = None if self._prompt_timeout is None else time.monotonic() + self._prompt_timeout
        data = bytearray(1024)
        while not self._prompt.search(self._reply):
            error, n = await completion(
                lambda inner: self.stream.async_read_some(data, inner),
                self.get_executor(),
                operation,
                None if deadline is None else max(0.0, deadline - time.monotonic()),
            )
            self._reply += data[:n]
            if operation.stopping and error is None:
                error = OperationAborted()
            if error is not None:
                expired = type(error) is OperationAborted and not operation.stopping
                raise TransferTimeout(stall=self.held_by()) if expired else error
        reply, self._reply = bytes(self._reply), None
        if self._on_reply is not None:
            self._on_reply(reply)


def first_bytes(buffers: Sequence[memoryview], size: int) -> list[memoryview]:
    """The first ``size`` bytes of ``buffers``."""
    chosen: list[memoryview] = []
    for view in buffers:
        if size <= 0:
            break
        chosen.append(view[:size])
        size -= len(view)
    return chosen


def _check(
    rate: Any, chunk_size: Any, line_end: Any, prompt: Any, prompt_timeout: Any, on_reply: Any, **gaps: Any
) -> None:
    if rate is not None:
        _check_number("bytes_per_second", rate, "more than 0, or None for no limit", above=0)
    if chunk_size is not None and not isinstance(chunk_size, int):
        raise TypeError(f"chunk_size={chunk_size!r}: pass a whole number of bytes, or None for as many as fit")
    if chunk_size is not None and chunk_size < 1:
        raise ValueError(f"chunk_size={chunk_size!r}: pass 1 or more, or None for as many as fit")
    for name, gap in gaps.items():
        _check_number(name, gap, "seconds, 0 or more")
    if gaps["chunk_gap"] and chunk_size is None:
        raise ValueError("chunk_gap: pass the chunk_size, too")
    if not isinstance(line_end, bytes):
        raise TypeError(f"line_end={line_end!r}: pass bytes")
    if not line_end:
        raise ValueError("line_end: pass at least one byte")
    if prompt is None:
        for name, value in (("prompt_timeout", prompt_timeout), ("on_reply", on_reply)):
            if value is not None:
                raise ValueError(f"{name}: pass the prompt, too")
    elif not isinstance(getattr(prompt, "pattern", prompt), bytes):
        raise TypeError(f"prompt={prompt!r}: pass bytes, or a compiled pattern of bytes")
    elif prompt == b"":
        raise ValueError("prompt: pass at least one byte")
    if prompt_timeout is not None:
        _check_number("prompt_timeout", prompt_timeout, "seconds, 0 or more, or None for no limit")


def _check_number(name: str, value: Any, wanted: str, above: float = -math.inf) -> None:
    if not isinstance(value, Real):
        raise TypeError(f"{name}={value!r}: pass {wanted}")
    if not max(0.0, above) <= float(value) < math.inf or value == above:
        raise ValueError(f"{name}={value!r}: pass {wanted}")
