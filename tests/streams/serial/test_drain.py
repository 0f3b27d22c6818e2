"""Queue, drain, discard, break, modem lines and stall, against a simulated kernel side: no pty has these."""

import asyncio
import io
import re
import time

import pytest
from fake_uart import simulated_port
from waiting import until

import serialwrite as sw
from serialwrite.testing import PtyPair

DATA = bytes(range(256)) * 8


# -- drain --------------------------------------------------------------------------------------------


async def test_a_drain_waits_for_the_shift_register():
    with simulated_port() as port:
        port.uart.stuck = True
        assert await sw.async_write(port, DATA) == len(DATA)
        assert port.queued == len(DATA) - 16  # which are in the FIFO
        draining = port.async_drain(sw.use_promise)
        await asyncio.sleep(0.05)
        assert not draining.done()
        port.uart.stuck = False
        assert await draining == len(DATA) - 16
        assert (port.uart.received, port.queued) == (DATA, 0)


async def test_a_drain_to_the_queue_leaves_the_fifo_alone():
    with simulated_port() as port:
        port.uart.stuck = True
        await sw.async_write(port, DATA[:16])
        assert await port.async_drain(level="queue") == 0
        draining = port.async_drain(sw.use_promise, level="shift-register")
        await asyncio.sleep(0.05)
        assert not draining.done()
        assert port.uart.received == b""
        port.uart.stuck = False
        assert await draining == 0
        assert port.uart.received == DATA[:16]


async def test_shift_register_reported_late_is_not_believed_early():
    """ftdi_sio: the bytes are in the chip, and its last word was that it is empty."""
    with simulated_port(status_lag=0.1) as port:
        port.uart.stuck = True
        await sw.async_write(port, DATA[:16])
        with pytest.raises(sw.TransferTimeout):
            await port.async_drain(timeout=0.3)
        port.uart.stuck = False
        assert await port.async_drain(timeout=10) == 0
        assert port.uart.received == DATA[:16]


async def test_a_drain_is_paced_and_not_spun():
    looks = 0
    with simulated_port(baudrate=57600) as port:
        original = port.driver.device.output_queue

        def counting():
            nonlocal looks
            looks += 1
            return original()

        await sw.async_write(port, DATA)  # 0.36 s
        port.driver.device.output_queue = counting
        await port.async_drain()
    assert looks < 40


async def test_the_event_loop_turns_while_it_drains():
    with simulated_port() as port:
        port.uart.stuck = True
        await sw.async_write(port, DATA)
        draining = asyncio.ensure_future(port.async_drain())
        for _ in range(50):
            await asyncio.sleep(0.001)
            assert not draining.done()
        port.uart.stuck = False
        assert await draining == len(DATA) - 16


async def test_many_may_drain_at_once_and_one_may_give_up():
    with simulated_port() as port:
        port.uart.stuck = True
        await sw.async_write(port, DATA)
        waiting = [asyncio.ensure_future(port.async_drain()) for _ in range(20)]
        await asyncio.sleep(0.01)
        waiting[3].cancel()
        await asyncio.wait([waiting[3]])
        port.uart.stuck = False
        results = await asyncio.gather(*waiting, return_exceptions=True)
        assert isinstance(results.pop(3), asyncio.CancelledError)
        assert results == [len(DATA) - 16] * 19
        assert port.uart.received == DATA


@pytest.mark.parametrize("ending", ["hang-up", "close"])
async def test_many_that_drain_are_all_woken(ending):
    with simulated_port() as port:
        port.uart.stuck = True
        await sw.async_write(port, DATA)
        waiting = [port.async_drain(sw.as_tuple(sw.use_promise)) for _ in range(20)]
        await asyncio.sleep(0.01)
        if ending == "hang-up":
            port.uart.unplugged = True
        else:
            port.close("abort")
        errors = {type(error) for error, _ in await asyncio.wait_for(asyncio.gather(*waiting), 10)}
        assert errors == {sw.Disconnected if ending == "hang-up" else sw.StreamClosed}


async def test_a_drain_that_times_out_says_what_is_left_and_why():
    with simulated_port({"rtscts": True}, baudrate=115200) as port:
        port.uart.cts = False
        await sw.async_write(port, DATA)
        with pytest.raises(sw.TransferTimeout) as caught:
            await port.async_drain(timeout=0.1)
        assert (caught.value.bytes_transferred, caught.value.queued, caught.value.stall) == (0, len(DATA), "CTS low")
        assert port.stall == "CTS low"
        assert re.match(r"0 bytes transmitted in \d+\.\d\d s; CTS low", str(caught.value))
        draining = port.async_drain(sw.cancel_after(60, sw.use_promise))
        await asyncio.sleep(0.01)
        port.uart.cts = True
        assert await draining == len(DATA)
        assert port.uart.received == DATA


async def test_cancelled_drain_counts_what_has_left_and_harms_nothing():
    with simulated_port(baudrate=9600) as port:
        await sw.async_write(port, DATA)
        draining = port.async_drain()
        task = asyncio.ensure_future(draining)
        await until(lambda: draining.bytes_transferred > 100)
        port.uart.stopped = True  # it will not end by itself
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert 100 < draining.bytes_transferred < len(DATA)
        port.uart.stopped, port.uart.byte_time = False, 1e-5
        await port.async_drain()
        assert port.uart.received == DATA


async def test_hanging_up_ends_a_drain_as_no_success():
    with simulated_port() as port:
        port.uart.stuck = True
        await sw.async_write(port, DATA)
        draining = port.async_drain(sw.as_tuple(sw.use_promise))
        await asyncio.sleep(0.01)
        port.uart.unplugged = True
        error, _ = await asyncio.wait_for(draining, 10)
        assert isinstance(error, sw.Disconnected)


async def test_closing_ends_every_drain():
    with simulated_port() as port:
        port.uart.stuck = True
        await sw.async_write(port, DATA)
        draining = [port.async_drain(sw.as_tuple(sw.use_promise)) for _ in range(3)]
        await asyncio.sleep(0.01)
        assert port.close("discard") == len(DATA) - 16  # which are in the FIFO
        assert [type(error) for error, _ in await asyncio.gather(*draining)] == [sw.StreamClosed] * 3
        with pytest.raises(sw.StreamClosed):
            await port.async_drain()


async def test_what_the_driver_cannot_tell_is_not_claimed():
    with simulated_port(has_lsr=False) as port:
        with pytest.raises(io.UnsupportedOperation, match="'shift-register'"):
            port.async_drain(level="shift-register")
        assert port.proof_levels["transmitted"] == "unknown"
        assert sw.strongest_proof(port) == "drained"
        await sw.async_write(port, DATA[:100])
        assert await port.async_drain() <= 100
    with simulated_port() as port:
        assert sw.strongest_proof(port) == "transmitted"
        with pytest.raises(ValueError, match="level='wire'"):
            port.async_drain(level="wire")


async def test_a_pty_can_prove_acceptance_and_no_more():
    with PtyPair() as rig, sw.SerialPort(rig.port) as port:
        assert await port.async_drain() == 0  # at once, claiming nothing
        assert (port.queued, sw.strongest_proof(port)) == (None, "accepted")
        with pytest.raises(io.UnsupportedOperation):
            port.async_drain(level="queue")
        with pytest.raises(io.UnsupportedOperation, match="on_wire"):
            _ = port.on_wire
        assert (port.modem_lines, port.line_counters) == (None, None)


async def test_a_hung_up_pty_is_not_drained():
    with PtyPair() as rig, sw.SerialPort(rig.port) as port:
        rig.hang_up("port")
        with pytest.raises(sw.Disconnected):
            await port.async_drain()


def test_a_drain_may_be_asked_for_from_another_thread():
    with sw.IoThread() as io_thread, simulated_port() as port:
        port._executor = io_thread.get_executor()
        assert sw.write(port, DATA) == len(DATA)
        assert port.async_drain(sw.use_future).result(10) > 0
        assert port.uart.received == DATA


# -- discard --------------------------------------------------------------------------------------------


def test_a_discard_says_just_what_is_gone():
    with simulated_port() as port:
        assert sw.write(port, DATA) == len(DATA)
        gone = port.discard_output()
        assert gone > 1000
        deadline = time.monotonic() + 10
        while port.driver.device.transmitter_empty() is False and time.monotonic() < deadline:
            time.sleep(0.001)
        assert port.uart.received == DATA[: len(DATA) - gone]
        assert port.queued == 0


def test_a_discard_that_the_driver_ignores_proves_nothing():
    with simulated_port(flush_works=False) as port:
        sw.write(port, DATA)
        assert port.discard_output() == 0
        assert port.queued > 0


def test_a_discard_does_not_wake_a_port_that_xoff_has_stopped():
    with simulated_port({"xonxoff": True}) as port:
        port.uart.xoff = True
        port.driver.device.let_output = lambda: pytest.fail("TCOON ends the peer's XOFF, too")
        sw.write(port, DATA)
        assert port.discard_output() == len(DATA)


def test_a_discard_on_a_port_that_is_gone():
    with simulated_port() as port:
        port.uart.unplugged = True
        with pytest.raises(sw.Disconnected):
            port.discard_output()


# -- stall ------------------------------------------------------------------------------------------------

BIG = bytes(10_000)


@pytest.mark.parametrize(
    ("settings", "uart", "state", "stall"),
    [
        ({"rtscts": True}, {}, {"cts": False}, "CTS low"),
        ({"xonxoff": True}, {}, {"xoff": True}, "XOFF received"),
        ({"xonxoff": True}, {"has_lsr": False}, {"xoff": True}, "XOFF received or peer not reading"),
        ({"xonxoff": True}, {}, {"stuck": True}, "XOFF received or peer not reading"),
        ({}, {}, {"stopped": True}, "output stopped"),
        ({}, {}, {"stuck": True}, "peer not reading"),
        ({}, {"baudrate": 9600}, {}, None),  # it is just slow
        ({"xonxoff": True}, {"baudrate": 9600}, {}, None),
    ],
)
async def test_a_timeout_names_what_held_the_port(settings, uart, state, stall):
    with simulated_port(settings, **uart) as port:
        for name, value in state.items():
            setattr(port.uart, name, value)
        with pytest.raises(sw.TransferTimeout) as caught:
            await sw.async_write(port, BIG, timeout=0.5)
        error = caught.value
        assert error.stall == stall
        assert error.queued == port.queued or stall is None
        assert 4095 <= error.bytes_transferred < len(BIG)
        assert (stall or "timed out") in str(error)


async def test_the_stall_is_known_while_the_port_is_held():
    with simulated_port({"rtscts": True}) as port:
        assert port.stall is None
        port.uart.cts = False
        assert port.stall is None  # nothing is waiting to be sent
        pending = sw.async_write(port, BIG, sw.use_promise)
        await until(lambda: port.stall == "CTS low")
        port.uart.cts = True
        assert await pending == len(BIG)


async def test_a_pty_whose_peer_may_have_sent_xoff():
    with PtyPair() as rig, sw.SerialPort(rig.port, xonxoff=True) as port:
        with rig.open_peer() as peer:
            peer.write(b"\x13")
            await asyncio.sleep(0.1)
            with pytest.raises(sw.TransferTimeout) as caught:
                await sw.async_write(port, bytes(range(32, 127)) * 1000, timeout=0.2)
            assert caught.value.stall == "XOFF received or peer not reading"


# -- break and modem lines -----------------------------------------------------------------------------------


async def test_a_break_comes_behind_what_was_written():
    with simulated_port() as port:
        await sw.async_write(port, DATA)
        assert await port.async_send_break(0.02) == 0
        assert port.uart.breaks == [(True, len(DATA)), (False, len(DATA))]


async def test_a_break_excludes_writes_and_they_exclude_it():
    with simulated_port() as port:
        breaking = port.async_send_break(0.05, sw.use_promise)
        with pytest.raises(sw.StreamBusy):
            await sw.async_write(port, DATA)
        await breaking
        port.uart.stuck = True
        writing = sw.async_write(port, BIG, sw.use_promise)
        with pytest.raises(sw.StreamBusy):
            await port.async_send_break(0.05)
        writing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await writing


async def test_a_break_that_is_cancelled_ends_at_once():
    with simulated_port() as port:
        breaking = asyncio.ensure_future(port.async_send_break(60))
        await until(lambda: port.uart.breaks)
        breaking.cancel()
        started = time.monotonic()
        with pytest.raises(asyncio.CancelledError):
            await breaking
        assert time.monotonic() - started < 30
        assert [on for on, _ in port.uart.breaks] == [True, False]
        assert await sw.async_write(port, b"free again") == 10


async def test_a_break_cancelled_while_it_drains_never_begins():
    with simulated_port() as port:
        port.uart.stuck = True
        await sw.async_write(port, DATA)
        with pytest.raises(sw.TransferTimeout):
            await port.async_send_break(0.01, timeout=0.05)
        assert not port.uart.breaks


@pytest.mark.parametrize("seconds", [-1, float("nan"), float("inf"), "1", None])
def test_a_break_of_no_length(seconds):
    with (
        simulated_port() as port,
        pytest.raises((ValueError, TypeError), match=r"^seconds=.*: pass seconds, 0 or more"),
    ):
        port.async_send_break(seconds)


@pytest.mark.parametrize("line", ["rts", "dtr"])
def test_lines_that_can_not_be_set(line):
    with PtyPair() as rig:
        with (
            sw.SerialPort(rig.port) as port,
            pytest.raises(io.UnsupportedOperation, match=f"^{line}: .*has no modem lines"),
        ):
            setattr(port, line, False)
        with pytest.raises(sw.StreamClosed):
            setattr(port, line, False)
        with sw.SerialPort(rig.port) as port:
            rig.hang_up("port")
            with pytest.raises(sw.Disconnected):
                setattr(port, line, False)


def test_modem_lines():
    with simulated_port() as port:
        assert port.modem_lines == sw.ModemLines(cts=True, dsr=True, cd=False, ri=False, rts=True, dtr=True)
        port.rts = False
        assert (port.rts, port.modem_lines.rts) == (False, False)
        assert port.line_counters.tx == 0
        port.uart.unplugged = True
        with pytest.raises(sw.Disconnected):
            _ = port.modem_lines


def test_a_blocking_write_meets_the_same_stall():
    with simulated_port({"rtscts": True}) as port:
        port.uart.cts = False
        with pytest.raises(sw.TransferTimeout, match="CTS low"):
            sw.write(port, BIG, timeout=0.1)


@pytest.mark.parametrize("on_wire", [False, True])
async def test_queue_emptied_as_the_device_goes_is_no_success(on_wire):
    """As cdc_acm does: what was under way fails, and is counted no more; some time later the port is told to be gone."""
    with simulated_port(has_lsr=False, fifo=1) as port:
        port.uart.stuck = True
        if on_wire:
            draining = sw.async_write(port.on_wire, b"0123456789", sw.as_tuple(sw.use_promise))
        else:
            await sw.async_write(port, b"0123456789")
            draining = port.async_drain(sw.as_tuple(sw.use_promise))
        await until(lambda: port.queued)
        await asyncio.sleep(0.01)
        with port.uart.lock:
            port.uart.queue.clear()
        asyncio.get_running_loop().call_later(0.02, setattr, port.uart, "unplugged", True)
        error, n = await draining
        assert isinstance(error, sw.Disconnected)
        assert n <= 1, "the one that the FIFO took"
