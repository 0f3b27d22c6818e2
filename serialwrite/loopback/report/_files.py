"""Writes a file whole or not at all."""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path


def write_whole(path: str | os.PathLike[str], text: str) -> None:
    """Write ``text`` to ``path`` as UTF-8, atomically.

    It goes to a new file beside the target, which then takes the target's name; a link is followed and stays.
    Raises OSError, also for a target that is not a regular file (a device or a FIFO can't be replaced). The target is
    then as it was, without a temporary file beside it.
    """
    target = Path(os.path.realpath(path))
    if target.exists() and not target.is_file():
        raise OSError(
            f"{os.fspath(path)!r} is not a regular file, so it can't be replaced as a whole; pass another path"
        )
    fresh = target.with_name(f".{target.name[:200]}.{secrets.token_hex(4)}")
    # not tempfile: its 0600 would outlive the rename, where the user's umask should decide
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0), 0o666)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", errors="backslashreplace", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(target)
    except BaseException:
        with contextlib.suppress(OSError):
            fresh.unlink()
        raise
