"""A part of the seeds, on both event loops; `python -m tests.seeds 1000` runs them all. And bugs that they must find."""

import subprocess
import sys
from pathlib import Path

import pytest

from serialwrite._composed import TransferOperation
from serialwrite._transfer import Transfer
from serialwrite.loopback import make_pattern
from serialwrite.testing import FaultRecord
from tests.seeds import faults
from tests.seeds.run import run
from tests.soak.account import Wrong

ROOT = Path(__file__).parents[2]
SEEDS = 60
PLANTED = 40  # seeds within which a bug has to be found


@pytest.mark.parametrize("seed", range(SEEDS))
async def test_every_byte_is_accounted_for(seed):
    await run(seed)


def test_the_command_says_what_it_did():
    command = [sys.executable, "-m", "tests.seeds", "8", "2000"]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=110, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.splitlines()[-1].startswith("8 seeds in ")
    assert ended.stdout.endswith(" s: 0 broke a promise\n")


async def found(monkeypatch):
    """What is said of the first seed that finds a bug."""
    monkeypatch.setattr("tests.seeds.entries.BOUND", 5)  # what is lost is not waited for so long
    for seed in range(PLANTED):
        try:
            await run(seed)
        except Wrong as wrong:
            return str(wrong)
    pytest.fail(f"not found in {PLANTED} seeds")


async def test_a_count_that_is_one_short_when_cancelled_is_found(monkeypatch):
    conclude = TransferOperation._conclude

    def wrong(self):
        self.transfer._cursor.total_consumed -= self.transfer.error is not None and self.bytes_transferred > 0
        conclude(self)

    monkeypatch.setattr(TransferOperation, "_conclude", wrong)
    assert (await found(monkeypatch)).startswith("seed ")


async def test_a_byte_that_is_skipped_is_found(monkeypatch):
    feed = Transfer.feed

    def skips(self, error, n):
        left = self._cursor.total_size - self._cursor.total_consumed
        feed(self, error, n + 1 if 0 < n < left else n)

    monkeypatch.setattr(Transfer, "feed", skips)
    assert (await found(monkeypatch)).startswith("seed ")


# -- what finds the faults of the line ----------------------------------------------------------------------

PATTERN = make_pattern("prbs31")
SENT = PATTERN.block(0, 5000)
DROPPED = FaultRecord("port", 1000, "drop", SENT[1000:1003])
FLIPPED = FaultRecord("port", 2000, "flip", SENT[2000:2001], bytes([SENT[2000] ^ 4]))


def received(*records):
    at, out = 0, b""
    for record in records:
        out += SENT[at : record.offset] + record.after
        at = record.offset + len(record.before)
    return out + SENT[at:]


def check(arrived, *log):
    faults.check_found(faults.account_of(PATTERN, arrived, len(SENT)), log)


def test_what_the_log_tells_is_found():
    check(received(DROPPED, FLIPPED), DROPPED, FLIPPED)


def test_a_fault_that_did_not_happen_is_missed():
    with pytest.raises(AssertionError, match="3 bytes at 1,000: drop: it was not found"):
        check(received(FLIPPED), DROPPED, FLIPPED)


@pytest.mark.parametrize("wrong", [DROPPED._replace(offset=1200), DROPPED._replace(before=SENT[1000:1002])])
def test_a_fault_elsewhere_or_of_another_size_is_missed(wrong):
    with pytest.raises(AssertionError, match="it was not found"):
        check(received(DROPPED), wrong)


def test_a_fault_that_nobody_tells_of_is_seen():
    with pytest.raises(AssertionError, match=r"nobody did this: .*1 byte corrupted at 2,000"):
        check(received(DROPPED, FLIPPED), DROPPED)


def test_losses_that_follow_upon_each_other_are_one():
    lost = [FaultRecord("port", 1000, "lost", SENT[1000:1300]), FaultRecord("port", 1300, "lost", SENT[1300:1500])]
    check(received(*lost), *lost)


def test_bytes_between_a_loss_and_the_end_may_count_as_corrupted():
    sent = PATTERN.block(0, 29_699)
    lost = FaultRecord("port", 7_425, "lost", sent[7_425:-3])
    faults.check_found(faults.account_of(PATTERN, sent[:7_425] + sent[-3:], len(sent)), [lost])
    with pytest.raises(AssertionError, match="nobody did this"):
        faults.check_found(faults.account_of(PATTERN, sent[:-3] + b"???", len(sent)), [])
