"""Progress of a running test, and its sink."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from typing import Final

from serialwrite.loopback._one_way import DirectionRun
from serialwrite.loopback._result import Settings
from serialwrite.loopback.measure._budget import Budget

PROGRESS_INTERVAL_S: Final = 0.1  # seconds between two calls of ``progress``


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a test is; given to ``progress`` some ten times a second."""

    run: int
    """Which run, from 1 on."""
    runs: int
    """How many there will be."""
    settings: Settings
    phase: str
    """What is going on: "opening", "settling", "data", "round trips", "accounting" or "wiring"."""
    elapsed: float
    """Seconds since the run began."""
    sent: int
    """Bytes accepted so far, both ways together."""
    received: int
    """Bytes received and checked so far."""
    faults: int
    """Faults found so far."""
    budget: Budget
    """Seconds that this phase takes, by the line's rate: expected, and at most."""
    whole: Budget
    """Seconds that all runs with all their phases take."""


class ProgressReporter:
    """Tells ``progress`` how it goes: before the line is opened, and then some ten times a second."""

    def __init__(
        self, tell: Callable[[Progress], object] | None, run: int, runs: int, settings: Settings, whole: Budget
    ) -> None:
        self._tell, self._run, self._runs, self._settings, self._whole = tell, run, runs, settings, whole
        self._began = time.monotonic()
        self._look("opening", [], Budget(0.0, 0.0))

    @contextlib.asynccontextmanager
    async def on(self, phase: str, ways: list[DirectionRun], budget: Budget) -> AsyncGenerator[None]:
        telling = asyncio.create_task(self._keep_telling(phase, ways, budget))
        try:
            yield
        finally:
            telling.cancel()
            await asyncio.gather(telling, return_exceptions=True)

    async def _keep_telling(self, phase: str, ways: list[DirectionRun], budget: Budget) -> None:
        while self._tell is not None:
            self._look(phase, ways, budget)
            await asyncio.sleep(PROGRESS_INTERVAL_S)

    def _look(self, phase: str, ways: list[DirectionRun], budget: Budget) -> None:
        tell = self._tell
        if tell is None:
            return
        now = Progress(
            run=self._run,
            runs=self._runs,
            settings=self._settings,
            phase=phase,
            elapsed=time.monotonic() - self._began,
            sent=sum(way.sent for way in ways),
            received=sum(way.checker.received for way in ways),
            faults=sum(way.checker.faults for way in ways),
            budget=budget,
            whole=self._whole,
        )
        try:
            tell(now)
        except Exception as error:
            self._tell = None
            context = {"message": f"progress={tell!r} raised; this run does not call it again", "exception": error}
            asyncio.get_running_loop().call_exception_handler(context)
