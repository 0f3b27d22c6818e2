"""The consoles: results to stdout, complaints to stderr, plain lines if it is not a terminal."""

from __future__ import annotations

import signal
import sys

from rich.console import Console

# What asks a command to end; Windows has no SIGHUP.
PLAIN_LINE_INTERVAL_S = 5.0  # between two lines of progress without a terminal
STOP_SIGNALS = tuple(
    signal.Signals[name] for name in ("SIGINT", "SIGTERM", "SIGHUP") if name in signal.Signals.__members__
)


def console(*, stderr: bool = False) -> Console:
    """A console that leaves words as they are: no markup in file names, and long lines only broken by a terminal."""
    made = Console(stderr=stderr, highlight=False, markup=False)
    made.soft_wrap = not made.is_terminal
    return made


def is_watched(made: Console) -> bool:
    """Whether what is drawn there can be drawn over again."""
    return made.is_terminal and not made.is_dumb_terminal


def say(line: str, *, stderr: bool = False) -> None:
    """Print a line at once."""
    stream = sys.stderr if stderr else sys.stdout
    if stream is not None:  # pyright: ignore[reportUnnecessaryComparison] # closed, where main() did not run
        stream.write(f"{line}\n")  # in one piece, as other programs may write there, too
        stream.flush()


def size_in_words(n: float) -> str:
    """Bytes as people read them: ``1.2 MB``."""
    for unit in ("bytes", "kB", "MB"):
        if n < 1000:
            return f"{n:,.0f} {unit}" if unit == "bytes" else f"{n:.1f} {unit}"
        n /= 1000
    return f"{n:.1f} GB"


def seconds_in_words(seconds: float) -> str:
    """A stretch of time as people read it: ``0.52 s``, ``4:05``, ``1:04:05``."""
    if seconds < 60:
        return f"{seconds:.2f} s" if seconds % 1 and seconds < 10 else f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
