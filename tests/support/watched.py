"""What the kernel has to report of a file to this process."""

import os
import re
import select
from pathlib import Path

REPORTED = select.EPOLLIN | select.EPOLLOUT | select.EPOLLHUP | select.EPOLLERR if hasattr(select, "epoll") else 0


def watched(fd):
    """Whether an epoll of this process may report on the file of ``fd``, by this number or another one."""
    inode = os.fstat(fd).st_ino
    return any(
        int(events, 16) & REPORTED
        for info in Path("/proc/self/fdinfo").iterdir()
        for events, known in re.findall(r"^tfd:.* events: *(\w+) .* ino:(\w+)", read(info), re.MULTILINE)
        if int(known, 16) == inode
    )


def read(info):
    try:
        return info.read_text()
    except FileNotFoundError:  # that of the descriptor which lists them
        return ""
