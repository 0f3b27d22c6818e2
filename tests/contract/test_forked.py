"""A forked child touches nothing of what its parent opened, however it ends (rule 14)."""

import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(__file__).parent.parent / "support/forked_child.py"
KINDS = ["serial", "descriptor", "socket", "socket://"]
ENDINGS = ["exit", "close", "async_close", "collected", "multiprocessing", "multiprocessing close", "preexec_fn"]
WAITING = ["exit while it waits", "close while it waits"]  # socket:// waits on a thread, which no fork takes along


@pytest.mark.parametrize(
    ("kind", "ending"),
    [(kind, end) for kind in KINDS for end in ENDINGS] + [(kind, end) for kind in KINDS[:3] for end in WAITING],
)
def test_a_forked_child_leaves_its_parents_stream_alone(kind, ending):
    """In a program of its own: a process that has threads is not to be forked."""
    ran = subprocess.run(
        [sys.executable, PROGRAM, kind, ending], check=False, capture_output=True, text=True, timeout=100
    )
    assert ran.stdout == "over\n", ran.stderr


FORKED_IN_A_LOOP = """
import asyncio, os, signal, socket, sys
import serialwrite as sw

near, far = socket.socketpair()


async def write(stream):
    return await sw.async_write(stream, b"child", timeout=10)


async def main(blocking):
    stream = sw.SocketStream(near)
    await sw.async_write(stream, b"parent ")
    child = os.fork()
    if child == 0:
        signal.alarm(20)
        n = sw.write(stream, b"child", timeout=10) if blocking else asyncio.run(write(stream))
        os._exit(n)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 5
    await sw.async_write(stream, b" parent")
    assert far.recv(99) == b"parent child parent"


asyncio.run(main(sys.argv[1] == "blocking"))
"""


FORKED_WITH_AN_IO_THREAD = """
import os, socket
import serialwrite as sw

near, far = socket.socketpair()
with sw.IoThread() as io:
    stream = sw.SocketStream(near, io.get_executor())
    assert sw.async_write(stream, b"parent", sw.use_future).result(20) == 6
    child = os.fork()
    if child == 0:
        try:
            sw.async_write(stream, b"child", sw.use_future).result(20)
        except RuntimeError as error:
            os._exit(5 if "make an IoThread here" in str(error) else 1)
        os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 5
    assert sw.async_write(stream, b"parent", sw.use_future).result(20) == 6
assert far.recv(99) == b"parentparent"
"""


def test_a_child_that_uses_its_parents_io_thread_is_told():
    command = [sys.executable, "-c", FORKED_WITH_AN_IO_THREAD]
    ran = subprocess.run(command, check=False, capture_output=True, text=True, timeout=100)
    assert ran.returncode == 0, ran.stderr


@pytest.mark.parametrize("form", ["blocking", "async"])
def test_child_forked_in_a_loop_writes_without_that_loop(form):
    """The loop says that it runs, but it does so in the parent only."""
    command = [sys.executable, "-c", FORKED_IN_A_LOOP, form]
    ran = subprocess.run(command, check=False, capture_output=True, text=True, timeout=100)
    assert ran.returncode == 0, ran.stderr
