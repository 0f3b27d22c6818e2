"""PortLease: real ports for one test at a time, however many processes run tests (pytest-xdist)."""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Self

from serialwrite._posix import fcntl, require

LOCK_POLL_S = 0.02  # seconds between two tries to take a lock that is held


REMOTE = frozenset({"rfc2217", "socket"})  # schemes of URLs that name a host and a number


class PortLease:
    """The right to use these devices, among all processes of this user that ask for it in this way.

    A lock is the kernel's (flock): it ends with the process that holds it, however that ends.
    It is on a file beside, not on the device: opening a port moves its modem lines, and pyserial's
    ``exclusive=True`` locks the device itself.

    Args:
        paths: devices; a link and what it points to are the same one. Or URLs of ports on other machines, which are
            those of a host and a number, by whatever scheme and options.
        timeout: seconds to wait for a lease.

    Raises:
        TimeoutError: another process holds a device for longer than that; the message names it.
        io.UnsupportedOperation: this system has no flock.
    """

    def __init__(self, paths: Iterable[str], timeout: float = 300.0) -> None:
        require("PortLease", "fcntl.flock", "os.getuid", instead="run one test process at a time")
        # Sorted: two processes that want the same two ports must not wait for each other.
        self._paths = sorted({_place(path) for path in paths})
        self._timeout = timeout
        self._held = contextlib.ExitStack()

    def __enter__(self) -> Self:
        deadline = time.monotonic() + self._timeout
        try:
            for path in self._paths:
                self._take(path, deadline)
        except BaseException:
            self._held.close()
            raise
        return self

    def __exit__(self, *error: object) -> None:
        self._held.close()

    def _take(self, path: str, deadline: float) -> None:
        name = path.strip("/").replace("/", "-").replace(":", "_") + ".lock"
        fd = os.open(_folder() / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        self._held.callback(os.close, fd)
        while True:
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > deadline:
                    holder = os.pread(fd, 20, 0).decode(errors="replace").strip() or "another process"
                    raise TimeoutError(
                        f"{path} was not free within {self._timeout:g} s: process {holder} has its lease"
                    ) from None
                time.sleep(LOCK_POLL_S)
            else:
                os.truncate(fd, 0)
                os.pwrite(fd, str(os.getpid()).encode(), 0)
                return


def _place(path: str) -> str:
    """What is leased: a device, or the place that a URL names."""
    scheme, is_url, place = path.partition("://")
    if not is_url:
        return os.path.realpath(path)
    place = place.partition("?")[0].rstrip("/").lower()
    return place if scheme in REMOTE else f"{scheme}://{place}"


def _folder() -> Path:
    """A folder for the locks that only this user can write to: in a shared one, links could take the names."""
    folder = Path(tempfile.gettempdir(), f"serialwrite-leases-{os.getuid()}")
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o022:
        raise PermissionError(f"{folder} is not a folder of this user alone: remove it")
    return folder
