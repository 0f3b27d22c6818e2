"""What the tests of the command line share: the real program in a process of its own, and a file to write."""

import hashlib
import json
import os
import random
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

import serialwrite
from serialwrite import testing
from serialwrite.testing import PtyPair, SocatPair, receive_available

PATIENCE = 60  # seconds for anything that takes well under one on an idle machine
SIZE = 300_000  # ten times what a line of ptys holds


class Program:
    """`serialwrite` as users start it: the installed script, or `python -m serialwrite` where there is none."""

    def __init__(self, folder, resources):
        script = Path(sys.executable).with_name("serialwrite")
        self.words = [str(script)] if script.exists() else [sys.executable, "-m", "serialwrite"]
        self.folder = folder
        self._resources = resources
        self.env = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "FORCE_COLOR")}
        self.env["PYTHONPATH"] = str(Path(serialwrite.__file__).parent.parent)

    def start(self, *words, shell=None, **options):
        """Start it; it is ended with the test, if it has not ended by then."""
        piped = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        options = piped | options
        command = shell if shell is not None else [*self.words, *map(str, words)]
        process = subprocess.Popen(command, shell=shell is not None, cwd=self.folder, env=self.env, **options)
        self._resources.enter_context(process)
        self._resources.callback(process.kill)
        return process

    def end(self, process):
        """Wait for its end: (exit code, stdout, stderr)."""
        out, err = process.communicate(timeout=PATIENCE)
        return process.returncode, out, err

    def run(self, *words, shell=None, **options):
        return self.end(self.start(*words, shell=shell, **options))


@pytest.fixture
def program(tmp_path):
    with ExitStack() as resources:
        yield Program(tmp_path, resources)


@pytest.fixture
def firmware(tmp_path):
    """A file of random bytes, its name one that a shell must have quoted."""
    path = tmp_path / "it's new $firmware.bin"
    path.write_bytes(random.Random(7).randbytes(SIZE))
    return path


@pytest.fixture(params=[PtyPair, SocatPair])
def any_line(request, need_tool):
    if request.param is SocatPair:
        need_tool("socat")
    with request.param() as rig:
        yield rig


def receive(end, size):
    return testing.receive(end, size, PATIENCE)


def receive_only(end, size):
    return testing.receive_only(end, size, PATIENCE)


def everything(device):
    """All that arrives until the line has been silent for longer than anything takes to cross it."""
    return receive_available(device, quiet=0.3)


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def resume_command(stderr):
    """The command that is printed last, as it stands there."""
    return stderr.rstrip().splitlines()[-1].strip()


def report(stdout):
    """The one JSON object that is all of stdout."""
    (only_line,) = stdout.splitlines()
    return json.loads(only_line)
