"""Lists what a process may leak: descriptors, threads, child processes."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from ..streams.fd._epoll_watch import reactor_descriptors

FD_DIRECTORY = Path("/proc/self/fd" if sys.platform == "linux" else "/dev/fd")


class Held:
    """What this process holds now that it would have to give back."""

    def __init__(self) -> None:
        self.descriptors = dict(_descriptors())
        for fd in reactor_descriptors():  # the event loop's, which closes it
            self.descriptors.pop(fd, None)
        self.threads = set(threading.enumerate())
        self.children = _children()

    def since(self, before: Held) -> list[str]:
        """Names of what is held now and was not before."""
        return [
            *(
                f"descriptor {fd} -> {target}"
                for fd, target in self.descriptors.items()
                if before.descriptors.get(fd) != target and not _is_code(target)
            ),
            *(f"thread {thread.name}" for thread in self.threads - before.threads),
            *(f"child process {pid} {name}" for pid, name in (self.children - before.children)),
        ]


def leaked_since(before: Held, settle: float) -> list[str]:
    """Names of what is still held that was not before, once it has had ``settle`` seconds to go."""
    deadline = time.monotonic() + settle
    while leaked := Held().since(before):
        if time.monotonic() > deadline:
            return leaked
        time.sleep(0.005)
    return []


def _descriptors() -> Iterator[tuple[int, object]]:
    if not FD_DIRECTORY.exists():  # Windows
        return
    for entry in FD_DIRECTORY.iterdir():
        with contextlib.suppress(OSError):  # the descriptor that lists the others is gone by now
            yield int(entry.name), entry.readlink() if sys.platform == "linux" else entry.stat().st_ino


def _is_code(target: object) -> bool:
    """Whether this process runs code of that file: libffi keeps its own library open from the first callback on."""
    try:
        with Path("/proc/self/maps").open(encoding="utf-8", errors="surrogateescape") as maps:
            return any(line.rstrip("\n").endswith(f" {target}") and "x" in line.split()[1] for line in maps)
    except FileNotFoundError:
        return False


def _children() -> set[tuple[int, str]]:
    """Child processes, zombies too, as (pid, name)."""
    if not hasattr(os, "waitid"):  # macOS before Python 3.13, which has no /proc to look into, either
        return set()
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:  # nearly always: this process has none
        return set()
    found: set[tuple[int, str]] = set()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            pid, _, rest = stat.read_text().partition(" (")
            name, _, rest = rest.rpartition(") ")
            if int(rest.split()[1]) == os.getpid():
                found.add((int(pid), name))
    return found
