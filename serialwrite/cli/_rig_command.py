"""``serialwrite rig``: a pair of virtual serial ports, for as long as it runs."""

from __future__ import annotations

import enum
import os
import shlex
import signal
import subprocess
import threading
from contextlib import ExitStack
from pathlib import Path
from types import FrameType
from typing import Annotated, Optional

import typer
from rich.console import Console

from serialwrite.testing import (
    FAULT_SCRIPT_HELP,
    Counters,
    PathRig,
    PtyPair,
    RigUnavailable,
    SimulatedUart,
    SocatPair,
)

from ._console import PLAIN_LINE_INTERVAL_S, STOP_SIGNALS, console, is_watched, say
from ._output import printed

COUNTERS_INTERVAL_S = 0.2  # seconds between two looks at the counters
COMMAND_STOP_TIMEOUT_S = 5.0  # seconds that a command gets to end, once it was asked to

ENDINGS = (
    "Ctrl-C or SIGTERM is how a rig ends, with exit code 0. With --exec the exit code is the command's, or 128 + N if "
    "a signal N ended it; Ctrl-C then goes to the command, and SIGTERM ends both."
)
FAULTS = f"\b\nFaults: {FAULT_SCRIPT_HELP}"


class Kind(enum.StrEnum):
    """What the pair is made of."""

    PTY = "pty"
    SOCAT = "socat"
    UART = "uart"


def rig(
    kind: Annotated[
        Kind,
        typer.Argument(
            metavar="pty|socat|uart", help="pty: two joined ptys; socat: the same, by socat; uart: a simulated line."
        ),
    ],
    baud: Annotated[
        Optional[int],  # noqa: UP045 # typer reads it at run time, in 3.11's way too
        typer.Option(
            "--baud", "-b", min=1, metavar="N", help="Bits per second of a uart; without it, as fast as it goes."
        ),
    ] = None,
    fault: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option(
            metavar="SCRIPT", help="What goes wrong on a uart, such as `at byte 10_000: stall 0.3 s`; repeatable."
        ),
    ] = None,
    seed: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(
            metavar="TEXT", help="The seed of a uart's random faults; without it a new one, which is printed."
        ),
    ] = None,
    link: Annotated[
        Optional[list[Path]],  # noqa: UP045
        typer.Option(metavar="NAME", help="A symbolic link to make: the first to the port, a second to the peer."),
    ] = None,
    command: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option("--exec", metavar="CMD", help="Run this, without a shell, with SERIAL_PORT and SERIAL_PEER set."),
    ] = None,
) -> None:
    """Keep a pair of joined serial ports up until Ctrl-C, or while a command runs; count what goes each way."""
    links = [*(link or [])]
    if len(links) > 2:
        raise typer.BadParameter(f"got {len(links)} names: pass at most two, one for each end", param_hint="--link")
    if kind is not Kind.UART and (baud is not None or fault or seed is not None):
        raise typer.BadParameter(
            f"a {kind} rig has no such thing: pass them with uart", param_hint="--baud, --fault, --seed"
        )
    try:
        words = shlex.split(command) if command is not None else None
    except ValueError as error:
        raise typer.BadParameter(f"{error} in {command}", param_hint="--exec") from None
    if words == []:
        raise typer.BadParameter("it is empty: pass a command", param_hint="--exec")

    # Before there is anything to be left behind; from here on a signal is a request.
    asked = StopRequest(ours=set(STOP_SIGNALS) - ({signal.SIGINT} if words else set()))
    first, second = (*links, None, None)[:2]
    with ExitStack() as resources:
        try:
            made: PathRig
            if kind is Kind.UART:
                made = SimulatedUart(baud, faults="\n".join(fault or []), seed=seed, links=(first, second))
            else:
                made = (PtyPair if kind is Kind.PTY else SocatPair)((first, second))
            resources.enter_context(made)
            view = RigView(made, console(stderr=True))
            view.introduce(stderr=bool(words))
            printed()  # before the command prints anything
            if words:
                code = run(words, made, asked, view)
            else:
                view.until(asked)
                code = 0
        except (RigUnavailable, ValueError, OSError) as error:
            say(f"serialwrite: no rig: {error}", stderr=True)
            raise typer.Exit(2) from error
        view.conclude()
    raise typer.Exit(code)


class StopRequest:
    """Whether we were asked to end. A signal that is not ``ours`` is left to the command that we run."""

    def __init__(self, ours: set[signal.Signals]) -> None:
        self._event = threading.Event()
        self.by: int | None = None
        self._ours = ours
        for number in STOP_SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN:  # nohup, or in the background: leave it so
                signal.signal(number, self._note)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if number in self._ours:
            self.by = number
            self._event.set()

    def within(self, seconds: float) -> bool:
        """Wait at most that long; whether we were asked."""
        return self._event.wait(seconds)


def run(words: list[str], made: PathRig, asked: StopRequest, view: RigView) -> int:
    """Run a command beside the rig; return the exit code to pass on. It is ended with us."""
    environment = {**os.environ, "SERIAL_PORT": made.port, "SERIAL_PEER": made.peer}
    try:
        child = subprocess.Popen(words, env=environment)  # noqa: S603 # the user's own words, no shell
    except OSError as error:
        say(f"serialwrite: can't run {words[0]!r}: {error.strerror} (--exec takes a program, no shell)", stderr=True)
        return 2
    try:
        while child.poll() is None and not asked.within(COUNTERS_INTERVAL_S / 4):
            view.look()
        if child.poll() is None:
            child.terminate()
            child.wait(COMMAND_STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        pass
    finally:
        if child.poll() is None:
            child.kill()
            child.wait()
    if asked.by is not None:
        return 128 + asked.by
    code = child.returncode
    return code if code >= 0 else 128 - code


class RigView:
    """Says what the ends are called, what has gone each way, and what went wrong on purpose."""

    def __init__(self, made: PathRig, shown: Console) -> None:
        self._rig = made
        self._console = shown
        self._faults = 0

    def introduce(self, *, stderr: bool) -> None:
        """Print the two paths, one a line, and what each is a link to."""
        for name, path in zip(("port", "peer"), self._rig, strict=True):
            device = os.path.realpath(path)
            say(f"{name} {path}" + (f" -> {device}" if device != path else ""), stderr=stderr)
        if isinstance(self._rig, SimulatedUart):
            say(f"seed {self._rig.seed}", stderr=stderr)

    def until(self, asked: StopRequest) -> None:
        """Show the counters until we are asked to end."""
        if is_watched(self._console):
            with self._console.status(self._line()) as status:
                while not asked.within(COUNTERS_INTERVAL_S):
                    self.look()
                    status.update(self._line())
        else:
            told = self._counters()
            while not asked.within(PLAIN_LINE_INTERVAL_S):
                self.look()
                if (now := self._counters()) != told:
                    told = now
                    say(self._line(), stderr=True)

    def look(self) -> None:
        """Say what went wrong since the last look."""
        if isinstance(self._rig, SimulatedUart):
            log = self._rig.log
            for record in log[self._faults :]:
                say(f"fault: {record.rule or record.kind} (byte {record.offset:,} from {record.sender})", stderr=True)
            self._faults = len(log)

    def conclude(self) -> None:
        """The last line: all that went each way."""
        self.look()
        say(self._line(), stderr=True)

    def _counters(self) -> Counters | None:
        return self._rig.counters if isinstance(self._rig, (PtyPair, SimulatedUart)) else None

    def _line(self) -> str:
        counters = self._counters()
        if counters is None:
            return "socat carries the bytes, and doesn't count them"
        return f"port -> peer {counters.port_to_peer:,} bytes, peer -> port {counters.peer_to_port:,} bytes"
