"""serialwrite: its default token at every work, and every token, adapter and stream at W1."""

# ruff: noqa: PLC0415 # a peer is imported only where it is measured

import asyncio
from collections.abc import Callable
from contextlib import ExitStack
from types import MappingProxyType
from typing import Any

import serialwrite as sw
from serialwrite import async_write

from ..full import FullPair
from ..links import allow_descriptors
from ..workloads import Work
from ._shapes import Awaited, Contestant, End, Synchronous
from .peers import BAUDRATE

TIMEOUT = 30.0  # seconds; of W1, where none ever runs out


class Ours(Awaited):
    """``await async_write(stream, data)``."""

    actions = ("repeat", "gather", "timeout", "blocked", "busy", "pending")
    works = ("W1", "W2", "W3", "W4", "W5", "W6")
    limit: float | None = None

    def takes(self, work: Work) -> bool:
        return super().takes(work) and not (self.uvloop and work.name == "W6")

    async def open(self, end: End) -> Any:
        return sw.SocketStream(end.socket()) if end.link == "socketpair" else sw.SerialPort(end.name, BAUDRATE)

    async def repeat(self, stream: Any, data: bytes, times: int) -> None:
        for _ in range(times):
            await async_write(stream, data)

    async def gather(self, stream: Any, buffers: list[bytes]) -> None:
        await async_write(stream, buffers)

    async def timeout(self, stream: Any, data: bytes, seconds: float) -> int | None:
        try:
            await async_write(stream, data, timeout=seconds)
        except sw.TransferTimeout as error:
            return error.bytes_transferred
        raise AssertionError("the peer does not read, and yet the write ended")

    async def blocked(self, times: int) -> None:
        loop = asyncio.get_running_loop()
        with FullPair() as pair:
            stream = sw.SocketStream(pair.near)
            for _ in range(times):
                loop.call_soon(pair.take)
                await async_write(stream, pair.data, timeout=self.limit)

    async def pending(self, times: int, seconds: float) -> None:
        allow_descriptors(2 * times + 100)
        with ExitStack() as pairs:
            made = [sw.SocketStream(pairs.enter_context(FullPair()).near) for _ in range(times)]
            ends = await asyncio.gather(
                *(async_write(stream, b"never", timeout=seconds) for stream in made), return_exceptions=True
            )
        for end in ends:
            if not isinstance(end, sw.TransferTimeout):
                raise end


class Pure(Ours):
    """All of it in Python, as where there is no compiler."""

    works = ("W1", "W2", "W3", "W4")
    environment = MappingProxyType({"SERIALWRITE_PURE": "1"})


class Bytearrays(Ours):
    """Many bytearrays in one call."""

    actions = ("gather",)
    works = ("W3",)

    def made(self, work: Work) -> list[Any]:
        return list(map(bytearray, super().made(work)))


class PureBytearrays(Bytearrays):
    """The same, all of it in Python."""

    environment = Pure.environment


class Variant(Ours):
    """Something else than the default, at W1 only."""

    actions = ("repeat",)
    works = ("W1",)
    needs: tuple[str, ...] = ()  # names that a build without extras, or an older one, may lack

    def missing(self) -> str | None:
        lacking = [name for name in self.needs if not hasattr(sw, name)]
        return f"serialwrite has no {', '.join(lacking)} here" if lacking else super().missing()


class Timed(Variant):
    """``await async_write(stream, data, timeout=seconds)``."""

    actions = ("repeat", "blocked")
    limit = TIMEOUT

    async def repeat(self, stream: Any, data: bytes, times: int) -> None:
        for _ in range(times):
            await async_write(stream, data, timeout=TIMEOUT)


class Token(Variant):
    """``await async_write(stream, data, token)``, with a token made once."""

    def __init__(self, name: str, make: Callable[[], Any]) -> None:
        super().__init__(name)
        self._make = make

    async def repeat(self, stream: Any, data: bytes, times: int) -> None:
        token = self._make()
        for _ in range(times):
            await async_write(stream, data, token)


class Callback(Variant):
    """Each completion handler starts the next write."""

    async def repeat(self, stream: Any, data: bytes, times: int) -> None:
        done = asyncio.get_running_loop().create_future()
        left = times

        def handler(error: Exception | None, n: int) -> None:
            nonlocal left
            left -= 1
            if error:
                done.set_exception(error)
            elif left:
                async_write(stream, data, handler)
            else:
                done.set_result(None)

        async_write(stream, data, handler)
        await done


class Detached(Variant):
    """Nobody waits for a write of a ``Queued`` stream but for the last."""

    needs = ("Queued",)

    async def open(self, end: End) -> Any:
        return sw.Queued(await super().open(end))

    async def repeat(self, stream: Any, data: bytes, times: int) -> None:
        for _ in range(times - 1):
            async_write(stream, data, sw.detached)
        await async_write(stream, data)


class Stackful(Variant):
    """``async_write(stream, data, yield_)`` inside a stackful coroutine."""

    needs = ("spawn",)
    requires = ("greenlet",)

    async def repeat(self, stream: Any, data: bytes, times: int) -> None:
        def coroutine(yield_: Any) -> None:
            for _ in range(times):
                async_write(stream, data, yield_)

        await sw.spawn(stream, coroutine)


class Layered(Variant):
    """The default token on a stream that wraps another."""

    def __init__(self, name: str, layer: str, *arguments: Any, **options: Any) -> None:
        super().__init__(name)
        self.needs = (layer,)
        self._arguments, self._options = arguments, options

    async def open(self, end: End) -> Any:
        return getattr(sw, self.needs[0])(await super().open(end), *self._arguments, **self._options)


class Adapted(Variant):
    """The descriptor itself in the place of the stream: it is looked up at every write."""

    async def open(self, end: End) -> int:
        return end.descriptor()


class Descriptor(Variant):
    async def open(self, end: End) -> Any:
        return sw.DescriptorStream(end.descriptor())


class Transport(Variant):
    """Beside a live transport: asyncio's on a socketpair, pyserial-asyncio's on a pty."""

    async def open(self, end: End) -> Any:
        if end.link == "socketpair":
            _, self._writer = await asyncio.open_unix_connection(sock=end.socket())
        else:
            import serial_asyncio

            _, self._writer = await serial_asyncio.open_serial_connection(url=end.name, baudrate=BAUDRATE)
        return sw.as_stream(self._writer)


class Future(Synchronous):
    """``async_write(stream, data, use_future).result()``, from a thread that has no loop."""

    actions = ("repeat",)
    works = ("W1",)

    def open(self, end: End) -> Any:
        self._io = sw.IoThread()
        executor = self._io.get_executor()
        if end.link == "socketpair":
            return sw.SocketStream(end.socket(), executor)
        return sw.SerialPort(end.name, BAUDRATE, executor=executor)

    def repeat(self, stream: Any, data: bytes, times: int) -> None:
        for _ in range(times):
            async_write(stream, data, sw.use_future).result()


class Blocking(Synchronous):
    """``write(stream, data)``, for programs without a loop."""

    actions = ("repeat", "gather", "timeout")
    works = ("W1", "W2", "W5")

    def open(self, end: End) -> Any:
        return sw.SocketStream(end.socket()) if end.link == "socketpair" else sw.SerialPort(end.name, BAUDRATE)

    def repeat(self, stream: Any, data: bytes, times: int) -> None:
        for _ in range(times):
            sw.write(stream, data)

    def timeout(self, stream: Any, data: bytes, seconds: float) -> int | None:
        try:
            sw.write(stream, data, timeout=seconds)
        except sw.TransferTimeout as error:
            return error.bytes_transferred
        raise AssertionError("the peer does not read, and yet the write ended")


_signal = sw.CancellationSignal()  # nobody emits it


CONTESTANTS: list[Contestant] = [
    Ours("serialwrite"),
    Ours("serialwrite", uvloop=True),
    Blocking("serialwrite write()"),
    Pure("serialwrite pure"),
    Bytearrays("serialwrite bytearrays"),
    PureBytearrays("serialwrite pure, bytearrays"),
    Timed("serialwrite timeout="),
    Callback("serialwrite callback"),
    Future("serialwrite use_future"),
    Token("serialwrite use_awaitable", lambda: sw.use_awaitable),
    Token("serialwrite use_promise", lambda: sw.use_promise),
    Detached("serialwrite detached"),
    Stackful("serialwrite yield_context"),
    Token("serialwrite as_tuple", sw.as_tuple),
    Token("serialwrite redirect_error", lambda: sw.redirect_error(sw.deferred, sw.ErrorRef())),
    Token("serialwrite append", lambda: sw.append(sw.deferred, "more")),
    Token("serialwrite prepend", lambda: sw.prepend(sw.deferred, "more")),
    Token("serialwrite consign", lambda: sw.consign(sw.deferred, "kept")),
    Token("serialwrite bind_executor", lambda: sw.bind_executor(sw.EventLoopExecutor(), sw.deferred)),
    Token("serialwrite bind_immediate_executor", lambda: sw.bind_immediate_executor(sw.inline_executor, sw.deferred)),
    Token("serialwrite bind_cancellation_slot", lambda: sw.bind_cancellation_slot(_signal.slot, sw.deferred)),
    Token("serialwrite cancel_after", lambda: sw.cancel_after(TIMEOUT)),
    Token("serialwrite cancel_at", lambda: sw.cancel_at(asyncio.get_running_loop().time() + TIMEOUT)),
    Descriptor("serialwrite DescriptorStream"),
    Adapted("serialwrite on a descriptor"),
    Transport("serialwrite TransportStream"),
    Layered("serialwrite Queued", "Queued"),
    Layered("serialwrite Paced", "Paced", bytes_per_second=1e12),
    Layered("serialwrite Traced", "Traced", lambda *_: None),
]
