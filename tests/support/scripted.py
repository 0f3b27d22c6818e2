"""The public scripted streams, and one of the library's kind over a descriptor that does as the same script says."""

import asyncio
import contextlib
import errno
import math
import os
from collections import deque

import serialwrite as sw
from serialwrite.streams.fd._stream import PollableStream
from serialwrite.testing import ScriptedNowaitStream, ScriptedStream, Step

WAIT = Step(1, after=math.inf)
"""A step of a script: take nothing until it is cancelled or let go, then a byte."""


class ScriptedPort(PollableStream):
    """A stream of the library's kind over a descriptor that is always ready: at a WAIT it is full until `let_go`."""

    def __init__(self, *script, executor=None):
        super().__init__(executor)
        self.script = deque(script)
        self.tries = 0
        self._taken = ScriptedStream()
        self.asked, self.written = self._taken.asked, self._taken.written
        self._reader, self._fd = os.pipe()

    def write_some_nowait(self, buffers):
        self.tries += 1
        self._wait_fd()
        if self.script and self.script[0] is WAIT:
            raise BlockingIOError
        step = self.script.popleft() if self.script else None
        if isinstance(step, Exception):
            self.take(Step(0), buffers)
            raise step
        return self.take(Step(step), buffers)

    def take(self, step, buffers):
        return self._taken.take(step, buffers)

    @property
    def watching(self):
        return self._write_direction.waiting and self.script[0] is WAIT

    def let_go(self):
        """Be full no longer."""
        self.script.popleft()

    def _wait_fd(self):
        if self._closed:
            raise OSError(errno.EBADF, "closed")
        return self._fd

    @property
    def is_open(self):
        return not self._closed

    def _close(self):
        os.close(self._reader)
        os.close(self._fd)


STREAMS = {"plain": ScriptedStream, "nowait": ScriptedNowaitStream, "port": ScriptedPort}


@contextlib.contextmanager
def stream_of(kind, *script, executor=None):
    """A scripted stream of a kind, or of a class of the test's own, closed in the end.

    It is as a stream is after its first operation, bound to the running loop: the fast path needs that.
    """
    stream = STREAMS.get(kind, kind)(*script, executor=executor or sw.EventLoopExecutor(asyncio.get_running_loop()))
    if isinstance(stream, PollableStream):
        stream._write_direction.release()
    try:
        yield stream
    finally:
        if isinstance(stream, PollableStream):
            stream.close()


def goes_on(stream):
    """Let it take everything from now on: a write that is cancelled at a WAIT leaves a port full."""
    if isinstance(stream, ScriptedPort):
        stream.script.clear()
