"""Sending: the count at its hardest moments, and the wait for the driver's queue: closing may lose what is in it."""

import asyncio
import errno

import pytest
from fake_uart import simulated_port
from waiting import until

from serialwrite import Disconnected, TransferTimeout
from serialwrite.cli import _sending
from serialwrite.cli._endings import Ending, Outcome
from serialwrite.cli._source import Source
from serialwrite.cli._write_progress import Silence
from serialwrite.cli._write_report import Report
from serialwrite.testing import ScriptedStream, Step

TIMED_OUT = Ending(Outcome.TIMED_OUT)


@pytest.fixture
def source(tmp_path):
    (tmp_path / "file").write_bytes(bytes(range(100)))
    with Source(str(tmp_path / "file")) as source:
        yield source


class Scripted(ScriptedStream):
    queued = None


async def send(stream, source, counts):
    sending = _sending.Sending(stream, source, None, 0, 100)
    try:
        await sending.run(0, Silence(100, 0))
    finally:
        counts.append(sending.accepted)


async def test_bytes_that_went_with_the_error_are_counted(source):
    stream = Scripted(10, Step(5, OSError(errno.EIO, "unplugged")))
    with pytest.raises(Disconnected):
        await send(stream, source, counts := [])
    assert counts == [15]
    assert stream.written == bytes(range(15))


async def test_bytes_that_went_with_the_cancellation_are_counted(source):
    class Cancelling(Scripted):
        def take(self, step, buffers):
            if self.written:
                task.cancel()
            return super().take(step, buffers)

    stream = Cancelling(10, 5)
    counts = []
    task = asyncio.create_task(send(stream, source, counts))
    with pytest.raises(asyncio.CancelledError):
        await task
    assert counts == [15]
    assert stream.written == bytes(range(15))


async def test_whole_timeout_ends_writes_that_never_wait(source):
    """A port that is always ready would let every further write succeed."""
    stream = Scripted(10, 10, 10)
    sending = _sending.Sending(stream, source, None, 9, 100, timeout=0.0)
    with pytest.raises(TransferTimeout):
        await sending.run(0, Silence(100, 0))
    assert (sending.accepted, sending.timeouts) == (10, 1)
    assert stream.written == bytes(range(10))


# -- against a simulated driver: a pty has no queue of its own ---------------------------------------


DATA = bytes(range(100)) * 30


@pytest.fixture
def long_source(tmp_path):
    (tmp_path / "long").write_bytes(DATA)
    with Source(str(tmp_path / "long")) as source:
        yield source


def sending_to(port, source, timeout, retries=0):
    sending = _sending.Sending(port, source, timeout, retries, len(DATA))
    return sending, sending.run(0, Silence(len(DATA), 0))


async def test_it_ends_when_the_last_byte_has_left(long_source):
    with simulated_port(baudrate=115200) as port:
        sending, run = sending_to(port, long_source, timeout=None)
        await run
        assert port.uart.received == DATA
        assert port.close("discard") == 0
    assert sending.accepted == len(DATA)


async def test_silent_driver_whose_queue_empties_has_not_stalled(long_source):
    """An 8250 says that it is ready only when fewer than 256 bytes are left: here that takes four timeouts."""
    with simulated_port(baudrate=19200, ring=2048) as port:
        sending, run = sending_to(port, long_source, timeout=0.2)
        await run
        assert (port.uart.received, sending.timeouts) == (DATA, 0)


@pytest.mark.parametrize("ring", [1000, 4095])
async def test_what_a_stalled_driver_holds_is_dropped_and_resumed(long_source, ring):
    """With a ring of 1000 the write itself stalls; with the larger one all is accepted, and does not leave."""
    with simulated_port({"rtscts": True}, baudrate=115200, ring=ring) as port:
        port.uart.cts = False
        sending, run = sending_to(port, long_source, timeout=0.2)
        with pytest.raises(TransferTimeout, match="CTS low") as caught:
            await run
        assert caught.value.queued == sending.accepted == min(ring, len(DATA))
        report = Report(port="/dev/x", file="f", resume_from=0, ending=TIMED_OUT)
        report.count(sending, long_source, unsent=port.close("discard"))
        assert report.offset == len(port.uart.received) == 0
        assert (report.accepted, report.unsent) == (min(ring, len(DATA)), min(ring, len(DATA)))


async def test_whole_timeout_ends_a_drain_that_moves(long_source):
    """3,000 bytes take 1.6 s of line at 19,200 Bd; the queue is never idle for long."""
    with simulated_port(baudrate=19200, ring=4095) as port:
        sending = _sending.Sending(port, long_source, 30, 9, len(DATA), timeout=0.3)
        with pytest.raises(TransferTimeout) as caught:
            await sending.run(0, Silence(len(DATA), 0))
        report = Report(port="/dev/x", file="f", resume_from=0, timeout=0.3)
        report.ended(Ending(Outcome.TIMED_OUT, caught.value))
        unsent = port.close("discard")
        report.count(sending, long_source, unsent)
        assert 0 <= report.offset - len(port.uart.received) <= 16  # what is in the FIFO goes out still
        assert report.offset < len(DATA) == sending.accepted
    assert report.complaint()[0].startswith("serialwrite: timed out (--timeout 0.3 s")


async def test_a_port_that_goes_away_while_it_drains(long_source):
    with simulated_port(baudrate=9600) as port:
        sending, run = sending_to(port, long_source, timeout=None)
        task = asyncio.create_task(run)
        await until(lambda: sending.accepted >= len(DATA))
        port.uart.unplugged = True
        with pytest.raises(Disconnected):
            await task


def test_a_resume_begins_before_what_closing_threw_away():
    report = Report(port="/dev/x", file="f", resume_from=100, size=1000, ending=TIMED_OUT)
    report.accepted, report.unsent = 500, 40
    assert report.offset == 560
    assert any("40 of these were still in the driver's queue" in line for line in report.complaint())
