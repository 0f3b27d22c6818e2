"""OnServer: a remote port as a stream whose count is of served bytes."""

from __future__ import annotations

import io
from typing import Any

from .._proof import UNKNOWN, ProofLevel
from ._on_wire import OnWire


class OnServer(OnWire):
    """``port`` as a stream whose ``bytes_transferred`` counts *served* bytes; made by ``port.on_server``.

    Each write_some hands over what the port takes. It completes once the server has taken that from its connection and
    given it to its serial port.

    Cancellation: terminal and partial; total while nothing has been handed over. What was handed over and is not served
    can't be called back: it is not counted, and may be served still. ``queued`` on the error says how many bytes.

    Raises:
        io.UnsupportedOperation: nothing proves what was served: the port is not an ``rfc2217://`` one.
    """

    _verb = "served"
    _name = "on_server"

    def _check_driver(self) -> None:
        port: Any = self.stream
        port._check_open()
        if port.proof_levels.get(ProofLevel.SERVED, UNKNOWN) == UNKNOWN:
            raise io.UnsupportedOperation(f"{self._name}: nothing proves what {port!r} has served; use the port itself")

    @property
    def hidden(self) -> int | None:
        return None

    def _discarded(self, accepted: int) -> int:
        return min(accepted, self.stream.queued or 0)
