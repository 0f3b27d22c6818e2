"""Reset a board by DTR and RTS, and wait until it says that it is up. Give it your port."""

import asyncio
import sys

import serialwrite as sw


async def reset(port):
    """Arduino boards: a capacitor makes a short reset of the moment at which DTR is asserted."""
    port.dtr = False
    await asyncio.sleep(0.1)
    port.dtr = True


async def enter_boot_loader(port):
    """ESP32 and ESP8266 boards: RTS asserted holds the chip in reset, DTR asserted holds its boot pin low."""
    port.dtr, port.rts = False, True
    await asyncio.sleep(0.1)
    port.dtr, port.rts = True, False
    await asyncio.sleep(0.05)
    port.dtr = False


async def restart(port):
    """Reset the board, forget what it said before, and wait until its firmware asserts a line of its own."""
    await reset(port)
    port.serial.reset_input_buffer()
    await port.async_wait_for_lines(dsr=True, timeout=5.0)


# end reset


async def main(path):
    async with sw.SerialPort(path, 115200) as port:
        await restart(port)
        print(port.modem_lines)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
