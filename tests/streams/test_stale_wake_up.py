"""A remote port's reader that was woken for nothing waits on: it must not take that for the end of the stream."""

import socket

import pytest
import serial

import serialwrite as sw


async def test_a_wake_up_left_over_from_an_earlier_read_is_no_end_of_file():
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"socket://127.0.0.1:{server.getsockname()[1]}"
        with sw.as_stream(serial.serial_for_url(url)) as port:  # on a thread
            with server.accept()[0] as peer:
                port.driver.device.interrupt()  # as a timeout does that comes just when its read has ended
                with pytest.raises(sw.TransferTimeout):
                    await sw.async_read(port, bytearray(1), timeout=0.3)
                peer.sendall(b"x")
                assert await sw.async_read(port, got := bytearray(1), timeout=10) == 1
                assert got == b"x"
