"""Owns telling how a test goes while it runs."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from typing import Final

from serialwrite.loopback._direction import Way
from serialwrite.loopback._result import Settings

LOOK: Final = 0.1  # seconds between two calls of `progress`


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a test is; given to `progress` some ten times a second."""

    run: int
    """Which run, from 1 on."""
    runs: int
    """How many there will be."""
    settings: Settings
    phase: str
    """What is going on: the data, the round trips, a check."""
    elapsed: float
    """Seconds since the run began."""
    sent: int
    """Bytes accepted so far, both ways together."""
    received: int
    """Bytes received and checked so far."""
    faults: int
    """Faults found so far."""


class Watch:
    """Tells `progress` how it goes."""

    def __init__(self, tell: Callable[[Progress], object] | None, run: int, runs: int, settings: Settings) -> None:
        self._tell, self._run, self._runs, self._settings = tell, run, runs, settings
        self._began = time.monotonic()

    @contextlib.asynccontextmanager
    async def on(self, phase: str, ways: list[Way]) -> AsyncGenerator[None]:
        telling = asyncio.create_task(self._keep_telling(phase, ways))
        try:
            yield
        finally:
            telling.cancel()
            await asyncio.gather(telling, return_exceptions=True)

    async def _keep_telling(self, phase: str, ways: list[Way]) -> None:
        while self._tell is not None:
            sent, received = sum(way.sent for way in ways), sum(way.checker.received for way in ways)
            faults = sum(way.checker.faults for way in ways)
            elapsed = time.monotonic() - self._began
            self._tell(Progress(self._run, self._runs, self._settings, phase, elapsed, sent, received, faults))
            await asyncio.sleep(LOOK)
