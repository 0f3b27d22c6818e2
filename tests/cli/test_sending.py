"""Sending: the count at its hardest moments, and the wait for the driver's queue: closing may lose what is in it."""

import asyncio
import errno

import pytest
from scripted import PlainStream

from serialwrite import Disconnected, TransferTimeout
from serialwrite.cli import _sending
from serialwrite.cli._progress import Silence
from serialwrite.cli._report import Outcome, Report
from serialwrite.cli._source import Source


@pytest.fixture
def source(tmp_path):
    (tmp_path / "file").write_bytes(bytes(range(100)))
    with Source(str(tmp_path / "file")) as source:
        yield source


async def send(stream, source, counts):
    sending = _sending.Sending(stream, source, None, 0, 100)
    try:
        await sending.run(0, Silence(100, 0))
    finally:
        counts.append(sending.accepted)


async def test_bytes_that_went_with_the_error_are_counted(source):
    stream = PlainStream(10, (OSError(errno.EIO, "unplugged"), 5))
    with pytest.raises(Disconnected):
        await send(stream, source, counts := [])
    assert counts == [15]
    assert stream.script.written == bytes(range(15))


async def test_bytes_that_went_with_the_cancellation_are_counted(source):
    def cancelled_while_it_writes():
        task.cancel()
        return 5

    stream = PlainStream(10, cancelled_while_it_writes)
    counts = []
    task = asyncio.create_task(send(stream, source, counts))
    with pytest.raises(asyncio.CancelledError):
        await task
    assert counts == [15]
    assert stream.script.written == bytes(range(15))


class Port:
    """A port whose driver's queue is as long as was written down for each look."""

    def __init__(self, *looks):
        self.looks = list(looks)

    @property
    def queued(self):
        return self.looks.pop(0) if len(self.looks) > 1 else self.looks[0]

    def held_by(self):
        return "CTS low"


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(_sending, "LOOK_EVERY", 0.001)


def drain(port, timeout=None):
    sending = _sending.Sending(port, None, timeout, 0, 1)
    asyncio.run(sending._drain())


def test_it_waits_until_the_queue_is_empty():
    port = Port(3, 2, 2, 1, 0, 0)
    drain(port)
    assert port.looks == [0]


@pytest.mark.parametrize("unknown", [None, 0])
def test_it_does_not_wait_where_there_is_nothing_or_nobody_knows(unknown):
    drain(Port(unknown))


def test_a_queue_that_does_not_move_times_out():
    with pytest.raises(TransferTimeout, match="CTS low") as caught:
        drain(Port(9, 5), timeout=0.05)
    assert caught.value.queued == 5


def test_a_queue_that_moves_slowly_does_not():
    drain(Port(*range(100, -1, -1)), timeout=0.05)


def test_a_port_that_goes_away_meanwhile():
    with pytest.raises(Disconnected):
        drain(Port(9, 8, None))


def test_a_resume_begins_before_what_closing_threw_away():
    report = Report(port="/dev/x", file="f", resume_from=100, size=1000, outcome=Outcome.TIMED_OUT)
    report.accepted, report.unsent = 500, 40
    assert report.offset == 560
    assert any("40 of these were still in the driver's queue" in line for line in report.complaint())
