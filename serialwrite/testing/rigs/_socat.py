"""SocatPair: two ptys joined by socat."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from serialwrite.testing.rigs._child import Child, find_program
from serialwrite.testing.rigs._pty import PTY_QUIRKS, Links, link_ends
from serialwrite.testing.rigs._rig import (
    HANGS_UP_BOTH,
    NO_STALL,
    End,
    PathRig,
    RigUnavailable,
    check_end,
)

if TYPE_CHECKING:
    from contextlib import ExitStack

SOCAT_START_TIMEOUT_S = 10.0  # seconds; it takes 30 ms on an idle machine
HOW_TO_INSTALL = (
    "`apt install socat` (Debian, Ubuntu), `dnf install socat` (Fedora), `brew install socat` (macOS); "
    "PtyPair does the same without it"
)
_PTY = "pty,raw,echo=0,mode=0600"
_PATH = re.compile(r" PTY is (\S+)")


class SocatPair(PathRig):
    """Two pseudo-terminals joined by ``socat -d -d pty,raw,echo=0 pty,raw,echo=0``.

    Args:
        links: names for symbolic links to the two devices; ``port`` and ``peer`` are then those names.
        start_timeout: seconds to wait for socat to say that it is ready.

    Raises:
        RigUnavailable: on opening: socat is missing or doesn't start; the message has what it said.
    """

    name = "socat"
    quirks: frozenset[str] = PTY_QUIRKS | {NO_STALL, HANGS_UP_BOTH}

    def __init__(self, links: Links = (None, None), *, start_timeout: float = SOCAT_START_TIMEOUT_S) -> None:
        super().__init__()
        self._links = links
        self._start_timeout = start_timeout

    def _open(self, resources: ExitStack) -> tuple[str, str]:
        program = find_program("socat", HOW_TO_INSTALL)
        # -d -d: the two paths and the line that says that data flows are notices, on stderr
        self._child = Child([program, "-d", "-d", _PTY, _PTY], lambda line: "starting data transfer" in line)
        resources.callback(self._child.close)
        self._child.start(self._start_timeout)
        devices = [found[1] for line in self._child.lines if (found := _PATH.search(line))]
        if len(devices) != 2:
            raise RigUnavailable(f"socat named {len(devices)} devices, not 2: {list(self._child.lines)}")
        for device in devices:
            # Held open: otherwise the master hangs up when the last user closes, and socat may end.
            resources.callback(os.close, os.open(device, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK))
        return link_ends(resources, (devices[0], devices[1]), self._links)

    @property
    def pid(self) -> int | None:
        """socat's process id."""
        self._opened()
        return self._child.pid

    def hang_up(self, end: End) -> None:
        """End socat: both ends' writes fail with EIO (quirk "hangs-up-both"); what it held is lost."""
        self._opened()
        check_end(end)
        self._child.close()
