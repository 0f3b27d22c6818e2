"""consign: what is given to it lives until the handler has returned, as in Asio, and no longer."""

import asyncio
import gc
import socket
import weakref

import pytest
from waiting import until

import serialwrite as sw

BOUND = 10


class Kept:
    """What is given to consign."""


class Later:
    """An executor that runs what is posted to it when it is told to."""

    def __init__(self):
        self.posted = []
        self.running = False

    def post(self, function, *args):
        self.posted.append((function, args))

    def dispatch(self, function, *args):
        if self.running:
            function(*args)
        else:
            self.post(function, *args)

    def run(self):
        self.running = True
        while self.posted:
            function, args = self.posted.pop(0)
            function(*args)
            del function, args


@pytest.fixture
def pair():
    near, far = socket.socketpair()
    with near, far:
        yield sw.SocketStream(near)


@pytest.mark.parametrize("raises", [False, True])
@pytest.mark.parametrize("data", [b"little", bytes(8 << 20)], ids=["at once", "cancelled"])
async def test_values_live_until_the_handler_has_returned(pair, data, raises):
    kept, seen = Kept(), []
    ref = weakref.ref(kept)
    asyncio.get_running_loop().set_exception_handler(lambda *_: None)

    def handler(error, n):
        seen.append(ref() is not None)
        if raises:
            raise ZeroDivisionError

    signal = sw.CancellationSignal()
    sw.async_write(pair, data, sw.bind_cancellation_slot(signal.slot, sw.consign(handler, kept)))
    del kept
    await asyncio.sleep(0)
    signal.emit()
    await until(lambda: seen)
    await asyncio.sleep(0)
    assert (seen, ref()) == ([True], None)


@pytest.mark.parametrize("outside", [False, True], ids=["consign over bind_executor", "bind_executor over consign"])
async def test_values_live_until_a_handler_elsewhere_has_returned(pair, outside):
    kept, seen, elsewhere = Kept(), [], Later()
    ref = weakref.ref(kept)

    def handler(error, n):
        seen.append(ref() is not None)

    if outside:
        token = sw.bind_executor(elsewhere, sw.consign(handler, kept))
    else:
        token = sw.consign(sw.bind_executor(elsewhere, handler), kept)
    sw.async_write(pair, b"data", token)
    del kept, token
    await until(lambda: elsewhere.posted)
    assert ref() is not None
    elsewhere.run()
    gc.collect()
    assert (seen, ref()) == ([True], None)


async def test_values_are_let_go_though_the_operation_is_kept(pair):
    kept = Kept()
    ref = weakref.ref(kept)
    operations = [
        sw.async_write(pair, data, sw.consign(sw.deferred, kept), timeout=0.01) for data in (b"x", bytes(8 << 20))
    ]
    del kept
    assert ref() is not None
    assert await operations[0] == 1
    with pytest.raises(sw.TransferTimeout):
        await operations[1]
    assert ref() is None
