"""LineWait: waits for modem lines, by TIOCMIWAIT on a thread if the driver supports it, else by polling."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from .._coroutine import Spawned, in_thread
from ..fd._lookout import lookout_of
from ._device import Device, LineCounters, ModemLines
from ._interrupted import InterruptibleCall
from ._no_line import no_line

# Seconds between two polls of a port whose driver does not report changes.
LOOK_S = 0.02
# Seconds for which a line that changes without end is left alone after each change.
LULL_S = 0.001
# Seconds that the thread is given to end. The kernel lets a signal end TIOCMIWAIT at once.
PATIENCE_S = 1.0


def checked_lines(**lines: Any) -> dict[str, bool]:
    """The lines that are asked for, each with its state; TypeError for what cannot be one, or if there is none."""
    for name, on in lines.items():
        if on is not None and not isinstance(on, bool):
            raise TypeError(f"{name}={on!r}: pass True, to wait until it is asserted, or False, until it is not")
    wanted = {name: on for name, on in lines.items() if on is not None}
    if not wanted:
        raise TypeError("async_wait_for_lines: pass which lines to wait for, such as cts=True")
    return wanted


class LineWait:
    """One wait for the modem lines of a port.

    Args:
        port: the port, for messages.
        device: is asked for its lines.
        wanted: the state of each line that is waited for.
    """

    def __init__(self, port: object, device: Device, wanted: dict[str, bool]) -> None:
        self.waiting = False
        self._port = port
        self._device = device
        self._wanted = wanted
        self._counters: LineCounters | None = None  # when it began
        self._changed = asyncio.Event()
        self._told = True  # whether the driver reports changes
        self._stop = threading.Event()
        self._call: InterruptibleCall | None = None

    async def run(self, operation: Spawned) -> ModemLines:
        """The lines, once they are as wanted. Cancelled, it waits until its thread has ended."""
        self._counters = self._device.counters()
        lines = self._reached()
        if lines is not None:
            return lines
        loop = asyncio.get_running_loop()
        call = InterruptibleCall(lambda: self._watch(loop), f"modem lines of {self._port!r}")
        self._call, self.waiting = call, True
        call.start()
        lookout_of(loop).add(self)
        try:
            while True:
                self._changed.clear()
                lines = self._reached()
                if lines is not None:
                    return lines
                await (self._changed.wait() if self._told else asyncio.sleep(LOOK_S))
        finally:
            self.waiting = False
            self._stop.set()
            if not call.done.is_set():
                await in_thread(self.end, f"ending {call.name}", operation)
            call.dismiss()

    def _reached(self) -> ModemLines | None:
        lines = self._device.modem_lines()
        if lines is None:
            raise no_line(self._port, "async_wait_for_lines")
        if all(getattr(lines, name) is on for name, on in self._wanted.items()):
            return lines
        # A pulse that is over: a line that was not as wanted at first, and has changed, was so for a moment.
        before, counters = self._counters, self._device.counters()
        if len(self._wanted) == 1 and before is not None and counters is not None:
            (name,) = self._wanted
            if getattr(counters, name) != getattr(before, name):
                return lines._replace(**self._wanted)
        return None

    def look(self) -> None:
        """Look now: for a port that has gone, and for a change just before the driver was asked to wait for one."""
        self._changed.set()

    def end(self) -> None:
        """End the thread, which uses the port's descriptor. From any thread."""
        self._stop.set()
        if self._call is not None:
            self._call.interrupt(PATIENCE_S)

    def _watch(self, loop: asyncio.AbstractEventLoop) -> None:
        """On the thread: have the loop look at each change."""

        def tell(what: Callable[[], object]) -> None:
            with suppress(RuntimeError):  # the loop was closed: this thread is about to be ended
                loop.call_soon_threadsafe(what)

        while not self._stop.is_set():
            tell(self.look)
            try:
                self._device.await_line_change(self._wanted)
            except InterruptedError:
                continue
            except OSError:  # it does not report changes, or is gone: the next poll raises that
                tell(self._look_by_time)
                return
            self._stop.wait(LULL_S)

    def _look_by_time(self) -> None:
        self._told = False
        self._changed.set()
