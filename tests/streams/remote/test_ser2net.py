"""A remote port by RFC 2217, served by ser2net on loopback: exact counts, a stall, and what can be proved of it."""

import asyncio
import os
import random
import socket
import time
from contextlib import contextmanager

import pytest
import serial
from ser2net import ser2net
from waiting import until

import serialwrite as sw
from serialwrite.testing import SocatPair, receive_available, send
from tests.streams import kills

DATA = random.Random(2217).randbytes(100_000)  # with every byte in it, Telnet's 255 too

# pyserial 3.5 sets up its thread the old way.
pytestmark = pytest.mark.filterwarnings("ignore:set(Daemon|Name):DeprecationWarning")


@pytest.fixture
def remote(need_tool, tmp_path):
    program = need_tool("ser2net")
    need_tool("socat")
    with served(program, tmp_path) as remote:
        yield remote


@contextmanager
def served(program, folder):
    """ser2net over a socat pair: the URL of the port, and its far end."""
    with SocatPair() as rig, rig.open_peer() as peer, ser2net(program, folder, rig.port) as port:
        yield f"rfc2217://127.0.0.1:{port}?ign_set_control", peer


async def opened(url):
    return await asyncio.to_thread(sw.SerialPort, url, 115200)


async def adapted(url):
    """pyserial's own object, which has a thread, and is written to on another."""
    return sw.as_stream(await asyncio.to_thread(serial.serial_for_url, url, 115200))


async def received(peer, size, timeout=60.0):
    """``size`` bytes from the far end, or what came of them in time."""
    data, deadline = bytearray(), time.monotonic() + timeout
    while len(data) < size and time.monotonic() < deadline:
        try:
            data += os.read(peer.fileno(), 65536)
        except BlockingIOError:
            await asyncio.sleep(0.001)
    return bytes(data)


async def filled(port, payload):
    """Write until the port takes no more, however long that is; how many bytes it took."""
    operation, before = sw.async_write(port, payload), -1
    task = asyncio.ensure_future(operation)
    while operation.bytes_transferred != before or port.stall is None:
        before = operation.bytes_transferred
        await asyncio.sleep(0.5)
    task.cancel()
    await asyncio.wait([task])
    return operation.bytes_transferred


@pytest.mark.parametrize("how", [opened, adapted])
async def test_100_000_bytes_exact_both_ways(remote, how):
    url, peer = remote
    async with await how(url) as port:
        assert type(port) is sw.SerialPort
        assert port.driver.pollable == (how is opened)
        assert (port.serial is None, isinstance(port.socket, socket.socket)) == (how is opened,) * 2
        assert port.in_force == (115200, 8, "N", 1, False, False, False)  # as the server has granted them
        writing = sw.async_write(port, DATA, sw.use_promise, timeout=60)
        assert await received(peer, len(DATA)) == DATA
        assert await writing == len(DATA)
        assert await port.async_drain(timeout=10) >= 0
        back = sw.async_read(port, got := bytearray(len(DATA)), sw.use_promise, timeout=60)
        with sw.DescriptorStream(os.dup(peer.fileno())) as far:
            await sw.async_write(far, DATA, timeout=60)
        assert await back == len(DATA)
        assert got == DATA


async def test_stalled_it_times_out_and_says_what_it_can_prove(remote):
    url, peer = remote
    port = await opened(url)
    payload = random.Random(7).randbytes(1_000_000)
    n = await filled(port, payload)
    with pytest.raises(sw.TransferTimeout) as caught:
        await sw.async_write(port, payload[n:], timeout=0.1)
    error = caught.value
    assert error.stall == "peer not reading"
    accepted = n + error.bytes_transferred
    assert error.queued == 1152  # 0.1 s of the line
    assert accepted < 1152 + 100_000  # which the server, its tty and the pair of ptys hold
    assert sw.strongest_proof(port) == "served"
    assert dict(port.proof_levels) == {
        "accepted": "send(2)",
        "acknowledged": "SIOCOUTQ",
        "served": "SET-BAUDRATE 0",
        "drained": "unknown",
        "transmitted": "unknown",
        "confirmed": "unknown",
    }
    started = time.monotonic()
    unsent = await port.async_close(policy="discard")
    assert time.monotonic() - started < 2
    assert unsent == port.unsent > 0
    got = receive_available(peer, quiet=0.5)
    assert got == payload[: len(got)]
    assert len(got) <= accepted


@pytest.mark.parametrize("policy", ["drain", "discard", "abort"])
async def test_closing_while_it_is_stalled_is_bounded(remote, policy):
    url, _ = remote
    port = await opened(url)
    writing = sw.async_write(port, bytes(1_000_000), sw.as_tuple(sw.use_promise))
    await until(lambda: port.stall == "peer not reading")
    started = time.monotonic()
    assert await port.async_close(policy=policy, timeout=0.3) > 0
    assert time.monotonic() - started < 3
    error, n = await asyncio.wait_for(writing, 10)
    assert isinstance(error, sw.StreamClosed)
    assert n > 0


async def test_a_server_that_goes_away_is_disconnected(remote):
    url, _ = remote
    port = await opened(url)
    port.socket.shutdown(socket.SHUT_RDWR)
    with pytest.raises(sw.Disconnected):
        await sw.async_write(port, DATA, timeout=10)
    with pytest.raises(sw.Disconnected):
        await sw.async_read(port, bytearray(1), timeout=10)
    await port.async_close()


async def test_the_devices_last_words_are_read_before_the_end_is_told(need_tool, tmp_path):
    program, words = need_tool("ser2net"), b"last words" * 10
    need_tool("socat")
    with SocatPair() as rig, ser2net(program, tmp_path, rig.port) as number:
        async with await opened(f"rfc2217://127.0.0.1:{number}?ign_set_control") as port:
            with rig.open_peer() as peer:
                send(peer, words)
                await until(lambda: port.driver.line.in_waiting >= len(words))
            rig.hang_up("port")  # and so the server closes the connection
            async with asyncio.timeout(30):
                while port.driver.connection.lost is None:
                    port.driver.connection.receive()
                    await asyncio.sleep(0.01)
            assert await sw.async_read(port, got := bytearray(len(words)), timeout=30) == len(words)
            assert got == words
            with pytest.raises(sw.Disconnected):
                await sw.async_read(port, bytearray(1), timeout=30)


@pytest.mark.parametrize("seed", range(6))
def test_killed_it_has_told_no_more_served_than_the_tty_had(need_tool, tmp_path, seed):
    served, accepted, arrived = kills.run(need_tool("ser2net"), tmp_path, seed)
    assert 0 <= served <= arrived <= accepted


@pytest.mark.parametrize("window", [300, 1152, 1500, 3000, 16384])
def test_killed_while_stalled_it_has_told_no_more_served(need_tool, tmp_path, window):
    """A server answers what stands behind data that its port has not taken yet, where both came to it at once."""
    served, arrived = kills.stalled(need_tool("ser2net"), tmp_path, window)
    assert 0 < served <= arrived


async def test_a_stalled_write_is_cancelled_and_resumed(remote):
    url, peer = remote
    async with await opened(url) as port:
        payload = random.Random(8).randbytes(20_000_000)
        operation = sw.async_write(port, payload, timeout=2)
        with pytest.raises(sw.TransferTimeout):
            await operation
        n = operation.bytes_transferred
        rest = operation.remaining[0][:50_000]
        reading = asyncio.ensure_future(received(peer, n + 50_000, timeout=100))
        assert await sw.async_write(port, rest, timeout=100) == 50_000
        assert await reading == payload[: n + 50_000]
