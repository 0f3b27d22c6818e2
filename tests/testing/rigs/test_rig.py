"""What holds on every rig: one interface, nothing lost, nothing left behind."""

import ast
import asyncio
import functools
import os
import shutil
import stat
import threading
from pathlib import Path

import pytest

import serialwrite
from serialwrite.testing import (
    Answering,
    PtyPair,
    RigUnavailable,
    SimulatedUart,
    SocatPair,
    TcpPair,
    UnixPair,
    fill,
    receive,
    receive_only,
    send,
)
from serialwrite.testing.rigs._pty_end import PtyEnd

needs_socat = pytest.mark.skipif(
    shutil.which("socat") is None and not os.environ.get("CI"), reason="socat is not installed"
)
RIGS = [
    pytest.param(PtyPair, id="pty"),
    pytest.param(SocatPair, id="socat", marks=needs_socat),
    pytest.param(functools.partial(SimulatedUart, baud=None), id="uart"),
    pytest.param(TcpPair, id="tcp"),
    pytest.param(UnixPair, id="unix"),
]


def pattern(size):
    """Bytes that repeat only after 16 MiB, so that a lost, doubled or swapped piece shows."""
    return b"".join(i.to_bytes(3, "big") for i in range(size // 3 + 1))[:size]


def open_descriptors():
    return set(Path("/proc/self/fd").iterdir())


@pytest.mark.parametrize("make", RIGS)
def test_bytes_cross_both_ways_unchanged(make):
    every_byte = bytes(range(256)) * 8
    with make() as rig:
        port, peer = rig
        assert (port, peer) == (rig.port, rig.peer)
        with rig.open_port() as port_end, rig.open_peer() as peer_end:
            send(port_end, every_byte)
            assert receive(peer_end, len(every_byte)) == every_byte
            send(peer_end, every_byte[::-1])
            assert receive(port_end, len(every_byte)) == every_byte[::-1]


@pytest.mark.parametrize("make", RIGS)
async def test_async_with(make):
    async with make() as rig:
        with rig.open_port() as port, rig.open_peer() as peer:
            send(port, b"hello")
            assert receive(peer, 5) == b"hello"


@pytest.mark.parametrize("make", RIGS)
def test_peer_that_does_not_read_stops_the_writer_without_loss(make):
    with make() as rig, rig.open_port() as port, rig.open_peer() as peer:
        chunk = pattern(4096)
        accepted = fill(port, chunk)
        assert accepted > 0
        assert os.get_blocking(port.fileno()) is False
        with pytest.raises(BlockingIOError):
            os.write(port.fileno(), b"x")
        expected = (chunk * (accepted // len(chunk) + 1))[:accepted]
        assert receive_only(peer, accepted) == expected


@pytest.mark.parametrize("make", RIGS)
def test_a_megabyte_both_ways_at_once(make):
    there, back = pattern(1 << 20), pattern(1 << 20)[::-1]
    with make() as rig, rig.open_port() as port, rig.open_peer() as peer:
        senders = [
            threading.Thread(target=send, args=(port, there)),
            threading.Thread(target=send, args=(peer, back)),
        ]
        received = {}
        receivers = [
            threading.Thread(target=lambda: received.update(there=receive(peer, len(there)))),
            threading.Thread(target=lambda: received.update(back=receive(port, len(back)))),
        ]
        for thread in senders + receivers:
            thread.start()
        for thread in senders + receivers:
            thread.join(30)
        assert received.get("there") == there
        assert received.get("back") == back


@pytest.mark.parametrize("make", RIGS)
def test_hang_up_fails_the_writes(make):
    with make() as rig, rig.open_port() as port:
        rig.hang_up("port")
        with pytest.raises(OSError) as caught:
            for _ in range(3):  # a reset is reported once, as ECONNRESET, and as EPIPE from then on
                os.write(port.fileno(), b"x")
        assert not isinstance(caught.value, BlockingIOError)
        rig.hang_up("port")


@pytest.mark.parametrize("make", [PtyPair, functools.partial(Answering, {})], ids=["pty", "answering"])
def test_a_name_that_hung_up_is_not_given_to_another_pty(make):
    with make() as rig:
        rig.hang_up("port")
        with PtyPair() as other:
            assert rig.port not in tuple(other)
            with pytest.raises(FileNotFoundError):
                rig.open_port()


@pytest.mark.parametrize("make", RIGS)
def test_closing_leaves_nothing_behind_and_may_be_repeated(make):
    before, threads = open_descriptors(), threading.active_count()
    rig = make()
    with rig:
        assert open_descriptors() > before
    rig.close()
    assert open_descriptors() == before
    assert threading.active_count() == threads
    with pytest.raises(RuntimeError, match="not open"):
        _ = rig.port
    with pytest.raises(RuntimeError, match="opened once"):
        rig.open()


@pytest.mark.parametrize("make", RIGS)
def test_an_exception_in_the_block_gives_everything_back(make):
    before, threads = open_descriptors(), threading.active_count()
    with pytest.raises(KeyboardInterrupt), make():
        raise KeyboardInterrupt
    assert open_descriptors() == before
    assert threading.active_count() == threads


@pytest.mark.parametrize("make", RIGS)
def test_a_forgotten_rig_warns_and_gives_everything_back(make):
    before, threads = open_descriptors(), threading.active_count()
    rigs = [make().open()]
    with pytest.warns(ResourceWarning, match="never closed"):
        rigs.clear()
    assert open_descriptors() == before
    assert threading.active_count() == threads


@pytest.mark.parametrize("make", RIGS)
def test_closing_while_the_writer_is_stalled_does_not_wait(make):
    async def stall_and_close():
        async with make() as rig:
            with rig.open_port() as port:
                fill(port)
                rig.close()

    asyncio.run(asyncio.wait_for(stall_and_close(), 10))


@pytest.mark.parametrize("make", RIGS[:3])
def test_devices_are_for_their_owner_only(make):
    with make() as rig:
        for path in rig:
            assert stat.S_IMODE(Path(path).stat().st_mode) == 0o600


def test_no_shell_is_ever_run():
    for file in Path(serialwrite.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            assert not (isinstance(node, ast.keyword) and node.arg == "shell"), file
            called = ast.unparse(node) if isinstance(node, ast.Attribute) else None
            assert called not in {"os.system", "os.popen", "asyncio.create_subprocess_shell"}, file


@pytest.mark.parametrize("make", [PtyPair, TcpPair])
def test_an_end_is_port_or_peer(make):
    with make() as rig, pytest.raises(ValueError, match="pass 'port' or 'peer'"):
        rig.hang_up("left")


def test_unavailable_is_no_transfer_error():
    assert not issubclass(RigUnavailable, OSError)


@pytest.mark.parametrize(
    ("rig", "leave", "end_it"), [(PtyPair, "hang_up", "hang_up"), (SimulatedUart, "unplug", "close")]
)
def test_nothing_is_accepted_between_the_last_read_and_the_close(rig, leave, end_it, monkeypatch):
    refused, really_end = [], getattr(PtyEnd, end_it)

    def end_later(end):
        if end.alive and not refused:
            with pytest.raises(BlockingIOError):
                os.write(port.fileno(), b"late")
            refused.append(end)
        really_end(end)

    monkeypatch.setattr(PtyEnd, end_it, end_later)
    with rig() as pair, pair.open_port() as port:
        getattr(pair, leave)("port")
        assert refused
