"""A child process that ends with this process, however that ends. Its messages are kept."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
from collections import deque
from typing import TYPE_CHECKING, final

from serialwrite.testing.rigs._rig import RigUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

# Run between fork and exec, in a fresh interpreter, because Python code between fork and exec in a threaded
# program can deadlock. It asks Linux to end the program when the thread that started it ends: that covers
# SIGTERM and SIGKILL, which run none of our code. The second look closes the gap before prctl.
_GUARD = """
import ctypes, os, sys
PR_SET_PDEATHSIG, SIGTERM = 1, 15
ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, SIGTERM, 0, 0, 0)
if os.getppid() != int(sys.argv[1]):
    sys.exit("the parent has gone")
os.execv(sys.argv[2], sys.argv[2:])
"""
CHILD_STOP_TIMEOUT_S = 2.0  # seconds between asking a child to end and making it
KEPT_LINE_COUNT = 50


@final
class Child:
    """One program, run without a shell, its stderr read line by line until ``is_ready(line)`` says so.

    It has a process group of its own, so that a Ctrl-C on the terminal is ours to handle, not its.
    """

    def __init__(self, command: Sequence[str], is_ready: Callable[[str], bool]) -> None:
        self.lines: deque[str] = deque(maxlen=KEPT_LINE_COUNT)
        self._command = command
        self._is_ready = is_ready
        self._started = threading.Event()  # there is a process, or never will be
        self._settled = threading.Event()  # ready, ended or failed to start
        self._ready = False
        self._error: Exception | None = None
        self._process: subprocess.Popen[str] | None = None
        self._thread = threading.Thread(target=self._run, name=f"serialwrite {command[0]}", daemon=True)

    def start(self, timeout: float) -> None:
        """Start, and wait until it is ready; else raise ``RigUnavailable`` with what it said."""
        self._thread.start()
        settled = self._settled.wait(timeout)
        if self._ready:
            return
        program = self._command[0]
        if self._error is not None:
            reason = f"{program} can't be started: {self._error}"
        elif settled:
            reason = f"{program} ended before it was ready"
        else:
            reason = f"{program} was not ready within {timeout:g} s"
        said = "".join(f"\n  {line}" for line in self.lines) or " nothing"
        raise RigUnavailable(f"{reason}; it said:{said}")

    @property
    def pid(self) -> int | None:
        """The process id, None before it was started."""
        return None if self._process is None else self._process.pid

    def close(self) -> None:
        """End the program, by its pid, and wait for its end: politely, then not. Idempotent."""
        if self._thread.ident is None:
            return
        self._started.wait()
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(CHILD_STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._thread.join(CHILD_STOP_TIMEOUT_S)

    def _run(self) -> None:
        # The child is started here because Linux ties "when the parent ends" to this thread, which stays.
        try:
            self._process = subprocess.Popen(  # noqa: S603  # a program of our choice, no shell
                _guarded(self._command),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
                errors="replace",
                process_group=0,
            )
        except Exception as error:
            self._error = error
            self._settled.set()
            return
        finally:
            self._started.set()
        stderr = self._process.stderr
        assert stderr is not None
        with stderr:
            for line in stderr:
                self.lines.append(line.rstrip())
                if not self._ready and self._is_ready(line):
                    self._ready = True
                    self._settled.set()
        self._settled.set()


def find_program(name: str, how: str) -> str:
    """Return the path of a program, or raise ``RigUnavailable`` that says how to get it."""
    path = shutil.which(name)
    if path is None:
        raise RigUnavailable(f"{name} is not installed: {how}")
    return path


def _guarded(command: Sequence[str]) -> list[str]:
    if sys.platform != "linux" or not sys.executable:
        return list(command)
    return [sys.executable, "-I", "-S", "-c", _GUARD, str(os.getpid()), *command]
