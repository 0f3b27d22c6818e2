"""`serialwrite write --json`: one object with all the counts, whatever the ending."""

import subprocess

import pytest

from .conftest import SIZE, everything, receive, report, resume_command

FIELDS = {
    "outcome", "exit_code", "port", "file", "size", "resume_from", "accepted", "unsent", "offset", "remaining",
    "timeouts", "seconds", "bytes_per_second", "error", "stall", "resume",
}  # fmt: skip


def test_complete(program, line, device, firmware):
    process = program.start("write", line.port, firmware, "--json", "--resume-from", 100_000)
    receive(device, SIZE - 100_000)
    code, out, err = program.end(process)
    found = report(out)
    assert (code, err) == (0, "")
    assert found.keys() == FIELDS
    assert found.pop("seconds") > 0
    assert found.pop("bytes_per_second") > 0
    assert found == {
        "outcome": "complete", "exit_code": 0, "port": line.port, "file": str(firmware), "size": SIZE,
        "resume_from": 100_000, "accepted": 200_000, "unsent": None, "offset": SIZE, "remaining": 0,
        "timeouts": 0, "error": None, "stall": None, "resume": None,
    }  # fmt: skip


@pytest.mark.parametrize("ending", ["timed out", "disconnected", "interrupted"])
def test_ended_early(program, line, device, firmware, ending):
    timeout = ["--idle-timeout", 0.3] if ending == "timed out" else []
    process = program.start("write", line.port, firmware, "--json", "--resume-from", 1000, *timeout)
    arrived = len(receive(device, 50_000))
    if ending == "disconnected":
        line.hang_up("port")
    elif ending == "interrupted":
        process.send_signal(2)
    code, out, err = program.end(process)
    arrived += len(everything(device))
    found = report(out)
    assert found.keys() == FIELDS
    assert (found["outcome"], found["exit_code"]) == (ending, code)
    assert (found["accepted"], found["offset"]) == (arrived, 1000 + arrived)
    assert found["remaining"] == SIZE - 1000 - arrived
    assert found["timeouts"] == (ending == "timed out")
    assert found["stall"] == ("peer not reading" if ending == "timed out" else None)
    assert found["resume"] == resume_command(err)


def test_not_started(program, line):
    code, out, err = program.run("write", line.port, "nowhere.bin", "--json")
    found = report(out)
    assert (code, found["exit_code"], found["outcome"], found["accepted"]) == (2, 2, "not started", 0)
    assert found["error"] in err
    assert (found["size"], found["remaining"], found["resume"]) == (None, None, None)


def test_the_size_of_a_pipe_is_not_known_before_its_end(program, line, device):
    shell = f"(printf 12345; exec cat) | {' '.join(program.words)} write {line.port} --json"
    process = program.start(shell=shell, stdin=subprocess.PIPE)
    receive(device, 5)
    line.hang_up("port")
    process.stdin.write("6")
    code, out, _ = program.end(process)
    found = report(out)
    assert code == 4
    assert (found["accepted"], found["size"], found["remaining"]) == (5, None, None)
