"""A completion token of one's own: the result is put into a queue."""

import asyncio

import serialwrite as sw
from serialwrite.testing import PtyPair


class ToQueue(sw.CompletionToken[None, None]):
    """Start now; put the count, or the error, into a queue."""

    def __init__(self, queue):
        self.queue = queue

    def initiate(self, operation, /):
        def complete(*args):
            try:
                self.queue.put_nowait(operation.result(args))
            except sw.TransferError as error:
                self.queue.put_nowait(error)

        operation.launch(sw.Handler(complete, operation.executor))


# end


async def main():
    with PtyPair() as rig:
        async with sw.SerialPort(rig.port) as port:
            results = asyncio.Queue()
            sw.async_write(port, b"hello", ToQueue(results))
            print(await results.get())  # prints: 5
            sw.async_write(port, bytes(1 << 20), sw.cancel_after(0.2, ToQueue(results)))
            print(type(await results.get()).__name__)  # prints: TransferTimeout


if __name__ == "__main__":
    asyncio.run(main())
