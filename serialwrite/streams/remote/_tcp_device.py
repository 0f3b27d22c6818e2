"""TcpDevice: the kernel's state of a TCP connection, as a Device; and the detection of a dead link."""

from __future__ import annotations

import socket
import struct
import sys

from ..._errors import StreamClosed
from .._proof import UNKNOWN, ProofLevel
from ..fd._socket import check_connected, unacknowledged
from ..serial._device import CLOSING_WAIT_NONE, Device

# What proves each level over a plain TCP connection.
PROOFS = {
    ProofLevel.ACCEPTED: "send(2)",
    ProofLevel.ACKNOWLEDGED: "SIOCOUTQ" if sys.platform == "linux" else UNKNOWN,
    ProofLevel.SERVED: UNKNOWN,
    ProofLevel.DRAINED: UNKNOWN,
    ProofLevel.TRANSMITTED: UNKNOWN,
    ProofLevel.CONFIRMED: UNKNOWN,
}


def open_number(connection: socket.socket, url: str | None) -> int:
    """The descriptor of the port ``url``; StreamClosed if it was closed."""
    fd = connection.fileno()
    if fd < 0:
        raise StreamClosed(reason=f"port {url} is closed; open it again")
    return fd


class TcpDevice(Device):
    """What stands on a TCP connection.

    Args:
        connection: the socket.
    """

    drives_line = False

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection

    def output_queue(self) -> int | None:
        """Bytes that the other machine has not acknowledged."""
        return unacknowledged(self._socket)

    def check_peer(self) -> None:
        check_connected(self._socket)

    def closing_wait(self) -> int | None:
        return 0  # the kernel goes on sending behind a close, for as long as it takes

    def set_closing_wait(self, value: int) -> None:
        if value == CLOSING_WAIT_NONE:  # reset the connection, and drop what is not acknowledged
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
