"""A process of a run: pinned to a core, it prints lines of JSON, and ends when its input does."""

import os
import select
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType
from typing import Self

from .quiet import place

ROOT = Path(__file__).parents[2]
# As an installed package is: imported from bytecode, whatever the environment says.
COMPILED = {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str(ROOT / "build" / "benchmarks" / "bytecode")}
NOTHING: Mapping[str, str] = MappingProxyType({})
LIMIT = 180.0  # seconds for one piece of work; a process that takes longer hangs


class Failed(Exception):
    """A contestant did not do the work; the message says why."""


class Process:
    """A process of the run, pinned to the ``core``-th core; ``fds`` are inherited."""

    def __init__(
        self, command: Sequence[str], *, core: int, fds: Sequence[int], environment: Mapping[str, str] = NOTHING
    ) -> None:
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,  # poll() is to see whatever was not read
            pass_fds=fds,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONHASHSEED": "0", **COMPILED, **environment},
        )
        place(self._process.pid, core)

    def line(self) -> str:
        """Its next line; Failed where none comes."""
        assert self._process.stdout
        if not readable(self._process.stdout.fileno(), LIMIT):
            raise Failed(f"nothing came within {LIMIT:.0f} s")
        line = self._process.stdout.readline().decode().strip()
        if not line:
            raise Failed(self._last_words())
        return line

    def _last_words(self) -> str:
        assert self._process.stderr
        self._process.kill()
        words = self._process.stderr.read().decode(errors="replace").strip().splitlines()
        return words[-1] if words else "it ended without a word"

    def end(self) -> None:
        """Let it end, and see to it that it does."""
        with suppress(subprocess.TimeoutExpired, BrokenPipeError):
            self._process.communicate(b"\n", timeout=5)
        if self._process.poll() is None:
            self._process.kill()
            self._process.communicate()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        if exception[0] is not None:
            self._process.kill()
        if self._process.stdin and not self._process.stdin.closed:
            self.end()


def readable(fd: int, seconds: float) -> bool:
    """Whether there is something to read within so many seconds. Not by select(), which knows no descriptor past 1,023."""
    poller = select.poll()
    poller.register(fd, select.POLLIN)
    return bool(poller.poll(seconds * 1000))
