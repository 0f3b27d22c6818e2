"""What Python has: asyncio's StreamWriter and sock_sendall, on asyncio's loop and on uvloop's; trio's streams."""

# ruff: noqa: PLC0415 # trio is imported only where it is measured

import asyncio
import os
import socket
import sys
import time
from collections.abc import Sequence
from typing import Any

from ..full import FullPair
from ..meter import Meter
from ..workloads import Work
from ._shapes import Awaited, Contestant, End, buffers, late_us, payload


class StreamWriter(Awaited):
    """``writer.write(data); await writer.drain()``."""

    actions = ("repeat", "gather", "timeout", "busy")

    async def open(self, end: End) -> asyncio.StreamWriter:
        if end.link == "socketpair":
            _, writer = await asyncio.open_unix_connection(sock=end.socket())
            return writer
        loop = asyncio.get_running_loop()
        transport, protocol = await loop.connect_write_pipe(
            asyncio.streams.FlowControlMixin, os.fdopen(end.descriptor(), "wb", 0)
        )
        return asyncio.StreamWriter(transport, protocol, None, loop)

    async def repeat(self, stream: asyncio.StreamWriter, data: bytes, times: int) -> None:
        for _ in range(times):
            stream.write(data)
            await stream.drain()

    async def gather(self, stream: asyncio.StreamWriter, buffers: list[bytes]) -> None:
        stream.writelines(buffers)
        await stream.drain()


class SockSendall(Awaited):
    """``await loop.sock_sendall(sock, data)``."""

    links = ("socketpair",)
    actions = ("repeat", "gather", "timeout", "blocked", "busy")

    async def open(self, end: End) -> socket.socket:
        return end.socket()

    async def repeat(self, stream: socket.socket, data: bytes, times: int) -> None:
        sendall = asyncio.get_running_loop().sock_sendall
        for _ in range(times):
            await sendall(stream, data)

    async def blocked(self, times: int) -> None:
        loop = asyncio.get_running_loop()
        with FullPair() as pair:
            for _ in range(times):
                loop.call_soon(pair.take)
                await loop.sock_sendall(pair.near, pair.data)


class LoopTurn(Awaited):
    """The floor of a write that is blocked: the same bytes, once a turn of the loop has come round with the news."""

    links = ("socketpair",)
    actions = ("blocked",)

    async def blocked(self, times: int) -> None:
        loop = asyncio.get_running_loop()
        with FullPair() as pair:

            def take(future: asyncio.Future[None]) -> None:
                pair.take()
                future.set_result(None)

            for _ in range(times):
                future = loop.create_future()
                loop.call_soon(take, future)
                await future
                pair.near.send(pair.data)


class Trio(Contestant):
    """trio's SocketStream, and on a pty the SerialStream of trio-serial: ``await stream.send_all(data)``."""

    actions = ("repeat", "gather", "timeout")

    def __init__(self, name: str, link: str, *requires: str) -> None:
        super().__init__(name)
        self.links, self.requires = (link,), requires

    async def open(self, end: End) -> Any:
        if end.link == "socketpair":
            import trio

            return trio.SocketStream(trio.socket.from_stdlib_socket(end.socket()))
        import trio_serial

        stream = trio_serial.SerialStream(end.name, baudrate=115_200)
        await stream.aopen()
        return stream

    def perform(self, work: Work, ends: Sequence[End]) -> None:
        import trio

        trio.run(self._perform, work, ends)

    async def _perform(self, work: Work, ends: Sequence[End]) -> None:
        import trio

        streams, meter, more = [await self.open(end) for end in ends], Meter(), {}
        data, parts = payload(work), buffers(work)

        async def repeat(stream: Any, times: int) -> None:
            for _ in range(times):
                await stream.send_all(data)

        await repeat(streams[0], work.warmup)
        meter.start()
        if work.action == "gather":
            await streams[0].send_all(b"".join(parts))
        elif work.action == "timeout":
            more = {"late_us": [], "counts": []}
            for _ in range(work.times):
                begun = time.monotonic()
                with trio.move_on_after(work.timeout):
                    await streams[0].send_all(data)
                more["late_us"].append(late_us(begun, work.timeout))
                more["counts"].append(None)
        else:
            async with trio.open_nursery() as nursery:
                for stream in streams:
                    nursery.start_soon(repeat, stream, work.times)
        print(meter.stop(**more), flush=True)
        sys.stdin.readline()


CONTESTANTS: list[Contestant] = [
    LoopTurn("a turn of the loop"),
    LoopTurn("a turn of the loop", uvloop=True),
    StreamWriter("asyncio StreamWriter"),
    StreamWriter("asyncio StreamWriter", uvloop=True),
    SockSendall("asyncio sock_sendall"),
    SockSendall("asyncio sock_sendall", uvloop=True),
    Trio("trio SocketStream", "socketpair", "trio"),
    Trio("trio-serial", "pty", "trio", "trio_serial"),
]
