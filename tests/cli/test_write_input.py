"""`serialwrite write`: what it reads, and what it refuses before anything is written (exit 2)."""

import os
import subprocess
import tty
from pathlib import Path

import pytest

from serialwrite import SerialPort
from serialwrite.cli._source import Source

from .conftest import SIZE, everything, receive, report


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["PORT", "nowhere.bin"], "the file 'nowhere.bin' can't be opened: No such file or directory"),
        (["PORT", "."], "the file '.' is a directory: pass a file"),
        (["/dev/nowhere", "FILE"], "port '/dev/nowhere' does not exist; list the ports with: "),
        (["FILE", "FILE"], "is not a serial port"),
        (["PORT", "FILE", "--resume-from", SIZE + 1], f"--resume-from {SIZE + 1} is beyond the end: the file"),
        (["PORT", "FILE", "--resume-from", SIZE + 1], "has 300,000 bytes"),
        (["PORT", "FILE", "--resume-from", "-1"], "--resume-from"),
        (["PORT", "FILE", "--idle-timeout", "-1"], "--idle-timeout"),
        (["PORT", "FILE", "--idle-timeout", "nan"], "--idle-timeout"),
        (["PORT", "FILE", "--baud", "0"], "--baud"),
        (["PORT", "FILE", "--chunk", "0"], "--chunk"),
        (["PORT", "FILE", "--retries", "3"], "without --idle-timeout"),
        (["PORT", "FILE", "FILE"], "unexpected extra argument"),
        (["PORT", "FILE", "--colour"], "No such option"),
        ([], "Missing argument"),
    ],
)
def test_bad_input_is_2_and_says_what(program, line, firmware, words, says):
    words = [{"PORT": line.port, "FILE": str(firmware)}.get(word, word) for word in words]
    code, out, err = program.run("write", *words)
    assert (code, out) == (2, "")
    assert says.lower() in " ".join(err.replace("│", " ").split()).lower()
    assert line.counters == (0, 0)


def test_a_port_in_use_is_2(program, line, firmware):
    with SerialPort(line.port):
        code, _, err = program.run("write", line.port, firmware)
    assert code == 2
    assert "is in use by " in err


@pytest.mark.parametrize("words", [["nowhere.bin"], ["FILE", "--resume-from", SIZE + 1]])
def test_bad_input_leaves_the_port_alone(program, line, firmware, words):
    """Opening a port can reset the device behind it: the port is held here, and yet it is not what is named."""
    words = [str(firmware) if word == "FILE" else word for word in words]
    with SerialPort(line.port):
        code, _, err = program.run("write", line.port, *words)
    assert code == 2
    assert "in use" not in err


@pytest.mark.skipif(os.geteuid() == 0, reason="root may open everything")
def test_a_file_that_may_not_be_read_is_2(program, line, firmware):
    firmware.chmod(0)
    code, _, err = program.run("write", line.port, firmware)
    assert code == 2
    assert "Permission denied" in err


def test_standard_input_shorter_than_the_resume_is_2(program, line):
    code, _, err = program.run(
        shell=f"printf 12345 | {' '.join(program.words)} write {line.port} --resume-from 6",
    )
    assert code == 2
    assert "--resume-from 6 is beyond the end: standard input has 5 bytes" in err
    assert line.counters == (0, 0)


@pytest.mark.parametrize("from_the_end", [0, 1])
def test_resume_from_the_very_end(program, line, device, firmware, from_the_end):
    code, _, _ = program.run("write", line.port, firmware, "--resume-from", SIZE - from_the_end)
    assert code == 0
    assert everything(device) == firmware.read_bytes()[SIZE - from_the_end :]


@pytest.mark.parametrize("name", ["-", "/dev/null", "empty"])
def test_nothing_to_write_is_written(program, line, device, tmp_path, name):
    (tmp_path / "empty").touch()
    code, out, _ = program.run("write", line.port, name)
    assert code == 0
    assert out.startswith("0 bytes accepted")


def test_standard_input_that_comes_in_bits(program, line, device):
    process = program.start("write", line.port, "--json", stdin=subprocess.PIPE)
    for word in ("one ", "two ", "three"):
        process.stdin.write(word)
        process.stdin.flush()
        assert receive(device, len(word)) == word.encode()
    code, out, _ = program.end(process)
    assert code == 0
    assert (report(out)["accepted"], report(out)["size"], report(out)["remaining"]) == (13, 13, 0)


def test_a_signal_ends_a_wait_for_input(program, line, device):
    process = program.start("write", line.port, stdin=subprocess.PIPE)
    process.stdin.write("hello")
    process.stdin.flush()
    assert receive(device, 5) == b"hello"
    process.terminate()
    assert process.wait(timeout=60) == 143
    assert "interrupted: 5 bytes accepted" in process.stderr.read()


def test_a_huge_file_is_positioned_in_and_not_read_through(program, line, device, tmp_path):
    size, tail = 1 << 40, b"the end"
    with (tmp_path / "huge").open("wb") as file:
        file.seek(size - len(tail))
        file.write(tail)
    code, out, _ = program.run("write", line.port, "huge", "--resume-from", size - len(tail), "--json")
    assert code == 0
    assert report(out)["size"] == size
    assert everything(device) == tail


def test_a_big_file_does_not_fill_the_memory(program, line, device, tmp_path):
    size = 48 << 20
    with (tmp_path / "big").open("wb") as file:
        file.truncate(size)
    process = program.start("write", line.port, "big")
    left = size
    while left:
        left -= len(receive(device, min(left, 1 << 20)))
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    small = program.start("--version")
    small.stdout.read()
    _, _, floor = os.wait4(small.pid, 0)
    small.returncode = 0
    assert process.returncode == 0
    assert (usage.ru_maxrss - floor.ru_maxrss) * 1024 < size / 3


def test_a_file_that_shrinks_meanwhile_is_said(program, line, device, firmware):
    process = program.start("write", line.port, firmware, "--chunk", 1000)
    received = receive(device, 10_000)
    os.truncate(firmware, 100_000)
    received += receive(device, 90_000)
    code, _, err = program.end(process)
    assert code == 2
    assert "became shorter while it was read: 100,000 of 300,000 bytes" in err
    assert received + everything(device) == firmware.read_bytes()


# -- the end is where reading ends, whatever size the file system tells ---------------------------------

PROC = Path("/proc/version")  # has content, and says 0 bytes
SYS = Path("/sys/kernel/mm/transparent_hugepage/enabled")  # has some 24 bytes, and says 4,096
KERNEL_FILES = [
    pytest.param(path, marks=pytest.mark.skipif(not path.exists(), reason=f"needs {path}")) for path in (PROC, SYS)
]


@pytest.mark.skipif(not PROC.exists(), reason=f"needs {PROC}")
def test_size_of_a_kernel_file_is_unknown():
    with Source(str(PROC)) as source:
        assert source.size is None


@pytest.mark.parametrize("path", KERNEL_FILES)
@pytest.mark.parametrize("first", [0, 5])
@pytest.mark.parametrize("by", ["name", "redirection"])
def test_kernel_file_is_written_whole(program, line, device, path, first, by):
    with path.open("rb") as file:
        code, out, err = program.run(
            "write", line.port, path if by == "name" else "-", "--resume-from", first, "--json", stdin=file
        )
    content = path.read_bytes()
    assert (code, err) == (0, "")
    assert everything(device) == content[first:]
    found = report(out)
    assert (found["size"], found["accepted"], found["remaining"]) == (len(content), len(content) - first, 0)


@pytest.mark.parametrize("path", KERNEL_FILES)
def test_resume_beyond_kernel_file_leaves_port_alone(program, line, path):
    size = len(path.read_bytes())
    with SerialPort(line.port):  # held here: it would be refused, if it was opened
        code, _, err = program.run("write", line.port, path, "--resume-from", size + 1)
    assert code == 2
    assert f"--resume-from {size + 1} is beyond the end: the file '{path}' has {size:,} bytes" in err


def test_file_appended_meanwhile_is_written_to_its_end(program, line, device, firmware):
    process = program.start("write", line.port, firmware, "--chunk", 1000, "--json")
    received = receive(device, 10_000)
    with firmware.open("ab") as file:
        file.write(b"more" * 1000)
    received += receive(device, SIZE - 10_000 + 4000)
    code, out, _ = program.end(process)
    assert (code, report(out)["size"], report(out)["remaining"]) == (0, SIZE + 4000, 0)
    assert received + everything(device) == firmware.read_bytes()


def test_fifo_is_written_when_its_writer_comes(program, line, device, tmp_path):
    os.mkfifo(tmp_path / "fifo")
    process = program.start("write", line.port, "fifo")
    with (tmp_path / "fifo").open("wb") as file:  # waits until the program has opened it
        file.write(b"hello")
        file.flush()
        assert receive(device, 5) == b"hello"
        file.write(b" again")
    code, out, _ = program.end(process)
    assert code == 0
    assert out.startswith("11 bytes accepted")
    assert everything(device) == b" again"


def test_sigterm_ends_the_wait_for_a_fifo(program, line, device, tmp_path):
    os.mkfifo(tmp_path / "fifo")
    process = program.start("write", line.port, "fifo", "--json")
    with (tmp_path / "fifo").open("wb") as file:
        file.write(b"hello")
        file.flush()
        assert receive(device, 5) == b"hello"
        process.terminate()
        code, out, _ = program.end(process)
    assert (code, report(out)["outcome"], report(out)["accepted"]) == (143, "interrupted", 5)


def test_terminal_is_written_until_it_ends(program, line, device):
    master, slave = os.openpty()
    tty.setraw(slave)
    process = program.start("write", line.port, os.ttyname(slave))
    os.write(master, b"typed")
    assert receive(device, 5) == b"typed"
    os.close(slave)
    os.close(master)
    code, out, err = program.end(process)
    assert (code, err) == (0, "")
    assert out.startswith("5 bytes accepted")
