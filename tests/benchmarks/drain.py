"""The far end, where there is no compiler for ``native/drain.c``: the same in Python, at twice the cost.

``python -m tests.benchmarks.drain EXPECTED_PER_STREAM PERIOD FD...``
"""

import json
import os
import selectors
import sys
import time

from . import native
from .pattern import pattern

CHUNK = 1 << 20


def command(expected: int, period: int, fds: list[int]) -> list[str]:
    """The process that reads ``expected`` bytes from each of ``fds`` and verifies them."""
    program = native.build("drain.c").path
    first = [str(program)] if program else [sys.executable, "-m", "tests.benchmarks.drain"]
    return [*first, str(expected), str(period), *map(str, fds)]


def main(expected: int, period: int, *fds: int) -> None:
    expected_bytes = pattern(period + CHUNK, period)
    got = dict.fromkeys(fds, 0)
    right, reads = True, 0
    print("ready", flush=True)
    with selectors.DefaultSelector() as selector:
        for fd in fds:
            os.set_blocking(fd, False)
            selector.register(fd, selectors.EVENT_READ)
        while selector.get_map():
            for key, _ in selector.select():
                data = read(key.fd)
                offset = got[key.fd] % period
                right = right and data == expected_bytes[offset : offset + len(data)]
                got[key.fd] += len(data)
                reads += 1
                if not data or got[key.fd] >= expected:
                    selector.unregister(key.fd)
    last = time.monotonic_ns()
    delivered = right and all(n == expected for n in got.values())
    print(json.dumps({"bytes": sum(got.values()), "delivered": delivered, "last_ns": last, "reads": reads}))


def read(fd: int) -> bytes:
    """What is there; nothing once the other end is gone."""
    try:
        return os.read(fd, CHUNK)
    except OSError:
        return b""


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
