"""A question and its answer on an RS-485 bus: the line is turned around behind the last bit. Give it your port."""

import asyncio
import sys

import serial.rs485

import serialwrite as sw


def open_bus(path, baudrate=19200):
    """The driver switches the transmitter, where it can; elsewhere we do, by RTS."""
    try:
        return sw.SerialPort(path, baudrate, rs485_mode=serial.rs485.RS485Settings())
    except ValueError:  # this driver has no RS-485 mode
        return sw.RS485(sw.SerialPort(path, baudrate))


async def ask(bus, question, size, timeout=1.0):
    """Done only when the last bit has left and the transmitter is off: then the other end may answer."""
    await sw.async_write(bus, question, timeout=timeout)
    answer = bytearray(size)
    await sw.async_read(bus, answer, timeout=timeout)
    return bytes(answer)


# end bus

if __name__ == "__main__":
    print(asyncio.run(ask(open_bus(sys.argv[1]), b"\x01\x03\x00\x00\x00\x01\x84\x0a", 7)).hex(" "))
