"""`serialwrite loopback` as users start it: verdicts, exit codes, and the files it writes."""

import asyncio
import json
import os
import re
import shlex
import signal
import socket
import time
import xml.etree.ElementTree as ET

import pytest

from serialwrite import SerialPort
from serialwrite.cli._loopback import _until_signalled
from serialwrite.testing import PtyPair, SimulatedUart

QUICK = ("--no-checks", "--trips", "0", "--patience", "1")


def test_it_needs_no_hardware_and_passes_with_every_file(program, tmp_path):
    code, out, err = program.run(
        "loopback", "--bytes", 100_000, "--trips", 10, "--junit", "r.xml", "--report", "r.html"
    )
    assert (code, err) == (0, "")
    assert out.startswith("PASS  All 200,000 bytes arrived once, right and in order.\n")
    assert "accounting on this line" in out
    assert "the driver has no modem lines (TIOCMGET)" in out  # skipped, with the reason, and not cut short
    suite = ET.parse(tmp_path / "r.xml").getroot()[0]
    assert (suite.get("failures"), suite.get("errors")) == ("0", "0")
    assert suite[0].get("classname") == "loopback.data"
    page = (tmp_path / "r.html").read_text()
    assert "PASS" in page.upper()
    assert "serialwrite loopback --bytes 100000" in page


def test_two_ports_and_json(program):
    with PtyPair() as rig:
        port, peer = rig
        code, out, _ = program.run("loopback", port, peer, "--bytes", 20_000, *QUICK, "--json")
    result = json.loads(out)
    assert code == 0
    assert result["verdict"] == "pass"
    (run,) = result["runs"]
    assert run["settings"]["ports"] == [port, peer]
    assert [way["account"]["correct"] for way in run["directions"]] == [20_000, 20_000]


def test_a_fault_is_told_and_the_exit_code_is_1(program, tmp_path):
    with SimulatedUart(None, faults="at byte 30_000: flip bit 0") as rig:
        code, out, _ = program.run(
            "loopback", rig.port, rig.peer, "--one-way", "-n", 60_000, *QUICK, "--junit", "r.xml"
        )
    assert code == 1
    assert out.startswith("FAIL  ")
    assert "1 byte corrupted at 30,000 (1 bit flipped)" in out
    failure = ET.parse(tmp_path / "r.xml").getroot().find(".//failure")
    assert "1 byte corrupted" in failure.get("message")


def test_a_port_that_is_not_there_could_not_run(program):
    code, out, _ = program.run("loopback", "/dev/ttyNONE\x1b[31m", "--seconds", "0.1")
    assert code == 2
    assert out.startswith("COULD NOT RUN  ")
    assert "does not exist" in out
    assert "\x1b" not in out
    assert len(out.splitlines()) == 1  # and no table of nothing


def test_settings_not_in_force_are_not_tested(program):
    with PtyPair() as rig:
        code, out, _ = program.run("loopback", rig.port, rig.peer, "-n", 2_000, *QUICK, "--parity", "E")
    assert code == 3
    assert out == (
        "NOT TESTED  port: parity E was asked for, and N is in force; peer: parity E was asked for, and N is in force\n"
    )


def test_no_checks_print_no_table_of_checks(program):
    code, out, _ = program.run("loopback", "--rig", "uart", "-n", 2_000, *QUICK)
    assert code == 0
    assert "Check" not in out
    assert "baud rate" not in out


def test_bad_usage_is_2(program):
    for words in (
        ("--flow", "maybe"),
        ("--pattern", "plaid"),
        ("--sweep", "colour=red"),
        ("--bytes", "5", "--seconds", "5"),
        ("a", "b", "c"),
        ("--rig", "pty", "/dev/ttyNONE"),
    ):
        code, out, err = program.run("loopback", *words)
        assert (code, out) == (2, ""), words
        assert "Traceback" not in err


def test_a_sweep_takes_its_axes_as_the_help_writes_them(program):
    code, out, _ = program.run(
        "loopback", *QUICK, "-n", 5_000, "--sweep", "baud=9600,115200", "flow=none,xonxoff", "--json"
    )
    assert code == 0
    result = json.loads(out)
    assert [axis["name"] for axis in result["axes"]] == ["baud", "flow"]
    assert len(result["runs"]) == 4


@pytest.mark.parametrize("path", ["none/r.html", "/dev/full", "."])
@pytest.mark.parametrize("option", ["--report", "--junit"])
def test_unwritable_file_is_refused_before_the_test(program, option, path):
    code, out, err = program.run("loopback", "--seconds", "600", option, path)
    assert (code, out) == (2, "")
    assert "pass another path" in err


def test_report_on_a_full_disk_fails_and_leaves_no_part(program, tmp_path):
    (tmp_path / "r.html").write_text("the report before")
    words = shlex.join([*program.words, "loopback", *QUICK, "-n", "5000", "--report", "r.html"])
    code, out, err = program.run(shell=f"ulimit -f 1; exec {words}")  # no file beyond 512 bytes
    assert code == 3
    assert out.startswith("PASS")
    assert "'r.html' can't be written: [Errno 27]" in err
    assert (tmp_path / "r.html").read_text() == "the report before"
    assert [path.name for path in tmp_path.iterdir()] == ["r.html"]


def begun(program, rig, *words):
    process = program.start("loopback", rig.port, rig.peer, "--seconds", "600", *words)
    while not rig.counters.port_to_peer:
        assert process.poll() is None
        time.sleep(0.02)
    return process


def test_ctrl_c_shows_what_was_found_and_writes_the_files(program, tmp_path):
    with PtyPair() as rig:
        process = begun(program, rig, "--junit", "r.xml", "--report", "r.html")
        process.send_signal(signal.SIGINT)
        code, out, err = program.end(process)
    assert code == 130
    assert out.startswith("STOPPED  stopped on request; all ")
    assert "arrived once, right and in order" in out
    assert "Ctrl-C again ends at once" in err
    suite = ET.parse(tmp_path / "r.xml").getroot()[0]
    assert suite.get("errors") == "1"  # no pass
    assert "stopped" in (tmp_path / "r.html").read_text()


def test_second_ctrl_c_cancels_a_test_that_goes_on(capsys):
    async def deaf():
        os.kill(os.getpid(), signal.SIGINT)
        await stop.wait()
        os.kill(os.getpid(), signal.SIGINT)
        await asyncio.Event().wait()

    stop = asyncio.Event()
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(asyncio.wait_for(_until_signalled(deaf(), stop, blocked=lambda: False), 60))
    assert "Ctrl-C again ends at once" in capsys.readouterr().err


@pytest.mark.time_limit(60)
def test_ctrl_c_while_a_remote_port_is_opened_stops_it(program):
    """The server accepts, and never speaks RFC 2217: opening holds the loop, and would fail after seconds."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        process = program.start("loopback", f"rfc2217://127.0.0.1:{server.getsockname()[1]}")
        server.settimeout(30)
        with server.accept()[0] as peer:
            assert peer.recv(1)  # it negotiates
            process.send_signal(signal.SIGINT)
            code, out, _ = program.end(process)
    assert code == 130
    assert out == "STOPPED  stopped on request, before anything was sent\n"


def test_ctrl_c_in_the_accounting_keeps_what_was_found(program):
    with SimulatedUart(300, flow_control="none") as rig:
        process = program.start("loopback", rig.port, rig.peer, "-b", 300, "-n", 10, "--trips", 0)
        said = process.stderr.readline()
        assert re.fullmatch(r" about [\d.]+ s at 300 8N1, [\d.]+ s at most\n", said)
        while rig.sent.port_to_peer <= 10:
            assert process.poll() is None
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        code, out, _ = program.end(process)
    assert code == 130
    assert out.startswith("STOPPED  stopped on request; all 20 bytes sent until then arrived once")
    assert "accounting" not in out


def test_probe_asks_to_unplug_and_tells_what_that_gave(program):
    with PtyPair() as rig:
        process = program.start("probe", rig.port, "--unplug", "60")
        assert f"unplug {rig.port} now" in process.stderr.readline()
        rig.hang_up("port")
        code, out, _ = program.end(process)
    assert code == 0
    assert "read end-of-file, write EIO" in out


def test_probe_as_a_table_and_as_json(program):
    with PtyPair() as rig:
        code, out, _ = program.run("probe", rig.port)
        assert code == 0
        assert "pty (a pseudo-terminal)" in out
        code, out, _ = program.run("probe", rig.port, "--measure", "--json")
        assert code == 0
    card = json.loads(out)
    assert card["opened"]
    assert any(fact["name"] == "queue depth" for fact in card["facts"])


def test_probe_of_no_port_says_that_first_and_alone(program):
    code, out, _ = program.run("probe", "/dev/ttyNONE")
    assert code == 2
    port, opening = out.splitlines()
    assert port.split() == ["port", "/dev/ttyNONE"]
    assert opening.startswith("opening")
    assert "'/dev/ttyNONE' does not exist; list the ports with: " in opening


def test_probe_of_busy_port_says_that_before_the_rest(program):
    with PtyPair() as rig, SerialPort(rig.port):
        code, out, _ = program.run("probe", rig.port)
    assert code == 2
    assert [row.split()[0] for row in out.splitlines()[:3]] == ["port", "opening", "driver"]
