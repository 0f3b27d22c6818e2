"""The adapters that as_stream tries, in this order: the first that fits an object makes its stream."""

from __future__ import annotations

import asyncio
import io
import socket
from typing import Any

import serial
import serial.rs485

from .._adapting import register
from .fd._buffered_transport import BufferedTransportStream
from .fd._descriptor import DescriptorStream
from .fd._socket import SocketStream
from .fd._transport import TransportStream, has_descriptor
from .layers._rs485 import RS485
from .serial._open import kind_of
from .serial._port import SerialPort


def _is_number(target: Any) -> bool:
    return isinstance(target, int) and not isinstance(target, bool)


def _is_bus(target: Any) -> bool:
    return isinstance(target, serial.rs485.RS485) and kind_of(target) == "descriptor"


def _is_port(target: Any) -> bool:
    return isinstance(target, serial.SerialBase)


def _is_socket(target: Any) -> bool:
    return isinstance(target, socket.socket)


def _is_transport(target: Any) -> bool:
    return isinstance(target, asyncio.BaseTransport) or hasattr(target, "get_write_buffer_size")


def _is_raw_file(target: Any) -> bool:
    return isinstance(target, io.RawIOBase)


def _over_transport(transport: Any) -> TransportStream | BufferedTransportStream:
    return TransportStream(transport) if has_descriptor(transport) else BufferedTransportStream(transport)


register(_is_number, DescriptorStream)
register(_is_bus, RS485)
register(_is_port, SerialPort)
register(_is_socket, SocketStream)
register(_is_transport, _over_transport)
register(_is_raw_file, DescriptorStream)
