"""Who has a port: what a program leaves behind, what is said of a busy port, and UUCP's lock files."""

import array
import errno
import fcntl
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import serial

import serialwrite as sw
from serialwrite.streams.serial import _holders
from serialwrite.streams.serial._tty import Tty
from serialwrite.testing import PtyPair

TIOCGEXCL = 0x80045440  # whether TIOCEXCL is in force, <asm-generic/ioctls.h>
OPENS = "import sys, serialwrite as sw; port = sw.SerialPort(sys.argv[1]); print('open', flush=True); input()"


def is_exclusive(path):
    """Asked on a descriptor of its own, which root may open whatever is in force."""
    fd = os.open(path, os.O_RDWR | os.O_NOCTTY)
    try:
        fcntl.ioctl(fd, TIOCGEXCL, answer := array.array("i", [0]))
    finally:
        os.close(fd)
    return bool(answer[0])


@pytest.fixture
def program():
    """Starts a program, and waits until it says that it is open."""
    started = []

    def start(*words):
        child = subprocess.Popen([sys.executable, "-c", *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        started.append(child)
        assert child.stdout.readline() == b"open\n"
        return child

    yield start
    for child in started:
        child.kill()
        child.communicate()


@pytest.mark.parametrize("how", ["SIGKILL", "SIGTERM", "os._exit"])
def test_a_program_that_dies_leaves_a_pty_free(program, how):
    with PtyPair() as rig:
        child = program(OPENS.replace("input()", "input(); import os; os._exit(1)"), rig.port)
        assert not is_exclusive(rig.port)  # which would outlive it
        if how == "os._exit":
            child.stdin.write(b"\n")
            child.stdin.flush()
        else:
            child.send_signal(getattr(signal, how))
        child.wait(10)
        with sw.SerialPort(rig.port), serial.Serial(rig.port):
            pass


def test_a_device_is_kept_from_programs_that_lock_nothing(monkeypatch):
    monkeypatch.setattr(Tty, "is_pty", lambda _: False)
    with PtyPair() as rig:
        with sw.SerialPort(rig.port):
            assert is_exclusive(rig.port)
        assert not is_exclusive(rig.port)
        with sw.SerialPort(rig.port, exclusive=False) as port:
            fcntl.ioctl(port._wait_fd(), 0x540C)  # another program's TIOCEXCL, which is not to be undone
        assert is_exclusive(rig.port)


def test_a_busy_port_names_the_program_that_locked_it(program):
    with PtyPair() as rig:
        child = program(OPENS, rig.port)
        with pytest.raises(
            serial.SerialException, match=rf"in use by \S+ \(process {child.pid}\); close it there first"
        ):
            sw.SerialPort(rig.port)


def test_a_busy_port_names_a_program_that_has_it_open(program, monkeypatch):
    def refuse(*_):
        raise OSError(errno.EBUSY, os.strerror(errno.EBUSY))

    with PtyPair() as rig:
        child = program("import sys; port = open(sys.argv[1], 'rb', 0); print('open', flush=True); input()", rig.port)
        monkeypatch.setattr("serial.serialposix.os.open", refuse)  # as TIOCEXCL does
        with pytest.raises(serial.SerialException, match=rf"in use by \S+ \(process {child.pid}\)"):
            sw.SerialPort(rig.port)


# -- lock files -------------------------------------------------------------------------------------------


@pytest.fixture
def lock_directory(tmp_path, monkeypatch):
    """The second of two directories of lock files; the first is empty."""
    (tmp_path / "first").mkdir()
    (tmp_path / "second").mkdir()
    monkeypatch.setattr(_holders, "LOCK_DIRECTORIES", (str(tmp_path / "first"), str(tmp_path / "second")))
    return tmp_path / "second"


@pytest.fixture
def other(program):
    """A process that lives."""
    return program("print('open', flush=True); input()")


FORMATS = {
    "ten characters": lambda process: f"{process:10d}\n",
    "minicom": lambda process: f"{process:10d} minicom root\n",
    "bare": str,
    "binary": lambda process: process.to_bytes(4, sys.byteorder),
}


@pytest.mark.parametrize("form", FORMATS)
def test_a_lock_file_of_a_living_program_refuses_the_port(lock_directory, other, form):
    content = FORMATS[form](other.pid)
    with PtyPair() as rig:
        lock = lock_directory / f"LCK..{Path(rig.port).name}"
        lock.write_bytes(content if isinstance(content, bytes) else content.encode())
        words = rf"in use by \S+ \(process {other.pid}\), by its lock file {lock}; close it there"
        with pytest.raises(serial.SerialException, match=words) as caught:
            sw.SerialPort(rig.port)
        assert caught.value.errno == errno.EBUSY
        assert any(str(lock) in each for each in _holders.lock_holders(rig.port))
        sw.SerialPort(rig.port, exclusive=False).close()  # who shares it, shares it
        other.kill()  # from here on it is stale: not even waited for
        os.waitid(os.P_PID, other.pid, os.WEXITED | os.WNOWAIT)
        sw.SerialPort(rig.port).close()
        assert lock.exists()


@pytest.mark.parametrize(
    "content",
    [b"", b"\n", b"nonsense", b"0", b"-1", b"99999999999999999999", bytes(4), b"ours", b"\xff" * 9],
)
def test_a_lock_file_of_no_other_living_program_is_passed_over(lock_directory, content):
    with PtyPair() as rig:
        content = b"%10d\n" % os.getpid() if content == b"ours" else content
        (lock_directory / f"LCK..{Path(rig.port).name}").write_bytes(content)
        sw.SerialPort(rig.port).close()


@pytest.mark.parametrize(
    ("content", "process"), [(b"123\n", 123), (b"1234", 1234), ((1337).to_bytes(4, sys.byteorder), 1337)]
)
def test_a_lock_file_of_four_bytes_is_text_or_a_number(tmp_path, content, process):
    (tmp_path / "LCK..ttyUSB0").write_bytes(content)
    assert _holders._process_in(str(tmp_path / "LCK..ttyUSB0")) == process


def test_a_lock_file_is_found_by_each_name_of_the_device(lock_directory, other, tmp_path, monkeypatch):
    with PtyPair() as rig:
        number = Path(rig.port).name
        link, alias = tmp_path / "dut", tmp_path / "by-id" / "usb-Maker_Thing-port0"
        alias.parent.mkdir()
        for each in (link, alias):
            each.symlink_to(rig.port)
        monkeypatch.setattr(_holders, "ALIASES", (str(alias.parent),))
        status = Path(rig.port).stat()
        numbers = os.major(status.st_dev), os.major(status.st_rdev), os.minor(status.st_rdev)
        names = [
            f"LCK..{number}",
            f"LCK..pts_{number}",
            "LCK..dut",
            f"LCK..{str(link).replace('/', '_')}",  # ser2net
            f"LCK..{str(link).partition('/')[2].partition('/')[2].replace('/', '_')}",  # picocom
            f"LCK..{alias.name}",
            "LK.{:03d}.{:03d}.{:03d}".format(*numbers),
        ]
        for name in names:
            (lock_directory / name).write_text(f"{other.pid:10d}\n")
            with pytest.raises(serial.SerialException, match=name):
                sw.SerialPort(str(link))
            (lock_directory / name).unlink()
        (lock_directory / "LCK..ttyUSB0").write_text(f"{other.pid:10d}\n")  # another device's
        sw.SerialPort(link).close()
        assert [each.name for each in lock_directory.iterdir()] == ["LCK..ttyUSB0"]  # none of ours
