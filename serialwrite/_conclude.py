"""conclude: what is known of the end of an operation goes into its error."""

from __future__ import annotations

from typing import Any

from ._deadlines import Deadline
from ._direction import QUIET_S, Direction
from ._errors import OperationAborted, TransferError, TransferTimeout
from ._transfer import Transfer


def conclude(
    transfer: Transfer, direction: Direction, stream: Any, expired: Deadline | None, elapsed: float | None
) -> None:
    """Say of the error of ``transfer``, which is over, what is known of its end.

    Args:
        transfer: of an operation on ``stream``.
        direction: of that stream.
        stream: is asked for its queue.
        expired: what ended it, if that was a deadline.
        elapsed: seconds since its start; None where that was not measured.
    """
    error = transfer.error
    if not isinstance(error, TransferError):
        return
    if expired is not None and type(error) is OperationAborted:
        if transfer.size == 0:  # nothing to do is done
            transfer.error = None
            return
        error = transfer.error = TransferTimeout()
        error.idle_timeout = expired.idle_timeout
    transfer.tell(error)
    error.verb = direction.verb or direction.way.verb
    error.elapsed = elapsed
    if error.queued is None:
        try:
            error.queued = getattr(stream, "queued", None)
        except (OSError, ValueError):  # a port that is gone can't be asked
            error.queued = None
    if (unserved := direction.unserved()) is not None:
        error.served = max(0, transfer.bytes_transferred - unserved)
    if isinstance(error, OperationAborted):
        quiet = QUIET_S if expired is None else expired.quiet
        error.stall = direction.stall_reason(error.bytes_transferred, quiet)
