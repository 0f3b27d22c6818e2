"""What it takes to import the library, beside what it stands on."""

import sys
from collections.abc import Sequence

from ..workloads import Work
from ._shapes import Contestant

# As worker.py does, but in a process that has imported nothing before.
CODE = """
import resource, time
before, started = resource.getrusage(resource.RUSAGE_SELF), time.monotonic_ns()
import {modules}
ended, used = time.monotonic_ns(), resource.getrusage(resource.RUSAGE_SELF)
import json
peak = next((int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM:")), 0)
print(json.dumps({{
    "started_ns": started,
    "ended_ns": ended,
    "user": used.ru_utime - before.ru_utime,
    "system": used.ru_stime - before.ru_stime,
    "preempted": used.ru_nivcsw - before.ru_nivcsw,
    "rss_kib": peak,  # all of it: there was nothing before
}}), flush=True)
input()
"""


class Import(Contestant):
    actions = ("import",)
    works = ("import",)

    def __init__(self, modules: str, *requires: str) -> None:
        super().__init__(f"import {modules}")
        self._modules, self.requires = modules, requires

    def command(self, work: Work, ends: Sequence[str]) -> list[str]:
        return [sys.executable, "-c", CODE.format(modules=self._modules)]


CONTESTANTS: list[Contestant] = [Import("serial, asyncio", "serial"), Import("serialwrite")]
