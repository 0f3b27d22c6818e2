"""`serialwrite read` as users start it: exact bytes, endings and their exit codes, files and summaries."""

import json
import random
import select
import signal
import threading
import time
from pathlib import Path

import pytest

from serialwrite import testing
from serialwrite.testing import send

from .conftest import PATIENCE, report

DATA = b"\x01" + random.Random(5).randbytes(300_000)


def begun(process, device):
    """Send zeros until the first is printed: opening a port drops what had come before."""
    until = time.monotonic() + PATIENCE
    while not select.select([process.stdout], [], [], 0.05)[0]:
        assert time.monotonic() < until
        send(device, b"\0")
    return process.stdout.read1(1 << 20)


def start(program, line, device, *words):
    process = program.start("read", line.port, *words, text=False)
    return process, begun(process, device)


def test_every_byte_is_out_at_ctrl_c(program, line, device):
    process, got = start(program, line, device)
    send(device, DATA)
    while len(got.lstrip(b"\0")) < len(DATA):
        got += process.stdout.read1(1 << 20)
    process.send_signal(signal.SIGINT)
    rest, err = process.communicate(timeout=PATIENCE)
    assert (got + rest).lstrip(b"\0") == DATA
    assert process.returncode == 130
    assert err.decode().startswith(f"serialwrite: interrupted: {len(got):,} bytes read in ")


def test_reader_that_lags_gets_every_byte(program, line, device):
    """What it does not take stays in the port, and is not kept in memory without bound."""
    process, got = start(program, line, device)
    data = DATA * 6
    thread = threading.Thread(target=testing.send, args=(device, data, PATIENCE))
    thread.start()
    thread.join(0.5)
    assert thread.is_alive()
    pieces = [got.lstrip(b"\0")]
    while sum(map(len, pieces)) < len(data):
        piece = process.stdout.read1(1 << 20)
        pieces.append(piece if pieces[-1] else piece.lstrip(b"\0"))
    thread.join(PATIENCE)
    assert b"".join(pieces) == data
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=PATIENCE)
    assert process.returncode == 128 + signal.SIGTERM


def test_until_pattern_is_0(program, line, device):
    process, got = start(program, line, device, "--until", "login: |=> ", "--json")
    send(device, b"boot\r\nlogin: surplus")
    out, err = process.communicate(timeout=PATIENCE)
    assert (got + out).lstrip(b"\0") == b"boot\r\nlogin: "
    summary = json.loads(err)
    assert (process.returncode, summary["outcome"], summary["ended_by"]) == (0, "complete", "until")
    assert summary["read"] == len(got + out)
    assert summary["surplus"] <= len("surplus")


def test_file_gets_the_bytes_and_stdout_the_summary(program, line, device, tmp_path):
    path = tmp_path / "log"
    path.write_bytes(b"of yesterday")
    process = program.start("read", line.port, "-o", path, "--lines", 2, "--json")
    while not path.read_bytes().startswith(b"\0"):
        assert process.poll() is None
        send(device, b"\0")
        time.sleep(0.02)
    send(device, b"one\r\ntwo\r\n")
    code, out, err = program.end(process)
    assert (code, err) == (0, "")
    assert path.read_bytes().lstrip(b"\0") == b"one\r\ntwo\r\n"
    assert report(out)["read"] == path.stat().st_size
    assert report(out)["ended_by"] == "lines"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--idle-timeout", 0.1], "timed out (no byte for 0.1 s): 0 bytes read"),
        (["--timeout", 0.1, "--lines", 1], "timed out (--timeout 0.1 s): 0 bytes read"),
    ],
)
def test_timeout_is_3(program, line, words, said):
    code, out, err = program.run("read", line.port, *words)
    assert (code, out) == (3, "")
    assert said in err


def test_seconds_are_0(program, line):
    assert program.run("read", line.port, "--seconds", 0.1) == (0, "", "")


def test_hang_up_is_4(program, line, device):
    process, _ = start(program, line, device)
    line.hang_up("port")
    _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 4
    assert b"serialwrite: disconnected" in err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["/dev/nowhere"], "nothing was read: port '/dev/nowhere' does not exist"),
        (["PORT", "-o", "no/such/folder"], "nothing was read: "),
        (["PORT", "--until", "("], "is not a regular expression"),
        (["PORT", "--until", "x*"], "matches without a byte"),
        (["PORT", "--bytes", 0], "--bytes"),
        (["PORT", "--timeout", -1], "pass seconds, 0 or more"),
        (["PORT", "-o", "PORT"], "it would overwrite"),
    ],
)
def test_bad_usage_is_2(program, line, words, said):
    code, out, err = program.run("read", *(line.port if word == "PORT" else word for word in words))
    assert (code, out) == (2, "")
    assert said in err


def test_port_that_cannot_be_opened_leaves_the_file(program, tmp_path):
    (tmp_path / "log").write_text("of yesterday")
    code, _, _ = program.run("read", "/dev/nowhere", "-o", "log")
    assert code == 2
    assert (tmp_path / "log").read_text() == "of yesterday"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_full_disk_is_1(program, line, device):
    process = program.start("read", line.port, "-o", "/dev/full")
    while process.poll() is None:
        send(device, b"x")
        time.sleep(0.02)
    code, _, err = program.end(process)
    assert code == 1
    assert "serialwrite: the file '/dev/full': No space left on device" in err


def test_reader_that_leaves_is_0(program, line, device):
    process, _ = start(program, line, device)
    process.stdout.close()
    until = time.monotonic() + PATIENCE
    while process.poll() is None:
        assert time.monotonic() < until
        send(device, b"x")
        time.sleep(0.02)
    assert (process.returncode, process.stderr.read()) == (0, b"")


def test_trace_to_stderr_shows_the_bytes(program, line, device):
    process, got = start(program, line, device, "--until", "END", "--trace", "-")
    send(device, b"hello END")
    out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0
    assert (got + out).endswith(b"hello END")
    assert b"read 9 of 65,536 bytes in " in err
    assert b"  68 65 6c 6c 6f 20 45 4e 44                       hello END\n" in err
