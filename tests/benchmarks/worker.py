"""A contestant's process: ``python -m tests.benchmarks.worker MODULE NAME LINK ACTION numbers... END...``."""

import sys

from .contestants import contestants
from .contestants._shapes import End
from .workloads import Work


def main(module: str, name: str, link: str, action: str, *rest: str) -> None:
    contestant = next(one for one in contestants(module) if one.name == name)
    times, size, warmup, buffers, _period, timeout_us = map(int, rest[:6])
    ends = [End(link, end) for end in rest[6:]]
    work = Work(
        "",
        link,
        "",
        action,
        times=times,
        size=size,
        warmup=warmup,
        buffers=buffers,
        streams=len(ends),
        timeout=timeout_us / 1e6,
    )
    contestant.perform(work, ends)


if __name__ == "__main__":
    main(*sys.argv[1:])
