"""One seed: a payload written through a simulated UART, in spite of stops, hang-ups and faults."""

import asyncio
import contextlib
import random
from typing import Any, NamedTuple

import serialwrite as sw
from serialwrite.loopback import make_pattern
from serialwrite.testing import SimulatedUart, what_arrives
from tests.soak.account import HarmedAccount, Wrong
from tests.soak.stops import DELAY, STOPS

from . import entries, faults

MOST_BYTES = 40_000


class Done(NamedTuple):
    """What a seed was, and what it took."""

    what: str
    writes: int
    faults: int


async def run(seed: int) -> Done:
    """Run it; raise `Wrong`, with the faults as a script, where a byte is not accounted for."""
    rng = random.Random(f"seed {seed}")
    kind = rng.choice(("lossless", "lossless", "harm", "cuts"))
    entry = rng.choice(entries.PORTS if kind == "cuts" else [*entries.PORTS, *entries.SOCKETS])
    words = {"lossless": faults.LOSSLESS, "harm": (*faults.HARM, *faults.LOSSLESS), "cuts": faults.CUTS}[kind]
    size = rng.randrange(faults.APART * 3, MOST_BYTES)
    with SimulatedUart(
        rng.choice((None, 1_000_000, 3_000_000)), faults=faults.script(rng, size, words), seed=seed
    ) as uart:
        try:
            writes = await check(uart, entry, rng, size, kind)
        except Exception as error:
            raise Wrong(f"seed {seed}, {kind} through {entry.__name__}: {error!r}\n{uart.replay_script()}") from error
        return Done(f"{kind} through {entry.__name__}", writes, len(uart.log))


async def check(uart: SimulatedUart, entry: entries.Entry, rng: random.Random, size: int, kind: str) -> int:
    """Send a payload of so many bytes and account for all of it; return how many writes it took."""
    pattern = make_pattern("prbs31")
    payload = pattern.block(0, size)
    with uart.open_peer() as peer:
        account = Received(peer, payload, uart)
        reads = asyncio.create_task(read_by_fits(account, rng))
        try:
            writes = await written(uart, entry, payload, rng)
            reads.cancel()
            account.accepted = size
            await account.settle(entries.BOUND)
        finally:
            reads.cancel()
            account.stop_reading()
    if kind == "lossless":
        assert account.kept == payload, "a fault that loses nothing has lost something"
    assert uart.sent.port_to_peer == size, f"{uart.sent.port_to_peer:,} bytes were sent of {size:,} accepted"
    faults.check_found(faults.account_of(pattern, bytes(account.kept), size), uart.log)
    return writes


class Received(HarmedAccount):
    """What comes out of the line, for which the log of its faults is to answer."""

    def __init__(self, peer: Any, payload: bytes, uart: SimulatedUart) -> None:
        super().__init__(peer, 0, lambda sent: what_arrives(payload[: len(sent)], "port", uart.log))


async def read_by_fits(account: Received, rng: random.Random) -> None:
    """Be a peer that stops reading now and then."""
    while True:
        rng.choice((account.read_on, account.read_on, account.stop_reading))()
        await asyncio.sleep(rng.uniform(0, DELAY))


async def written(uart: SimulatedUart, entry: entries.Entry, payload: bytes, rng: random.Random) -> int:
    """Write the payload in as many writes as it takes, and return how many: each goes on where the last one ended."""
    rest, writes = payload, 0
    async with asyncio.timeout(entries.BOUND):
        while rest:
            async with contextlib.AsyncExitStack() as stack:
                try:
                    target = await stack.enter_async_context(entry(uart))
                except OSError:  # unplugged, and on its way back
                    await asyncio.sleep(0.001)
                    continue
                error = None
                while rest and not is_cut(error):
                    error, rest = await write_once(target, rest, rng)
                    writes += 1
    return writes


async def write_once(target: Any, data: bytes, rng: random.Random) -> tuple[BaseException | None, bytes]:
    """Write; return how that ended, and what is left."""
    how, stop = rng.choice(STOPS)
    options = {"timeout": rng.uniform(0, DELAY)} if how == "timeouts" else {}
    operation = sw.async_write(target, data, **options)
    error, count = await stop(operation, rng)
    rest = b"".join(operation.remaining)
    assert rest == data[count:], f"{count:,} of {len(data):,} bytes were reported, and {len(rest):,} remain"
    if not isinstance(error, sw.OperationAborted | asyncio.CancelledError | None) and not is_cut(error):
        raise error
    return error, rest


def is_cut(error: BaseException | None) -> bool:
    """Whether the line is gone. A transport that hears of it between two writes has closed itself by the next."""
    return isinstance(error, sw.Disconnected | sw.StreamClosed)
