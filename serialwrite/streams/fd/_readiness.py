"""One direction of a pollable stream: who uses it, and the watcher that it waits with."""

from __future__ import annotations

import asyncio
import errno
import math
import os
import select
import time
from contextlib import suppress
from threading import get_ident
from typing import Any

from ..._build import Turn
from ..._cancellation import CancellationType
from ..._direction import NOWHERE, QUIET_S, READING, WRITING, BlockingDirection, Done, User, Way
from ..._errors import Disconnected, StreamBusy, StreamClosed, TransferError, transfer_error
from ..._executors import running_loop
from ..._quick import PER_OPERATION, QuickDirection
from ._bell import Bell
from ._lookout import LOOK_INTERVAL_S, lookout_of
from ._tried import TriedStream

# What operations that complete at once may cost between two turns of the loop (rule 9), counted in bytes;
# and what each of them costs beside its bytes.
FAIR_BUDGET = 96 * PER_OPERATION
# The longest that one poll(2) may be asked for, in seconds: it takes milliseconds, as an int in C.
LONGEST_POLL_S = 86400.0
# A readiness that proves false this often in a row is asked again after a pause, in seconds, which doubles (rule 8).
SPURIOUS_LIMIT, FIRST_PAUSE_S, LONGEST_PAUSE_S = 3, 0.001, 0.05


class Side(Turn, QuickDirection, BlockingDirection):
    """One direction of a stream: who is using it, and the watcher that it waits with."""

    def __init__(self, stream: TriedStream, *, writing: bool) -> None:
        self._stream = stream
        self._writing = writing
        self.way: Way = WRITING if writing else READING
        this: Any = self  # its tries are bound here: no call more than is needed
        this.try_now = stream.write_some_nowait if writing else stream.read_some_nowait
        this.write_one = stream._write_one
        self.user: User | None = None
        # The thread of the stream's loop, while this direction is idle and no turn is due; NOWHERE otherwise.
        # The thread, not the loop: Python 3.11 makes a system call to say which loop is running.
        self.idle_in: int = NOWHERE
        self.budget: int = FAIR_BUDGET
        self._claimed_on: asyncio.AbstractEventLoop | None = None
        self._step: tuple[Any, Done] | None = None  # that waits: its buffers, and what it calls
        self._loop: asyncio.AbstractEventLoop | None = None
        self._fd: int | None = None  # a duplicate of the stream's, watched by the loop
        self._waits_in = 0  # the process that the watcher was set in
        self._spurious = 0
        self._pause: asyncio.TimerHandle | None = None
        self._bell: Bell | None = None  # of a thread that waits here without a loop

    # -- one at a time (rule 7) ---------------------------------------------------------------------

    def claim(self, user: User) -> None:
        """Take this direction for ``user``, until :meth:`release`."""
        if self.user is not None:
            if not self._left_behind():
                raise StreamBusy(self._stream, self.way.name)
            self._forget()
        self.user = user
        self.idle_in = NOWHERE
        self._claimed_on = running_loop()  # not the executor's: a blocking write has none

    def release(self) -> None:
        """Give this direction back."""
        self._bell = None  # first: interrupted by a signal, a blocking form comes here again while it is the user
        self.user = None
        if self.running_loop() is not None:
            self.idle_in = NOWHERE if self._stream._closed else get_ident()
            self.budget = FAIR_BUDGET  # only what completes at once never comes here

    def running_loop(self) -> asyncio.AbstractEventLoop | None:
        """The stream's loop, where that is the running one."""
        loop = self._stream._executor._loop
        return loop if loop is running_loop() else None

    # -- fair (rule 9) ------------------------------------------------------------------------------

    def spend(self, n: int) -> None:
        """An operation has completed at once, with ``n`` bytes."""
        self.budget -= n + PER_OPERATION
        if self.budget <= 0:
            self.idle_in = NOWHERE

    @property
    def turn_due(self) -> bool:
        """Whether the loop is to turn before anything else completes at once."""
        return self.budget <= 0 and self.user is None and self.running_loop() is not None

    def _left_behind(self) -> bool:
        """Whether the user can't be resumed: its event loop was closed, or is that of a parent process."""
        return self._loop_closed() or (self._step is not None and self._waits_in != os.getpid())

    def _loop_closed(self) -> bool:
        return self._claimed_on is not None and self._claimed_on.is_closed()

    def _forget(self) -> None:
        """Drop a user that was left behind."""
        user, self.user = self.user, None
        if user is not None:
            user.detach()
        fd, self._fd = self._fd, None
        self._step = self._pause = None
        if fd is not None:
            os.close(fd)

    # -- waiting (rule 8) ---------------------------------------------------------------------------

    def stall_reason(self, count: int | None, quiet: float = QUIET_S) -> str | None:
        if not self._writing or self._waits_in not in {0, os.getpid()}:  # a forked child asks its parent's port nothing
            return None
        return self._stream._stall_reason(count, quiet)

    @property
    def waiting(self) -> bool:
        return self._step is not None

    def step(self, buffers: Any, done: Done) -> None:
        """Try once the port is ready, until that transfers something or fails; then call ``done(error, n)``."""
        self._step = buffers, done
        if self._fd is None and self._pause is None:
            self._loop = self._stream._executor.loop
            self._waits_in = os.getpid()
            self._spurious = 0
            self._arm()
            if not self._stream._told_when_closed:
                lookout_of(self._loop).add(self)

    def catch_up(self) -> None:
        if self._step is not None:
            self._ready()

    def cancel(self, requested: CancellationType) -> bool:
        """A step that waits has transferred nothing."""
        if self._step is None:
            return False
        self.stop()
        return True

    def stop(self) -> None:
        """The watcher is gone when this returns."""
        self._step = None
        self._disarm()
        if self._pause is not None:
            self._pause.cancel()
            self._pause = None

    def abort(self, error: TransferError) -> None:
        """End the step that waits here, if any, with ``error``; else the operation that is between two of its steps."""
        self.idle_in = NOWHERE
        if self.user is None:
            return
        if self._loop_closed():
            self._forget()
        elif self._step is not None:
            with suppress(OSError, ValueError):  # a port that is gone can't be asked
                error.queued = getattr(self._stream, "queued", None)
            _, done = self._step
            self.stop()
            self._stream._executor.post(done, error, 0)
        else:
            self.user.end_with(error)
            self._ring()

    def _arm(self) -> None:
        assert self._loop is not None
        self._pause = None
        try:
            # A duplicate is watched, not the descriptor itself, for three reasons. Both asyncio and uvloop refuse the
            # number that a transport uses. A second watcher on a number silently replaces the first. And when a watched
            # number is closed, uvloop aborts the process.
            fd = self._fd = os.dup(self._stream._wait_fd()) if self._fd is None else self._fd
        except OSError as error:
            self._loop.call_soon(self.abort, transfer_error(error))
            return
        try:
            (self._loop.add_writer if self._writing else self._loop.add_reader)(fd, self._ready)
        except PermissionError:  # epoll watches no file on disk and no /dev/null, which are ready always
            self._close_duplicate()
            self._pause = self._loop.call_later(self._pause_length(), self._retry)
        except Exception as error:  # no watch left (ENOSPC), or a loop that has none: told with the count
            self._close_duplicate()
            self._loop.call_soon(self.abort, transfer_error(error))

    def _disarm(self) -> None:
        if self._fd is not None:
            self._unwatch(self._fd)
            self._close_duplicate()

    def _unwatch(self, fd: int) -> None:
        assert self._loop is not None
        if self._waits_in != os.getpid():
            return  # a forked child shares the epoll of the loop: removed here, it would be removed there, too
        (self._loop.remove_writer if self._writing else self._loop.remove_reader)(fd)

    def _close_duplicate(self) -> None:
        fd, self._fd = self._fd, None
        if fd is not None:
            os.close(fd)

    def _ready(self) -> None:
        if self._waits_in != os.getpid():
            return  # a forked child that lets the loop turn once more, to end its tasks: the operation is its parent's
        if not self._stream.is_open:
            self.abort(why_closed(self._fd))
            return
        if self._step is None or self._try_step(*self._step):
            self._spurious = 0
            return
        self._spurious += 1
        if self._spurious >= SPURIOUS_LIMIT and self._fd is not None:
            assert self._loop is not None
            self._unwatch(self._fd)  # the duplicate stays: should the port be closed meanwhile, nothing else tells why
            self._pause = self._loop.call_later(self._pause_length(), self._arm)

    def _try_step(self, buffers: Any, done: Done) -> bool:
        """Whether the port was ready in fact."""
        try:
            n = self.try_now(buffers)
        except BlockingIOError:
            return False
        except Exception as error:
            self.stop()
            done(error, 0)
        else:
            self._step = None  # the watcher stays, for the next step of the operation
            done(None, n)
            if self._step is None:
                self.stop()
        return True

    def _retry(self) -> None:
        self._pause = None
        self._ready()
        if self._step is not None and self._fd is None and self._pause is None:
            self._arm()

    def _pause_length(self) -> float:
        if self._spurious < SPURIOUS_LIMIT:
            return 0.0
        return float(min(FIRST_PAUSE_S * 2 ** min(self._spurious - SPURIOUS_LIMIT, 10), LONGEST_PAUSE_S))

    def look(self) -> None:
        """The owner of the file may have closed it: the watcher would never hear of it."""
        if self._step is not None and not self._stream.is_open:
            self.abort(why_closed(self._fd))

    def closed_by_owner(self) -> None:
        """Its file was closed, on whatever thread: have what waits here see that."""
        self._ring()
        if self._loop is not None and self._waits_in == os.getpid():
            with suppress(RuntimeError):  # the loop was closed
                self._loop.call_soon_threadsafe(self.look)

    # -- waiting without a loop ---------------------------------------------------------------------

    def block(self, seconds: float | None, moved: bool) -> None:
        """Block this thread until the port may be ready, for ``seconds`` at most. A close wakes it."""
        if moved or self._bell is None:  # the first wait of its operation
            self._spurious = 0
        if self._bell is None:
            with suppress(OSError):  # no descriptor is left
                self._bell = Bell()
                return  # what happened before is seen by the caller, who tries again; what happens now rings
        heard = self._bell is not None and self._stream._told_when_closed
        seconds = min(LONGEST_POLL_S if heard else LOOK_INTERVAL_S, math.inf if seconds is None else seconds)
        poller = select.poll()
        poller.register(self._stream._wait_fd(), select.POLLOUT if self._writing else select.POLLIN)
        if self._bell is not None:
            poller.register(self._bell, select.POLLIN)
        ready = poller.poll(int(seconds * 1000))  # whole milliseconds are all that it knows
        if not ready:
            if seconds < 0.001:
                time.sleep(seconds)
        elif self._bell is not None and any(fd == self._bell.fileno() for fd, _ in ready):
            self._bell.silence()
        else:
            self._spurious += 1
            if self._spurious > SPURIOUS_LIMIT:
                time.sleep(min(self._pause_length(), seconds))  # this thread has nothing else to do

    def _ring(self) -> None:
        bell = self._bell  # kept open for as long as it is rung
        if bell is not None:
            bell.ring()


class PinnedSide(Side):
    """One direction of a stream whose loop was named by its maker: once that is closed nothing is even tried.

    Else a write would go out where the port has room, and be refused where it has to wait.
    """

    _idle_in = NOWHERE

    @property
    def idle_in(self) -> int:
        loop = self._stream._executor._loop
        return NOWHERE if loop is None or loop.is_closed() else self._idle_in

    @idle_in.setter
    def idle_in(self, thread: int) -> None:  # pyright: ignore[reportIncompatibleVariableOverride] # it can be set, too
        self._idle_in = thread


def side_for(stream: TriedStream, *, writing: bool) -> Side:
    """One direction of ``stream``."""
    return (PinnedSide if stream._executor._pinned else Side)(stream, writing=writing)


def why_closed(fd: int | None) -> TransferError:
    """Its owner has closed it; or the peer has gone, and a transport, told first, has closed itself."""
    if fd is not None:
        poller = select.poll()
        poller.register(fd, 0)  # hang-ups and errors are reported unasked
        if poller.poll(0):
            return Disconnected(errno.EPIPE)
    return StreamClosed()
