"""Writing from threads, with no asyncio anywhere: blocking, or through a thread that owns the loop."""

import serialwrite as sw


def greet(port):
    """Blocks this thread; raises what ``async_write`` raises, with the same counts."""
    return sw.write(port, b"hello\n", timeout=1.0)


# end blocking


# begin threads
from concurrent.futures import ThreadPoolExecutor

import serialwrite as sw
from serialwrite.testing import PtyPair, receive


def by_four_threads():
    # One thread owns the loop; any other may start a write, wait for it, and cancel it.
    with (
        PtyPair() as rig,
        rig.open_peer() as peer,
        sw.IoThread() as io,
        sw.SerialPort(rig.port, executor=io.get_executor()) as port,
    ):
        queued = sw.Queued(port)  # the writers take turns

        def work(number):
            future = sw.async_write(queued, f"worker {number}\n".encode(), sw.use_future, timeout=5.0)
            return future.result()

        with ThreadPoolExecutor(4) as pool:
            print(sum(pool.map(work, range(4))), "bytes, by four threads")  # prints: 36 bytes, by four threads
        lines = receive(peer, 36).splitlines()
        print(max(lines).decode(), "was written whole")  # prints: worker 3 was written whole


# end threads


def main():
    with PtyPair() as rig, rig.open_peer() as peer, sw.SerialPort(rig.port) as port:
        assert greet(port) == 6
        assert receive(peer, 6) == b"hello\n"
    by_four_threads()


if __name__ == "__main__":
    main()
