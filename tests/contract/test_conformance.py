"""The conformance suites: every stream of the library passes them, and each way of being broken fails its rule."""

import asyncio
import contextlib
import os
import socket
import subprocess
import sys
import threading
import time

import pytest
from telnet_server import telnet_server
from waiting import until

import serialwrite as sw
from serialwrite.testing import (
    PtyPair,
    TcpPair,
    UnixPair,
    check_read_stream,
    check_write_stream,
    clog_by_writing,
)


def available(end):
    """What has come at an end, as a function."""

    def receive():
        data = bytearray()
        with contextlib.suppress(BlockingIOError, OSError):
            while chunk := os.read(end.fileno(), 65536):
                data += chunk
        return bytes(data)

    return receive


def sending(end):
    """A function that sends from an end."""
    left = bytearray()

    def go_on():
        with contextlib.suppress(BlockingIOError):
            while left:
                del left[: os.write(end.fileno(), left)]
        if left:
            asyncio.get_running_loop().call_later(0.001, go_on)

    def send(data):
        left.extend(data)
        go_on()

    return send


# -- the library's own --------------------------------------------------------------------------------


@contextlib.contextmanager
def over_rig(make_rig, make_stream, far):
    with make_rig() as rig, rig.open_peer() as peer, make_stream(rig) as stream:
        yield stream, far(peer)


def descriptor(rig):
    return sw.DescriptorStream(rig.open_port())


def serial_port(rig):
    return sw.SerialPort(rig.port)


def socket_stream(rig):
    return sw.SocketStream(rig.open_port())


@contextlib.asynccontextmanager
async def over_transport(far):
    with UnixPair() as rig:
        near, peer = rig.open_port(), rig.open_peer()
        _, writer = await asyncio.open_unix_connection(sock=near)
        try:
            yield sw.TransportStream(writer), far(peer)
        finally:
            writer.close()
            await asyncio.sleep(0)


@contextlib.asynccontextmanager
async def over_buffered_transport(far):
    """As TLS would be: through the transport, with terminal cancellation only."""
    with UnixPair() as rig:
        near, peer = rig.open_port(), rig.open_peer()
        _, writer = await asyncio.open_unix_connection(sock=near)
        try:
            yield sw.BufferedTransportStream(writer.transport), far(peer)
        finally:
            writer.transport.abort()
            await asyncio.sleep(0)


def clog_transport(stream):
    """Behind so much, a write waits."""
    ahead = 1 << 20
    stream.transport.write(bytes(ahead))
    return ahead


def traced(rig):
    return sw.Traced(socket_stream(rig), lambda event: None)


def queued(rig):
    return sw.Queued(socket_stream(rig))


def paced(rig):
    return sw.Paced(socket_stream(rig), chunk_size=8192)


def stacked(rig):
    return sw.Queued(sw.Traced(sw.Paced(sw.SerialPort(rig.port), chunk_size=4096), lambda event: None))


@contextlib.asynccontextmanager
async def over_reconnecting(far):
    """Opened before anything comes: to open a port drops what its driver has received."""
    with PtyPair() as rig, rig.open_peer() as peer:
        async with sw.Reconnecting(rig.port) as stream:
            opening = asyncio.ensure_future(stream.async_read(1))
            await until(lambda: stream.stream is not None)
            opening.cancel()
            await asyncio.wait([opening])
            yield stream, far(peer)


@contextlib.contextmanager
def over_socket_url(far):
    """A raw TCP port."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        host, number = server.getsockname()
        stream = sw.SerialPort(f"socket://{host}:{number}")
        with server.accept()[0] as peer:
            peer.setblocking(False)
            try:
                yield stream, far(peer)
            finally:
                stream.close("abort")  # before the peer: pyserial forgets its socket where that is gone


@contextlib.contextmanager
def over_rfc2217(far, **settings):
    """A port behind a server that passes on what comes, and waits where its far end does not read."""
    with UnixPair() as pair, telnet_server(sink=pair.port) as server:
        stream = sw.SerialPort(server.url, 921600, **settings)
        pair.peer.setblocking(False)
        try:
            yield stream, far(pair.peer)
        finally:
            stream.close("abort")


async def clog_behind_server(stream):
    """Write until nothing is taken for some time: a server that only waits for the CPU looks full, too."""
    total = 0
    while taken := await clog_by_writing(stream):
        total += taken
        await asyncio.sleep(0.2)
    return total


OURS = {
    "DescriptorStream on a pty": (lambda far: over_rig(PtyPair, descriptor, far), clog_by_writing),
    "SerialPort on a pty": (lambda far: over_rig(PtyPair, serial_port, far), clog_by_writing),
    "SocketStream, Unix": (lambda far: over_rig(UnixPair, socket_stream, far), clog_by_writing),
    "SocketStream, TCP": (lambda far: over_rig(TcpPair, socket_stream, far), clog_by_writing),
    "Traced": (lambda far: over_rig(UnixPair, traced, far), clog_by_writing),
    "Paced": (lambda far: over_rig(UnixPair, paced, far), clog_by_writing),
    "Queued": (lambda far: over_rig(UnixPair, queued, far), clog_by_writing),
    "Queued over Traced over Paced over SerialPort": (lambda far: over_rig(PtyPair, stacked, far), clog_by_writing),
    "Reconnecting": (over_reconnecting, clog_by_writing),
    "SerialPort on socket://": (over_socket_url, clog_by_writing),
    "SerialPort on rfc2217://": (over_rfc2217, clog_behind_server),
    "SerialPort on rfc2217:// without a window": (lambda far: over_rfc2217(far, in_flight=None), clog_behind_server),
    "TransportStream": (over_transport, clog_by_writing),
    "BufferedTransportStream": (over_buffered_transport, clog_transport),
}


@pytest.mark.parametrize(("make", "clog"), OURS.values(), ids=OURS)
async def test_the_librarys_streams_are_written_to_by_the_rules(make, clog):
    await check_write_stream(lambda: make(available), clog=clog)


READ = {name: make for name, (make, _) in OURS.items() if "Transport" not in name}


@pytest.mark.parametrize("make", READ.values(), ids=READ)
async def test_the_librarys_streams_are_read_from_by_the_rules(make):
    await check_read_stream(lambda: make(sending))


# -- a user's own -------------------------------------------------------------------------------------


class Recorder:
    """The stream of the documentation: takes everything."""

    def __init__(self):
        self.executor = sw.EventLoopExecutor()
        self.data = bytearray()

    def get_executor(self):
        return self.executor

    def async_write_some(self, buffers, token=sw.deferred, /):
        def initiation(handler):
            n = sw.buffer_size(buffers)
            self.data += b"".join(buffers)
            self.executor.post(handler, None, n)

        return sw.async_initiate(initiation, token, self.executor)

    def receive(self):
        data = bytes(self.data)
        self.data.clear()
        return data


class Pipe(Recorder):
    """A stream with little room, whose writer waits until the reader has made some."""

    room = 10_000

    def __init__(self):
        super().__init__()
        self.waiting = None

    def async_write_some(self, buffers, token=sw.deferred, /):
        return sw.async_initiate(lambda handler: self.start(b"".join(buffers), handler), token, self.executor)

    def start(self, data, handler):
        if len(self.data) < self.room or not data:
            self.take(data, handler)
        else:
            self.waiting = data, handler
            handler.cancellation_slot.assign(self.cancel)

    def take(self, data, handler):
        taken = data[: self.room - len(self.data)]
        self.data += taken
        self.complete(handler, None, len(taken))

    def complete(self, handler, error, n):
        handler.cancellation_slot.clear()
        self.executor.post(handler, error, n)

    def cancel(self, type):
        self.end(sw.OperationAborted())

    def end(self, error):
        _, handler = self.waiting
        self.waiting = None
        self.complete(handler, error, 0)

    def receive(self):
        data = super().receive()
        if data and self.waiting:
            more, handler = self.waiting
            self.waiting = None
            self.take(more, handler)
        return data

    def clog(self):
        ahead = self.room - len(self.data)
        self.data += bytes(ahead)
        return ahead

    def close(self):
        if self.waiting:
            self.end(sw.StreamClosed())


@contextlib.contextmanager
def made(kind):
    stream = kind()
    yield stream, stream.receive


async def test_a_recorder_keeps_the_rules_that_it_can_break():
    await check_write_stream(lambda: made(Recorder))


async def test_a_users_stream_that_waits_keeps_the_rules():
    await check_write_stream(lambda: made(Pipe), clog=Pipe.clog)
    await check_write_stream(lambda: made(Pipe), clog=clog_by_writing)


# -- broken ones --------------------------------------------------------------------------------------


class WaitsForNothing(Pipe):
    """1: a write of no bytes never ends."""

    def start(self, data, handler):
        if data:
            super().start(data, handler)


class RefusesNothing(Pipe):
    """1: a write of no bytes is an error."""

    def start(self, data, handler):
        if data:
            super().start(data, handler)
        else:
            self.complete(handler, ValueError("no data"), 0)


class CompletesInline:
    def complete(self, handler, error, n):
        handler.cancellation_slot.clear()
        handler(error, n)


class Inline(CompletesInline, Pipe):
    """2: inside the initiating function."""


class Twice(Pipe):
    """2: twice."""

    def complete(self, handler, error, n):
        super().complete(handler, error, n)
        if n:
            self.executor.post(handler, error, n)


class OtherThread(Pipe):
    """2: not on its executor."""

    def complete(self, handler, error, n):
        handler.cancellation_slot.clear()
        threading.Thread(target=handler, args=(error, n)).start()


class LeavesSlot(Pipe):
    """2: the slot is still taken when the handler runs."""

    def complete(self, handler, error, n):
        handler.cancellation_slot.assign(lambda type: None)
        self.executor.post(handler, error, n)


class KeepsMemory(Pipe):
    """2: the caller's memory is still exported when the handler runs."""

    def async_write_some(self, buffers, token=sw.deferred, /):
        self.kept = [view[:1] for view in buffers]
        return super().async_write_some(buffers, token)


class OneTooMany(Pipe):
    """3: counts what it has not taken."""

    def complete(self, handler, error, n):
        super().complete(handler, error, n + (n == 100))


class OneTooFew(Pipe):
    """3: counts less than it has taken."""

    def complete(self, handler, error, n):
        super().complete(handler, error, n - (n == 100))


class Truncates(Pipe):
    """3: loses the end, and counts it."""

    def take(self, data, handler):
        self.data += data[: min(self.room - len(self.data), 5000)]
        self.complete(handler, None, min(len(data), self.room))


class Reorders(Pipe):
    """3: not in the order given."""

    def async_write_some(self, buffers, token=sw.deferred, /):
        return super().async_write_some(buffers[::-1], token)


class TriesWrong(Pipe):
    """3: the fast path counts wrong."""

    def write_some_nowait(self, buffers):
        data = b"".join(buffers)[: self.room - len(self.data)]
        if not data and any(map(len, buffers)):
            raise BlockingIOError
        self.data += data
        return len(data) - (len(data) > 1)


class Zombie(Pipe):
    """4: what was cancelled goes out all the same, later."""

    def end(self, error):
        data, _ = self.waiting
        super().end(error)
        self.late = data[:3]

    late = b""

    def receive(self):
        data = super().receive()
        if not data:
            data, self.late = self.late, b""
        return data


class Forgetful(Pipe):
    """4: was cancelled, took some, and says that it took none."""

    def end(self, error):
        self.data += self.waiting[0][:3]
        super().end(error)


class WrongError(Pipe):
    """4: does not say that it was cancelled."""

    def cancel(self, type):
        self.end(TimeoutError("too slow"))


class Deaf(Pipe):
    """4: cannot be cancelled, and does not say so."""

    def cancel(self, type):
        pass


class TerminalOnly(Pipe):
    """5: says that it supports every type, and doesn't."""

    def cancel(self, type):
        if type & sw.CancellationType.TERMINAL:
            super().cancel(type)


class Spinning:
    def start(self, memory, handler):
        super().start(memory, handler)
        self.spin()

    def spin(self):
        if self.waiting:
            self.executor.post(self.spin)


class Spins(Spinning, Pipe):
    """8: asks again and again."""


class Blocks(Pipe):
    """8: blocks the loop."""

    def start(self, data, handler):
        time.sleep(1.1 * bool(data))
        super().start(data, handler)


class ClosesLate(Pipe):
    """10: waits for the peer."""

    def close(self):
        time.sleep(0.8)
        super().close()


class NeverEnds(Pipe):
    """10: forgets the write that waits."""

    def close(self):
        pass


class EndsWell(Pipe):
    """10: says that the write that waits has succeeded."""

    def close(self):
        self.end(None)


class Anywhere(Pipe):
    """11: its executor lets whoever comes run the work."""

    def __init__(self):
        super().__init__()
        self.executor = HereAndNow()


class HereAndNow(sw.EventLoopExecutor):
    def dispatch(self, function, /, *args):
        function(*args)

    def post(self, function, /, *args):
        if self.running_here():
            super().post(function, *args)
        else:
            function(*args)


BROKEN = [
    (WaitsForNothing, "rule 1, Asio's loop: write_some of no bytes: no handler was called within"),
    (RefusesNothing, "rule 1, Asio's loop: write_some of no bytes ended with"),
    (Inline, "rule 2, never inline: .* inside the initiating function"),
    (Twice, "rule 2, never inline: .*called 2 times"),
    (OtherThread, "rule 2, never inline: .* on another thread"),
    (LeavesSlot, "rule 2, never inline: .* cancellation slot was not cleared"),
    (KeepsMemory, "rule 2, never inline: .*BufferError"),
    (OneTooMany, "rule 3, the count is the truth: write_some of 100 bytes reported 101"),
    (OneTooFew, "rule 3, the count is the truth: write_some of 100 bytes reported 99: .*they part at byte 100"),
    (Truncates, "rule 3, the count is the truth: write_some of 10,000 bytes reported 10,000: .*they part at"),
    (Reorders, "rule 3, the count is the truth: async_write of many buffers"),
    (TriesWrong, "rule 3, the count is the truth"),
    (Zombie, "rule 4, no zombies: .*they part at"),
    (Forgetful, "rule 4, no zombies: .*they part at"),
    (WrongError, "rule 4, no zombies: .* instead of OperationAborted"),
    (Deaf, "rule 4, no zombies: .*no handler was called within"),
    (TerminalOnly, "rule 5, cancellation by type: .*PARTIAL"),
    (Spins, "rule 8, nothing spins or blocks: .* uses the CPU"),
    (Blocks, "rule 8, nothing spins or blocks: .*blocked the event loop"),
    (ClosesLate, "rule 10, closing is bounded: .*peer that does not read"),
    (NeverEnds, "rule 10, closing is bounded: .*no handler was called within"),
    (EndsWell, "rule 10, closing is bounded: .*without an error"),
    (Anywhere, "rule 11, foreign threads"),
]


@pytest.mark.parametrize(("kind", "message"), BROKEN, ids=[kind.__name__ for kind, _ in BROKEN])
async def test_a_broken_stream_fails_with_the_rule_that_it_breaks(kind, message):
    with pytest.raises(AssertionError, match=message):
        await check_write_stream(lambda: made(kind), clog=Pipe.clog, timeout=0.5)


BUSY = "import os; os.sched_setaffinity(0, {core}); print(flush=True)\nwhile True: pass"


@contextlib.contextmanager
def crowded_thread():
    """This thread gets a small part of one core, as it would on a machine that has much else to do."""
    core = {min(os.sched_getaffinity(0))}
    with subprocess.Popen([sys.executable, "-c", BUSY.format(core=core)], stdout=subprocess.PIPE) as busy:
        try:
            busy.stdout.readline()
            os.sched_setaffinity(0, core)
            thread = threading.get_native_id()
            os.setpriority(os.PRIO_PROCESS, thread, os.getpriority(os.PRIO_PROCESS, thread) + 13)
            yield
        finally:
            busy.kill()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells how long a thread was kept from running")
async def test_what_spins_is_found_where_others_have_the_core():
    def check():
        with crowded_thread():
            asyncio.run(check_write_stream(lambda: made(Pipe), clog=Pipe.clog, rules=[8]))
            with pytest.raises(AssertionError, match="uses the CPU"):
                asyncio.run(check_write_stream(lambda: made(Spins), clog=Pipe.clog, rules=[8]))
            with pytest.raises(AssertionError, match="uses the CPU"):
                asyncio.run(check_read_stream(lambda: made(ReadsSpinning), rules=[8]))

    await asyncio.to_thread(check)  # which has a priority and a core of its own


# -- reading ------------------------------------------------------------------------------------------


class Source:
    """A user's own stream to read from."""

    def __init__(self):
        self.executor = sw.EventLoopExecutor()
        self.data = bytearray()
        self.waiting = None

    def get_executor(self):
        return self.executor

    def async_read_some(self, buffers, token=sw.deferred, /):
        return sw.async_initiate(lambda handler: self.start(buffers, handler), token, self.executor)

    def start(self, buffers, handler):
        if self.data or not sw.buffer_size(buffers):
            self.give(buffers, handler)
        else:
            self.waiting = buffers, handler
            handler.cancellation_slot.assign(self.cancel)

    def give(self, buffers, handler):
        n = sw.buffer_copy(buffers, self.data)
        del self.data[:n]
        self.complete(handler, None, n)

    def complete(self, handler, error, n):
        handler.cancellation_slot.clear()
        self.executor.post(handler, error, n)

    def cancel(self, type):
        self.end(sw.OperationAborted())

    def end(self, error):
        _, handler = self.waiting
        self.waiting = None
        self.complete(handler, error, 0)

    def receive(self, data):
        """Bytes come in from the far end."""
        self.data += data
        if self.waiting:
            buffers, handler = self.waiting
            self.waiting = None
            self.give(buffers, handler)

    def close(self):
        if self.waiting:
            self.end(sw.StreamClosed())


async def test_a_users_stream_is_read_from_by_the_rules():
    await check_read_stream(lambda: made(Source))


class ReadsInline(CompletesInline, Source):
    """2"""


class ReadsTwice(Source):
    """2"""

    def complete(self, handler, error, n):
        super().complete(handler, error, n)
        self.executor.post(handler, error, n)


class ReadsOneTooMany(Source):
    """3: counts what it has not given."""

    def complete(self, handler, error, n):
        super().complete(handler, error, n + (n > 1000))


class Scribbles(Source):
    """3: writes to more than it counts."""

    def give(self, buffers, handler):
        for view in buffers:
            view[:] = bytes(len(view))
        super().give(buffers, handler)


class LosesOnCancel(Source):
    """4: what comes after a cancelled read goes nowhere."""

    def cancel(self, type):
        self.lost = True
        super().cancel(type)

    lost = False

    def receive(self, data):
        if self.lost:
            data, self.lost = data[1:], False
        super().receive(data)


class KeepsReading(Source):
    """4: fills memory that is the caller's again."""

    def end(self, error):
        self.buffers, _ = self.waiting
        super().end(error)

    buffers = ()

    def receive(self, data):
        sw.buffer_copy(self.buffers, data)
        super().receive(data)


class ReadsDeaf(Source):
    """4: cannot be cancelled, and does not say so."""

    def cancel(self, type):
        pass


class ReadsSpinning(Spinning, Source):
    """8: asks again and again."""


class NeverEndsReading(Source):
    """10: forgets the read that waits."""

    def close(self):
        pass


class ClosesReadingLate(Source):
    """10: waits for the peer."""

    def close(self):
        time.sleep(0.8)
        super().close()


class ReadsAnywhere(Source):
    """11: its executor runs the work on the thread of the caller."""

    def __init__(self):
        super().__init__()
        self.executor = HereAndNow()


READ_BROKEN = [
    (ReadsInline, "rule 2, never inline: .*inside the initiating function"),
    (ReadsTwice, "rule 2, never inline: .*2 times"),
    (ReadsOneTooMany, "rule 3, the count is the truth"),
    (Scribbles, "rule 3, the count is the truth: .*wrote to more"),
    (LosesOnCancel, "rule 4, nothing lost"),
    (KeepsReading, "rule 4, nothing lost: .*later more came in"),
    (ReadsDeaf, "rule 4, nothing lost: .*no handler was called within"),
    (ReadsSpinning, "rule 8, nothing spins or blocks: .*uses the CPU"),
    (NeverEndsReading, "rule 10, closing is bounded: .*no handler was called within"),
    (ClosesReadingLate, "rule 10, closing is bounded: .*peer that does not send"),
    (ReadsAnywhere, "rule 11, foreign threads"),
]


@pytest.mark.parametrize(("kind", "message"), READ_BROKEN, ids=[kind.__name__ for kind, _ in READ_BROKEN])
async def test_broken_read_stream_fails_with_the_rule_that_it_breaks(kind, message):
    with pytest.raises(AssertionError, match=message):
        await check_read_stream(lambda: made(kind), timeout=0.5)
