"""What you write today, and what to write instead: pyserial, pyserial-asyncio, aioserial, serialx, sockets."""

import contextlib

import serial
import serial_asyncio

from serialwrite.testing import Answering, PtyPair, TcpPair, receive

DATA = b"0123456789"


# begin pyserial
import serialwrite as sw


def pyserial_before(port, data):
    port.write_timeout = 1.0
    return port.write(data)  # on a timeout: no count


def pyserial_after(port, data):
    return sw.write(port, data, timeout=1.0)  # the same open serial.Serial


# end pyserial


# begin port
import serial

import serialwrite as sw


def ask_before(path):
    with serial.Serial(path, 115200, timeout=1.0, write_timeout=1.0) as port:
        port.reset_input_buffer()
        port.write(b"AT\r\n")
        return port.readline()  # on a timeout: a part of the line, or nothing


def ask_after(path):
    with sw.SerialPort(path, 115200, timeout=1.0, write_timeout=1.0) as port:
        port.reset_input_buffer()
        port.write(b"AT\r\n")
        return sw.Buffered(port).readline()  # on a timeout: an exception that has the part


async def ask_in_a_coroutine(path):
    async with await sw.async_open(path, 115200) as port:
        port.reset_input_buffer()
        await port.async_write(b"AT\r\n", timeout=1.0)
        return await sw.Buffered(port).async_readline(timeout=1.0)


# end port


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
    async with await sw.async_open(path, 115200) as port:
        await port.async_write(data, timeout=1.0)


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

        with Answering({b"AT\r\n": b"OK\r\n"}) as modem:
            replies = [await asyncio.to_thread(ask, modem.port) for ask in (ask_before, ask_after)]
            replies.append(await ask_in_a_coroutine(modem.port))
            assert replies == [b"OK\r\n"] * 3

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
