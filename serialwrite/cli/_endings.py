"""The exit codes, in one table for all commands, and the kinds of ending of a transfer."""

from __future__ import annotations

import asyncio
import enum
import signal
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Self

import serial

import serialwrite as sw

from ._console import STOP_SIGNALS


class ExitCode(enum.IntEnum):
    """The exit codes of all commands, each with its meaning."""

    meaning: str

    DONE = 0, "done, or passed"
    FAILED = 1, "a check failed, or a result could not be printed"
    USAGE = 2, "bad usage, or the file or port can't be opened"
    TIMED_OUT = 3, "timed out, or no reply, or not tested"
    DISCONNECTED = 4, "disconnected"
    INTERRUPTED = 130, "Ctrl-C"

    def __new__(cls, code: int, meaning: str) -> Self:
        made = int.__new__(cls, code)
        made._value_ = code
        made.meaning = meaning
        return made


EXIT_CODES = f"Exit codes: {'; '.join(f'{code.value} {code.meaning}' for code in ExitCode)}."


class Outcome(enum.Enum):
    """How a transfer ended: what that is called, and its exit code."""

    COMPLETE = "complete", ExitCode.DONE
    FAILED = "failed", ExitCode.FAILED  # an error that is neither a timeout nor a disconnection
    NOT_STARTED = "not started", ExitCode.USAGE
    BAD_INPUT = "bad input", ExitCode.USAGE
    TIMED_OUT = "timed out", ExitCode.TIMED_OUT
    NO_REPLY = "no reply", ExitCode.TIMED_OUT
    DISCONNECTED = "disconnected", ExitCode.DISCONNECTED
    INTERRUPTED = "interrupted", ExitCode.INTERRUPTED

    def __init__(self, label: str, exit_code: ExitCode) -> None:
        self.label = label
        self.exit_code = exit_code


@dataclass(frozen=True)
class Ending:
    """How a transfer ended.

    Attributes:
        outcome: the kind of ending.
        error: the exception that ended it; None without one.
        signal: the number of the signal that asked the command to end; None without one.
    """

    outcome: Outcome = Outcome.NOT_STARTED
    error: Exception | None = None
    signal: int | None = None

    @property
    def exit_code(self) -> int:
        return int(self.outcome.exit_code) if self.signal is None else 128 + self.signal


async def ended(work: Coroutine[Any, Any, None], input_error: type[Exception] | tuple[()] = ()) -> Ending:
    """Run ``work`` to its end, or until a signal asks the command to end; return how it ended, and raise nothing.

    Args:
        work: the transfer.
        input_error: what ``work`` raises if its input can't be read; nothing, for work without one.
    """
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None
    stopped_by: int | None = None

    def stop(number: int) -> None:
        nonlocal stopped_by
        stopped_by = number
        task.cancel()

    for number in STOP_SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:  # nohup, or in the background: leave it so
            with suppress(NotImplementedError):  # an event loop on Windows
                loop.add_signal_handler(number, stop, number)
    try:
        await work
    except sw.TransferTimeout as error:
        return Ending(Outcome.TIMED_OUT, error)
    except (sw.Disconnected, sw.EndOfFile) as error:
        return Ending(Outcome.DISCONNECTED, error)
    except sw.TransferError as error:
        return Ending(Outcome.FAILED, error)
    except input_error as error:
        return Ending(Outcome.BAD_INPUT, error)
    except asyncio.CancelledError:
        return Ending(Outcome.INTERRUPTED, signal=stopped_by)
    return Ending(Outcome.COMPLETE)


def error_in_words(error: Exception) -> str:
    """The words of an error of opening a port or a file, without its number."""
    return str(error.strerror) if isinstance(error, serial.SerialException) and error.strerror else str(error)
