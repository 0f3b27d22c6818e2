"""What a contestant's process measures of itself: wall clock, CPU, the growth of its peak memory, pre-emptions."""

import json
import resource
import time
from contextlib import suppress
from pathlib import Path


class Meter:
    """From :meth:`start` to :meth:`stop`."""

    def start(self) -> None:
        with suppress(OSError):  # not on Linux, or not allowed: the peak is then that of the whole process
            Path("/proc/self/clear_refs").write_text("5")  # resets the peak of the resident set
        self._resident = status_kib("VmRSS:")
        self._used = resource.getrusage(resource.RUSAGE_SELF)
        self._started = time.monotonic_ns()

    def stop(self, **more: object) -> str:
        """The figures, as one line of JSON."""
        ended = time.monotonic_ns()
        used, before = resource.getrusage(resource.RUSAGE_SELF), self._used
        return json.dumps(
            {
                "started_ns": self._started,
                "ended_ns": ended,
                "user": used.ru_utime - before.ru_utime,
                "system": used.ru_stime - before.ru_stime,
                "preempted": used.ru_nivcsw - before.ru_nivcsw,
                "rss_kib": status_kib("VmHWM:") - self._resident,
                **more,
            }
        )


def status_kib(field: str) -> int:
    """A field of /proc/self/status; 0 where there is none."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith(field)), 0)
