"""A stream of your own gets every completion token, every adapter and exact counts from async_write."""

import asyncio

import serialwrite as sw


class Recorder:
    """The two methods of an AsyncWriteStream. This one takes at most 8 bytes at a time, and keeps them."""

    def __init__(self):
        self.executor = sw.EventLoopExecutor()
        self.data = bytearray()

    def get_executor(self):
        return self.executor

    def async_write_some(self, buffers, token=sw.deferred, /):
        def initiation(handler):
            chunk = b"".join(buffers)[:8]  # or any I/O; buffers are memoryviews of bytes
            self.data += chunk
            self.executor.post(handler, None, len(chunk))  # later, never here: see "never inline"

        return sw.async_initiate(initiation, token, self.executor)


async def main():
    recorder = Recorder()

    # Awaited, which is the default.
    print(await sw.async_write(recorder, b"hello, world"))  # prints: 12

    # Step by step, as async_write itself does it.
    print(await recorder.async_write_some([b"0123456789"]))  # prints: 8

    # Any token, any adapter, any condition.
    print(await sw.async_write(recorder, b"as a pair", sw.as_tuple()))  # prints: (None, 9)
    print(
        await sw.async_write(
            recorder,
            [b"some ", b"of ", b"this"],
            sw.cancel_after(1.0, sw.use_promise),
            completion_condition=sw.transfer_exactly(10),
        )
    )  # prints: 10

    done = asyncio.Event()

    def handler(error, bytes_transferred):
        print(error, bytes_transferred)  # prints: None 4
        done.set()

    sw.async_write(recorder, b"last", handler)
    await done.wait()

    print(bytes(recorder.data))  # prints: b'hello, world01234567as a pairsome of thlast'


asyncio.run(main())
