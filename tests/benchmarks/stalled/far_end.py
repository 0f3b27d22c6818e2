"""The other end of a library's line. It counts by itself: no library is asked, nothing of the system is wrapped.

What a process had given to the system by a certain moment is found out like this: the process is frozen (SIGSTOP, all of
its threads), the line is read until nothing more comes, and the process is let go. What comes from then on came later.
"""

import errno
import json
import os
import select
import signal
import socket
import subprocess
import sys
import termios
import tty
from typing import Any, Self

from .libraries import Library

QUIET = 0.6  # seconds without a byte after which nothing more is on its way
BUFFER = 16 << 10  # bytes: a small one, so that sockets stall as early as serial lines do


class FarEnd:
    """A line, and the process of a library at its near end. For a ``with`` block, which ends the process."""

    def __init__(self, library: Library, scenario: str) -> None:
        self._name = library.name
        if library.link == "tcp":
            self._far, self._near = _tcp()
            end = str(self._near)
        else:
            self._far, self._near = _pty()
            end = os.ttyname(self._near)
        command = [sys.executable, "-m", f"{__package__}.worker", library.name, scenario, end]
        inherited = (self._near,) if library.link == "tcp" else ()
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            pass_fds=inherited,
        )
        if library.link == "tcp":
            os.close(self._near)
            self._near = -1

    def told(self, limit: float) -> dict[str, Any] | None:
        """What the process says next; None where it says nothing for that long."""
        assert self._process.stdout is not None
        if not select.select([self._process.stdout], [], [], limit)[0]:
            return None
        line = self._process.stdout.readline()
        if not line:
            assert self._process.stderr is not None
            raise RuntimeError(f"the process of {self._name} ended: {self._process.stderr.read()[-800:]}")
        said: dict[str, Any] = json.loads(line)
        return said

    def answer(self) -> None:
        """Let the process go on."""
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()

    def freeze(self) -> None:
        self._process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, self._process.pid, os.WSTOPPED | os.WNOWAIT)

    def thaw(self) -> None:
        self._process.send_signal(signal.SIGCONT)

    def read(self, quiet: float = QUIET) -> bytes:
        """Everything, until nothing has come for `quiet` seconds."""
        data = bytearray()
        while select.select([self._far], [], [], quiet)[0]:
            try:
                chunk = os.read(self._far, 65536)
            except OSError as error:
                if error.errno not in {errno.EIO, errno.ECONNRESET}:  # the near end has been closed
                    raise
                break
            if not chunk:
                break
            data += chunk
        return bytes(data)

    def read_a_little(self) -> bytes:
        """What there is as soon as there is something: the write has begun."""
        select.select([self._far], [], [], QUIET)
        return os.read(self._far, 64)

    def hold(self) -> None:
        """Stop the near end's output, as flow control does."""
        termios.tcflow(self._near, termios.TCOOFF)

    def release(self) -> None:
        termios.tcflow(self._near, termios.TCOON)

    def hang_up(self) -> None:
        os.close(self._far)
        self._far = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()
        for fd in {self._far, self._near} - {-1}:
            os.close(fd)


def _pty() -> tuple[int, int]:
    far, near = os.openpty()
    tty.setraw(near)
    return far, near


def _tcp() -> tuple[int, int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER)
        near = socket.socket()
        near.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER)
        near.connect(server.getsockname())
        far, _ = server.accept()
    # Closed with unread bytes, or by linger 0, a socket resets its connection: the line is cut.
    far.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    return far.detach(), near.detach()
