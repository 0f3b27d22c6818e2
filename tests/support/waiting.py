"""Wait for a state, with a bound: the one way in which tests wait for what no event tells; and two such states."""

import asyncio
import time

BOUND = 30.0  # seconds in which everything comes that is not broken
TURNS = 100  # of the loop, before it may rest
REST = 0.001  # seconds


async def until(condition, seconds=BOUND):
    """Let the loop turn until ``condition()`` holds: TimeoutError after ``seconds``."""
    turns = 0
    async with asyncio.timeout(seconds):
        while not condition():
            turns += 1
            await asyncio.sleep(0 if turns < TURNS else REST)


def wait_until(condition, seconds=BOUND):
    """Block this thread until ``condition()`` holds: TimeoutError after ``seconds``."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() >= deadline:
            raise TimeoutError(f"not so within {seconds} s")
        time.sleep(REST)


# What no public name says: whether a write waits, whatever holds the port up, and whether one has the stream.


def waits_to_write(stream):
    return stream._write_direction.waiting


def is_written_to(stream):
    return stream._write_direction.user is not None
