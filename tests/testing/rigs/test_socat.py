"""SocatPair: readiness, clear errors, and a socat that never outlives its rig."""

import os
import shutil
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest
from waiting import wait_until

from serialwrite.testing import RigUnavailable, SocatPair

needs_socat = pytest.mark.skipif(
    shutil.which("socat") is None and not os.environ.get("CI"), reason="socat is not installed"
)


def is_running(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.fixture
def fake_socat(tmp_path, monkeypatch):
    """Put a program named socat first on the PATH."""

    def install(text):
        program = tmp_path / "socat"
        program.write_text(f"#!{sys.executable}\nimport sys, time\n{text}\n")
        program.chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path))

    return install


def test_a_missing_socat_says_how_to_install_it(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(RigUnavailable, match="socat is not installed: `apt install socat`"):
        SocatPair().open()


def test_a_socat_that_fails_is_quoted(fake_socat):
    fake_socat('sys.exit("E pty: no more devices for you")')
    with pytest.raises(RigUnavailable, match=r"ended before it was ready(.|\n)*no more devices for you"):
        SocatPair().open()


def test_a_socat_that_never_gets_ready_is_ended_and_quoted(fake_socat, tmp_path):
    pid = tmp_path / "pid"
    fake_socat(
        f"import os; open({str(pid)!r}, 'w').write(str(os.getpid()))\n"
        "print('N still thinking', file=sys.stderr, flush=True); time.sleep(60)"
    )
    with pytest.raises(RigUnavailable, match=r"not ready within 2 s(.|\n)*still thinking"):
        SocatPair(start_timeout=2).open()
    assert not is_running(int(pid.read_text()))


def test_a_socat_that_ignores_sigterm_is_killed(fake_socat):
    fake_socat(
        "import os, signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "a, b = os.openpty(), os.openpty()\n"
        "say = lambda text: print('2026/01/01 00:00:00 socat[1] N', text, file=sys.stderr, flush=True)\n"
        "say('PTY is ' + os.ttyname(a[1])); say('PTY is ' + os.ttyname(b[1]))\n"
        "say('starting data transfer loop with FDs [5,5] and [7,7]'); time.sleep(600)"
    )
    with SocatPair() as rig:
        pid = rig.pid
        assert is_running(pid)
    assert not is_running(pid)


@needs_socat
def test_socat_ends_with_the_block_whatever_happens():
    with pytest.raises(KeyboardInterrupt), SocatPair() as rig:
        pid = rig.pid
        assert is_running(pid)
        assert os.getpgid(pid) == pid  # a Ctrl-C on the terminal is the program's to handle
        raise KeyboardInterrupt
    assert not is_running(pid)


@needs_socat
@pytest.mark.parametrize("deadly", [signal.SIGTERM, signal.SIGKILL, signal.SIGINT])
def test_socat_ends_when_the_program_is_killed(deadly):
    code = (
        "import time; from serialwrite.testing import SocatPair\n"
        "rig = SocatPair().open(); print(rig.pid, flush=True)\n"
        "while True: time.sleep(0.05)"  # one long sleep may begin just after the signal, and hear nothing of it
    )
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=env
    ) as program:
        pid = int(program.stdout.readline())
        assert is_running(pid)
        program.send_signal(deadly)
        program.wait(10)
        wait_until(lambda: not is_running(pid))


@needs_socat
def test_devices_are_private_and_stay_when_a_user_closes():
    with SocatPair() as rig:
        for path in rig:
            assert stat.S_IMODE(Path(path).stat().st_mode) == 0o600
        rig.open_port().close()
        with rig.open_port() as port, rig.open_peer() as peer:
            os.write(port.fileno(), b"\x03\r\n")
            deadline = time.monotonic() + 5
            while not (data := peer.read(10)):
                assert time.monotonic() < deadline
            assert data == b"\x03\r\n"


@needs_socat
def test_links_are_ours_and_go_away(tmp_path):
    taken = tmp_path / "taken"
    taken.write_text("not ours")
    with pytest.raises(FileExistsError, match="taken"):
        SocatPair(links=(tmp_path / "dut", taken)).open()
    assert taken.read_text() == "not ours"
    taken.unlink()
    with SocatPair(links=(tmp_path / "dut", taken)) as rig:
        assert str(Path(rig.peer).readlink()).startswith("/dev/")
    assert list(tmp_path.iterdir()) == []
