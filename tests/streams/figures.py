"""Figures that no test may assert, as they depend on the machine: ``python -m tests.streams.figures [--seconds 10]``.

What it prints as counts is checked; it ends with 1 where one is wrong.
"""

import argparse
import asyncio
import os
import random
import shutil
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

from fake_uart import simulated_port
from waiting import until

import serialwrite as sw
from serialwrite.testing import PtyPair, TcpPair, UnixPair, receive_available, receive_only
from tests.streams.layers.test_paced import ends
from tests.streams.layers.test_queued import queued_and_cancelled
from tests.streams.remote.test_ser2net import DATA, opened, served

wrong = []


def line(what, figure, true=True):
    if not true:
        wrong.append(what)
    print(f"{what:<58} {figure}{'' if true else '   WRONG'}", flush=True)


# -- Paced -----------------------------------------------------------------------------------------------


async def paced(kind, rate, seconds):
    """How far from its rate a write of ``seconds`` is, and the counts of one that is cancelled half-way."""
    data = os.urandom(int(rate * seconds))
    with ends(kind) as (stream, peer):
        reading = asyncio.ensure_future(asyncio.to_thread(receive_only, peer, len(data), 60 + 2 * seconds))
        started = time.monotonic()
        await sw.async_write(sw.Paced(stream, bytes_per_second=rate), data)
        elapsed = time.monotonic() - started
        arrived = await reading == data
        line(
            f"Paced, {kind}, {rate:,} bytes/s for {seconds:g} s",
            f"{len(data) / elapsed:,.1f} bytes/s: {len(data) / elapsed / rate - 1:+.2%}",
            arrived,
        )
        operation = sw.async_write(sw.Paced(stream, bytes_per_second=rate), data, sw.deferred)
        task = asyncio.ensure_future(operation)
        received = bytearray()
        cancel = asyncio.get_running_loop().call_later(seconds * random.uniform(0.2, 0.8), task.cancel)
        while not task.done():
            received += await asyncio.to_thread(receive_available, peer, 0.01)
        cancel.cancel()
        received += await asyncio.to_thread(receive_available, peer, 0.5)
        line(
            f"    cancelled {'' if task.cancelled() else 'too late '}part-way",
            f"{operation.bytes_transferred:,} reported, {len(received):,} received",
            received == data[: operation.bytes_transferred],
        )


# -- Queued ----------------------------------------------------------------------------------------------


async def queued(rig, seeds):
    cancelled = arrived = 0
    for seed in range(seeds):
        results, received = await queued_and_cancelled(rig, seed)
        cancelled += sum(isinstance(result, asyncio.CancelledError) for result in results)
        arrived += received
    what = f"Queued, {rig.name}, {seeds} times 50 writes, cancelled at random"
    line(what, f"{cancelled} cancelled; {arrived:,} bytes reported and received")


# -- close -----------------------------------------------------------------------------------------------


@contextmanager
def stalled_uart(**quirks):
    """A simulated UART that is stuck, whose driver ignores a discard."""
    with simulated_port(flush_works=False, **quirks) as port:
        port.uart.stuck = True

        def rest():
            port.uart.stuck = False
            time.sleep(0.2)
            return port.uart.received

        yield port, rest


@contextmanager
def stalled_pty():
    with PtyPair() as rig, rig.open_peer() as peer:
        yield sw.SerialPort(rig.port), lambda: receive_available(peer)


STALLED = {
    "simulated UART, root": stalled_uart,
    "simulated UART, ordinary user": lambda: stalled_uart(privileged=False),
    "pty": stalled_pty,
}


async def closing(name, policy):
    timeout = 1.0 if policy == "drain" else None
    with STALLED[name]() as (port, rest):
        writing = sw.async_write(port, bytes(100_000), sw.as_tuple(sw.use_promise))
        await until(lambda: port._write_direction.waiting)
        started = time.monotonic()
        unsent = await port.async_close(policy=policy, timeout=timeout)
        elapsed = time.monotonic() - started
        _, accepted = await writing
        arrived = len(rest())
    what = f"close({policy!r}{', timeout=1' if timeout else ''}), stalled {name}"
    told = f"{accepted:,} accepted, {'unknown' if unsent is None else format(unsent, ',')} unsent, {arrived:,} arrived"
    lost = policy == "discard" and name == "pty"  # which drops some, and can't tell how much
    line(what, f"{elapsed:.3f} s; {told}", lost or accepted - (unsent or 0) == arrived)


# -- RFC 2217 --------------------------------------------------------------------------------------------


async def remote(program, policy):
    with tempfile.TemporaryDirectory() as folder, served(program, Path(folder)) as (url, peer):
        port = await opened(url)
        reading = asyncio.ensure_future(asyncio.to_thread(receive_only, peer, len(DATA), 60))
        started = time.monotonic()
        n = await sw.async_write(port, DATA, timeout=60)
        same = await reading == DATA
        line("rfc2217://, ser2net", f"{n:,} bytes written and received in {time.monotonic() - started:.2f} s", same)
        operation = sw.async_write(port, random.Random(7).randbytes(20_000_000), timeout=2)
        try:
            await operation
        except sw.TransferTimeout as error:
            proof = f"strongest proof: {sw.strongest_proof(port)}"
            line("    stalled, timeout=2", f"{error}; {error.queued:,} not served; {proof}")
        started = time.monotonic()
        timeout = 1.0 if policy == "drain" else None
        unsent = await port.async_close(policy=policy, timeout=timeout)
        elapsed = time.monotonic() - started
        line(f"    close({policy!r}{', timeout=1' if timeout else ''})", f"{elapsed:.3f} s, {unsent:,} unsent")


async def run(given):
    for rate in (960, 11_520, 100_000):
        await asyncio.gather(*(paced(kind, rate, given.seconds) for kind in ("pipe", "pty", "socket")))
    for rig in (PtyPair, TcpPair, UnixPair):
        await queued(rig, given.seeds)
    for name in STALLED:
        for policy in ("drain", "discard", "abort"):
            await closing(name, policy)
    program = shutil.which("ser2net")
    if program is None or shutil.which("socat") is None:
        print("rfc2217://: skipped, as ser2net or socat is not installed")
        return
    for policy in ("drain", "discard", "abort")[: given.policies]:
        await remote(program, policy)


def main(arguments):
    parser = argparse.ArgumentParser(prog="python -m tests.streams.figures", description=__doc__)
    parser.add_argument("--seconds", type=float, default=10.0, help="for each rate of Paced (%(default)s)")
    parser.add_argument("--seeds", type=int, default=100, help="runs of Queued on each rig (%(default)s)")
    parser.add_argument("--policies", type=int, default=3, help="of how many policies of close ser2net is asked")
    asyncio.run(run(parser.parse_args(arguments)))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
