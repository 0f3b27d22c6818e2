"""What you write today, and what to write instead: pyserial, pyserial-asyncio, aioserial, serialx, sockets."""

import contextlib

import serial
import serial_asyncio

from serialwrite.testing import PtyPair, TcpPair, receive

DATA = b"0123456789"


# begin pyserial
import serialwrite as sw


def pyserial_before(port, data):
    port.write_timeout = 1.0
    return port.write(data)  # on a timeout: no count


def pyserial_after(port, data):
    return sw.write(port, data, timeout=1.0)  # the same open serial.Serial


# end pyserial


# begin pyserial-asyncio
import asyncio

import serialwrite as sw


async def pyserial_asyncio_before(writer, data):
    writer.write(data)
    await asyncio.wait_for(writer.drain(), 1.0)  # returns long before the bytes have gone, and keeps no count


async def pyserial_asyncio_after(writer, data):
    await sw.async_write(writer, data, timeout=1.0)  # the same writer; its reader goes on reading


# end pyserial-asyncio


# begin aioserial
import asyncio

import serialwrite as sw


async def aioserial_before(port, data):
    await asyncio.wait_for(port.write_async(data), 1.0)  # a thread for each write


async def aioserial_after(port, data):
    await sw.async_write(port, data, timeout=1.0)  # the same AioSerial: it is a serial.Serial


# end aioserial


# begin serialx
import asyncio

import serialwrite as sw


async def serialx_before(path, data):
    import serialx

    _, writer = await serialx.open_serial_connection(path, baudrate=115200)
    writer.write(data)
    await asyncio.wait_for(writer.drain(), 1.0)
    writer.close()
    await writer.wait_closed()


async def serialx_after(path, data):
    with sw.SerialPort(path, 115200) as port:
        await sw.async_write(port, data, timeout=1.0)


# end serialx


# begin sockets
import asyncio

import serialwrite as sw


async def sockets_before(sock, data):
    await asyncio.wait_for(asyncio.get_running_loop().sock_sendall(sock, data), 1.0)


async def sockets_after(sock, data):
    await sw.async_write(sock, data, timeout=1.0)


# end sockets


async def main():
    with PtyPair() as rig, rig.open_peer() as peer:
        with serial.Serial(rig.port, 115200) as port:
            await asyncio.to_thread(pyserial_before, port, DATA)
            await asyncio.to_thread(pyserial_after, port, DATA)
        arrived("pyserial", peer)

        _, writer = await serial_asyncio.open_serial_connection(url=rig.port, baudrate=115200)
        await pyserial_asyncio_before(writer, DATA)
        await pyserial_asyncio_after(writer, DATA)
        writer.close()
        arrived("pyserial-asyncio", peer)

        with contextlib.suppress(ImportError):
            import aioserial

            port = aioserial.AioSerial(rig.port, 115200)
            await aioserial_before(port, DATA)
            await aioserial_after(port, DATA)
            port.close()
            arrived("aioserial", peer)

        with contextlib.suppress(ImportError):
            await serialx_before(rig.port, DATA)
            await serialx_after(rig.port, DATA)
            arrived("serialx", peer)

    with TcpPair() as (sock, peer):
        sock.setblocking(False)
        await sockets_before(sock, DATA)
        await sockets_after(sock, DATA)
        arrived("sockets", peer)


def arrived(library, peer):
    assert receive(peer, 2 * len(DATA)) == 2 * DATA
    print(library)


if __name__ == "__main__":
    asyncio.run(main())
