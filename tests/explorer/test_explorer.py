"""The promises of async_write over thousands of seeded schedules in virtual time, and bugs planted to be found by them.

The test suite runs a few thousand; `python -m tests.explorer 100_000` runs more.
"""

import subprocess
import sys
from pathlib import Path

import pytest

from serialwrite import OperationAborted
from serialwrite._composed import TransferOperation
from serialwrite._cursors import ConsumingBuffers, SingleBuffer
from serialwrite._direction import UserDirection
from serialwrite._executors import timers_of
from serialwrite._transfer import Transfer
from tests.explorer.schedule import Violation, explore

ROOT = Path(__file__).parents[2]
SEEDS = 3000
PLANTED = 1000  # seeds within which a bug has to be found
PART = 500


@pytest.mark.parametrize("first", range(0, SEEDS, PART))
def test_every_schedule_keeps_every_promise(first):
    for seed in range(first, first + PART):
        explore(seed)


def violation_of(seed):
    """The first line of what a seed breaks; None where it breaks nothing."""
    try:
        explore(seed)
    except Violation as violation:
        return str(violation).splitlines()[0]
    return None


def found():
    """What is said of the first seed that finds a bug."""
    for seed in range(PLANTED):
        if said := violation_of(seed):
            assert said.startswith(f"seed {seed}: ")
            assert violation_of(seed) == said, "a seed shows the same again"
            return said
    pytest.fail(f"not found in {PLANTED} seeds")


def off_by_one_on_cancel(monkeypatch):
    def wrong(self):
        return self.bytes_transferred + (self.cancelled and self.bytes_transferred > 0)

    monkeypatch.setattr(Transfer, "result", property(wrong))
    return "reported "


def error_off_by_one_on_cancel(monkeypatch):
    conclude = TransferOperation._conclude

    def wrong(self):
        conclude(self)
        error = self.transfer.error
        if isinstance(error, OperationAborted):
            error.bytes_transferred -= error.bytes_transferred > 0

    monkeypatch.setattr(TransferOperation, "_conclude", wrong)
    return "the error tells the same count"


def watcher_left_behind(monkeypatch):
    """Cancelled, it says so at once, and the write_some that waits goes on."""

    def careless(self, requested, deadline=None, **_):
        if requested & self._cancellable and not self.transfer.over:
            self.transfer.finish(OperationAborted())
            self._end(posted=True)

    monkeypatch.setattr(TransferOperation, "_cancel", careless)
    return "no write_some waits when the handler runs"


def handler_left_behind(monkeypatch):
    stop = TransferOperation._stop

    def careless(self):
        stop(self)
        self._handler.cancellation_slot.assign(self._cancel)

    monkeypatch.setattr(TransferOperation, "_stop", careless)
    monkeypatch.setattr(
        "serialwrite._cancelling._released_first", lambda outer, release, signal: released_late(outer, signal)
    )
    return "the slot is clear when the handler runs"


def released_late(outer, signal):
    return outer.replaced(outer, cancellation_slot=signal.slot)


class Unstoppable:
    def cancel(self):
        pass


def timer_left_behind(monkeypatch):
    def careless(executor):
        def call_later(*args):
            timers_of(executor)(*args)
            return Unstoppable()

        return call_later

    monkeypatch.setattr("serialwrite._deadlines.timers_of", careless)
    return "no timer is left when the handler runs"


def memory_left_exported(monkeypatch):
    for cursor in (ConsumingBuffers, SingleBuffer):
        monkeypatch.setattr(cursor, "release", lambda self: None)
    return "memory is still exported when the handler runs"


def cancellation_forgotten(monkeypatch):
    monkeypatch.setattr(TransferOperation, "_cancel", lambda self, *_, **__: None)
    return "a cancellation, a timeout ends it at once"


def overlap_allowed(monkeypatch):
    monkeypatch.setattr(UserDirection, "claim", lambda self, user: self.in_use.update({self._key: (user, None)}))
    return "a write that overlaps another is refused"


@pytest.mark.parametrize(
    "plant",
    [
        off_by_one_on_cancel,
        error_off_by_one_on_cancel,
        watcher_left_behind,
        handler_left_behind,
        timer_left_behind,
        memory_left_exported,
        cancellation_forgotten,
        overlap_allowed,
    ],
)
def test_a_planted_bug_is_found(plant, monkeypatch):
    what = plant(monkeypatch)
    assert what in found()


def test_slice_still_on_the_stack_keeps_no_memory_exported():
    explore(391)  # a write_some that completes in its own callback, the rest of the write then taken by a try


def test_the_command_says_what_it_did():
    ended = subprocess.run(
        [sys.executable, "-m", "tests.explorer", "20", "7"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.startswith("20 schedules in ")
    assert ended.stdout.endswith(" s: 0 broke a promise\n")
