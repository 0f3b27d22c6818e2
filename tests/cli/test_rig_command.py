"""`serialwrite rig`: the pair is there while it runs, counted, and gone afterwards, however it ends."""

import os
import shlex
import signal
import sys
from pathlib import Path

import pytest

from serialwrite.cli._console import console
from serialwrite.cli._rig_command import RigView
from serialwrite.testing import SimulatedUart, receive, send
from serialwrite.testing.rigs._rig import open_device

TALK = """
import os, sys
from serialwrite.testing import receive, send
from serialwrite.testing.rigs._rig import open_device
with open_device(os.environ["SERIAL_PORT"]) as port, open_device(os.environ["SERIAL_PEER"]) as peer:
    send(port, b"hello")
    print(receive(peer, 5).decode())
sys.exit(7)
"""


def paths(process):
    """The two paths that it prints first."""
    found = {}
    for name in ("port", "peer"):
        said, path, *_ = process.stdout.readline().split()
        assert said == name
        found[name] = path
    return found["port"], found["peer"]


@pytest.mark.parametrize("kind", ["pty", "socat", "uart"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_pair_is_up_until_it_is_asked_to_end(program, need_tool, kind, number):
    if kind == "socat":
        need_tool("socat")
    process = program.start("rig", kind)
    port, peer = paths(process)
    with open_device(port) as one, open_device(peer) as other:
        send(one, b"hello")
        assert receive(other, 5) == b"hello"
        send(other, b"hi")
        assert receive(one, 2) == b"hi"
    process.send_signal(number)
    code, _, said = program.end(process)
    assert code == 0
    assert said.splitlines()[-1] == (
        "socat carries the bytes, and doesn't count them"
        if kind == "socat"
        else "port -> peer 5 bytes, peer -> port 2 bytes"
    )
    if kind == "uart":  # whose paths nobody else can have by now
        assert not Path(port).parent.exists()


def test_links_are_made_and_taken_away(program, tmp_path):
    process = program.start("rig", "pty", "--link", "left", "--link", "right")
    port, peer = paths(process)
    assert (port, peer) == (str(tmp_path / "left"), str(tmp_path / "right"))
    assert Path(port).resolve().is_char_device()
    process.send_signal(signal.SIGTERM)
    assert program.end(process)[0] == 0
    assert not list(tmp_path.iterdir())


def test_a_name_that_is_taken_stays(program, tmp_path):
    (tmp_path / "left").write_text("mine")
    code, out, said = program.run("rig", "pty", "--link", "left")
    assert (code, out) == (2, "")
    assert "the path exists" in said
    assert (tmp_path / "left").read_text() == "mine"


def test_a_command_has_the_paths_and_its_exit_code_is_passed_on(program):
    code, out, said = program.run("rig", "pty", "--exec", shlex.join([sys.executable, "-c", TALK]))
    assert (code, out) == (7, "hello\n")
    assert "port /dev/pts/" in said
    assert said.splitlines()[-1] == "port -> peer 5 bytes, peer -> port 0 bytes"


def test_a_command_that_a_signal_ends(program):
    code, _, _ = program.run("rig", "pty", "--exec", "sh -c 'kill -KILL $$'")
    assert code == 128 + signal.SIGKILL


def test_a_command_ends_with_the_rig(program):
    process = program.start("rig", "pty", "--exec", "sh -c 'echo $$; exec sleep 600'")
    pid = int(process.stdout.readline())
    process.send_signal(signal.SIGTERM)
    assert program.end(process)[0] == 128 + signal.SIGTERM
    assert not Path("/proc", str(pid)).exists()


def test_ctrl_c_ends_the_command_and_then_the_rig(program):
    process = program.start("rig", "pty", "--exec", "sh -c 'echo $$; exec sleep 600'", start_new_session=True)
    pid = int(process.stdout.readline())
    os.killpg(process.pid, signal.SIGINT)  # as a terminal sends it: to both
    assert program.end(process)[0] == 128 + signal.SIGINT
    assert not Path("/proc", str(pid)).exists()


def test_a_command_that_is_not_there(program):
    code, _, said = program.run("rig", "pty", "--exec", "/no/such/command")
    assert code == 2
    assert "serialwrite: can't run '/no/such/command': No such file or directory" in said


def test_no_shell_reads_the_command(program):
    code, out, _ = program.run("rig", "pty", "--exec", "echo $HOME; exit 3 >file")
    assert (code, out) == (0, "$HOME; exit 3 >file\n")


def test_faults_happen_and_are_said(program):
    process = program.start("rig", "uart", "--baud", "1000000", "--seed", "7", "--fault", "at byte 2: drop 1")
    port, peer = paths(process)
    assert process.stdout.readline() == "seed 7\n"
    with open_device(port) as one, open_device(peer) as other:
        send(one, b"hello")
        assert receive(other, 4) == b"helo"
    process.send_signal(signal.SIGINT)
    code, _, said = program.end(process)
    assert code == 0
    assert said.splitlines() == [
        "fault: at byte 2 from port: drop 1 (byte 2 from port)",
        "port -> peer 4 bytes, peer -> port 0 bytes",
    ]


def test_a_fault_is_said_once(capsys):
    with SimulatedUart(baud=None, faults="at byte 2: drop 1") as rig, rig.open_port() as port, rig.open_peer() as peer:
        view = RigView(rig, console(stderr=True))
        send(port, b"hello")
        assert receive(peer, 4) == b"helo"
        view.look()
        view.look()
        assert capsys.readouterr().err.count("fault: ") == 1


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["uart", "--fault", "at noon: drop"], "can't read the fault"),
        (["pty", "--fault", "at byte 1: drop"], "pass them with uart"),
        (["pty", "--baud", "9600"], "pass them with uart"),
        (["pty", "--link", "a", "--link", "b", "--link", "c"], "pass at most two"),
        (["pty", "--exec", " "], "it is empty: pass a command"),
        (["pty", "--exec", "say 'hello"], "No closing quotation"),
        (["pty", "--link", "no/folder/left"], "the link no/folder/left can't be made: No such file or directory"),
        (["rope"], "'rope' is not one of"),
    ],
)
def test_bad_words_are_refused(program, words, why):
    code, out, said = program.run("rig", *words)
    assert (code, out) == (2, "")
    assert why in said


def test_the_help_has_the_words_of_faults(program):
    code, out, _ = program.run("rig", "--help")
    assert code == 0
    words = " ".join(out.split())
    assert "drop [N] | duplicate [N] | swap" in words
    assert "WHEN [from port|peer]: WHAT" in words
