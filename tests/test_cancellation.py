"""Signals, slots, states and filters, as Asio has them."""

import asyncio
import itertools
import socket
import threading

import pytest
from waiting import is_written_to

import serialwrite as sw
from serialwrite.testing import PtyPair

BOUND = 10
T = sw.CancellationType
TYPES = [T.NONE, T.TERMINAL, T.PARTIAL, T.TOTAL, T.TERMINAL | T.PARTIAL, T.ALL]
FILTERS = {
    sw.disable_cancellation: T.NONE,
    sw.enable_terminal_cancellation: T.TERMINAL,
    sw.enable_partial_cancellation: T.TERMINAL | T.PARTIAL,
    sw.enable_total_cancellation: T.ALL,
}


def test_a_slot_holds_one_handler():
    signal, got = sw.CancellationSignal(), []
    slot = signal.slot
    assert (slot.is_connected, slot.has_handler) == (True, False)
    signal.emit()  # nobody listens: nothing happens
    slot.assign(lambda type: got.append(("first", type)))
    slot.assign(lambda type: got.append(("second", type)))
    signal.emit()
    signal.emit(T.PARTIAL)
    assert got == [("second", T.TERMINAL), ("second", T.PARTIAL)]
    slot.clear()
    assert not slot.has_handler
    signal.emit()
    assert len(got) == 2


def test_an_unconnected_slot_forgets():
    slot = sw.CancellationSlot()
    slot.assign(print)
    assert (slot.is_connected, slot.has_handler) == (False, False)
    assert not sw.CancellationState(slot).slot.is_connected


@pytest.mark.parametrize("accepts", FILTERS)
@pytest.mark.parametrize("type", TYPES)
def test_filters(accepts, type):
    assert accepts(type) == type & FILTERS[accepts]


@pytest.mark.parametrize(("in_filter", "out_filter"), list(itertools.product(FILTERS, [None, *FILTERS])))
def test_state(in_filter, out_filter):
    signal, passed = sw.CancellationSignal(), []
    state = sw.CancellationState(signal.slot, in_filter, out_filter)
    state.slot.assign(passed.append)
    seen = T.NONE
    for kind in TYPES:
        signal.emit(kind)
        seen |= in_filter(kind)
        assert state.cancelled == seen
    out = out_filter or in_filter
    assert passed == [out(in_filter(kind)) for kind in TYPES if out(in_filter(kind))]
    state.clear()
    assert state.cancelled == T.NONE


async def test_a_bound_slot_and_the_tasks_own_cancellation_both_work():
    with PtyPair() as rig, sw.SerialPort(rig.port) as port:
        for by_signal in (True, False):
            signal = sw.CancellationSignal()
            token = sw.bind_cancellation_slot(signal.slot, sw.deferred)
            task = asyncio.create_task(sw.async_write(port, bytes(1 << 20), token))
            await asyncio.sleep(0.02)
            assert signal.slot.has_handler
            signal.emit() if by_signal else task.cancel()
            with pytest.raises(sw.OperationAborted if by_signal else asyncio.CancelledError):
                await task
            assert not signal.slot.has_handler


async def test_a_signal_may_be_emitted_from_another_thread():
    with PtyPair() as rig, sw.SerialPort(rig.port) as port:
        signal = sw.CancellationSignal()
        task = asyncio.create_task(
            sw.async_write(port, bytes(1 << 20), sw.bind_cancellation_slot(signal.slot, sw.deferred))
        )
        await asyncio.sleep(0.02)
        await asyncio.to_thread(signal.emit)
        with pytest.raises(sw.OperationAborted):
            await task


async def test_second_cancel_while_it_stops_is_not_lost_nor_doubled():
    with PtyPair() as rig, sw.SerialPort(rig.port) as port:
        operation = sw.async_write(port, bytes(1 << 20))
        task = asyncio.create_task(operation)
        await asyncio.sleep(0.02)
        task.cancel()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert task.cancelled()
        assert operation.bytes_transferred > 0
        assert not is_written_to(port)


@pytest.mark.parametrize("emitter", ["the initiating thread", "the thread of the loop"])
@pytest.mark.parametrize("nested", [False, True], ids=["alone", "among others"])
def test_a_signal_reaches_what_another_thread_has_just_initiated(emitter, nested):
    near, far = socket.socketpair()
    held, go_on, signal = threading.Event(), threading.Event(), sw.CancellationSignal()

    def hold():  # the launch stands behind this in the loop's queue
        held.set()
        go_on.wait(BOUND)
        if emitter == "the thread of the loop":
            signal.emit()

    with sw.IoThread() as io, near, far:
        stream = sw.SocketStream(near, io.get_executor())
        io.get_executor().post(hold)
        assert held.wait(BOUND)
        token = sw.use_future
        if nested:
            token = sw.cancel_after(BOUND, sw.append(token, "x"))
        token = sw.bind_cancellation_slot(signal.slot, token)
        if nested:
            token = sw.cancel_after(BOUND, token)
        future = sw.async_write(stream, bytes(8 << 20), token)
        assert signal.slot.has_handler
        if emitter == "the initiating thread":
            signal.emit()
        go_on.set()
        assert type(future.exception(BOUND)) is sw.OperationAborted
        assert not signal.slot.has_handler


def test_a_launch_that_is_refused_leaves_no_listener_behind():
    near, far = socket.socketpair()
    signal = sw.CancellationSignal()
    with near, far:
        stream = sw.SocketStream(near)
        with pytest.raises(RuntimeError, match="no running event loop"):
            sw.async_write(stream, b"x", sw.bind_cancellation_slot(signal.slot, sw.use_future))
    assert not signal.slot.has_handler


def test_timer_of_a_foreign_threads_operation_is_set_by_the_loop():
    """asyncio's timers are not for other threads: there they would wait for whatever wakes the loop next."""
    near, far = socket.socketpair()
    with sw.IoThread() as io, near, far:
        stream = sw.SocketStream(near, io.get_executor())
        future = sw.async_write(stream, bytes(8 << 20), sw.cancel_after(0.01, sw.use_future))
        assert isinstance(future.exception(BOUND), sw.TransferTimeout)


def test_future_cancelled_before_its_launch_is_cancelled():
    near, far = socket.socketpair()
    held, go_on, futures = threading.Event(), threading.Event(), []

    def hold():  # the launch stands behind this in the loop's queue
        held.set()
        go_on.wait(BOUND)
        futures[0].cancel()

    with sw.IoThread() as io, near, far:
        stream = sw.SocketStream(near, io.get_executor())
        io.get_executor().post(hold)
        assert held.wait(BOUND)
        futures.append(sw.async_write(stream, bytes(8 << 20), sw.use_future))
        go_on.set()
        assert type(futures[0].exception(BOUND)) is sw.OperationAborted
