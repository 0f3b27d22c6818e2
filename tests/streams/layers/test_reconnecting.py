"""Reconnecting: exact counts across an unplug, a wait for the port that can be bounded, and nothing sent again."""

import asyncio
import contextlib
import errno
import os
import threading

import pytest
from waiting import until

import serialwrite as sw
from serialwrite.testing import PtyPair, receive, receive_available

PAYLOAD = bytes(range(256)) * 4096  # a megabyte: more than a pty takes
SOON = 0.001  # seconds
BOUND = 30  # seconds


@contextlib.contextmanager
def plugged(link):
    """A pty under a link, until it is unplugged, and the peer at its other end."""
    with PtyPair(links=(link, None)) as rig, rig.open_peer() as peer:
        yield rig, peer


async def full(operation):
    """Wait until the port takes nothing more."""
    before = -1
    while operation.bytes_transferred != before or before == 0:
        before = operation.bytes_transferred
        await asyncio.sleep(0.05)


async def test_a_write_waits_for_the_port(tmp_path):
    async with sw.Reconnecting(tmp_path / "dut", 115200) as port:
        assert (port.stream, port.is_open, port.stall) == (None, True, None)
        writing = asyncio.ensure_future(port.async_write(b"hello", timeout=BOUND))
        await until(lambda: port.stall)
        assert port.stall == f"waiting for '{tmp_path / 'dut'}'"
        with plugged(tmp_path / "dut") as (_, peer):
            assert await writing == 5
            assert receive(peer, 5) == b"hello"
            assert port.stream.serial.port == str(tmp_path / "dut")
            assert port.stall is None


async def test_a_timeout_counts_the_wait_for_the_port(tmp_path):
    async with sw.Reconnecting(tmp_path / "dut*") as port:
        with pytest.raises(
            sw.TransferTimeout, match=r"^0 of 5 bytes accepted in .* s; waiting for '.*/dut\*'$"
        ) as caught:
            await port.async_write(b"hello", timeout=0.05)
        assert b"".join(caught.value.remaining) == b"hello"
        with pytest.raises(sw.TransferTimeout):
            await port.async_read(1, idle_timeout=0.05)


@pytest.mark.parametrize("name", ["dut1", "dut2"])
async def test_cut_writes_and_reads_tell_and_the_rest_resumes(tmp_path, name):
    """The port comes back under the same name, or another one."""
    async with sw.Reconnecting(str(tmp_path / "dut*"), 115200) as port:
        with plugged(tmp_path / "dut1") as (rig, peer):
            write, read = port.async_write(PAYLOAD), port.async_read(9)
            cut = asyncio.gather(write, read, return_exceptions=True)
            await until(lambda: port.stream is not None)
            os.write(peer.fileno(), b"half")
            await until(lambda: read.bytes_transferred == 4)
            await full(write)
            rig.hang_up("port")
            errors = await cut
            first = receive(peer, write.bytes_transferred)
            assert receive_available(peer, 0.05) == b""
        assert [type(error) for error in errors] == [sw.Disconnected, sw.Disconnected]
        count = errors[0].bytes_transferred
        assert count == write.bytes_transferred > 0
        assert errors[1].data == b"half"
        assert port.stream is None

        resumed = port.async_write(errors[0].remaining, timeout=BOUND)
        resuming = asyncio.ensure_future(resumed)
        await until(lambda: port.stall)
        with plugged(tmp_path / name) as (_, peer):
            rest = await asyncio.to_thread(receive, peer, len(PAYLOAD) - count)
            assert await resuming == len(PAYLOAD) - count
            assert receive_available(peer, 0.05) == b""
            assert first + rest == PAYLOAD
            assert port.stream.serial.port == str(tmp_path / name)


async def test_a_cut_while_idle_is_told_once(tmp_path):
    async with sw.Reconnecting(tmp_path / "dut") as port:
        with plugged(tmp_path / "dut"):
            await port.async_write(b"before", timeout=BOUND)
        with plugged(tmp_path / "dut") as (_, peer):
            with pytest.raises(sw.Disconnected) as caught:
                await port.async_write(b"cut", timeout=BOUND)
            assert caught.value.bytes_transferred == 0
            assert await port.async_write(b"after", timeout=BOUND) == 5
            assert receive(peer, 5) == b"after"


async def test_what_one_direction_meets_ends_the_other(tmp_path):
    with plugged(tmp_path / "dut") as (_, peer):
        async with sw.Reconnecting(tmp_path / "dut") as port:
            await port.async_write(b"before", timeout=BOUND)
            reading = asyncio.ensure_future(port.async_read(1))
            await asyncio.sleep(0)

            def gone(buffers):
                raise OSError(errno.ENODEV, os.strerror(errno.ENODEV))

            gone_port = port.stream
            gone_port._write_direction.try_now = gone
            for operation in (port.async_write([b"cut"]), reading):
                with pytest.raises(sw.Disconnected, match="No such device"):
                    await operation
            await until(lambda: not gone_port.serial.is_open)  # without another operation, too
            assert await port.async_write(b" after", timeout=BOUND) == 6
            assert receive(peer, 12) == b"before after"


async def test_a_port_in_use_is_waited_for(tmp_path):
    with plugged(tmp_path / "dut") as (_, peer):
        async with sw.Reconnecting(tmp_path / "dut") as port:
            async with sw.SerialPort(tmp_path / "dut"):
                writing = asyncio.ensure_future(port.async_write(b"mine", timeout=BOUND))
                await until(lambda: "is in use" in (port.stall or ""))
            assert await writing == 4
            assert receive(peer, 4) == b"mine"


async def test_what_waiting_cannot_mend_is_raised(tmp_path):
    async with sw.Reconnecting("/dev/null") as port:
        with pytest.raises(OSError, match="'/dev/null' is not a serial port"):
            await port.async_write(b"x")
    with plugged(tmp_path / "dut"):
        async with sw.Reconnecting(tmp_path / "dut", low_latency=True) as port:
            both = asyncio.gather(port.async_write(b"x"), port.async_read(1), return_exceptions=True)
            assert ["low_latency" in str(error) for error in await both] == [True, True]


@pytest.mark.parametrize(
    ("arguments", "settings", "said"),
    [
        ((None,), {}, "match: got None"),
        (("socket://localhost:1",), {}, "is not on this machine"),
        (("A2", 0), {}, "baudrate"),
        (("A2",), {"party": "E"}, "party"),
        (("A2",), {"parity": "Z"}, "parity"),
    ],
)
def test_wrong_arguments_are_refused_when_it_is_made(arguments, settings, said):
    with pytest.raises((TypeError, ValueError), match=said):
        sw.Reconnecting(*arguments, **settings)


async def test_a_close_ends_what_waits_for_the_port(tmp_path):
    for close in (lambda port: port.close(), lambda port: port.async_close(sw.use_promise)):
        port = sw.Reconnecting(tmp_path / "dut")
        waits = asyncio.gather(port.async_write(b"x"), port.async_read(1), return_exceptions=True)
        await until(lambda: port.stall)  # noqa: B023
        close(port)
        assert [type(error) for error in await waits] == [sw.StreamClosed] * 2
        assert not port.is_open
        with pytest.raises(sw.StreamClosed, match="was closed"):
            await port.async_write(b"x")


async def test_a_cancelled_wait_leaves_nothing_behind(tmp_path):
    async with sw.Reconnecting(tmp_path / "dut") as port:
        for turns in range(4):  # before the opening has begun, and while it looks
            operation = port.async_write(b"cancelled")
            task = asyncio.ensure_future(operation)
            for _ in range(turns):
                await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        await until(lambda: len(asyncio.all_tasks()) == 1)
        signal = sw.CancellationSignal()
        cancelled = port.async_write(b"x", sw.bind_cancellation_slot(signal.slot, sw.as_tuple(sw.use_promise)))
        await until(lambda: port.stall)
        await asyncio.sleep(0)
        signal.emit()
        reading = port.async_read(1, sw.use_promise, timeout=BOUND)  # while the opening is being cancelled
        assert (await cancelled)[1] == 0
        with plugged(tmp_path / "dut") as (_, peer):
            await until(lambda: port.stream is not None)
            os.write(peer.fileno(), b"y")
            assert await reading == b"y"
        with pytest.raises(sw.Disconnected):
            await port.async_read(1)
        with plugged(tmp_path / "dut") as (_, peer):
            assert await port.async_write(b"sent", timeout=BOUND) == 4
            assert receive(peer, 4) == b"sent"


async def test_cancelled_while_it_opens_the_port_is_kept(tmp_path, monkeypatch):
    opening, go_on = threading.Event(), threading.Event()
    opened = sw.SerialPort.__init__

    def slowly(self, *args, **settings):
        opening.set()
        assert go_on.wait(BOUND)
        opened(self, *args, **settings)

    monkeypatch.setattr(sw.SerialPort, "__init__", slowly)
    with plugged(tmp_path / "dut") as (_, peer):
        async with sw.Reconnecting(tmp_path / "dut") as port:
            task = asyncio.ensure_future(port.async_write(b"cancelled"))
            await until(opening.is_set)
            task.cancel()
            await asyncio.wait([task])
            writing = asyncio.ensure_future(port.async_write(b"sent", timeout=BOUND))
            await asyncio.sleep(0)
            go_on.set()
            assert await writing == 4
            assert receive_available(peer, 0.05) == b"sent"
            opening.clear()

        go_on.clear()
        port = sw.Reconnecting(tmp_path / "dut")
        task = asyncio.ensure_future(port.async_write(b"closed"))
        await until(opening.is_set)
        closing = asyncio.ensure_future(port.async_close())
        await asyncio.sleep(0)
        go_on.set()
        await closing
        assert isinstance((await asyncio.gather(task, return_exceptions=True))[0], sw.StreamClosed)
        with sw.SerialPort(tmp_path / "dut"):  # it is not kept open
            pass


async def test_one_write_and_one_read_at_a_time(tmp_path):
    async with sw.Reconnecting(tmp_path / "dut") as port:
        assert await port.async_write(b"") == 0  # nothing to do needs no port
        both = [asyncio.ensure_future(each) for each in (port.async_write(b"x"), port.async_read(1))]
        await until(lambda: port.stall)
        with pytest.raises(sw.StreamBusy):
            await port.async_write(b"y")
        with pytest.raises(sw.StreamBusy):
            await port.async_read(1)
        for task in both:
            task.cancel()
        await asyncio.wait(both)


async def test_a_port_closed_on_this_side_is_opened_again(tmp_path):
    """To let another program have it for a while."""
    with plugged(tmp_path / "dut") as (_, peer):
        async with sw.Reconnecting(tmp_path / "dut") as port:
            await port.async_write(b"before", timeout=BOUND)
            reading = asyncio.ensure_future(port.async_read(1))
            await asyncio.sleep(0)
            await port.stream.async_close()
            with pytest.raises(sw.StreamClosed):
                await reading
            async with sw.SerialPort(tmp_path / "dut") as other:
                assert await other.async_write(b" other") == 6
            assert await port.async_write(b" after", timeout=BOUND) == 6
            assert receive(peer, 18) == b"before other after"


async def test_layers_stand_on_it(tmp_path):
    async with sw.Reconnecting(tmp_path / "dut") as port:
        events = []
        stream = sw.Queued(sw.Traced(port, events.append))
        writes = [asyncio.ensure_future(sw.async_write(stream, data, timeout=BOUND)) for data in (b"one ", b"two")]
        await until(lambda: port.stall)
        with plugged(tmp_path / "dut") as (rig, peer):
            assert await asyncio.gather(*writes) == [4, 3]
            assert receive(peer, 7) == b"one two"
            rig.hang_up("port")
            with pytest.raises(sw.Disconnected):
                await sw.async_write(stream, b"three")


def test_without_a_loop_it_blocks(tmp_path):
    with sw.Reconnecting(tmp_path / "dut", 115200) as port:
        with pytest.raises(sw.TransferTimeout):
            port.write(b"hello", timeout=0.01)
        for word in (b"once", b"more"):
            with plugged(tmp_path / "dut") as (rig, peer):
                assert port.write(word, timeout=BOUND) == 4
                os.write(peer.fileno(), word)
                assert port.read(4, timeout=BOUND) == word
                rig.hang_up("port")
                with pytest.raises(sw.Disconnected):
                    port.read(1, timeout=BOUND)


def test_the_loop_of_a_wait_may_be_over(tmp_path):
    port = sw.Reconnecting(tmp_path / "dut")

    async def leave_one_behind():
        port.async_write(b"left", sw.detached)
        await asyncio.sleep(0.01)

    loop = asyncio.new_event_loop()
    loop.run_until_complete(leave_one_behind())
    for task in asyncio.all_tasks(loop):
        task.cancel()
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()

    async def again():
        with plugged(tmp_path / "dut") as (_, peer):
            async with port:
                assert await port.async_write(b"again", timeout=BOUND) == 5
                assert receive_available(peer, 0.05) == b"again"

    asyncio.run(again())


def test_a_thread_may_initiate(tmp_path):
    with sw.IoThread() as io, plugged(tmp_path / "dut") as (_, peer):
        port = sw.Reconnecting(tmp_path / "dut", executor=io.get_executor())
        assert port.async_write(b"hello", sw.use_future, timeout=BOUND).result(BOUND) == 5
        assert receive(peer, 5) == b"hello"
        waiting = port.async_read(1, sw.use_future)
        port.close()
        with pytest.raises(sw.StreamClosed):
            waiting.result(BOUND)
