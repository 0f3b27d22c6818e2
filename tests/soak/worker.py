"""What happens on a line in its life: writes, the ways in which they end, and how the line itself does."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

import serialwrite as sw

from .account import Wrong
from .kinds import Loaded
from .stops import DELAY, STOPS, Ended

BOUND = 30.0  # seconds for what takes well under one on a machine that has nothing else to do
MOST_WRITES = 12  # on one line
PAUSE = 1.5  # seconds, at most, between two writes on a line: the soak is to be long, not hot


class Worker:
    """Lives one line after another, each with random writes; `tally` counts what it has done."""

    def __init__(self, rng: random.Random, tally: Counter[str]) -> None:
        self.rng = rng
        self.tally = tally

    async def live(self, loaded: Loaded, until: float) -> None:
        """Write to a line, and see that all of it arrives, until it is closed, cut or left; or until that time."""
        account = loaded.account
        last = self.rng.choice(("left", "left", "closed", "closed beneath", "hung up"))
        for _ in range(self.rng.randint(1, MOST_WRITES)):
            if account.accepted + loaded.most_of_one > loaded.most_bytes or time.monotonic() > until:
                break
            await self._write(loaded, *self.rng.choice(STOPS))
            if self.rng.random() < 0.3:
                await account.settle(BOUND)
            await asyncio.sleep(self.rng.uniform(0, PAUSE))
        if last != "left" and account.accepted + loaded.most_of_one <= loaded.most_bytes:
            await self._end(loaded, last)
        delivered = {"hung up": loaded.delivers_when_cut, "left": True}
        if not delivered.get(last, loaded.delivers_when_closed):
            await account.drain()
        else:
            await account.settle(BOUND)
            await asyncio.sleep(DELAY)  # what were still to be written would be now
        account.check()
        self.tally[f"lines {last}"] += 1

    # -- one write -------------------------------------------------------------------------------------------

    async def _write(self, loaded: Loaded, how: str, stop: Callable[..., Awaitable[Ended]]) -> None:
        account, rng = loaded.account, self.rng
        data = account.pattern(account.accepted, rng.choice((0, 1, 16, 1000, rng.randrange(loaded.most_of_one))))
        if rng.random() < 0.5:
            account.stop_reading()
        else:
            account.read_on()
        # Whatever else happens, the peer reads in the end, so that a write that nobody stops is done some time.
        reads_again = asyncio.get_running_loop().call_later(rng.uniform(0, 3 * DELAY), account.read_on)
        options = {"timeout": rng.uniform(0, DELAY)} if how == "timeouts" else {}
        account.operation = operation = sw.async_write(loaded.line.target, pieces(data, rng), **options)
        loaded.story.append(f"a write of {len(data):,} bytes begins, to be ended by {how}")
        try:
            async with asyncio.timeout(BOUND):
                error, count = await stop(operation, rng)
        except TimeoutError:
            raise Wrong(f"a write, to be ended by {how}, has not ended within {BOUND:g} s") from None
        finally:
            reads_again.cancel()
        self._book(loaded, how, data, error, count)
        if error is not None and not isinstance(error, asyncio.CancelledError | sw.OperationAborted):
            raise Wrong(f"a write, to be ended by {how}, ended with {error!r}") from error
        self.tally["writes"] += 1
        self.tally[how] += error is not None

    async def _end(self, loaded: Loaded, last: str) -> None:
        """End the line while a write goes on, or after it where it doesn't wait."""
        account = loaded.account
        account.stop_reading()
        data = account.pattern(account.accepted, loaded.most_of_one)
        account.operation = operation = sw.async_write(loaded.line.target, data)
        task = asyncio.ensure_future(operation)
        await asyncio.sleep(self.rng.uniform(0, DELAY))
        if last == "hung up":
            await asyncio.to_thread(loaded.line.hang_up)
        elif last == "closed beneath":
            loaded.line.close_beneath()
        else:
            loaded.line.stream.close()
        await asyncio.wait([task], timeout=BOUND)
        if not task.done():
            raise Wrong(f"a write whose line was {last} has not ended within {BOUND:g} s")
        error = task.exception()
        self._book(loaded, last, data, error, operation.bytes_transferred)
        expected = sw.Disconnected if last == "hung up" else sw.StreamClosed
        if error is not None and not isinstance(error, expected):
            raise Wrong(f"a write whose line was {last} ended with {error!r}") from error

    def _book(self, loaded: Loaded, how: str, data: memoryview, error: BaseException | None, count: int) -> None:
        account = loaded.account
        operation, account.operation = account.operation, None
        assert operation is not None
        account.accepted += count
        loaded.story.append(
            f"{how}: {count:,} of {len(data):,} bytes, {error!r}; {account.received:,} received by then"
        )
        self.tally["bytes"] += count
        if operation.bytes_transferred != count:
            raise Wrong(f"the operation says {operation.bytes_transferred:,} bytes, the result {count:,}")
        if b"".join(operation.remaining) != data[count:]:
            raise Wrong(f"what remains after {count:,} of {len(data):,} bytes is not the rest")
        if isinstance(error, sw.TransferError) and b"".join(error.remaining) != data[count:]:
            raise Wrong(f"what remains by the error after {count:,} of {len(data):,} bytes is not the rest")


def pieces(data: memoryview, rng: random.Random) -> Any:
    """The bytes as one buffer, or as several."""
    if rng.random() < 0.5:
        return data
    step = max(1, len(data) // rng.randint(1, 40))
    return [data[at : at + step] for at in range(0, len(data), step)]
