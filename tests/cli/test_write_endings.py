"""`serialwrite write`: every ending, its exit code, and a count that is what the far end got."""

import os
import re
import select
import shlex
import signal
import subprocess
import time

import pytest

from .conftest import SIZE, everything, receive, report, resume_command


def test_all_written_is_0(program, line, device, firmware):
    process = program.start("write", line.port, firmware, "--idle-timeout", 30)
    received = receive(device, SIZE)
    code, out, err = program.end(process)
    assert (code, err) == (0, "")
    assert out.splitlines()[-1].startswith("300,000 bytes accepted in ")
    assert out.endswith(": all written\n")
    assert received + everything(device) == firmware.read_bytes()


def test_timed_out_is_3_and_counts_what_the_device_got(program, line, device, firmware):
    process = program.start("write", line.port, firmware, "--idle-timeout", 0.3)
    received = receive(device, 50_000)
    code, out, err = program.end(process)
    received += everything(device)
    assert (code, out) == (3, "")
    assert f"timed out (peer not reading): {len(received):,} of 300,000 bytes accepted" in err
    assert f"--resume-from {len(received)}" in resume_command(err)
    assert firmware.read_bytes().startswith(received)


def test_a_slow_port_has_not_timed_out(program, line, device, firmware):
    """The time allowed counts from the last accepted byte: in all, this write takes longer than its timeout."""
    timeout = 2
    process = program.start("write", line.port, firmware, "--idle-timeout", timeout, "--chunk", SIZE, "--json")
    received = b""
    while len(received) < SIZE:
        time.sleep(0.1)  # the device is that slow
        received += receive(device, min(10_000, SIZE - len(received)))
    code, out, _ = program.end(process)
    assert (code, report(out)["timeouts"]) == (0, 0)
    assert report(out)["seconds"] > timeout
    assert received == firmware.read_bytes()


def test_retries_resume_by_themselves(program, line, device, firmware):
    process = program.start("write", line.port, firmware, "--idle-timeout", 0.2, "--retries", 1000)
    lines = [process.stdout.readline() for _ in range(3)]  # three timeouts long, the device reads nothing
    received = receive(device, SIZE)
    code, _, err = program.end(process)
    assert (code, err) == (0, "")
    for retry, line_ in enumerate(lines, 1):
        assert re.fullmatch(
            rf"no byte accepted for 0\.\d\d s \(peer not reading\): resuming at byte [\d,]+, retry {retry}\n", line_
        )
    assert received + everything(device) == firmware.read_bytes()


def test_retries_run_out(program, line, device, firmware):
    code, out, err = program.run("write", line.port, firmware, "--idle-timeout", 0.1, "--retries", 2)
    assert code == 3
    assert len(out.splitlines()) == 2
    assert f"{len(everything(device)):,} of 300,000 bytes accepted" in err


def test_unplugged_is_4_and_counts_what_the_device_got(program, line, device, firmware):
    process = program.start("write", line.port, firmware)
    received = receive(device, 50_000)
    line.hang_up("port")
    code, out, err = program.end(process)
    received += everything(device)
    assert (code, out) == (4, "")
    assert f"disconnected (Input/output error): {len(received):,} of 300,000 bytes accepted" in err
    assert f"--resume-from {len(received)}" in resume_command(err)
    assert firmware.read_bytes().startswith(received)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signal_exits_with_128_plus_its_number_and_the_count(program, line, device, firmware, number):
    process = program.start("write", line.port, firmware)
    received = receive(device, 50_000)
    process.send_signal(number)
    code, out, err = program.end(process)
    received += everything(device)
    assert (code, out) == (128 + number, "")
    assert f"interrupted: {len(received):,} of 300,000 bytes accepted" in err
    assert f"--resume-from {len(received)}" in resume_command(err)
    assert firmware.read_bytes().startswith(received)


def test_a_signal_that_was_ignored_stays_so(program, line, device, firmware):
    """Under nohup, SIGHUP is to be survived."""
    command = shlex.join([*program.words, "write", line.port, firmware.name])
    process = program.start(shell=f"trap '' HUP; exec {command}")
    received = receive(device, 50_000)
    process.send_signal(signal.SIGHUP)
    received += receive(device, SIZE - 50_000)
    assert program.end(process)[0] == 0
    assert received == firmware.read_bytes()


def test_whole_timeout_ends_a_write_that_moves(program, line, device, firmware):
    process = program.start("write", line.port, firmware, "--idle-timeout", 30, "--retries", 9, "--timeout", 1.5)
    received = b""
    while process.poll() is None:  # never idle for long
        received += receive_some(device)
    code, _, err = program.end(process)
    received += everything(device)
    assert code == 3
    assert "timed out (--timeout 1.5 s" in err
    assert f": {len(received):,} of 300,000 bytes accepted" in err
    assert "--idle-timeout 30 --timeout 1.5 --retries 9" in resume_command(err)
    assert firmware.read_bytes().startswith(received)


def receive_some(device):
    """A little, if something comes soon."""
    time.sleep(0.05)  # the device is that slow
    return os.read(device.fileno(), 500) if select.select([device], [], [], 0.1)[0] else b""


def test_waiting_for_input_counts_for_no_timeout(program, line, device):
    process = program.start("write", line.port, "--json", "--timeout", 2, "--idle-timeout", 2, stdin=subprocess.PIPE)
    for word in ("one", "two"):
        process.stdin.write(word)
        process.stdin.flush()
        assert receive(device, 3) == word.encode()
        time.sleep(2.5)  # the time has to pass
    code, out, _ = program.end(process)
    assert (code, report(out)["accepted"]) == (0, 6)
