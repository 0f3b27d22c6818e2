"""``serialwrite demo``: a device stalls in the middle of a write, and not a byte is lost or sent twice."""

from __future__ import annotations

import asyncio
import hashlib
import os

import typer

from serialwrite import SerialPort, TransferError, TransferTimeout, async_write
from serialwrite.testing import PtyPair, receive, receive_available
from serialwrite.testing._ends import HasFileno

from ._console import console, say
from ._output import exit_code
from ._steps import Steps

PAYLOAD_SIZE = 1 << 20  # bytes to be written
READ_BEFORE_STALL_SIZE = 256 << 10  # bytes that the device reads before it stalls
FIRST_WRITE_TIMEOUT_S = 0.5  # seconds given to the first write
DEVICE_SILENCE_S = 0.5  # seconds of silence after which nothing more is on its way


async def run(steps: Steps) -> None:
    """The demonstration. ``port`` is what a program writes to; ``device`` is the far end of the line."""
    payload = os.urandom(PAYLOAD_SIZE)  # random, so that a byte lost, repeated or moved can't go unnoticed

    with PtyPair() as line, line.open_peer() as device, SerialPort(line.port, 115200) as port:
        steps.title(
            "serialwrite demo", f"{line.port} <-> {line.peer}: two pseudo-terminals, joined like a serial cable"
        )

        steps.step(
            f"Write {PAYLOAD_SIZE:,} bytes to a device that stops reading after {READ_BEFORE_STALL_SIZE:,}",
            f"await async_write(port, payload, timeout={FIRST_WRITE_TIMEOUT_S})",
        )
        reading = receiving(device, READ_BEFORE_STALL_SIZE)
        try:
            with steps.waiting("the device has stalled; the write waits for its timeout"):
                await async_write(port, payload, timeout=FIRST_WRITE_TIMEOUT_S)
        except TransferTimeout as error:
            stopped = error
        else:
            steps.check("the write ended with a timeout", holds=False)
            return
        steps.saw(f"TransferTimeout: {stopped}")
        steps.gauge(stopped.bytes_transferred, PAYLOAD_SIZE)
        count, rest = stopped.bytes_transferred, sum(map(len, stopped.remaining))
        steps.check(
            f"the error says how far it got: error.bytes_transferred is {count:,}", holds=0 < count < PAYLOAD_SIZE
        )
        steps.check(f"and what is left: error.remaining holds {rest:,} bytes", holds=count + rest == PAYLOAD_SIZE)

        steps.step(
            "Let the device read again, without writing: does anything arrive that was not counted?",
            f"receive_available(device, quiet={DEVICE_SILENCE_S})",
        )
        received = await reading
        with steps.waiting("the device reads until nothing more comes"):
            received += await asyncio.to_thread(receive_available, device, DEVICE_SILENCE_S)
        steps.check(f"{len(received):,} bytes arrived: exactly the count", holds=len(received) == count)
        steps.check("they are the beginning of the payload, byte for byte", holds=payload.startswith(received))
        with steps.waiting("listening for bytes sent behind the program's back"):
            late = await asyncio.to_thread(receive_available, device, DEVICE_SILENCE_S)
        steps.check(f"{len(late)} bytes came later: a write that has ended stays ended", holds=not late)

        steps.step("Resume with what the error left", "await async_write(port, error.remaining)")
        reading = receiving(device, rest)
        written = await async_write(port, stopped.remaining, timeout=30)
        received += await reading
        steps.gauge(count + written, PAYLOAD_SIZE)
        steps.check(f"{count:,} + {written:,} = {PAYLOAD_SIZE:,} bytes accepted", holds=count + written == PAYLOAD_SIZE)

        steps.step("Compare the two ends of the line", "hashlib.sha256(received) == hashlib.sha256(payload)")
        received += await asyncio.to_thread(receive_available, device, DEVICE_SILENCE_S)
        sent, arrived = hashlib.sha256(payload).hexdigest(), hashlib.sha256(received).hexdigest()
        steps.saw(f"sent     {steps.shortened(sent)}")
        steps.saw(f"received {steps.shortened(arrived)}")
        steps.check(
            f"{len(received):,} bytes arrived in all, and their SHA-256 is the payload's", holds=arrived == sent
        )

    steps.conclude("Stalled, timed out, resumed: nothing lost, nothing sent twice.")


def receiving(device: HasFileno, size: int) -> asyncio.Task[bytes]:
    """Read on a thread. Where the demonstration ends early, the line closes under it, and that error is expected."""
    task = asyncio.create_task(asyncio.to_thread(receive, device, size))
    task.add_done_callback(lambda done: done.cancelled() or done.exception())
    return task


def demo() -> None:
    """See a write stall, time out with its exact count, and be resumed to a byte-perfect end. Needs no hardware."""
    steps = Steps(console())
    try:
        asyncio.run(run(steps))
    except (TransferError, OSError, EOFError) as error:
        say(f"NOT TRUE: the demo ended early, with {type(error).__name__}: {error}")
        raise typer.Exit(1) from error
    except KeyboardInterrupt:
        raise typer.Exit(130) from None
    raise typer.Exit(exit_code(1 if steps.untrue else 0))
