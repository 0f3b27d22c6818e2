"""A library's process: does one scenario, and says how it went, a JSON object a line. ``... NAME SCENARIO END``.

After a line it waits for an answer, and until that comes nothing of it runs that the library did not put on a thread.
"""

import array
import asyncio
import json
import logging
import socket
import sys
import threading
import time
import warnings
from collections.abc import Awaitable
from pathlib import Path
from typing import Any

from .libraries import Library, by_name

SIZE = 256 << 10  # bytes of a write that can't be taken whole
TIMEOUT = 0.5  # seconds given to it
PATIENCE = 4.0  # seconds until a write that ought to end is called endless
STAY = 600.0  # seconds: until the far end has seen enough, and ends this process
SECOND = 64 << 10  # bytes of a second write, and of the one with other items than bytes
PAYLOAD = b"".join(number.to_bytes(4, "big") for number in range(SIZE // 4))
ITEMS = memoryview(array.array("I", range(SECOND // 4)))


def say(**words: Any) -> None:
    """Tell the far end, and wait for its answer."""
    print(json.dumps(words), flush=True)
    sys.stdin.readline()


def count_on(error: BaseException) -> int | None:
    """The number of bytes that an exception tells, whatever it calls it."""
    for name in ("bytes_transferred", "characters_written", *vars(error)):
        value = getattr(error, name, None)
        if type(value) is int and name != "errno":
            return value
    return None


def seconds_runnable() -> float:
    """How long this thread has run, or waited for a core that others had: so a busy machine changes nothing."""
    ran, waited, _ = Path("/proc/thread-self/schedstat").read_text(encoding="ascii").split()
    return (int(ran) + int(waited)) / 1e9


async def ended(writing: Awaitable[Any]) -> dict[str, Any]:
    """How a write ended, and what it says."""
    began, ran = time.monotonic(), seconds_runnable()
    error: BaseException | None = None
    try:
        await writing
    except (Exception, asyncio.CancelledError) as raised:
        error = raised
    seconds = time.monotonic() - began
    return {
        "error": error and type(error).__name__,
        "words": str(error),
        "count": error and count_on(error),
        "seconds": seconds,
        "busy": (seconds_runnable() - ran) / seconds if seconds else 0.0,
    }


async def timeout(library: Library) -> None:
    """A write to a peer that does not read; then the peer reads, and the program goes on with other things."""
    say(**await ended(library.write_within(PAYLOAD, TIMEOUT)))
    await library.sleep(STAY)


async def close(library: Library) -> None:
    """The same, and then it is closed, with a peer that still does not read."""
    say(**await ended(library.write_within(PAYLOAD, TIMEOUT)))
    began = time.monotonic()
    await library.close()
    say(seconds=time.monotonic() - began)


async def stopped(library: Library) -> None:
    """A small write on a line that flow control holds."""
    say(**await ended(library.write_within(bytes(100), TIMEOUT)))


async def overlap(library: Library) -> None:
    """A second write, while a first one waits, until the peer reads again."""
    first = asyncio.ensure_future(ended(library.write(b"A" * SIZE)))
    await library.sleep(0.2)
    second = asyncio.ensure_future(ended(library.write(b"B" * SECOND)))
    await library.sleep(0.2)
    say()
    done, _ = await asyncio.wait({first, second}, timeout=PATIENCE)
    say(first=first.result() if first in done else None, second=second.result() if second in done else None)


async def items(library: Library) -> None:
    """A memoryview whose items are four bytes each, which the line can't take in one go."""
    say(**await ended(library.write_within(ITEMS, PATIENCE)))
    await library.sleep(STAY)


async def cancel_write(library: Library) -> None:
    """``cancel_write()`` from another thread, while a write waits without a limit."""
    port: Any = library.port  # type: ignore[attr-defined] # pyserial's, which alone is asked this
    threading.Timer(TIMEOUT, port.cancel_write).start()
    say(count=port.write(PAYLOAD))


async def at_once(library: Library) -> None:
    """A write that is to take what there is room for, and wait for nothing, on a port that is full."""
    port: Any = library.port  # type: ignore[attr-defined] # pyserial's, which alone is asked this
    await ended(library.write_within(PAYLOAD, TIMEOUT))
    port.write_timeout = 0

    async def write() -> None:
        for _ in range(20):  # the first ones may find some room yet
            port.write(PAYLOAD)

    say(full=True)
    say(**await ended(write()))


async def hang_up(library: Library) -> None:
    """The line is cut while a write waits."""
    say(**await ended(library.write_within(PAYLOAD, PATIENCE)))


SCENARIOS = {
    function.__name__: function
    for function in (timeout, close, stopped, overlap, items, hang_up, cancel_write, at_once)
}


def main() -> None:
    name, scenario, end = sys.argv[1:]
    library = by_name(name)
    logging.disable()  # what event loops log of all this is not asked for
    warnings.simplefilter("ignore")

    async def perform() -> None:
        await library.open(socket.socket(fileno=int(end)) if library.link == "tcp" else end)
        say()
        await SCENARIOS[scenario](library)

    library.run(perform)


if __name__ == "__main__":
    main()
