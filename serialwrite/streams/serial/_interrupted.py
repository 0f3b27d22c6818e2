"""System calls that may block in the kernel, interrupted with a signal. Unlike closing_wait this needs no privilege."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from functools import cache
from typing import Any

# SIGURG is ignored by default, so an extra one is harmless. Windows has no SIGURG and does not need it.
URGENT: int | None = getattr(signal, "SIGURG", None)
# Seconds before the first signal and between signals. A signal that arrives before the call blocks has no effect, so it
# is repeated.
PEACE, BETWEEN = 0.005, 0.002

_handling = threading.Lock()


def call_interrupted(function: Callable[[], object], name: str, patience: float) -> bool:
    """Call ``function``, which must raise nothing, and end its waits inside the kernel.

    Args:
        function: called once, on a thread of its own, which is left alone if it is stuck for good.
        name: of that thread.
        patience: seconds to wait for its end, as for :meth:`InterruptibleCall.interrupt`.

    Returns:
        Whether it has ended.
    """
    call = InterruptibleCall(function, name)
    try:
        call.start()
    except RuntimeError:  # the interpreter is ending, and starts no threads any more
        _call_under_an_alarm(function)
        return True
    try:
        return call.done.wait(PEACE) or call.interrupt(patience)
    finally:
        call.dismiss()


class InterruptibleCall(threading.Thread):
    """One call, on a thread that is there for as long as it may be sent a signal: until it is dismissed.

    Args:
        function: called once. It must raise nothing.
        name: of the thread.
    """

    def __init__(self, function: Callable[[], object], name: str) -> None:
        super().__init__(name=name, daemon=True)
        self._function = function
        self.done = threading.Event()
        self._dismissed = threading.Event()

    def run(self) -> None:
        if URGENT is not None:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {URGENT})
        try:
            self._function()
        finally:
            self.done.set()
            self._dismissed.wait()

    def interrupt(self, patience: float) -> bool:
        """End the waits of the call inside the kernel, by signals, until it has ended. Whether it has.

        ``patience`` is in seconds of a machine that has time. They are counted by turns of this thread: where those
        come late, the kernel's and the driver's do, too.
        """
        if URGENT is not None and not self.done.is_set():
            with _handled(URGENT):
                turns = round(patience / BETWEEN)
                while turns and not self.done.is_set():
                    assert self.ident is not None
                    signal.pthread_kill(self.ident, URGENT)
                    self.done.wait(BETWEEN)
                    turns -= 1
                if self.done.is_set():
                    self.dismiss()  # a signal may be on its way to the thread, which takes it before its end
        return self.done.is_set()

    def dismiss(self) -> None:
        """Let the thread go; it has ended when this returns, unless it is stuck for good."""
        self._dismissed.set()
        if self.done.is_set():
            self.join()


def ioctl_once(fd: int, request: int, argument: int) -> None:
    """ioctl(2), which a signal ends with InterruptedError. Python's own is called again from 3.14 on."""
    import ctypes  # noqa: PLC0415 # see _signal_setter

    libc = ctypes.CDLL(None, use_errno=True)
    if libc.ioctl(fd, ctypes.c_ulong(request), ctypes.c_long(argument)) < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _call_under_an_alarm(function: Callable[[], object]) -> None:
    if URGENT is None or threading.current_thread() is not threading.main_thread():
        function()
        return
    with _handled(signal.SIGALRM):
        before = signal.setitimer(signal.ITIMER_REAL, PEACE, BETWEEN)
        try:
            function()
        finally:
            signal.setitimer(signal.ITIMER_REAL, *before)


def prepare() -> None:
    """Load what is needed. When a port is closed, its program may have become another user, who can't read it."""
    if URGENT is not None:
        _signal_setter()


@cache
def _signal_setter() -> tuple[Callable[[int, Any], Any], Any]:
    """What sets a signal's handler, and a handler that does nothing.

    Not ``signal.signal``, which is the main thread's alone, and whose handlers run there. The handler is the C
    library's ``abs``: a function of an int, without side effects.
    """
    import ctypes  # noqa: PLC0415 # a tenth of the import time, for ports alone

    set_handler = ctypes.pythonapi.PyOS_setsig
    set_handler.restype, set_handler.argtypes = ctypes.c_void_p, (ctypes.c_int, ctypes.c_void_p)
    return set_handler, ctypes.cast(ctypes.CDLL(None).abs, ctypes.c_void_p)


@contextmanager
def _handled(number: int) -> Generator[None]:
    """Have the signal do nothing but interrupt; then what it did before."""
    set_handler, nothing = _signal_setter()
    with _handling:
        before = set_handler(number, nothing)
        try:
            yield
        finally:
            set_handler(number, before)
