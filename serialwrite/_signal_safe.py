"""What system calls gave, kept where the handler of a signal can't lose it: for the blocking forms.

CPython runs such a handler between two bytecodes, also between the return of write(2) and the store of its count.
What the handler raises there would take the count with it. ``list.extend`` calls and stores in one bytecode, in C.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from itertools import starmap
from typing import Any, TypeVar, TypeVarTuple

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


class SyscallLedger(threading.local):
    """Of each thread. Handlers run on the main thread, whichever thread the signal came to."""

    record: tuple[int, list[Any]] | None = None
    """Bytes transferred before the step under way, and what its system calls gave; None: no blocking form runs."""

    def open(self, count: int) -> list[Any]:
        """Begin a step, with ``count`` bytes transferred before it."""
        given: list[Any] = []
        self.record = count, given  # in one store
        return given

    def count(self) -> int:
        """Bytes transferred, those of the step under way too."""
        assert self.record is not None
        before, given = self.record
        return before + sum(one if isinstance(one, int) else one[0] for one in given)  # recvmsg_into gives more


ledger = SyscallLedger()


def kept(function: Callable[[*Ts], T], *args: *Ts) -> T:
    """``function(*args)``, a system call made by a function in C; its result goes into the ledger, if one is kept."""
    record = ledger.record
    if record is None:
        return function(*args)
    given = record[1]
    given.extend(starmap(function, (args,)))
    result: T = given[-1]
    return result
