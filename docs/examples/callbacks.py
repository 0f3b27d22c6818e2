"""A callback, a future for another thread, and a thread that owns the loop."""

import threading

import serialwrite as sw
from serialwrite.testing import PtyPair


def main():
    with PtyPair() as rig, sw.IoThread() as io, sw.SerialPort(rig.port, executor=io.get_executor()) as port:
        # A function as the token: called once, on the loop's thread, never inside this call.
        done = threading.Event()

        def handler(error, bytes_transferred):
            print(error or f"{bytes_transferred} bytes written")
            done.set()

        sw.async_write(port, b"hello", handler)
        done.wait()

        # A future: any thread may wait for it, and cancel it.
        future = sw.async_write(port, b" world", sw.use_future)
        print(future.result(timeout=1), "bytes written")


# end

if __name__ == "__main__":
    main()
