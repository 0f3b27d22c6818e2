"""The pump: one thread that moves a bounded number of bytes between two pty masters, and sleeps while none can move."""

from __future__ import annotations

import contextlib
import heapq
import itertools
import os
import selectors
import threading
import time
from collections import deque
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from serialwrite.testing.rigs._pty_end import PtyEnd

T = TypeVar("T")
PUMP_TIMEOUT_S = 10.0  # seconds; the pump never blocks, so this bounds a bug, not a wait


class Lane:
    """One direction. It holds at most what one read gave, and reads again only when that is delivered."""

    def __init__(self, source: PtyEnd, target: PtyEnd) -> None:
        self.source = source
        self.target = target
        self.stalled = False
        self.moved: int = 0  # bytes the target's tty has taken
        self._held = memoryview(b"")

    def wants_to_read(self) -> bool:
        return self.source.alive and self.target.alive and not self.stalled and not self._held

    def wants_to_write(self) -> bool:
        return self.target.alive and not self.stalled and bool(self._held)

    def timeout(self) -> float | None:
        """Seconds until the lane has something to do by itself; None for never."""
        return None

    def move(self) -> None:
        """Move what can be moved now."""
        if self.wants_to_read():
            self._held = memoryview(self.source.read())
        if self.wants_to_write():
            n = self.target.write(self._held)
            self._held = self._held[n:]
            self.moved += n

    def take_all(self) -> None:
        """Take all that the source's users have written, before it goes; the pty's buffers bound that."""
        taken = [bytes(self._held)]
        while data := self.source.read():
            taken.append(data)
        self._held = memoryview(b"".join(taken))


class Pump:
    """The thread that runs two lanes. Only this thread touches masters; others go through ``call``."""

    def __init__(self, lanes: Sequence[Lane], name: str) -> None:
        self._lanes = lanes
        self._calls: deque[tuple[Callable[[], Any], Future[Any]]] = deque()
        self._timers: list[tuple[float, int, Callable[[], object]]] = []
        self._order = itertools.count()  # of timers that are due at the same time
        self._closing = False
        self._registered: dict[int, int] = {}
        self._wake_reader, self._wake_writer = os.pipe()
        os.set_blocking(self._wake_reader, False)
        os.set_blocking(self._wake_writer, False)
        self._lock = threading.Lock()  # between ``call`` and the end of the thread
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._wake_reader, selectors.EVENT_READ)
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def call(self, function: Callable[[], T]) -> T:
        """Run ``function`` on the pump's thread, between two moves, and return what it returns."""
        future: Future[T] = Future()
        with self._lock:
            if self._closing:
                raise RuntimeError("the rig is closed")
            self._calls.append((function, future))
            self._wake()
        return future.result(PUMP_TIMEOUT_S)

    def later(self, seconds: float, function: Callable[[], object]) -> None:
        """Run ``function`` after that many seconds; to be asked on the pump's thread."""
        heapq.heappush(self._timers, (time.monotonic() + seconds, next(self._order), function))

    def close(self) -> None:
        """End the thread and wait for its end. A second call does nothing."""
        with self._lock:
            if self._closing:
                return
            self._closing = True
            self._wake()
        self._thread.join(PUMP_TIMEOUT_S)
        self._selector.close()
        os.close(self._wake_reader)
        os.close(self._wake_writer)

    def _wake(self) -> None:
        with contextlib.suppress(BlockingIOError):  # full: a wake-up is on its way already
            os.write(self._wake_writer, b"\0")

    def _run(self) -> None:
        try:
            while not self._closing:
                self._watch()
                for key, _ in self._selector.select(self._timeout()):
                    if key.fd == self._wake_reader:
                        os.read(self._wake_reader, 4096)
                while self._calls:
                    _answer(*self._calls.popleft())
                while self._timers and self._timers[0][0] <= time.monotonic():
                    heapq.heappop(self._timers)[2]()
                for lane in self._lanes:
                    lane.move()
        finally:
            with self._lock:
                self._closing = True
            while self._calls:
                self._calls.popleft()[1].set_exception(RuntimeError("the rig is closed"))

    def _timeout(self) -> float | None:
        timeouts = [t for lane in self._lanes if (t := lane.timeout()) is not None]
        if self._timers:
            timeouts.append(self._timers[0][0] - time.monotonic())
        return max(0.0, min(timeouts)) if timeouts else None

    def _watch(self) -> None:
        """Watch each master only for what its lanes can use: unused readiness would spin."""
        wanted: dict[int, int] = {}
        for lane in self._lanes:
            if lane.wants_to_read():
                wanted[lane.source.master] = wanted.get(lane.source.master, 0) | selectors.EVENT_READ
            if lane.wants_to_write():
                wanted[lane.target.master] = wanted.get(lane.target.master, 0) | selectors.EVENT_WRITE
        for fd in self._registered.keys() - wanted.keys():
            self._selector.unregister(fd)
        for fd, events in wanted.items():
            if fd not in self._registered:
                self._selector.register(fd, events)
            elif self._registered[fd] != events:
                self._selector.modify(fd, events)
        self._registered = wanted

    def forget(self, end: PtyEnd) -> None:
        """Stop watching an end that is about to be closed; to be run on the pump's thread."""
        if self._registered.pop(end.master, None) is not None:
            self._selector.unregister(end.master)


def _answer(function: Callable[[], Any], future: Future[Any]) -> None:
    try:
        future.set_result(function())
    except BaseException as error:  # handed to the caller, who raises it
        future.set_exception(error)
