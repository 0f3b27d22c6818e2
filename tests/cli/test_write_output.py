"""`serialwrite write`: a bar on a terminal, plain lines in a pipe, and neither stops the write."""

import contextlib
import fcntl
import os
import pty
import re
import struct
import subprocess
import termios
import threading

import pytest

from serialwrite.cli import _write_progress as _progress

from .conftest import SIZE, everything, receive

CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Terminal:
    """A terminal that a program runs on, and all that it was sent."""

    def __init__(self, columns):
        self._master, self.slave = pty.openpty()
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        self._text = bytearray()
        self._changed = threading.Condition()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self):
        with contextlib.suppress(OSError):  # EIO: nobody has the other end any more
            while data := os.read(self._master, 65536):
                with self._changed:
                    self._text += data
                    self._changed.notify_all()

    @property
    def text(self):
        return self._text.decode()

    @property
    def rows(self):
        """All rows that were ever drawn."""
        return [row for row in re.split(r"[\r\n]+", CONTROL.sub("", self.text)) if row.strip()]

    def wait_for(self, words):
        with self._changed:
            assert self._changed.wait_for(lambda: words in CONTROL.sub("", self.text), timeout=30), self.text

    def close(self):
        os.close(self.slave)
        self._reader.join()
        os.close(self._master)


@pytest.fixture(params=[60, 100])
def terminal(request, program):
    program.env |= {"TERM": "xterm-256color"}
    program.env.pop("NO_COLOR", None)
    terminal = Terminal(request.param)
    terminal.columns = request.param
    yield terminal
    terminal.close()


def test_a_bar_on_a_terminal(program, line, device, firmware, terminal):
    both = {"stdout": terminal.slave, "stderr": terminal.slave}
    process = program.start("write", line.port, firmware, "--idle-timeout", 3, **both)
    receive(device, 50_000)
    terminal.wait_for("stalled 1 s")
    assert process.wait(timeout=60) == 3
    terminal.wait_for("--resume-from")
    bars = [row for row in terminal.rows if "━" in row]
    assert bars
    assert all(len(row) <= terminal.columns for row in bars)
    accepted = int(re.search(r"--resume-from (\d+)", "".join(terminal.rows[-2:]))[1])
    assert f" {accepted / SIZE * 100:.0f} % " in bars[-1]
    assert ("of 300.0 kB" in terminal.text) == (terminal.columns >= 80)
    assert any(row.startswith("serialwrite: timed out (peer not reading)") for row in terminal.rows)


def test_a_bar_for_input_of_unknown_size(program, line, device, terminal):
    both = {"stdout": terminal.slave, "stderr": terminal.slave}
    process = program.start("write", line.port, stdin=subprocess.PIPE, **both)
    process.stdin.write("x" * 10_000)
    process.stdin.flush()
    receive(device, 10_000)
    terminal.wait_for("10.0 kB")
    process.stdin.close()
    assert process.wait(timeout=60) == 0
    terminal.wait_for("10,000 bytes accepted")
    assert "%" not in terminal.text


def test_bar_says_that_it_waits_for_input(program, line, device, terminal):
    both = {"stdout": terminal.slave, "stderr": terminal.slave}
    process = program.start("write", line.port, stdin=subprocess.PIPE, **both)
    terminal.wait_for("waiting for input")
    process.stdin.write("x" * 100)
    process.stdin.close()
    assert process.wait(timeout=60) == 0
    assert "stalled" not in terminal.text
    assert len(receive(device, 100)) == 100


def test_json_leaves_the_bar_to_stderr(program, line, device, firmware, terminal):
    process = program.start("write", line.port, firmware, "--json", stderr=terminal.slave)
    terminal.wait_for("━")
    receive(device, SIZE)
    out, _ = process.communicate(timeout=60)
    assert "\x1b" not in out
    assert out.startswith('{"outcome": "complete"')


def test_plain_lines_in_a_pipe(program, line, device, firmware):
    program.env |= {"TERM": "xterm-256color"}
    process = program.start("write", line.port, firmware, "--idle-timeout", "0.3", "--retries", "1")
    received = receive(device, 50_000)
    code, out, err = program.end(process)
    received += everything(device)
    assert code == 3
    for text in (out, err):
        assert "\x1b" not in text
        assert "\r" not in text
        assert "━" not in text
    (complaint, todo, command) = err.splitlines()
    assert complaint.startswith("serialwrite: timed out")
    assert todo == "to write the rest:"
    assert len(command) > 80  # and yet in one piece


def test_a_line_every_few_seconds(capsys, monkeypatch):
    now = 100.0
    monkeypatch.setattr(_progress.time, "monotonic", lambda: now)
    lines = _progress.ProgressLines(total=1_000_000, first=0)
    for second in range(12):
        now = 100.0 + second
        lines.advanced(second * 10_000)
    assert capsys.readouterr().out.splitlines() == [
        "50,000 of 1,000,000 bytes accepted (5%), 10.0 kB/s, 1:35 left",
        "100,000 of 1,000,000 bytes accepted (10%), 10.0 kB/s, 1:30 left",
    ]


def test_a_reader_that_goes_away_does_not_stop_the_write(program, line, device, firmware):
    process = program.start("write", line.port, firmware, "--idle-timeout", 0.1, "--retries", 1000)
    assert process.stdout.readline().startswith("no byte accepted")
    process.stdout.close()
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(timeout=0.5)  # several lines into the closed pipe later, it still writes
    assert receive(device, SIZE) == firmware.read_bytes()
    assert process.wait(timeout=60) == 0
    assert process.stderr.read() == ""
