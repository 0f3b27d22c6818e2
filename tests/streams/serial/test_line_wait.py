"""async_wait_for_lines: events of the modem lines, on a driver that tells of changes and on one that has to be asked."""

import asyncio
import io
import threading

import pytest
from fake_uart import simulated_port
from waiting import until

import serialwrite as sw
from serialwrite.testing import PtyPair

BOUND = 30  # seconds


def threads():
    return [thread for thread in threading.enumerate() if thread.name.startswith("modem lines of")]


@pytest.fixture(params=[True, False], ids=["told", "looked"])
def port(request):
    with simulated_port(tells_changes=request.param, cts=False) as port:
        yield port
        assert threads() == []


async def waits(port):
    """Until the wait has begun: in the driver, if that tells of changes."""
    await until(lambda: port.uart.waits_for_changes if port.uart.tells_changes else port._line_waits)


async def test_a_change_ends_the_wait(port):
    waiting = asyncio.ensure_future(port.async_wait_for_lines(cts=True, timeout=BOUND))
    await waits(port)
    port.uart.set_line("cts", True)
    lines = await waiting
    assert lines.cts
    assert lines == port.modem_lines


async def test_lines_that_are_as_wanted_end_it_at_once(port):
    assert (await port.async_wait_for_lines(cts=False, dsr=True, cd=False, ri=False)).dsr
    assert threads() == []


async def test_all_lines_have_to_be_as_wanted(port):
    waiting = asyncio.ensure_future(port.async_wait_for_lines(cts=True, ri=True, timeout=BOUND))
    await waits(port)
    port.uart.set_line("cts", True)
    await asyncio.sleep(0.05)
    assert not waiting.done()
    port.uart.set_line("ri", True)
    await port.async_wait_for_lines(ri=True)
    if port.uart.tells_changes:  # RI is counted when it ends: until then the look of each second tells
        port.uart.set_line("cts", False)
        port.uart.set_line("cts", True)
    assert (await waiting)[:4] == (True, True, False, True)


@pytest.mark.parametrize("line", ["cts", "ri"])
async def test_a_pulse_that_is_over_was_seen(port, line):
    waiting = asyncio.ensure_future(port.async_wait_for_lines(**{line: True}, timeout=BOUND))
    await waits(port)
    port.uart.set_line(line, True)
    port.uart.set_line(line, False)
    assert getattr(await waiting, line)
    assert not getattr(port.modem_lines, line)


async def test_a_timeout_names_what_was_waited_for(port):
    with pytest.raises(sw.TransferTimeout, match=r"^waited \d+\.\d\d s for cts=True, ri=True; timed out$"):
        await port.async_wait_for_lines(cts=True, ri=True, timeout=0.05)
    assert threads() == []


async def test_cancelled_its_thread_has_ended(port):
    signal = sw.CancellationSignal()
    waiting = port.async_wait_for_lines(sw.bind_cancellation_slot(signal.slot, sw.as_tuple(sw.use_promise)), cts=True)
    task = asyncio.ensure_future(port.async_wait_for_lines(ri=True))
    await waits(port)
    signal.emit(sw.CancellationType.TOTAL)
    error, lines = await waiting
    assert (type(error), lines) == (sw.OperationAborted, None)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert threads() == []


@pytest.mark.parametrize("form", ["close", "async_close"])
async def test_a_close_ends_the_wait_and_its_thread(port, form):
    waiting = asyncio.gather(*(port.async_wait_for_lines(cts=True) for _ in range(3)), return_exceptions=True)
    await waits(port)
    if form == "close":
        port.close("abort")
        assert not port.uart.waits_for_changes  # before the descriptor was closed
    else:
        await port.async_close(policy="abort")
    assert [type(error) for error in await waiting] == [sw.StreamClosed] * 3


async def test_an_unplug_ends_the_wait(port):
    waiting = asyncio.ensure_future(port.async_wait_for_lines(cts=True, timeout=BOUND))
    await waits(port)
    port.uart.unplugged = True
    with pytest.raises(sw.Disconnected):
        await waiting


async def test_a_change_that_no_thread_saw_is_seen(port):
    """Between the look and the driver's wait a change is not told: the look of each second is for that."""
    waiting = asyncio.ensure_future(port.async_wait_for_lines(cts=True, timeout=BOUND))
    await waits(port)
    port.uart.cts = True
    assert (await waiting).cts


async def test_a_closed_port_is_refused(port):
    port.close("abort")
    with pytest.raises(sw.StreamClosed):
        await port.async_wait_for_lines(cts=True)


async def test_a_port_without_lines_is_refused():
    with PtyPair() as rig, sw.SerialPort(rig.port) as port:
        with pytest.raises(io.UnsupportedOperation, match=r"async_wait_for_lines: .* has no serial line"):
            await port.async_wait_for_lines(cts=True)


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ({}, "such as cts=True"),
        ({"cts": None}, "such as cts=True"),
        ({"cts": 1}, "cts=1: pass True"),
        ({"rts": True}, "rts"),
    ],
)
def test_wrong_lines_are_refused_at_once(port, lines, said):
    with pytest.raises(TypeError, match=said):
        port.async_wait_for_lines(**lines)
