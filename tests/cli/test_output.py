"""What is printed never ends the work: full disks, readers and terminals that leave or take nothing, closed streams."""

import contextlib
import io
import json
import os
import pty
import shlex
import signal
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from serialwrite.cli._output import PENDING_MAX_SIZE, Output
from serialwrite.testing import PtyPair

from .conftest import PATIENCE, SIZE, everything, receive, resume_command

full_disk = pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")


def shell(program, *words, redirected, before=""):
    return f"{before} exec {shlex.join([*program.words, *map(str, words)])} {redirected}"


@full_disk
@pytest.mark.parametrize("redirected", [">/dev/full", "2>/dev/full", ">/dev/full 2>&1", ">&-", "2>&-", ">&- 2>&-"])
def test_write_goes_on_when_output_fails(program, line, device, firmware, redirected):
    words = ("write", line.port, firmware, "--idle-timeout", 0.2, "--retries", 1000)
    process = program.start(shell=shell(program, *words, redirected=redirected))
    received = everything(device)  # it stalls, and says so, before the device goes on
    received += receive(device, SIZE - len(received))
    code, out, err = program.end(process)
    assert code == 0
    assert received + everything(device) == firmware.read_bytes()
    assert out.endswith(": all written\n") == (redirected in {"2>/dev/full", "2>&-"})
    assert ("serialwrite: standard output: " in err) == (redirected in {">/dev/full", ">&-"})
    assert err.endswith(": all written\n") == (redirected in {">/dev/full", ">&-"})


@full_disk
@pytest.mark.parametrize("json_", [[], ["--json"]])
def test_timed_out_with_stdout_full_says_count(program, line, device, firmware, json_):
    words = ("write", line.port, firmware, "--idle-timeout", 0.1, *json_)
    code, _, err = program.run(shell=shell(program, *words, redirected=">/dev/full"))
    arrived = len(everything(device))
    assert code == 3
    assert f"{arrived:,} of 300,000 bytes accepted" in err
    assert f"--resume-from {arrived}" in resume_command(err)


@full_disk
def test_json_lost_is_said_on_stderr(program, line, device, tmp_path):
    (tmp_path / "file").write_bytes(b"hello")
    words = ("write", line.port, "file", "--json")
    code, _, err = program.run(shell=shell(program, *words, redirected=">/dev/full"))
    assert code == 0
    assert err.splitlines()[0].startswith("serialwrite: standard output: No space left")
    assert err.splitlines()[1].startswith("serialwrite: 5 bytes accepted")
    assert everything(device) == b"hello"


@pytest.mark.parametrize("ending", ["goes away", "takes nothing"])
def test_write_goes_on_when_terminal(program, line, device, firmware, ending):
    """Takes nothing: as after Ctrl-S."""
    program.env |= {"TERM": "xterm-256color"}
    master, slave = pty.openpty()
    words = ("write", line.port, firmware, "--idle-timeout", 0.01, "--retries", 100_000)
    process = program.start(
        shell=shell(program, *words, redirected="", before="trap '' HUP;"), stdout=slave, stderr=slave
    )
    _read_until(master, b"retry")
    if ending == "goes away":
        os.close(master)
        os.close(slave)
    else:
        _fill(slave)
    received = receive(device, SIZE)
    assert received == firmware.read_bytes()
    if ending == "takes nothing":
        reading = threading.Thread(target=_read_until, args=(master, b"all written\r\n"))
        reading.start()
        assert process.wait(timeout=PATIENCE) == 0
        reading.join(PATIENCE)
        os.close(master)
        os.close(slave)
    assert process.wait(timeout=PATIENCE) == 0


def _read_until(master, words):
    text = b""
    while words not in text:
        text += os.read(master, 65536)
    return text


def _fill(slave):
    """Leave no room in a terminal, so that a program that prints there blocks."""
    end = os.open(os.ttyname(slave), os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY)
    for _ in range(2):
        with contextlib.suppress(BlockingIOError):
            while True:
                os.write(end, b"." * 1000)
        time.sleep(0.3)  # thirty more retries are printed meanwhile
    os.close(end)


@full_disk
@pytest.mark.parametrize("words", [("ports", "--json"), ("probe", "loop://"), ("demo",)], ids=" ".join)
def test_command_that_only_prints_fails_when_it_cannot(program, words):
    code, _, err = program.run(shell=shell(program, *words, redirected=">/dev/full"))
    assert code == 1
    assert err == "serialwrite: standard output: No space left on device; nothing more is printed there\n"


@full_disk
@pytest.mark.parametrize("redirected", [">/dev/full", "2>/dev/full", ">/dev/full 2>&1"])
def test_loopback_verdict_stands_when_output_fails(program, redirected):
    words = ("loopback", "--bytes", 5000, "--no-checks", "--trips", 0)
    code, _, err = program.run(shell=shell(program, *words, redirected=redirected))
    assert code == 0
    assert ("serialwrite: PASS" in err) == (redirected == ">/dev/full")


@full_disk
def test_usage_error_keeps_its_code_when_stderr_is_full(program):
    code, _, _ = program.run(shell=shell(program, "write", "--colour", redirected="2>/dev/full"))
    assert code == 2


@full_disk
def test_rig_stays_up_when_output_fails(program, tmp_path):
    words = ("rig", "pty", "--link", "port", "--link", "peer")
    process = program.start(shell=shell(program, *words, redirected=">/dev/full"))
    assert process.stderr.readline().startswith("serialwrite: standard output: No space left")
    assert (tmp_path / "port").exists()
    process.send_signal(signal.SIGTERM)
    assert program.end(process)[0] == 0


def test_port_does_not_get_the_number_of_closed_stderr(program, line, device, tmp_path):
    """What C code or a crash prints to descriptor 2 would go over the line."""
    script = (
        "import os; from serialwrite.cli import guard_standard_streams as guard; guard(); print(os.open('/', 0) > 2)"
    )
    program.words = [sys.executable, "-c", script]
    assert program.run(shell=shell(program, redirected="2>&- <&-"))[:2] == (0, "True\n")


def test_name_that_stdout_cannot_encode_is_escaped(program, line, device, tmp_path):
    program.env |= {"PYTHONIOENCODING": "ascii"}
    code, out, err = program.run("write", "/dev/gr\u00fc\u00df", tmp_path / "none")
    assert code == 2
    assert "nothing was written" in err
    with PtyPair() as rig:
        code, out, _ = program.run("loopback", *rig, "--bytes", 5000, "--no-checks", "--trips", 0)
    assert code == 0
    assert "\\u2194" in out  # the arrow between the two ports


@full_disk
@pytest.mark.parametrize("name", ["trace.jsonl", "trace.pcapng"])
def test_trace_on_full_disk_is_said_at_the_end(program, line, device, firmware, tmp_path, name):
    (tmp_path / name).symlink_to("/dev/full")
    process = program.start("write", line.port, firmware, "--trace", name, "--json")
    received = receive(device, SIZE)
    code, out, err = program.end(process)
    assert (code, json.loads(out)["outcome"]) == (0, "complete")
    assert err == f"serialwrite: --trace {name}: No space left on device; the trace is not whole\n"
    assert received == firmware.read_bytes()


def test_terminal_that_takes_nothing_is_given_up_and_named():
    writer, said = SimpleNamespace(pending=PENDING_MAX_SIZE + 1), io.StringIO()
    output = Output(sys.stdout, "standard output", writer, said)
    assert output.write(b"lost") == 4
    assert (output.failed, "standard output: it takes nothing" in said.getvalue()) == (True, True)


def test_output_that_blocks_is_waited_for_and_gets_every_byte():
    class Counted(io.FileIO):
        tries = 0

        def write(self, data):
            self.tries += 1
            return super().write(data)

    reader, near = os.pipe()
    os.set_blocking(near, False)
    data, got = os.urandom(300_000), bytearray()
    with Counted(near, "w") as raw, os.fdopen(reader, "rb", buffering=0) as far:
        writing = threading.Thread(target=Output(SimpleNamespace(buffer=raw), "a pipe", None).write_now, args=(data,))
        writing.start()
        time.sleep(0.2)  # it is full by then, and waits
        while len(got) < len(data):
            got += far.read(1 << 16)
        writing.join(PATIENCE)
        assert (bytes(got), raw.tries < 1000) == (data, True)
