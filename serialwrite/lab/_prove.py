"""Prove every line of every place: acquire the place, run one loopback process a line, release the place."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from ._row import OF_EXIT_CODE, Line, NotAcquired, Row, State


class Places(Protocol):
    """What lends places: a :class:`Coordinator`."""

    def acquired(self, place: str, /) -> AbstractAsyncContextManager[list[Line]]:
        """Lend the lines of ``place``."""
        ...


class Prover:
    """Proves the lines of places, ``jobs`` places at a time.

    Each line is proved by a process of its own, ``python -m serialwrite loopback``. A crash of one does not affect the
    others, and all cores are used. The ports of one place are proved one after another.

    Args:
        places: what lends the places.
        options: further arguments of ``serialwrite loopback``.
        jobs: places that are tested at once.
        progress: called with one sentence whenever a line's state changes.
    """

    def __init__(self, places: Places, options: Iterable[str], jobs: int, progress: Callable[[str], object]) -> None:
        self._places = places
        self._options = tuple(options)
        self._gate = asyncio.Semaphore(jobs)
        self._progress = progress
        self._running = set[asyncio.subprocess.Process]()
        self._stopped = 0

    @property
    def stopped(self) -> bool:
        """Whether :meth:`stop` was called."""
        return self._stopped > 0

    def stop(self) -> None:
        """End the tests: at the first call each reports what it has found so far; a second one kills them.

        No further place is acquired, and all that are acquired are released.
        """
        self._stopped += 1
        for process in self._running:
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGINT if self._stopped == 1 else signal.SIGKILL)

    async def prove(self, names: Iterable[str]) -> list[Row]:
        """Return a row for each line of each place in ``names``, in that order."""
        rows = await asyncio.gather(*(self._place(name) for name in names))
        return [row for of_place in rows for row in of_place]

    async def _place(self, name: str) -> list[Row]:
        rows = list[Row]()
        async with self._gate:
            if self.stopped:
                return [self._ended(Row(name, None, State.STOPPED, "it was stopped before this place was acquired"))]
            try:
                async with self._places.acquired(name) as lines:
                    if not lines:
                        rows.append(self._ended(Row(name, None, State.NOT_RUN, "the place has no NetworkSerialPort")))
                    for line in lines:
                        rows.append(self._ended(await self._line(name, line)))  # kept if one raises
            except NotAcquired as error:
                state = State.BUSY if error.holder else State.NOT_RUN
                rows.append(self._ended(Row(name, None, state, str(error))))
            except ConnectionError as error:
                rows.append(self._ended(Row(name, None, State.NOT_RUN, f"it could not be released: {error}")))
        return rows

    async def _line(self, place: str, line: Line) -> Row:
        if not line.urls:
            return Row(place, line, State.NOT_RUN, "its exporter serves no port that can be reached from this machine")
        if self.stopped:
            return Row(place, line, State.STOPPED, "it was stopped before this line was tested")
        self._progress(f"{place}: {line.name}: testing {' ↔ '.join(line.urls)} at {line.baudrate}")
        started = time.monotonic()
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "serialwrite", "loopback", *line.urls, "--baud", str(line.baudrate), "--json",
            *self._options,
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
            start_new_session=True,  # a Ctrl-C on the terminal reaches this process alone, which passes it on
        )  # fmt: skip
        self._running.add(process)
        if self.stopped:
            process.send_signal(signal.SIGINT)
        try:
            printed, said = await process.communicate()
        except BaseException:
            process.kill()
            raise
        finally:
            self._running.discard(process)
        seconds = time.monotonic() - started
        try:
            result = json.loads(printed)
        except ValueError:
            state = State.STOPPED if self.stopped else State.NOT_RUN
            return Row(place, line, state, _last_words(said, process.returncode), seconds)
        state = OF_EXIT_CODE.get(process.returncode, State.NOT_RUN)
        return Row(place, line, state, result["summary"], seconds, result)

    def _ended(self, row: Row) -> Row:
        self._progress(f"{row.name}: {row.state}: {row.reason}")
        return row


def _last_words(said: bytes, code: int | None) -> str:
    """What a loopback process that gave no result said last; else how it ended."""
    last = said.decode(errors="backslashreplace").strip().rpartition("\n")[2].strip(" │")
    return last or f"the loopback process ended with exit code {code}"
