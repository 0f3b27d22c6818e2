"""The two read directions of a Buffered: one fills its surplus, one reads through it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..._cancellation import CancellationType
from ..._direction import QUIET_S, READING, Direction, Done, User
from ..._executors import Executor
from ._surplus import Surplus

# How a read that has taken the surplus sees a Buffered.
REFILLING = READING._replace(attribute="_refill_direction")


class RefillDirection(Direction):
    """The reading direction of the stream below, for an operation that has claimed the surplus, too."""

    def __init__(self, surplus: Surplus, below: Direction, executor: Executor) -> None:
        self.way = below.way
        self.cancellable = below.cancellable
        self.verb = below.verb
        self.tries = below.tries
        self._surplus = surplus
        self._below = below
        self._executor = executor
        block: Any = getattr(below, "block", None)
        if block is not None:  # it can be waited for without an event loop
            self.block: Any = block

    @property
    def idle_thread(self) -> int:  # type: ignore[override] # pyright: ignore[reportIncompatibleVariableOverride] # it is read alone
        return self._below.idle_thread

    def spend(self, n: int) -> None:
        self._below.spend(n)

    @property
    def user(self) -> User | None:
        user: User | None = getattr(self._below, "user", None)
        return user

    def claim(self, user: User) -> None:
        self._below.claim(user)
        self._surplus.claimed()

    def release(self) -> None:
        self._below.release()
        self._surplus.released()

    def try_now(self, buffers: Sequence[memoryview]) -> int:
        return self._below.try_now(buffers)

    def step(self, buffers: Sequence[memoryview], done: Done) -> None:
        self._below.step(buffers, done)

    def cancel(self, type: CancellationType) -> bool:
        return self._below.cancel(type)

    def stop(self) -> None:
        self._below.stop()

    def catch_up(self) -> None:
        self._below.catch_up()

    def stall_reason(self, count: int | None, quiet: float = QUIET_S) -> str | None:
        return self._below.stall_reason(count, quiet)


class SurplusDirection(RefillDirection):
    """For reads into the caller's memory: from the surplus first, then straight from the stream below."""

    def __init__(self, surplus: Surplus, below: Direction, executor: Executor) -> None:
        super().__init__(surplus, below, executor)
        self.tries = True

    def try_now(self, buffers: Sequence[memoryview]) -> int:
        return self._surplus.read_into(buffers) or self._below.try_now(buffers)

    def step(self, buffers: Sequence[memoryview], done: Done) -> None:
        if n := self._surplus.read_into(buffers):
            self._executor.post(done, None, n)
        else:
            self._below.step(buffers, done)
