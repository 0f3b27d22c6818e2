"""IoThread: an event loop on a thread of its own."""

from __future__ import annotations

import asyncio
import threading
from typing import Self

from ._executors import CLOSE_TIMEOUT_S, EventLoopExecutor


class IoThread:
    """An event loop on a thread of its own, for programs that have none.

    ``with IoThread() as io: port = SerialPort(..., executor=io.get_executor())``. Leaving the block
    cancels what still runs there, waits for it, and ends the thread. Follows Asio's ``thread_pool``.
    """

    def __init__(self, name: str = "serialwrite-io") -> None:
        self._loop = asyncio.new_event_loop()
        self._executor = EventLoopExecutor(self._loop)
        self._executor.cancel_hooks = set()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        started = threading.Event()
        self._loop.call_soon(started.set)
        self._thread.start()
        started.wait()

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.get_loop().run_forever()
            runner.run(self._cancel_all())

    async def _cancel_all(self) -> None:
        hooks = self._executor.cancel_hooks
        for cancel in tuple(hooks or ()):
            cancel()
        deadline = self._loop.time() + CLOSE_TIMEOUT_S
        while hooks and self._loop.time() < deadline:  # noqa: ASYNC110 # the end of a thread's life
            await asyncio.sleep(0.001)

    def get_executor(self) -> EventLoopExecutor:
        """The executor that streams and operations of this thread are made with."""
        return self._executor

    def close(self) -> None:
        """Cancel what still runs on the thread, wait until it has ended, and end the thread."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
