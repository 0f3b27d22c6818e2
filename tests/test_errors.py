"""Every error says how many bytes went through, in its attributes and in words."""

import asyncio
import errno
import pickle
import socket

import pytest

import serialwrite as sw
from serialwrite._errors import timed_out, transfer_error
from serialwrite.testing import PtyPair

TREE = {
    sw.OperationAborted: (errno.ECANCELED, [sw.TransferError]),
    sw.TransferTimeout: (errno.ETIMEDOUT, [sw.OperationAborted, TimeoutError]),
    sw.Disconnected: (errno.EIO, [sw.TransferError, ConnectionError]),
    sw.StreamClosed: (errno.EBADF, [sw.TransferError]),
    sw.EndOfFile: (errno.ENODATA, [sw.TransferError, EOFError]),
}


@pytest.mark.parametrize("kind", TREE)
def test_the_tree(kind):
    number, bases = TREE[kind]
    error = kind(bytes_transferred=3, total=10)
    assert (error.errno, error.bytes_transferred, error.remaining) == (number, 3, ())
    assert (error.queued, error.stall) == (None, None)
    assert isinstance(error, OSError)
    assert all(isinstance(error, base) for base in bases)


def test_busy_is_no_transfer_error():
    assert not issubclass(sw.StreamBusy, OSError)
    assert issubclass(sw.StreamBusy, RuntimeError)
    assert "Queued" in str(sw.StreamBusy("the port"))


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        *((number, sw.Disconnected) for number in ("EIO", "ENODEV", "ENXIO", "EPIPE", "ECONNRESET")),
        ("EBADF", sw.StreamClosed),
        ("ECANCELED", sw.OperationAborted),
        ("ENOSPC", sw.TransferError),
    ],
)
def test_the_operating_systems_errors_keep_their_number(number, kind):
    cause = OSError(getattr(errno, number), "as the kernel said it")
    error = transfer_error(cause)
    assert (type(error), error.errno, error.__cause__) == (kind, cause.errno, cause)


def test_other_exceptions_become_transfer_errors_too():
    assert type(transfer_error(asyncio.CancelledError())) is sw.OperationAborted
    assert type(transfer_error(EOFError())) is sw.EndOfFile
    assert type(transfer_error(ConnectionError())) is sw.Disconnected
    assert "ValueError: odd" in str(transfer_error(ValueError("odd")))
    mine = sw.TransferError()
    assert transfer_error(mine) is mine


def test_words():
    timeout = sw.TransferTimeout(bytes_transferred=13824, total=262144, elapsed=0.5, stall="peer not reading")
    assert str(timeout) == "13,824 of 262,144 bytes accepted in 0.50 s; peer not reading"
    assert (
        str(sw.TransferTimeout(bytes_transferred=1, total=2, elapsed=1)) == "1 of 2 bytes accepted in 1.00 s; timed out"
    )
    assert "disconnected" in str(sw.Disconnected(errno.ENODEV))
    assert "closed on this side" in str(sw.StreamClosed())


def test_a_timeout_takes_over_what_the_abort_knew():
    aborted = sw.OperationAborted(bytes_transferred=5, total=9, stall="CTS low", queued=4)
    timeout = timed_out(aborted)
    assert type(timeout) is sw.TransferTimeout
    assert (timeout.errno, timeout.bytes_transferred, timeout.stall, timeout.queued) == (
        errno.ETIMEDOUT,
        5,
        "CTS low",
        4,
    )


async def test_error_is_pickled_with_a_copy_of_what_remains():
    near, far = socket.socketpair()
    with near, far:
        with pytest.raises(sw.TransferTimeout) as caught:
            await sw.async_write(near, bytes(1 << 22), timeout=0.01)
    there = pickle.loads(pickle.dumps(caught.value))
    assert (type(there), str(there)) == (sw.TransferTimeout, str(caught.value))
    assert there.bytes_transferred == caught.value.bytes_transferred
    assert there.remaining == caught.value.remaining


def test_the_repr_of_an_error_has_its_words():
    error = sw.TransferTimeout(bytes_transferred=13824, total=262144, elapsed=0.5, stall="CTS low")
    assert repr(error) == "TransferTimeout('13,824 of 262,144 bytes accepted in 0.50 s; CTS low')"


async def test_the_repr_of_an_operation_says_how_far_it_is():
    with PtyPair() as rig, sw.SerialPort(rig.port) as port:
        operation = sw.async_read(port, 4, timeout=0)
        assert repr(operation) == f"<async_read on {port!r}, not launched: 0 of 4 bytes received>"
        task = asyncio.ensure_future(operation)
        assert "async_read()" in repr(task)
        with pytest.raises(sw.TransferTimeout):
            await task
        assert repr(operation) == f"<async_read on {port!r}, ended: 0 of 4 bytes received>"
        drain = port.async_drain()
        assert repr(drain) == "<async_drain, not launched: 0 bytes transferred>"
        await drain
        assert repr(drain) == "<async_drain, launched: 0 bytes transferred>"
