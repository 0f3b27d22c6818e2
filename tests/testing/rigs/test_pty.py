"""PtyPair: the pump is bounded, sleeps while nothing moves, and can be held and cut."""

import os
import select
import signal
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import serial

from serialwrite.testing import PtyPair, fill, receive, receive_available, receive_only, send


def cpu_seconds_during(seconds):
    """CPU time of this whole process, the pump's thread included, while the caller sleeps."""
    before = time.process_time()
    time.sleep(seconds)
    return time.process_time() - before


def test_stalled_peer_stops_the_writer_after_some_kilobytes():
    with PtyPair() as rig, rig.open_port() as port:
        assert 8_000 < fill(port) < 200_000  # how much depends on how the writes and the pump fall together


def test_the_pump_sleeps_while_stalled():
    with PtyPair() as rig, rig.open_port() as port, rig.open_peer():
        fill(port)
        assert cpu_seconds_during(1.0) < 0.02


def test_the_pump_sleeps_when_everybody_has_closed():
    with PtyPair() as rig:
        with rig.open_port() as port, rig.open_peer():
            send(port, b"x" * 1000)
        assert cpu_seconds_during(1.0) < 0.02


def test_the_pump_sleeps_after_a_hang_up():
    with PtyPair() as rig, rig.open_peer() as peer:
        rig.hang_up("port")
        fill(peer)
        assert cpu_seconds_during(1.0) < 0.02


def test_stall_holds_one_direction_and_resume_delivers_all():
    with PtyPair() as rig, rig.open_port() as port, rig.open_peer() as peer:
        send(port, b"before")
        assert receive(peer, 6) == b"before"
        rig.stall("peer")
        accepted = fill(port, b"0123456789" * 100)
        assert receive_available(peer) == b""
        assert rig.counters == (6, 0)
        send(peer, b"the other way")
        assert receive(port, 13) == b"the other way"
        rig.resume("peer")
        assert receive(peer, accepted) == (b"0123456789" * (accepted // 10 + 1))[:accepted]
        assert rig.counters == (6 + accepted, 13)


def test_what_was_accepted_before_a_hang_up_still_arrives():
    with PtyPair() as rig, rig.open_port() as port, rig.open_peer() as peer:
        rig.stall("peer")
        accepted = fill(port)
        rig.hang_up("port")
        with pytest.raises(OSError, match="Input/output error"):
            os.write(port.fileno(), b"x")
        assert os.read(port.fileno(), 10) == b""
        rig.resume("peer")
        receive_only(peer, accepted)


def test_writer_cut_off_counts_what_the_peer_receives():
    accepted, received = 0, bytearray()
    with PtyPair() as rig, rig.open_port() as port, rig.open_peer() as peer:
        started = threading.Event()

        def write_until_cut():
            nonlocal accepted
            try:
                while True:
                    select.select([], [port], [])
                    try:
                        accepted += os.write(port.fileno(), b"x" * 700)
                    except BlockingIOError:
                        continue
                    started.set()
            except OSError:
                return

        writer = threading.Thread(target=write_until_cut)
        writer.start()
        assert started.wait(5)
        while len(received) < 200_000:
            received += receive(peer, 1000)
        rig.hang_up("port")
        writer.join(5)
        assert not writer.is_alive()
        receive_only(peer, accepted - len(received))


def test_devices_are_private_and_raw():
    with PtyPair() as rig:
        for path in rig:
            mode = Path(path).stat().st_mode
            assert stat.S_ISCHR(mode)
            assert stat.S_IMODE(mode) == 0o600
        with rig.open_port() as port, rig.open_peer() as peer:
            send(port, b"\x03\x04\x11\x13\r\n\x7f")  # what a cooked tty eats, changes or echoes
            assert receive(peer, 7) == b"\x03\x04\x11\x13\r\n\x7f"
            assert receive_available(port, quiet=0.05) == b""


def test_links_name_the_ends_and_go_away(tmp_path):
    names = tmp_path / "dut", tmp_path / "far"
    with PtyPair(links=names) as rig:
        assert tuple(rig) == tuple(map(str, names))
        with serial.Serial(rig.port) as port:
            assert port.is_open
    assert list(tmp_path.iterdir()) == []


def test_link_name_that_is_taken_is_refused_and_leaves_nothing(tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    second.symlink_to(tmp_path / "missing")  # dangling: still not ours
    before = set(Path("/proc/self/fd").iterdir())
    with pytest.raises(FileExistsError, match="second"):
        PtyPair(links=(first, second)).open()
    assert second.readlink() == tmp_path / "missing"
    assert not first.is_symlink()
    assert set(Path("/proc/self/fd").iterdir()) == before


def test_a_link_that_someone_replaced_is_left_alone(tmp_path):
    name = tmp_path / "dut"
    with PtyPair(links=(name, None)):
        name.unlink()
        name.write_text("someone else's")
    assert name.read_text() == "someone else's"


def test_program_with_the_device_as_its_terminal_ends_harmlessly():
    with PtyPair() as rig:
        take_and_end = f"import os; os.open({rig.port!r}, os.O_RDWR)"
        subprocess.run([sys.executable, "-c", take_and_end], start_new_session=True, check=True, timeout=30)
        assert cpu_seconds_during(0.5) < 0.05
        with rig.open_port() as port, rig.open_peer() as peer:
            send(port, b"\r\n\x03 still raw")
            assert receive(peer, 13) == b"\r\n\x03 still raw"
            send(peer, b"\r\n\x03 still raw")
            assert receive(port, 13) == b"\r\n\x03 still raw"


def test_a_terminated_process_leaves_no_devices(tmp_path):
    code = "from serialwrite.testing import PtyPair; r = PtyPair().open(); print(r.port, flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    ) as child:  # fmt: skip
        device = child.stdout.readline().strip()
        assert Path(device).exists()
        child.send_signal(signal.SIGTERM)
        child.wait(10)
    deadline = time.monotonic() + 5
    while Path(device).exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not Path(device).exists()


def test_pump_calls_after_close_are_refused():
    rig = PtyPair().open()
    rig.close()
    with pytest.raises(RuntimeError, match="not open"):
        rig.stall("peer")
