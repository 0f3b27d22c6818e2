"""The holders of a device: programs that have it open or locked, and UUCP lock files, as far as this user sees them."""

from __future__ import annotations

# No pathlib here: ``import serialwrite`` does without it.
import math
import os
import struct
import time
from collections.abc import Generator, Iterable
from contextlib import suppress

# Where programs put their lock files (often one directory by two names), and where udev names devices once more.
LOCK_DIRECTORIES: tuple[str, ...] = ("/var/lock", "/run/lock", "/run/lock/lockdev", "/var/spool/uucp")
ALIASES = ("/dev", "/dev/serial/by-id", "/dev/serial/by-path")


def lock_holders(device: str, patience: float = math.inf) -> list[str]:
    """Return the programs that have a device open, as far as this user may see, or locked: ``minicom (process 4711)``.

    The calling process is left out. After ``patience`` seconds no more processes are looked at.
    """
    real, deadline = os.path.realpath(device), time.monotonic() + patience
    locking = flocking(real)
    others = (process for process in _names("/proc") if process.isdigit() and int(process) != os.getpid())
    found = list[str]()
    for process in sorted(others, key=lambda process: int(process) not in locking):
        if time.monotonic() > deadline:
            break
        if int(process) in locking or real in _targets(f"/proc/{process}/fd"):
            found.append(program(int(process)))
    if (lock := lock_file(device)) is not None:
        found.append(f"the lock file {lock[0]} of {program(lock[1])}")
    return found


def flocking(device: str) -> set[int]:
    """The processes that hold a flock on a device: the kernel shows these to every user."""
    found = set[int]()
    with suppress(OSError):
        status = os.stat(device)  # noqa: PTH116
        wanted = f"{os.major(status.st_dev):02x}:{os.minor(status.st_dev):02x}:{status.st_ino}"
        for line in _content("/proc/locks").decode().splitlines():
            _, kind, _, _, process, inode, *_ = line.split()
            if (kind, inode) == ("FLOCK", wanted):
                found.add(int(process))
    return found


def lock_file(device: str) -> tuple[str, int] | None:
    """The lock file by which another process, a living one, keeps ``device`` to itself: its path, and the process.

    It is found by every name of the device under which a program may have locked it. One of a process that is gone is
    stale, and passed over; so is one that names no process.
    """
    if os.name != "posix":  # no such files; and there, to ask for a process is to end it
        return None
    present = [(each, set(_names(each))) for each in sorted({os.path.realpath(name) for name in LOCK_DIRECTORIES})]
    if not any(name.startswith("L") for _, names in present for name in names):
        return None
    for name in _lock_names(device):
        for directory, names in present:
            path = f"{directory}/{name}"
            process = _process_in(path) if name in names else 0
            if process != os.getpid() and _lives(process):
                return path, process
    return None


def program(process: int) -> str:
    """A process by the name of its program, where that is known."""
    name = ""
    with suppress(OSError):
        name = _content(f"/proc/{process}/comm").decode(errors="replace").strip()
    return f"{name} (process {process})" if name else f"process {process}"


def _lock_names(device: str) -> Generator[str]:
    real = os.path.realpath(device)
    aliases = (f"{each}/{name}" for each in ALIASES for name in _names(each))
    same = {os.path.abspath(device), real, *(path for path in aliases if os.path.realpath(path) == real)}  # noqa: PTH100
    for path in sorted(same):
        yield f"LCK..{path.rpartition('/')[2]}"  # minicom, pppd
        yield f"LCK..{path.removeprefix('/dev/').replace('/', '_')}"  # ser2net
        yield f"LCK..{path.partition('/')[2].partition('/')[2].replace('/', '_')}"  # picocom
    with suppress(OSError):
        status = os.stat(real)  # noqa: PTH116
        numbers = os.major(status.st_dev), os.major(status.st_rdev), os.minor(status.st_rdev)
        yield "LK.{:03d}.{:03d}.{:03d}".format(*numbers)  # System V's, lockdev's


def _process_in(path: str) -> int:
    """The process that a lock file names: in text, or the four bytes of an int; 0 where it names none."""
    with suppress(OSError, ValueError):
        content = _content(path)
        if len(content) == 4 and not content.strip().isdigit():
            return int(struct.unpack("=i", content)[0])
        return int(content.split(maxsplit=1)[0]) if content.strip() else 0
    return 0


def _lives(process: int) -> bool:
    if process <= 0:  # kill(2) takes these for groups
        return False
    try:
        os.kill(process, 0)
    except PermissionError:
        return True
    except (OSError, OverflowError):
        return False
    with suppress(OSError):  # what has ended, and was not waited for, holds nothing any more
        return _content(f"/proc/{process}/stat").rpartition(b")")[2].split()[0] != b"Z"
    return True


def _names(directory: str) -> list[str]:
    try:
        return os.listdir(directory)  # noqa: PTH208
    except OSError:
        return []


def _targets(directory: str) -> Iterable[str]:
    for name in _names(directory):
        with suppress(OSError):
            yield os.readlink(f"{directory}/{name}")  # noqa: PTH115


def _content(path: str) -> bytes:
    with open(path, "rb") as file:  # noqa: PTH123
        return file.read()
