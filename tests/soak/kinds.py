"""The lines of the soak: every kind of stream that the tests of streams run on, and simulated UARTs with faults."""

import contextlib
import dataclasses
import os
import random
import shutil
import socket
from collections.abc import AsyncIterator, Callable
from typing import Any

import serialwrite as sw
from serialwrite.testing import SimulatedUart, random_script, what_arrives
from tests.support.lines import LINES, Line

from .account import SIZE, Account, HarmedAccount

HARMED_BYTES = 32768  # most that a line carries whose bytes have to be kept for the comparison


@dataclasses.dataclass
class Loaded:
    """A line, its account, and what may be asked of it."""

    line: Line
    account: Account
    most_bytes: int = 1 << 30  # to be sent in all
    most_of_one: int = 200_000  # of one write
    # Whether what was accepted arrives although the line is cut; elsewhere, what was on its way goes with it.
    delivers_when_cut: bool = False
    # Whether what was accepted arrives although the stream is closed. A network port waits a bounded time, then drops it.
    delivers_when_closed: bool = True
    replay: Callable[[], str] = str  # its faults, as a script
    story: list[str] = dataclasses.field(default_factory=list)  # what was done on it, for when that goes wrong


class Missing(RuntimeError):
    """A program that isn't installed."""


def need_tool(name: str) -> str:
    """The path of a program."""
    path = shutil.which(name)
    if path is None:
        raise Missing(name)
    return path


@contextlib.asynccontextmanager
async def of_the_stream_tests(name: str, rng: random.Random) -> AsyncIterator[Loaded]:
    async with LINES[name](need_tool) as line:
        peer = line.peer
        os.set_blocking(peer.fileno(), False)
        on_a_pty = isinstance(line.target, sw.SerialPort | sw.DescriptorStream) or "serial" in name
        yield Loaded(
            line,
            Account(peer, rng.randrange(SIZE)),
            delivers_when_cut=on_a_pty and not any(other in name for other in ("socat", "pipe", "remote")),
            delivers_when_closed="remote" not in name,
        )


@contextlib.asynccontextmanager
async def uart(rng: random.Random) -> AsyncIterator[Loaded]:
    """A simulated UART: stalls, throttles, flips, drops, doubles and swaps; its log says what must arrive."""
    script = random_script(rng.randrange(1 << 32), HARMED_BYTES, faults=rng.randrange(12))
    baud = rng.choice((None, None, 1_000_000))
    with (
        SimulatedUart(baud, faults=script, seed=rng.randrange(1 << 32)) as rig,
        rig.open_peer() as peer,
        sw.SerialPort(rig.port, 115200) as port,
    ):
        account = HarmedAccount(peer, rng.randrange(SIZE), lambda sent: what_arrives(sent, "port", rig.log))
        line = Line(port, peer, lambda: rig.hang_up("port"), port.serial.close)
        yield Loaded(line, account, HARMED_BYTES, 8192, delivers_when_cut=True, replay=rig.replay_script)


@contextlib.asynccontextmanager
async def pyserial_url(rng: random.Random) -> AsyncIterator[Loaded]:
    """pyserial's socket://, which has no descriptor to wait for: on a thread of its own."""
    with contextlib.ExitStack() as resources:
        with socket.create_server(("127.0.0.1", 0), backlog=1) as server:
            port = sw.SerialPort("socket://{}:{}".format(*server.getsockname()))
            resources.callback(port.close, "abort")  # once it has been hung up, nothing can be waited for
            peer, _ = server.accept()
        resources.enter_context(peer)
        peer.setblocking(False)
        account = Account(peer, rng.randrange(SIZE), counted_live=False)
        yield Loaded(Line(port, peer, peer.close, port.close), account, most_of_one=20_000)


def kinds() -> dict[str, Callable[[random.Random], Any]]:
    """What lines there are, by name, each a function that makes one."""

    def of(name: str) -> Callable[[random.Random], Any]:
        return lambda rng: of_the_stream_tests(name, rng)

    return {"uart": uart, "pyserial-url": pyserial_url} | {name: of(name) for name in LINES}
