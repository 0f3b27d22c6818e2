"""`serialwrite ports`: told from /sys and /proc, and no port is opened for it."""

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from serial.tools import list_ports

import serialwrite as sw
from serialwrite.cli import _line_options, _ports
from serialwrite.streams.serial import _holders
from serialwrite.testing import PtyPair

ADAPTER = {
    "description": "USB Serial <evil>\x1b[31m",
    "vid": 0x0403,
    "pid": 0x6001,
    "serial_number": "A5XK3RJT",
}


@pytest.fixture
def adapter(monkeypatch, tmp_path):
    """One USB adapter, as pyserial and /sys tell of it; its device is a pty."""
    with PtyPair() as rig:
        name = Path(rig.port).name
        (tmp_path / "tty" / name).mkdir(parents=True)
        (tmp_path / "tty" / name / "flags").write_text("0x10002000\n")
        (tmp_path / "tty" / name / "closing_wait").write_text("3000\n")
        (tmp_path / "by-id").mkdir()
        (tmp_path / "by-id" / "usb-FTDI_A5XK3RJT-if00-port0").symlink_to(rig.port)
        monkeypatch.setattr(_ports, "TTYS", tmp_path / "tty")
        monkeypatch.setattr(_ports, "BY_ID", tmp_path / "by-id")
        port = SimpleNamespace(device=rig.port, **ADAPTER)
        monkeypatch.setattr(list_ports, "comports", lambda: [port])
        yield rig


def test_json(adapter, capfd, tmp_path):
    _ports.ports(json=True)
    (port,) = json.loads(capfd.readouterr().out)
    assert port == {
        "device": adapter.port,
        "by_id": str(tmp_path / "by-id" / "usb-FTDI_A5XK3RJT-if00-port0"),
        "description": ADAPTER["description"],
        "usb": "0403:6001",
        "serial_number": "A5XK3RJT",
        "driver": "pty (a pseudo-terminal)",
        "held_by": [],
        "latency_timer": None,
        "low_latency": True,
        "closing_wait": "30 s",
    }


def test_a_table_with_nothing_in_it_that_a_terminal_would_obey(adapter, capfd):
    _ports.ports(json=False)
    head, row = capfd.readouterr().out.splitlines()
    assert head.split() == ["port", "what", "usb", "driver", "held", "by", "latency", "closing_wait"]
    assert adapter.port in row
    assert "\x1b" not in row
    for words in ("usb-FTDI_A5XK3RJT-if00-port0", "0403:6001", "low", "30 s"):
        assert words in row


def test_whoever_holds_it_is_named_and_it_is_not_opened(adapter, program, capfd, monkeypatch):
    monkeypatch.setattr(sw, "SerialPort", lambda *_: pytest.fail("it was opened"))
    process = program.start(shell=f"exec sleep 60 < {adapter.port}")
    try:
        for _ in range(1000):
            _ports.ports(json=True)
            (port,) = json.loads(capfd.readouterr().out)
            if port["held_by"]:
                break
        assert port["held_by"] == [f"sleep (process {process.pid})"]
    finally:
        process.kill()


def test_whoever_has_locked_it_is_named_to_any_user(adapter, program, capfd, monkeypatch):
    monkeypatch.setattr(_holders, "_targets", lambda _: [])  # as of another user's processes
    code = f"import serialwrite; port = serialwrite.SerialPort({adapter.port!r}); print(flush=True); input()"
    process = program.start(shell=f'exec {sys.executable} -c "{code}"', stdin=subprocess.PIPE)
    process.stdout.readline()
    _ports.ports(json=True)
    (port,) = json.loads(capfd.readouterr().out)
    assert [each.split(" ", 1)[1] for each in port["held_by"]] == [f"(process {process.pid})"]
    program.end(process)


def test_no_ports(monkeypatch, capfd):
    monkeypatch.setattr(list_ports, "comports", list)
    _ports.ports(json=True)
    assert capfd.readouterr().out == "[]\n"
    _ports.ports(json=False)
    assert "no serial port was found" in capfd.readouterr().out


def test_as_users_run_it(program):
    code, out, err = program.run("ports", "--json")
    assert (code, err) == (0, "")
    assert isinstance(json.loads(out), list)


def test_completion_offers_the_ports_that_begin_so(adapter):
    assert _line_options.known_ports(adapter.port[:6]) == [adapter.port]
    assert _line_options.known_ports("/dev/no") == []
