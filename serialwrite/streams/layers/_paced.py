"""Paced: a stream that limits the rate of writes, for devices that lose bytes that come too fast."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Sequence
from typing import Any

from ..._adapting import as_stream
from ..._buffers import checked_count, first_bytes
from ..._errors import StreamClosed
from ..._handler import Handler
from ..._timers import checked_number, checked_seconds
from .._coroutine import Result, Spawned, completion
from ..fd._lookout import LOOK_INTERVAL_S
from ._layer import Layer, Step
from ._prompts import PROMPT_SETTLE_S, Prompt, Prompts, check_prompt

# Bytes go out in slices of about this long, in seconds, where only a rate is asked for.
SLICE_S = 0.02
# Bytes of one write_some that are searched for the end of a line.
LINE_SIZE_MAX = 4096


class Paced(Layer):
    """``stream``, slowed down. Everything that is given applies together; gaps are from the end of a write.

    Args:
        stream: any stream. ``Paced(port)`` counts and times what the driver accepts;
            ``Paced(port.on_wire, byte_gap=...)`` what has left the port, so that the gaps are on the line.
        bytes_per_second: average rate limit. Lost time is caught up within 20 ms. None: no limit.
        byte_gap: seconds after each byte.
        chunk_size: bytes written at a time; None for as many as fit.
        chunk_gap: seconds after each chunk of ``chunk_size`` bytes.
        line_gap: seconds after each line.
        line_end: what ends a line.
        prompt: bytes, or a compiled bytes pattern: the answer to each line, which must have come before the next line
            goes out. Only what comes after a line went out answers it.
            The layer reads from ``stream`` before each line, which nothing else may do meanwhile.
        prompt_first: wait for a prompt before the first line, too. One that has come already counts there.
        prompt_timeout: seconds to wait for the prompt; None for no limit.
        prompt_settle: seconds for which the device must be silent behind a prompt before the next line goes out, as
            some print it twice. A device that is never silent is waited for twenty times as long.
        on_reply: called with all that the device sends. It is called once with each answer, from the line's end to its
            prompt and the silence behind it. If anything came before a line went out, it is called with that, too. None
            drops both.

    Cancellation: as the wrapped stream; total while it waits for the next send time, as nothing was written then.
    What had come of an answer counts in the next write.
    """

    _waits = True

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
        prompt_first: bool = False,
        prompt_timeout: float | None = None,
        prompt_settle: float = PROMPT_SETTLE_S,
        on_reply: Callable[[bytes], object] | None = None,
    ) -> None:
        super().__init__(as_stream(stream))
        _check(chunk_size, line_end, byte_gap=byte_gap, chunk_gap=chunk_gap, line_gap=line_gap)
        check_prompt(prompt, prompt_timeout, prompt_settle, on_reply, first=prompt_first)
        self._rate = _checked_rate(bytes_per_second)
        self._byte_gap = byte_gap
        self._chunk_size = chunk_size
        self._chunk_gap = chunk_gap
        self._line_gap = line_gap
        self._line_end = line_end
        self._prompts: Prompts | None = None
        if prompt is not None:
            self._prompts = Prompts(self.stream, prompt, prompt_timeout, prompt_settle, on_reply, first=prompt_first)
        self._due = 0.0  # when the next byte may go out, on time.monotonic
        self._in_chunk = 0  # bytes of the current chunk that have gone out
        self._tail = b""  # the last bytes of the current line that have: a line end may have begun in them

    def _own_stall(self) -> str | None:
        return None if self._prompts is None else self._prompts.held_by()

    def _write_step(self, below: Step, buffers: Sequence[memoryview], handler: Handler) -> None:
        executor = self.get_executor()

        async def work(operation: Spawned) -> Result:
            if self._prompts is not None:
                await self._prompts.answered(operation)
            await self._await_time()
            chosen = self._slice(buffers)
            if self._prompts is not None and b"".join((self._tail, *chosen)).endswith(self._line_end):
                await self._prompts.hear_before_line(operation)
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
            size = min(size, max(1, int(self._rate * SLICE_S)))
        if self._byte_gap:
            size = min(size, 1)
        if self._chunk_size is not None:
            size = min(size, self._chunk_size - self._in_chunk)
        if self._line_gap or self._prompts is not None:
            size = min(size, self._to_line_end(buffers))
        return first_bytes(buffers, size)

    def _to_line_end(self, buffers: Sequence[memoryview]) -> int:
        """Bytes up to the end of the line and including it, or as far as is searched."""
        text = self._tail + b"".join(first_bytes(buffers, LINE_SIZE_MAX))
        found = text.find(self._line_end)
        return (len(text) if found < 0 else found + len(self._line_end)) - len(self._tail)

    # -- when the next ---------------------------------------------------------------------------------------

    def _account(self, written: bytes) -> None:
        """Reckon when the next byte may go out."""
        if not written:
            return
        now = time.monotonic()
        gap = self._byte_gap
        if self._rate is not None:
            self._due = max(self._due, now - SLICE_S) + len(written) / self._rate
        if self._chunk_size is not None:
            self._in_chunk = (self._in_chunk + len(written)) % self._chunk_size
            gap += 0 if self._in_chunk else self._chunk_gap
        line = self._tail + written
        if line.endswith(self._line_end):
            line = b""
            gap += self._line_gap
            if self._prompts is not None:
                self._prompts.line_went_out()
        self._tail = line[max(0, len(line) - len(self._line_end) + 1) :]
        if gap:
            self._due = max(self._due, now) + gap

    async def _await_time(self) -> None:
        while (left := self._due - time.monotonic()) > 0:
            # Not in one go: it must not take the rest of a long gap to notice that the stream was closed.
            await asyncio.sleep(min(left, LOOK_INTERVAL_S))
            if not self.is_open:
                raise StreamClosed


def _checked_rate(rate: Any) -> float | None:
    message = f"bytes_per_second={rate!r}: pass more than 0, or None for no limit"
    number = None if rate is None else checked_number(rate, message)
    if number is not None and not 0 < number < math.inf:
        raise ValueError(message)
    return number


def _check(chunk_size: Any, line_end: Any, **gaps: Any) -> None:
    if chunk_size is not None:
        checked_count(chunk_size, f"chunk_size={chunk_size!r}", least=1)
    for name, gap in gaps.items():
        checked_seconds(gap, name, finite=True)
    if gaps["chunk_gap"] and chunk_size is None:
        raise ValueError("chunk_gap: pass the chunk_size, too")
    if not isinstance(line_end, bytes):
        raise TypeError(f"line_end={line_end!r}: pass bytes")
    if not line_end:
        raise ValueError("line_end: pass at least one byte")
