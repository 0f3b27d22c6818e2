"""A fair start: the writer and its far end pinned to a core each, on a machine that does nothing else."""

import os
import time
from pathlib import Path

BUSY = 0.08  # the share of all cores that others may use
LOOK = 0.1  # seconds over which that is measured


def wait_until_quiet(limit: float) -> bool:
    """Wait until other programs leave the machine alone, for ``limit`` seconds at most; whether they do."""
    end = time.monotonic() + limit
    while True:
        used, all_ = _jiffies()
        time.sleep(LOOK)
        used_then, all_then = _jiffies()
        if used_then - used <= BUSY * max(1, all_then - all_):
            return True
        if time.monotonic() >= end:
            return False


def _jiffies() -> tuple[int, int]:
    try:
        user, nice, system, idle, wait, irq, softirq, steal = map(
            int, Path("/proc/stat").read_text().split(maxsplit=9)[1:9]
        )
    except OSError:  # not on Linux: nobody knows
        return 0, 1
    used = user + nice + system + irq + softirq + steal
    return used, used + idle + wait


def place(pid: int, core: int) -> None:
    """Pin a process to the ``core``-th of this process's cores, and give it a better priority, where that is allowed."""
    try:
        cores = sorted(os.sched_getaffinity(0))
        if len(cores) > 1:
            os.sched_setaffinity(pid, {cores[core % len(cores)]})
        os.setpriority(os.PRIO_PROCESS, pid, -10)
    except (AttributeError, OSError):  # not on Linux, or not as this user; or the process has ended already
        pass
