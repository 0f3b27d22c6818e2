"""`serialwrite write`, and how it goes over the line: gaps, prompts, traces, flow control, what becomes of the queue."""

import json
import shlex
import signal
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

import serialwrite as sw
from serialwrite.cli._app import app
from serialwrite.testing import receive_available, send

from .conftest import PATIENCE, everything, receive, report, resume_command

TEXT = "G28\nG1 X10\nM84\n"


@pytest.fixture
def script(tmp_path):
    path = tmp_path / "program.gcode"
    path.write_text(TEXT)
    return path


@pytest.mark.parametrize(
    ("options", "at_least"), [(["--char-delay", 0.02], 13 * 0.02), (["--line-delay", 0.2], 2 * 0.2)]
)
def test_delays(program, line, device, script, options, at_least):
    code, out, _ = program.run("write", line.port, script, *options, "--idle-timeout", 0.15, "--json")
    assert (code, report(out)["accepted"]) == (0, len(TEXT))
    assert report(out)["seconds"] >= at_least
    assert receive_available(device) == TEXT.encode()


def test_a_prompt_before_each_further_line(program, line, device, script):
    process = program.start("write", line.port, script, "--wait-for", "ok> ")
    for each in TEXT.splitlines(keepends=True)[:-1]:
        assert receive(device, len(each)).decode() == each
        assert receive_available(device) == b""  # not a byte of the next line
        send(device, b"did it\r\nok> ")
    code, out, err = program.end(process)
    assert (code, err) == (0, "device: did it\ndevice: ok> did it\ndevice: ok> \n")
    assert f"{len(TEXT)} bytes accepted" in out


def test_a_prompt_before_the_first_line_and_what_is_said_instead(program, line, device, script):
    process = program.start("write", line.port, script, "--wait-for", "ok> ", "--wait-first", "--json")
    while not receive_available(device, quiet=0.2):  # opening the port drops what had come before
        assert process.poll() is None
        send(device, b"\x1b[2Jbooting\xff\r\nok> ")
    send(device, b"ERROR: no such tool\r\nlogin: ")
    assert receive_available(device) == b""  # nothing has answered the first line
    process.send_signal(signal.SIGINT)
    code, out, err = program.end(process)
    assert (code, report(out)["accepted"]) == (130, 4)
    said, _, complaint = err.partition("device: login: \n")
    assert "device: \\x1b[2Jbooting\\xff\ndevice: ok> " in said
    assert said.endswith("ERROR: no such tool\n")
    assert "--wait-first" in resume_command(complaint)


def test_a_prompt_that_does_not_come(program, line, device, script):
    code, _, err = program.run("write", line.port, script, "--wait-for", "ok> ", "--idle-timeout", 0.2)
    assert code == 3
    assert "timed out (no prompt b'ok> '): 4 of 15 bytes accepted" in err
    assert "--wait-for 'ok> '" in resume_command(err)
    assert "--resume-from 4" in resume_command(err)
    first = everything(device)
    process = program.start(shell=resume_command(err).replace("--wait-for 'ok> '", ""))
    code, _, _ = program.end(process)
    assert code == 0
    assert first + everything(device) == TEXT.encode()


def test_a_trace(program, line, device, script, tmp_path):
    code, _, _ = program.run("write", line.port, script, "--trace", tmp_path / "trace.jsonl", "--line-delay", 0.01)
    assert code == 0
    events = [json.loads(each) for each in (tmp_path / "trace.jsonl").read_text().splitlines()]
    assert [bytes.fromhex(event["data"]).decode() for event in events] == TEXT.splitlines(keepends=True)
    assert receive_available(device) == TEXT.encode()
    code, _, _ = program.run("write", line.port, script, "--trace", tmp_path / "trace.pcapng")
    assert code == 0
    assert (tmp_path / "trace.pcapng").read_bytes().startswith(b"\x0a\x0d\x0d\x0a")
    code, _, err = program.run("write", line.port, script, "--trace", tmp_path / "no" / "folder")
    assert code == 2
    assert "nothing was written" in err


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_trace_on_a_full_disk_is_said_and_the_write_goes_on(program, line, device, script):
    code, out, err = program.run("write", line.port, script, "--trace", "/dev/full", "--line-delay", 0.01)
    assert (code, err) == (0, "serialwrite: --trace /dev/full: No space left on device; the trace is not whole\n")
    assert f"{len(TEXT)} bytes accepted" in out
    assert receive_available(device) == TEXT.encode()


@pytest.mark.parametrize("which", ["the file", "the port", "another name of the file"])
def test_a_trace_that_would_overwrite_what_is_written(program, line, device, script, tmp_path, which):
    (tmp_path / "link").symlink_to(script)
    trace = {"the file": script, "the port": line.port, "another name of the file": tmp_path / "link"}[which]
    code, _, err = program.run("write", line.port, script, "--trace", trace)
    assert code == 2
    assert "--trace" in err
    assert "pass another file" in " ".join(err.replace("│", " ").split())
    assert script.read_text() == TEXT
    assert receive_available(device) == b""


def test_rs485_where_nothing_can_switch_rts(program, script):
    code, _, err = program.run("write", "loop://", script, "--rs485")
    assert code == 2
    assert "does not report what has left its queue" in err


def test_flow_control_is_set(program, line, device, tmp_path):
    """A pty heeds XON/XOFF."""
    size = 300_000  # ten times what the line holds
    (tmp_path / "text").write_text("x" * size)
    process = program.start("write", line.port, tmp_path / "text", "--flow", "xonxoff")
    receive(device, 100)
    line.stall("peer")  # so that it is not all under way before the XOFF has arrived
    device.write(b"\x13")
    deadline = time.monotonic() + PATIENCE
    while line.counters.peer_to_port < 1:
        assert time.monotonic() < deadline
    line.resume("peer")
    held = receive_available(device, quiet=0.5)
    assert process.poll() is None
    device.write(b"\x11")
    assert 100 + len(held) + len(receive(device, size - 100 - len(held))) == size
    assert program.end(process)[0] == 0


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--drain", "queue"], "--drain queue: the driver of this port does not report it"),
        (["--drain", "shift-register"], "--drain shift-register: the driver of this port does not report it"),
        (["--baud", "12345678901234"], "baudrate=12345678901234: "),
        (["--rs485"], "does not report what has left its queue"),
        (["--rs485", "--flow", "rtscts"], "more than one option switches RTS"),
        (["--rs485", "--no-rts"], "more than one option switches RTS"),
        (["--flow", "rtscts", "--rts"], "--flow rtscts switches RTS"),
        (["--parity", "X"], "'X' is not one of"),
        (["--databits", "9"], "for '--databits'"),
        (["--wait-for", ""], "the prompt is empty"),
        (["--wait-first"], "pass --wait-for, too"),
        (
            ["--char-delay", "-1"],
            "'--char-delay': got -1: pass seconds, 0 or more, or leave the option out for no limit",
        ),
        (
            ["--line-delay", "inf"],
            "'--line-delay': got inf: pass seconds, 0 or more, or leave the option out for no limit",
        ),
        (["--drain", "wire"], "'wire' is not one of"),
        (["--close", "flush"], "'flush' is not one of"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_is_written(program, line, device, script, options, words):
    code, out, err = program.run("write", line.port, script, *options)
    assert (code, out) == (2, "")
    assert words in " ".join(err.replace("│", " ").split())
    assert receive_available(device) == b""


@pytest.mark.parametrize("policy", ["drain", "discard", "abort"])
@pytest.mark.parametrize("drain", ["strongest", "none"])
def test_policies_and_levels_of_a_pty(program, line, device, script, policy, drain):
    code, out, err = program.run("write", line.port, script, "--close", policy, "--drain", drain)
    assert (code, err) == (0, "")
    assert ": all written" in out
    if policy != "discard":  # which a pty obeys
        assert receive_available(device) == TEXT.encode()


def test_failed_write_drops_what_is_queued_a_whole_one_sends_it(line, script, tmp_path, monkeypatch):
    policies, close = [], sw.SerialPort.close

    def noted(port, *policy):
        policies.extend(policy)
        return close(port, *policy)

    monkeypatch.setattr(sw.SerialPort, "close", noted)
    (tmp_path / "big").write_bytes(bytes(300_000))
    for words, code, policy in (([script], 0, "drain"), ([tmp_path / "big", "--timeout", 0.1], 3, "discard")):
        policies.clear()
        assert CliRunner().invoke(app, ["write", line.port, *map(str, words)]).exit_code == code
        assert policies[0] == policy


def test_the_resume_keeps_every_option(program, line, script, tmp_path):
    words = ["--flow", "rtscts", "--char-delay", "0.001", "--line-delay", "0.5", "--drain", "none", "--close", "abort"]
    (tmp_path / "big").write_bytes(bytes(100_000))
    code, _, err = program.run(
        "write",
        line.port,
        tmp_path / "big",
        *words[:2],
        *words[6:],
        "--no-dtr",
        "--stopbits",
        "2",
        "--idle-timeout",
        "0.2",
    )
    assert code == 3
    resume = shlex.split(resume_command(err))
    assert [word for word in [*words[:2], *words[6:], "--no-dtr", "--stopbits", "2"] if word not in resume] == []


def test_over_a_url(program, script):
    started = time.monotonic()
    code, out, err = program.run("write", "loop://", script, "--json")
    assert (code, report(out)["accepted"], err) == (0, len(TEXT), "")
    assert time.monotonic() - started < 30
