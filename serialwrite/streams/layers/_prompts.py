"""Prompts: reads what a device sends between the lines of a paced write, and finds the prompt in it."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable
from typing import Any, TypeAlias

from ..._errors import EndOfFile, OperationAborted, TransferTimeout
from ..._timers import checked_seconds, checked_timeout
from .._coroutine import Spawned, completion

Prompt: TypeAlias = "bytes | re.Pattern[bytes]"

# Seconds of silence behind a prompt. Consoles take CR and LF for two lines, and then print two.
PROMPT_SETTLE_S = 0.05
# How many times as long a device that is never silent is waited for.
SETTLE_RATIO_MAX = 20
# Bytes read at a time; and how many of these reads there are at most before a line, of a device that never stops.
PIECE, PIECES = 1024, 64


class Prompts:
    """Reads from ``stream`` what the device says, and knows whether that has answered the last line."""

    def __init__(
        self,
        stream: Any,
        prompt: Prompt,
        timeout: float | None,
        settle: float,
        on_reply: Callable[[bytes], object] | None,
        *,
        first: bool,
    ) -> None:
        self._stream = stream
        self._pattern = re.compile(re.escape(prompt)) if isinstance(prompt, bytes) else prompt
        self._prompt = getattr(prompt, "pattern", prompt)
        self._timeout = timeout
        self._settle = settle
        self._on_reply = on_reply
        self._reply: bytearray | None = bytearray() if first else None  # what has come of the answer that is awaited

    def held_by(self) -> str | None:
        """What is awaited, if anything is."""
        if self._reply is None:
            return None
        if self._pattern.search(self._reply):
            return f"no silence behind prompt {self._prompt!r}"
        return f"no prompt {self._prompt!r}"

    def line_went_out(self) -> None:
        """From here on what comes is the answer."""
        self._reply = bytearray()

    async def answered(self, operation: Spawned) -> None:
        """Wait for the prompt, where one is awaited, and for the silence behind it."""
        if self._reply is None:
            return
        deadline = math.inf if self._timeout is None else time.monotonic() + self._timeout
        while not self._pattern.search(self._reply):
            if not await self._read(self._reply, operation, deadline - time.monotonic()):
                raise TransferTimeout(stall=self.held_by())
        deadline = time.monotonic() + SETTLE_RATIO_MAX * self._settle
        while time.monotonic() < deadline and await self._read(self._reply, operation, self._settle):
            pass
        reply, self._reply = self._reply, None
        self._tell(reply)

    async def hear_before_line(self, operation: Spawned) -> None:
        """Take what has come already out of the way of the answer to the line that goes out now."""
        heard = bytearray()
        try:
            for _ in range(PIECES):
                if not await self._read(heard, operation, 0.0):
                    break
        except EndOfFile:
            pass  # the write may still go well
        finally:
            if heard:
                self._tell(heard)

    async def _read(self, into: bytearray, operation: Spawned, seconds: float) -> bool:
        """Add what comes next ``into``; False where nothing has come within ``seconds``."""
        piece = bytearray(PIECE)
        error, n = await completion(
            lambda inner: self._stream.async_read_some(piece, inner),
            self._stream.get_executor(),
            operation,
            None if seconds == math.inf else max(0.0, seconds),
        )
        into += piece[:n]
        if operation.stopping and error is None:
            error = OperationAborted()
        if error is None:
            return True
        if type(error) is OperationAborted and not operation.stopping:
            return False
        raise error

    def _tell(self, what: bytearray) -> None:
        if self._on_reply is not None:
            self._on_reply(bytes(what))


def check_prompt(prompt: Any, timeout: Any, settle: Any, on_reply: Any, *, first: Any) -> None:
    """Raise TypeError or ValueError if ``prompt`` is not a prompt, or an option needs one."""
    checked_seconds(settle, "prompt_settle", finite=True)
    checked_timeout(timeout, "prompt_timeout")
    if prompt is None:
        for name, given in (
            ("prompt_first", first),
            ("prompt_timeout", timeout is not None),
            ("prompt_settle", settle != PROMPT_SETTLE_S),
            ("on_reply", on_reply is not None),
        ):
            if given:
                raise ValueError(f"{name}: pass the prompt, too")
    elif not isinstance(getattr(prompt, "pattern", prompt), bytes):
        raise TypeError(f"prompt={prompt!r}: pass bytes, or a compiled pattern of bytes")
    elif prompt == b"":
        raise ValueError("prompt: pass at least one byte")
    elif on_reply is not None and not callable(on_reply):
        raise TypeError(f"on_reply={on_reply!r}: pass a function that takes the bytes")
