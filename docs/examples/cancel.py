"""Cancel a write from elsewhere, four ways, and know how far each got."""

import asyncio

import serialwrite as sw
from serialwrite.testing import PtyPair, receive_available

PAYLOAD = bytes(1 << 20)


async def by_task(port):
    operation = sw.async_write(port, PAYLOAD)  # keep the operation: it holds the count
    task = asyncio.create_task(operation)
    await asyncio.sleep(0.05)
    task.cancel()
    try:
        await task
    except asyncio.CancelledError:
        return operation.bytes_transferred


async def by_asyncio_timeout(port):
    operation = sw.async_write(port, PAYLOAD)
    try:
        async with asyncio.timeout(0.05):
            await operation
    except TimeoutError:
        return operation.bytes_transferred


async def by_signal(port):
    signal = sw.CancellationSignal()
    asyncio.get_running_loop().call_later(0.05, signal.emit)
    try:
        await sw.async_write(port, PAYLOAD, sw.bind_cancellation_slot(signal.slot, sw.deferred))
    except sw.OperationAborted as error:
        return error.bytes_transferred


async def by_future(port):
    future = sw.async_write(port, PAYLOAD, sw.use_future)
    await asyncio.sleep(0.05)
    future.cancel()
    error, n = await asyncio.to_thread(lambda: (future.exception(), future.bytes_transferred))
    assert isinstance(error, sw.OperationAborted)
    return n


# end


async def main():
    for way in (by_task, by_asyncio_timeout, by_signal, by_future):
        with PtyPair() as rig, rig.open_peer() as peer:
            async with sw.SerialPort(rig.port) as port:
                n = await way(port)
                arrived = await asyncio.to_thread(receive_available, peer)
                print(f"{way.__name__}: {n:,} bytes accepted, {len(arrived):,} arrived")
                assert n == len(arrived)


if __name__ == "__main__":
    asyncio.run(main())
