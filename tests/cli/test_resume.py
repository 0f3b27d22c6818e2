"""The printed resume command, run as it stands, ends byte-exact."""

import io
import os
import re
import select
import shlex
import signal
import subprocess

import pytest

from serialwrite.cli import _resume

from .conftest import SIZE, everything, receive, receive_only, report, resume_command, sha256


def receive_some(device, most, process):
    """What comes, until there is that much or the process has ended."""
    data = bytearray()
    while len(data) < most and (process.poll() is None or select.select([device], [], [], 0)[0]):
        if select.select([device], [], [], 0.01)[0]:
            data += os.read(device.fileno(), most - len(data))
    return data


def offset(err):
    """Where the resume that was printed begins."""
    return int(re.search(r"--resume-from (\d+)", resume_command(err))[1])


def test_stall_after_stall_resumed_to_the_end(program, any_line, firmware):
    with any_line.open_peer() as device:
        process = program.start("write", any_line.port, firmware.name, "--idle-timeout", 0.3, "-b", 57600)
        received = receive_some(device, 20_000, process)
        code, _, err = program.end(process)
        runs = 1
        while code == 3:
            received += receive_only(device, offset(err) - len(received))
            process = program.start(shell=resume_command(err))
            received += receive_some(device, min(100_000, SIZE - len(received)), process)
            code, _, err = program.end(process)
            runs += 1
        received += receive_only(device, SIZE - len(received))
    assert code == 0
    assert runs > 2
    assert sha256(received) == sha256(firmware.read_bytes())


@pytest.mark.parametrize("ending", ["unplugged", "Ctrl-C"])
def test_other_endings_resumed_to_the_end(program, line, device, firmware, ending, tmp_path):
    process = program.start("write", line.port, firmware)
    received = receive(device, 50_000)
    if ending == "unplugged":
        line.hang_up("port")
    else:
        process.send_signal(signal.SIGINT)
    _, _, err = program.end(process)
    received += everything(device)
    command = resume_command(err)
    with type(line)() as new_line, new_line.open_peer() as new_device:  # replugged, under another name
        process = program.start(shell=command.replace(line.port, new_line.port))
        received += receive(new_device, SIZE - len(received))
        code, _, _ = program.end(process)
        received += everything(new_device)
    assert code == 0
    assert sha256(received) == sha256(firmware.read_bytes())


def test_standard_input_resumed_from_the_same_input(program, line, device, firmware):
    again = f"cat {shlex.quote(firmware.name)}"
    process = program.start(shell=f"{again} | {shlex.join(program.words)} write {line.port} --idle-timeout 0.3")
    received = receive(device, 20_000)
    code, _, err = program.end(process)
    received += everything(device)
    assert code == 3
    assert f"give the same input again: its first {len(received):,} bytes will be skipped" in err
    process = program.start(shell=resume_command(err).replace("YOUR-COMMAND", again).replace("0.3", "30"))
    received += receive(device, SIZE - len(received))
    code, _, _ = program.end(process)
    assert code == 0
    assert sha256(received + everything(device)) == sha256(firmware.read_bytes())


def test_redirected_input_counts_from_where_it_was(program, line, device, firmware):
    """The shell's `<` with something read off it before: offsets are of what this command is given."""
    with firmware.open("rb") as file:
        file.seek(100_000)
        os.lseek(file.fileno(), 100_000, os.SEEK_SET)
        process = program.start("write", line.port, "-", "--resume-from", 150_000, "--json", stdin=file)
        received = receive(device, SIZE - 250_000)
        code, out, _ = program.end(process)
    assert code == 0
    assert report(out)["size"] == 200_000
    assert received + everything(device) == firmware.read_bytes()[250_000:]


def test_a_resume_keeps_every_option_as_it_was_given(program, line, firmware):
    given = ["--idle-timeout", "0.05", "--chunk", "77", "--retries", "1", "--json"]
    code, _, err = program.run("write", line.port, firmware.name, "-b", "19200", "--resume-from", "9", *given)
    assert code == 3
    words = shlex.split(resume_command(err))
    start = words.index("write")
    assert words[start + 1 : start + 3] == [line.port, firmware.name]
    options = words[start + 3 :]
    for name, value in zip(given[::2], [*given[1::2], None], strict=True):
        at = options.index(name)
        assert value is None or options[at + 1] == value
    assert options[options.index("--baud") + 1] == "19200"
    assert options.count("--resume-from") == 1


def test_a_file_named_like_an_option(program, line, device, firmware, tmp_path):
    firmware.rename(tmp_path / "--json")
    code, out, err = program.run("write", "--idle-timeout", "0.1", "--", line.port, "--json")
    assert (code, out) == (3, "")
    process = program.start(shell=resume_command(err).replace("0.1", "30"))
    receive(device, SIZE)
    code, _, _ = program.end(process)
    assert code == 0


class TestWhatStartsTheProgramAgain:
    @pytest.fixture
    def script(self, tmp_path, monkeypatch):
        script = tmp_path / "bin with space" / "serialwrite"
        script.parent.mkdir()
        script.write_text("#!/bin/sh\n")
        script.chmod(0o755)
        monkeypatch.setattr("sys.argv", [str(script)])
        return script

    def test_its_name_where_the_path_leads_to_it(self, script, monkeypatch):
        monkeypatch.setenv("PATH", str(script.parent), prepend=os.pathsep)
        assert _resume._program() == ["serialwrite"]

    def test_its_place_where_the_path_leads_elsewhere(self, script, monkeypatch):
        monkeypatch.setenv("PATH", "/usr/bin")
        assert _resume._program() == [str(script)]

    def test_the_module_where_it_was_run_as_one(self, monkeypatch):
        monkeypatch.setattr("sys.argv", ["/somewhere/serialwrite/__main__.py"])
        monkeypatch.setattr("sys.executable", "/a python")
        assert _resume._program() == ["/a python", "-m", "serialwrite"]


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (True, ["--name"]),
        (False, ["--no-name"]),
        (2.0, ["--name", "2"]),
        (0.1234567, ["--name", "0.1234567"]),
        (("a", "b"), ["--name", "a", "--name", "b"]),
    ],
)
def test_options_of_every_kind(value, words):
    assert list(_resume._option(["-n", "--name"], ["--no-name"], value)) == words


def test_a_flag_that_was_not_given_is_left_out(program, line, firmware):
    _, _, err = program.run("write", line.port, firmware, "--idle-timeout", "0")
    assert "--json" not in resume_command(err)


ODD = {
    "latin-1": b"latin1-\xfc%.bin",
    "utf-8": "gr\u00fc\u00df \u6587".encode(),
    "utf-8 and not": "\u6587".encode() + b"\xff",
    "quotes": b'it\'s "q" $HOME `x` \\ !x',
    "newline": b"new\nline",
    "newlines at the end": b"end\n\n",
    "escape": b"\x1b[31mred\x07",
    "turned round": "\u202eknil".encode(),
    "dash": b"-dash\xff",
    "spaces": b"  two  spaces ",
}


@pytest.mark.parametrize("shell", ["sh", "bash"])
@pytest.mark.parametrize("encoding", ["utf-8", "ascii", "latin-1"])
def test_quoted_word_is_the_same_word_in_a_shell(shell, encoding, need_tool, monkeypatch):
    monkeypatch.setattr("sys.stderr", io.TextIOWrapper(io.BytesIO(), encoding))
    words = [os.fsdecode(name) for name in ODD.values()]
    line = _resume.shell_line(["printf", r"%s\0", *words], from_stdin=False)
    printed = line.encode(encoding)  # as the terminal shows it, from where it is pasted
    done = subprocess.run([need_tool(shell), "-c", os.fsdecode(printed)], capture_output=True, check=True)
    assert done.stdout.split(b"\0") == [*ODD.values(), b""]
    assert not re.search(rb"[\x00-\x09\x0b-\x1f\x7f]", printed)


@pytest.mark.parametrize("name", ["latin-1", "newline", "dash"])
def test_printed_command_resumes_files_of_odd_names(program, line, device, firmware, tmp_path, name):
    odd = os.fsdecode(ODD[name])
    firmware.rename(tmp_path / odd)
    (tmp_path / f"port {odd}").symlink_to(line.port)
    code, _, err = program.run("write", "--idle-timeout", "0.1", "--trace", f"trace {odd}", "--", f"port {odd}", odd)
    assert code == 3
    received = everything(device)
    process = program.start(shell=resume_command(err).replace("0.1", "30"))
    received += receive(device, SIZE - len(received))
    assert program.end(process)[0] == 0
    assert received == (tmp_path / odd).read_bytes()
    assert (tmp_path / f"trace {odd}").stat().st_size > 0


def test_prompt_of_any_bytes_is_awaited(program, line, device, tmp_path):
    (tmp_path / "two").write_bytes(b"1\n2\n")
    process = program.start("write", line.port, "two", "--wait-for", os.fsdecode(b"-\xff>"))
    assert receive(device, 2) == b"1\n"
    device.write(b"-\xff>")
    assert program.end(process)[0] == 0
    assert everything(device) == b"2\n"
