"""One direction of a pollable stream: who uses it, and the watcher that it waits with."""

from __future__ import annotations

import asyncio
import errno
import os
from contextlib import suppress
from threading import get_ident
from typing import Any

from ..._build import Turn
from ..._cancellation import CancellationType
from ..._direction import NOWHERE, QUIET_S, READING, WRITING, BlockingDirection, Done, User, Way
from ..._errors import Disconnected, StreamBusy, StreamClosed, TransferError, transfer_error
from ..._executors import running_loop
from ..._quick import OPERATION_COST_BYTES, QuickDirection
from ._backoff import Backoff
from ._blocked import BlockedThread
from ._lookout import Lookout, lookout_of
from ._tried import TriedStream
from ._watch import Watch, watch_for

# What operations that complete at once may cost between two turns of the loop (rule 9), counted in bytes;
# and what each of them costs beside its bytes.
FAIR_BUDGET_BYTES = 96 * OPERATION_COST_BYTES


class PollableDirection(Turn, QuickDirection, BlockingDirection):
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
        self.idle_thread: int = NOWHERE
        self.budget: int = FAIR_BUDGET_BYTES
        self._claimed_on: asyncio.AbstractEventLoop | None = None
        self._step: tuple[Any, Done] | None = None  # that waits: its buffers, and what it calls
        self._loop: asyncio.AbstractEventLoop | None = None  # that it has waited on last
        self._watch: Watch | None = None  # on that loop
        self._lookout: Lookout | None = None
        self._look_round = -1  # of that lookout, which this was added to last
        self._waits_in = 0  # the process that it has waited in last
        self._goes_on = False  # whether a step has just ended, and the next may begin: an operation of many
        self._hung_up = False  # whether the watch has reported that the peer has gone
        self._backoff = Backoff()
        self._pause: asyncio.TimerHandle | None = None
        self.blocked = BlockedThread(stream, writing=writing)

    # -- one at a time (rule 7) ---------------------------------------------------------------------

    def claim(self, user: User) -> None:
        """Take this direction for ``user``, until :meth:`release`."""
        if self.user is not None:
            if not self._left_behind():
                raise StreamBusy(self._stream, self.way.name)
            self._forget()
        self.user = user
        self.idle_thread = NOWHERE
        self._claimed_on = running_loop()  # not the executor's: a blocking write has none

    def release(self) -> None:
        """Give this direction back."""
        if (
            self.blocked.bell is not None
        ):  # first: interrupted by a signal, a blocking form that is the user comes again
            self.blocked.leave()
        self.user = None
        loop = self._stream._executor._loop
        if loop is not None and loop is running_loop():
            self.idle_thread = NOWHERE if self._stream._closed else get_ident()
            self.budget = FAIR_BUDGET_BYTES  # only what completes at once never comes here

    def running_loop(self) -> asyncio.AbstractEventLoop | None:
        """The stream's loop, where that is the running one."""
        loop = self._stream._executor._loop
        return loop if loop is running_loop() else None

    # -- fair (rule 9) ------------------------------------------------------------------------------

    def spend(self, n: int) -> None:
        """An operation has completed at once, with ``n`` bytes."""
        self.budget -= n + OPERATION_COST_BYTES
        if self.budget <= 0:
            self.idle_thread = NOWHERE

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
        self._step = self._pause = None
        if self._watch is not None:
            self._watch.disarm()

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
        if self._pause is not None or (self._watch is not None and self._watch.armed):
            return
        executor, loop = self._stream._executor, running_loop()
        if loop is None or loop is not executor._loop:
            loop = executor.loop
        if loop is not self._loop or self._waits_in != os.getpid():
            self._loop, self._watch = loop, watch_for(loop, writing=self._writing)
            self._lookout = None if self._stream._told_when_closed else lookout_of(loop)
            self._look_round = -1
            self._waits_in = os.getpid()
        self._hung_up = False
        self._backoff.lies = 0
        self._arm()
        lookout = self._lookout
        if lookout is not None and self._look_round != lookout.round:
            self._look_round = lookout.round
            lookout.add(self)

    def catch_up(self) -> None:
        if self._step is not None:
            self._ready(self._hung_up)

    def cancel(self, requested: CancellationType) -> bool:
        """A step that waits has transferred nothing."""
        if self._step is None:
            return False
        self.stop()
        return True

    def stop(self) -> None:
        """The watcher is gone when this returns."""
        self._step = None
        if self._watch is not None and (self._watch.armed or self._pause is not None):
            self._watch.disarm()
        if self._pause is not None:
            self._pause.cancel()
            self._pause = None

    def abort(self, error: TransferError) -> None:
        """End the step that waits here, if any, with ``error``; else the operation that is between two of its steps."""
        self.idle_thread = NOWHERE
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
            self.wake_blocked()

    def _arm(self) -> None:
        assert self._loop is not None
        assert self._watch is not None
        self._pause = None
        try:
            self._watch.arm(self._stream._wait_fd, self._ready, stays=self._goes_on)
        except PermissionError:  # epoll watches no file on disk and no /dev/null, which are ready always
            self._pause = self._loop.call_later(self._backoff.pause, self._retry)
        except Exception as error:  # it is closed, no watch is left (ENOSPC), or the loop can't watch
            self._loop.call_soon(self.abort, self._ending(transfer_error(error)))

    def _ready(self, hung_up: bool) -> None:
        if self._step is None:
            return
        if hung_up:
            self._hung_up = True
            if not self._stream.is_open:  # a transport, told first, has closed itself
                self.abort(self._ending(StreamClosed()))
                return
        if self._try_step(*self._step):
            self._backoff.lies = 0
        elif self._pause is None:
            self._wait_again(hung_up)

    def _wait_again(self, hung_up: bool) -> None:
        """It was not ready in fact."""
        assert self._loop is not None
        assert self._watch is not None
        pause = self._backoff.lied()
        if not pause:
            if not self._watch.armed:
                self._arm()
            return
        if hung_up:
            self._watch.disarm()  # it would report that again at once
        else:
            self._watch.rest(self._ready)
        self._pause = self._loop.call_later(pause, self._arm)

    def _ending(self, error: TransferError) -> TransferError:
        """``error``; of a stream that was closed because its peer has gone, that."""
        return Disconnected(errno.EPIPE) if self._hung_up and isinstance(error, StreamClosed) else error

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
            self._goes_on = True
            done(None, n)
            self._goes_on = False
            if self._step is None:
                self.stop()
        return True

    def _retry(self) -> None:
        self._pause = None
        self._ready(hung_up=False)

    def look(self) -> None:
        """The owner of the file may have closed it: the watcher would never hear of it."""
        if self._step is not None and not self._stream.is_open:
            self.abort(self._ending(StreamClosed()))

    def closed_by_owner(self) -> None:
        """Its file was closed, on whatever thread: have what waits here see that."""
        self.wake_blocked()
        if self._loop is not None and self._waits_in == os.getpid():
            with suppress(RuntimeError):  # the loop was closed
                self._loop.call_soon_threadsafe(self.look)

    # -- waiting without a loop ---------------------------------------------------------------------

    def block(self, seconds: float | None, moved: bool) -> None:
        self.blocked.wait(seconds, moved)

    def wake_blocked(self) -> None:
        """Wake the thread that waits here without a loop, if one does."""
        self.blocked.wake()
