"""Bell: wakes a thread that waits in poll(2)."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from itertools import starmap


class Bell:
    """A pipe, of the process that made it, for one thread to poll and for any other to ring.

    It is closed with its last reference: who rings it has one.
    """

    _ends: Sequence[tuple[int, int]] = ()  # until there is a pipe; the handler of a signal may come before that

    def __init__(self) -> None:
        self._made_by = os.getpid()
        self._ends = made = list[tuple[int, int]]()
        # In one bytecode, in C: what the handler of a signal raises comes before it, or finds what is to be closed.
        made.extend(starmap(os.pipe, [()]))
        os.set_blocking(made[0][1], False)  # who rings is never held up: a full pipe has been rung

    def __del__(self) -> None:
        for ends in self._ends:
            for end in ends:
                os.close(end)

    def fileno(self) -> int:
        """What is readable once it was rung."""
        return self._ends[0][0]

    def ring(self) -> None:
        """Wake the thread that polls it, or will."""
        if self._made_by == os.getpid():  # else a forked child would wake its parent
            with suppress(BlockingIOError):
                os.write(self._ends[0][1], b"!")

    def silence(self) -> None:
        """It was rung, and heard."""
        os.read(self.fileno(), 4096)
