"""TtyStream: a stream over a tty, with its queue, drain, discard, stall reason, break and modem lines."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, overload

from ..._direction import QUIET_S
from ..._errors import OperationAborted, TransferError
from ..._executors import EventLoopExecutor
from ..._operation import Operation, default_token as unspecified, initiate
from ..._timers import checked_seconds
from .._coroutine import Result, Spawned, Work
from .._proof import ProofLevels
from ..layers._on_server import OnServer
from ..layers._on_wire import OnWire
from ._device import ModemLines
from ._drain import Drain, DrainLevel, check_level, discard, seconds_per_byte
from ._driver import Driver
from ._line_stream import LineStream
from ._line_wait import LineWait, checked_lines


class TtyStream(LineStream):
    """A stream with a ``driver`` that reports what it has accepted and not sent."""

    def __init__(self, driver: Driver, executor: EventLoopExecutor | None = None) -> None:
        super().__init__(driver, executor)
        self._spawned: set[Spawned] = set()  # operations other than reads and writes
        self._line_waits: set[LineWait] = set()  # those among them that have a thread

    # -- what the driver knows --------------------------------------------------------------------------

    @property
    def queued(self) -> int | None:
        """Bytes accepted that are still in the driver's output queue (TIOCOUTQ); None where that is unknown."""
        try:
            return self.driver.device.output_queue()
        except OSError:
            return None

    @property
    def proof_levels(self) -> ProofLevels:
        """What proves each level that a byte can reach on this port; see :class:`ProofLevel`."""
        return self.driver.proofs()

    @property
    def stall(self) -> str | None:
        """What holds the port now: ``"CTS low"``, ``"XOFF received"``, ``"output stopped"``, ``"peer not reading"``.

        None if nothing holds it: a UART without flow control never stalls, it is just slow. If the driver does not
        distinguish two reasons, it names both: "... or ...".
        """
        return self._stall_reason(self._accepted()) if self._write_direction.waiting or self.queued else None

    def _stall_reason(self, count: int | None, quiet: float = QUIET_S, /) -> str | None:
        return self.driver.stall_reason(count, quiet)

    # -- beyond the queue ---------------------------------------------------------------------------------

    @property
    def on_wire(self) -> OnWire:
        """This port as a stream whose ``bytes_transferred`` counts *transmitted* bytes.

        Raises:
            io.UnsupportedOperation: the driver does not report what has left its queue (a pty does not).
        """
        return OnWire(self)

    @property
    def accepted(self) -> int | None:
        """Bytes that the port has accepted since it was opened; None on a port of this machine, which counts none."""
        return None if self.driver.traffic is None else self.driver.traffic.accepted

    @property
    def served(self) -> int | None:
        """Of these, the bytes that the server of an ``rfc2217://`` port was last known to have taken; else None.

        The server is asked for the rest: ask again, a round trip later.
        """
        return None if self.driver.traffic is None else self.driver.traffic.served

    @property
    def on_server(self) -> OnServer:
        """This port as a stream whose ``bytes_transferred`` counts *served* bytes, for ``rfc2217://``.

        Raises:
            io.UnsupportedOperation: nothing proves what was served.
        """
        return OnServer(self)

    @overload
    def async_drain(self, /, *, level: DrainLevel | None = ..., timeout: float | None = ...) -> Operation[int]: ...
    @overload
    def async_drain(self, token: Any, /, *, level: DrainLevel | None = ..., timeout: float | None = ...) -> Any: ...
    def async_drain(
        self, token: Any = unspecified, /, *, level: DrainLevel | None = None, timeout: float | None = None
    ) -> Any:
        """Wait until what was accepted has left the port. Any number of these may wait at once.

        Args:
            token: any completion token; ``handler(error, bytes_transferred)``.
            level: ``"queue"``: the driver's queue is empty. ``"shift-register"``: the hardware is empty, too.
                ``ProofLevel.SERVED``: the server of an ``rfc2217://`` port has given all bytes to its port.
                None: the strongest that the driver reports. A pty reports nothing, so it completes at once.
            timeout: seconds; None for no limit.

        Returns:
            What the token gives; awaited: the bytes of those queued at first that have left.

        Raises:
            io.UnsupportedOperation: the driver does not report ``level``.
            TransferTimeout, OperationAborted: with ``queued``, the bytes still there, and ``stall``.
            Disconnected: hung up or unplugged, where tcdrain would report success.
            StreamClosed: the port was closed meanwhile.

        Cancellation: terminal, partial and total: the driver goes on sending what it has.
        """

        async def work(operation: Spawned) -> Result:
            drain = self._drain(level)

            def note() -> None:
                operation.count = drain.drained
                self.driver.note(drain.queued, self._accepted())

            await drain.wait(note, sure=True)
            return None, operation.count

        if self.is_open:
            check_level(self.driver.device, level)
        return self._initiate(self._spawn(work, "async_drain", timeout), token)

    def discard_output(self) -> int:
        """Drop what the driver has queued, and return the bytes that are proved to be gone by that.

        0 if the driver ignores a flush (ftdi_sio, cdc_acm), or does not report its queue (a pty). What is in the
        hardware's FIFO is still sent.

        Raises:
            TransferError: the port is closed, hung up or unplugged.
        """
        with self._line_in_use():
            return discard(self.driver.device, hold=not self._line.xonxoff)

    @overload
    def async_send_break(self, seconds: float = ..., /, *, timeout: float | None = ...) -> Operation[int]: ...
    @overload
    def async_send_break(self, seconds: float, token: Any, /, *, timeout: float | None = ...) -> Any: ...
    def async_send_break(
        self, seconds: float = 0.25, token: Any = unspecified, /, *, timeout: float | None = None
    ) -> Any:
        """Drain, then hold the line in the break state for ``seconds``. It counts as a write: one at a time.

        Args:
            seconds: how long the break is.
            token: any completion token; ``handler(error, 0)``.
            timeout: seconds; None for no limit. A drain that a peer holds up never ends.

        Raises:
            io.UnsupportedOperation: the port has no line: a pty, ``socket://``, ``loop://``.

        Cancellation: terminal, partial and total while it drains; then terminal and partial: the break ends at once.
        """

        seconds = checked_seconds(seconds, "seconds", finite=True)

        async def work(operation: Spawned) -> Result:
            # The kernel would wait for the queue itself, inside the ioctl.
            await self._drain(None).wait()
            return await self.driver.hold_break(self, seconds)

        return self._initiate(self._spawn(work, "async_send_break", timeout, holding=self._write_direction), token)

    @overload
    def async_wait_for_lines(
        self,
        /,
        *,
        cts: bool | None = ...,
        dsr: bool | None = ...,
        ri: bool | None = ...,
        cd: bool | None = ...,
        timeout: float | None = ...,
    ) -> Operation[ModemLines]: ...
    @overload
    def async_wait_for_lines(
        self,
        token: Any,
        /,
        *,
        cts: bool | None = ...,
        dsr: bool | None = ...,
        ri: bool | None = ...,
        cd: bool | None = ...,
        timeout: float | None = ...,
    ) -> Any: ...
    def async_wait_for_lines(
        self,
        token: Any = unspecified,
        /,
        *,
        cts: bool | None = None,
        dsr: bool | None = None,
        ri: bool | None = None,
        cd: bool | None = None,
        timeout: float | None = None,
    ) -> Any:
        """Wait until modem lines of the peer are as wanted, all at once. Any number of these may wait.

        ``await port.async_wait_for_lines(cts=True, timeout=5.0)``

        Args:
            token: any completion token; ``handler(error, lines)``.
            cts: Clear To Send: True until it is asserted, False until it is not; None if it does not matter.
            dsr: Data Set Ready, likewise.
            ri: Ring Indicator, likewise.
            cd: Carrier Detect, likewise.
            timeout: seconds; None for no limit.

        Returns:
            What the token gives; awaited: the :class:`ModemLines` as they were then. If one line is waited for, and the
            driver counts its changes (``line_counters``), a pulse that is over by then counts, too.

        Raises:
            TypeError: no line is given, or what is not a bool.
            io.UnsupportedOperation: the port has no modem lines: a pty, ``socket://``.
            TransferTimeout, OperationAborted: the message names what was waited for.
            Disconnected: hung up or unplugged.
            StreamClosed: the port was closed meanwhile.

        If the driver reports changes (TIOCMIWAIT, on Linux), a thread waits for them; a signal (SIGURG) ends its wait.
        Elsewhere the lines are looked at 50 times a second.

        Cancellation: terminal, partial and total.
        """
        wanted = checked_lines(cts=cts, dsr=dsr, ri=ri, cd=cd)

        async def work(operation: Spawned) -> Result:
            wait = LineWait(self, self.driver.device, wanted)
            self._line_waits.add(wait)
            try:
                return None, await wait.run(operation)
            except asyncio.CancelledError:
                return OperationAborted(), None
            finally:
                self._line_waits.discard(wait)

        def describe(error: TransferError) -> None:
            error.verb = ""
            error.awaited = ", ".join(f"{name}={on}" for name, on in wanted.items())

        return self._initiate(self._spawn(work, "async_wait_for_lines", timeout, describe=describe), token)

    def _spawn(
        self,
        work: Work,
        name: str,
        timeout: float | None,
        holding: Any = None,
        describe: Callable[[TransferError], object] | None = None,
    ) -> Spawned:
        return Spawned(
            self._executor,
            work,
            name,
            timeout=timeout,
            before=self._check_open,
            holding=holding,
            among=self._spawned,
            describe=describe or self._describe,
        )

    def _initiate(self, operation: Spawned, token: Any) -> Any:
        return initiate(operation, self.default_token if token is unspecified else token)

    def _describe(self, error: TransferError) -> None:
        error.verb = "transmitted"
        error.queued = self.queued
        error.stall = self._stall_reason(self._accepted())

    def _drain(self, level: DrainLevel | None) -> Drain:
        return Drain(self.driver.device, seconds_per_byte(self._line), level)
