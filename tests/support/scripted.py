"""Streams that do as a script says: a user's own, with and without a fast path, and one of the library's kind."""

import asyncio
import contextlib
import errno
import os
from collections import deque

import serialwrite as sw
from serialwrite.streams.fd._stream import PollableStream

WAIT = "wait"
"""A step of a script: take nothing until it is cancelled or let go."""


class Script:
    """Steps to take, one for each write_some; then everything that is asked.

    A step is a number of bytes to take (at most what is asked), an exception to end with, or a tuple of both;
    or WAIT; or a function that gives one of these.
    """

    def __init__(self, *steps):
        self.steps = deque(steps)
        self.asked = []  # bytes asked of each write_some
        self.written = bytearray()
        self.awaited = b""  # the byte that a step which waits will take when it is let go

    def take(self, buffers):
        """Do the next step on ``buffers``: the error and the number of bytes."""
        data = b"".join(buffers)
        self.asked.append(len(data))
        step = self.steps.popleft() if self.steps else len(data)
        if callable(step):
            step = step()
        if step is WAIT:
            self.awaited = data[:1]
            return WAIT, 0
        error, n = step if isinstance(step, tuple) else (step, 0) if isinstance(step, BaseException) else (None, step)
        n = min(n, len(data))
        self.written += data[:n]
        return error, n


class PlainStream:
    """A user's own stream: the two methods of the concept, and nothing else."""

    def __init__(self, *steps, executor=None):
        self.script = Script(*steps)
        self.executor = executor or sw.EventLoopExecutor()
        self.waiting = None  # the handler of a step that waits

    def get_executor(self):
        return self.executor

    def async_write_some(self, buffers, token=sw.deferred, /):
        def initiation(handler):
            error, n = self.script.take(buffers)
            if error is WAIT:
                self.waiting = handler
                handler.cancellation_slot.assign(lambda type: self._end(sw.OperationAborted(), 0))
            else:
                self.executor.post(handler, error, n)

        return sw.async_initiate(initiation, token, self.executor)

    @property
    def waits(self):
        """Whether a step waits, until it is cancelled or let go."""
        return self.waiting is not None

    def _end(self, error, n):
        handler, self.waiting = self.waiting, None
        handler.cancellation_slot.clear()
        self.executor.post(handler, error, n)

    def let_go(self):
        """Let the step that waits take a byte."""
        self.script.written += self.script.awaited
        self._end(None, 1)


class NowaitStream(PlainStream):
    """A user's own stream with the optional fast path: WAIT is what a full port says to it."""

    def write_some_nowait(self, buffers):
        if self.script.steps and self.script.steps[0] is WAIT:
            raise BlockingIOError
        error, n = self.script.take(buffers)
        if error is not None:
            raise error
        return n


class ScriptedPort(PollableStream):
    """A stream of the library's kind over a descriptor that is always ready: WAIT is what a full port says."""

    def __init__(self, *steps, executor=None):
        super().__init__(executor)
        self.script = Script(*steps)
        self.tries = 0
        self._reader, self._fd = os.pipe()

    def write_some_nowait(self, buffers):
        self.tries += 1
        self._wait_fd()
        if self.script.steps and self.script.steps[0] is WAIT:
            raise BlockingIOError
        error, n = self.script.take(buffers)
        if error is not None:
            raise error
        return n

    @property
    def waits(self):
        return self._write_direction.waiting and self.script.steps[0] is WAIT

    def let_go(self):
        """Be full no longer."""
        self.script.steps.popleft()

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


STREAMS = {"plain": PlainStream, "nowait": NowaitStream, "port": ScriptedPort}


@contextlib.contextmanager
def stream_of(kind, *steps, executor=None):
    """A scripted stream of a kind, closed in the end.

    It is as a stream is after its first operation, bound to the running loop: the fast path needs that.
    """
    stream = STREAMS[kind](*steps, executor=executor or sw.EventLoopExecutor(asyncio.get_running_loop()))
    if isinstance(stream, PollableStream):
        stream._write_direction.release()
    try:
        yield stream
    finally:
        if isinstance(stream, PollableStream):
            stream.close()


# -- one outcome, whatever the token ---------------------------------------------------------------


async def by_awaiting(stream, data, **options):
    return await outcome(sw.async_write(stream, data, **options))


async def by_use_awaitable(stream, data, **options):
    return await outcome(sw.async_write(stream, data, sw.use_awaitable, **options))


async def by_use_promise(stream, data, **options):
    return await outcome(sw.async_write(stream, data, sw.use_promise, **options))


async def by_use_future(stream, data, **options):
    return await outcome(asyncio.wrap_future(sw.async_write(stream, data, sw.use_future, **options)))


async def by_as_tuple(stream, data, **options):
    return await sw.async_write(stream, data, sw.as_tuple(sw.deferred), **options)


async def by_handler(stream, data, **options):
    done = asyncio.get_running_loop().create_future()
    sw.async_write(stream, data, lambda error, n: done.set_result((error, n)), **options)
    return await done


TOKENS = {
    "await": by_awaiting,
    "use_awaitable": by_use_awaitable,
    "use_promise": by_use_promise,
    "use_future": by_use_future,
    "as_tuple": by_as_tuple,
    "handler": by_handler,
}


async def outcome(awaitable):
    """``(error, n)`` of what raises or returns a count."""
    try:
        return None, await awaitable
    except Exception as error:
        return error, getattr(error, "bytes_transferred", None)
