"""Measures the scheduling delay of this machine, which a measurement must not blame on the line."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator
from typing import Final

LAG_POLL_S: Final = 0.01  # seconds between two looks at the clock
LAG_TOLERANCE_S: Final = 0.01  # seconds by which a look may be late


class LoopLag:
    """Adds up the seconds by which the event loop ran late."""

    def __init__(self) -> None:
        """Begin with none."""
        self.seconds = 0.0

    def clock(self) -> float:
        """Return a time that stood still while the loop ran late: what patience is measured by.

        On a starved machine neither this program nor, often, the other end had its turn.
        """
        return time.monotonic() - self.seconds

    @contextlib.asynccontextmanager
    async def measured(self) -> AsyncGenerator[None]:
        """Look at the clock for as long as the block runs."""
        looking = asyncio.create_task(self._look())
        try:
            yield
        finally:
            looking.cancel()
            await asyncio.gather(looking, return_exceptions=True)

    async def _look(self) -> None:
        while True:
            due = time.monotonic() + LAG_POLL_S
            await asyncio.sleep(LAG_POLL_S)
            late = time.monotonic() - due
            if late > LAG_TOLERANCE_S:
                self.seconds += late
