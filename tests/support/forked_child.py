"""A program whose forked child ends, or closes what it inherited: the parent must find its stream as it was.

Run as ``forked_child.py KIND ENDING``. It prints what the child asked of the system, and what the parent finds wrong.
"""

import asyncio
import atexit
import contextlib
import fcntl
import gc
import multiprocessing
import os
import select
import signal
import socket
import subprocess
import sys
import termios
import tty

from waiting import until

import serialwrite as sw


def serial():
    master, slave = os.openpty()
    tty.setraw(slave)
    return sw.SerialPort(os.ttyname(slave), 115200), master


def descriptor():
    master, slave = os.openpty()
    tty.setraw(slave)
    return sw.DescriptorStream(os.open(os.ttyname(slave), os.O_RDWR | os.O_NOCTTY)), master


def connection():
    near, far = socket.socketpair()
    return sw.SocketStream(near), far.detach()


def remote():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = sw.SerialPort(f"socket://127.0.0.1:{server.getsockname()[1]}")
        return port, server.accept()[0].detach()


os.register_at_fork(after_in_child=lambda: signal.alarm(60))  # a child that hangs is ended, whatever ends this program
stream, far = {"serial": serial, "descriptor": descriptor, "socket": connection, "socket://": remote}[sys.argv[1]]()
parent, told = os.getpid(), os.dup(1)


write = os.write


def say(text):
    write(told, f"{text}\n".encode())


def watched(module, *names):
    """Have a child say that it calls these."""
    for name in names:
        function = getattr(module, name)

        def tell(*args, function=function, name=name):
            if os.getpid() != parent:
                say(f"the child calls {name}{args}")
            return function(*args)

        setattr(module, name, tell)


watched(fcntl, "ioctl", "flock", "lockf")
watched(termios, "tcflush", "tcdrain", "tcflow", "tcsetattr", "tcsendbreak")
watched(socket.socket, "shutdown", "setsockopt", "sendall", "sendmsg")  # not send: asyncio wakes its loop with it
watched(os, "set_blocking", "kill", "write", "writev")


def received(size, seconds=10):
    data = b""
    while len(data) < size and select.select([far], [], [], seconds)[0]:
        data += os.read(far, size - len(data))
    return data


def check(what, right):
    if not right:
        say(what)


def is_closed(fd):
    try:
        os.fstat(fd)
    except OSError:
        return True
    return False


def own_number():
    return stream._wait_fd()


def close_and_check():
    fd = own_number()
    check("close() says what is the parent's", stream.close() is None)
    check("the child's descriptor is open still", is_closed(fd))


def forked(child):
    pid = os.fork()
    if pid == 0:
        child()
        sys.exit()
    check("the child has failed", os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0)


async def close_async():
    if hasattr(stream, "async_close"):
        await stream.async_close()
    else:
        async with stream:
            pass


def collect():
    del globals()["stream"]
    gc.collect()


def by_multiprocessing(target):
    child = multiprocessing.get_context("fork").Process(target=target)
    child.start()
    child.join()
    check("the child has failed", child.exitcode == 0)


endings = {
    "exit": lambda: forked(lambda: None),
    "close": lambda: forked(close_and_check),
    "async_close": lambda: forked(lambda: asyncio.run(close_async())),
    "collected": lambda: forked(collect),
    "multiprocessing": lambda: by_multiprocessing(lambda: None),
    "multiprocessing close": lambda: by_multiprocessing(close_and_check),
    "preexec_fn": lambda: subprocess.run([sys.executable, "-c", ""], preexec_fn=close_and_check, check=True),
}


def end_as_multiprocessing_does():
    gc.collect()
    atexit._run_exitfuncs()
    os._exit(0)


async def waiting(child):
    """The child is forked while a write of the parent's waits."""
    task = asyncio.ensure_future(sw.async_write(stream, bytes(1 << 20)))
    await until(lambda: stream.stall)
    pid = os.fork()
    if pid == 0:
        child()
        if sys.version_info >= (3, 15):  # asyncio hangs in a child that leaves the loop of its parent
            end_as_multiprocessing_does()
        sys.exit()  # which ends this coroutine, and the loop with all of its tasks
    await until(lambda: os.waitpid(pid, os.WNOHANG)[0])
    count = 0
    async with asyncio.timeout(30):
        while count < 1 << 20:
            count += len(received(1 << 12, 0))
            await asyncio.sleep(
                0
            )  # no thread: one wakes a loop by a pipe, which asyncio in the child has closed its way
        await asyncio.wait([task])
    check("the parent's write has not ended", task.done())
    check(f"{count:,} bytes have come", count == 1 << 20)


endings |= {
    "exit while it waits": lambda: asyncio.run(waiting(lambda: None)),
    "close while it waits": lambda: asyncio.run(waiting(close_and_check)),
}

sw.write(stream, b"before", timeout=10)
if "waits" in sys.argv[2]:
    received(6)
    endings[sys.argv[2]]()
else:
    endings[sys.argv[2]]()
    check("what was written before is lost", received(6) == b"before")
sw.write(stream, b"after", timeout=10)
check("the parent's stream does not write any more", received(5) == b"after")
if sys.argv[1] == "descriptor":
    check("the parent's descriptor blocks", not os.get_blocking(stream.fileno()))
if sys.argv[1] == "serial":
    again = os.open(stream.serial.port, os.O_RDWR | os.O_NOCTTY)
    with contextlib.suppress(BlockingIOError):
        fcntl.flock(again, fcntl.LOCK_EX | fcntl.LOCK_NB)
        say("the parent's lock is gone")
say("over")
os._exit(0)
