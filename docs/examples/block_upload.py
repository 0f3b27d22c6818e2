"""Upload a file in blocks, each of them acknowledged: one that is refused is sent again, and Ctrl-C is resumed."""

import os
import re
import signal
import zlib

import serialwrite as sw
from serialwrite.testing import Answering

# begin
SIZE, START, ACK, NAK = 128, b"\x01", b"\x06", b"\x15"


def upload(lines, data, *, start=0, attempts=5):
    """Send ``data`` from block ``start`` on. However it ends early, ``error.block`` is the block to resume at."""
    number = start
    try:
        for number in range(start, -(-len(data) // SIZE)):
            send_block(lines, number, data[number * SIZE :][:SIZE], attempts)
    except BaseException as error:  # KeyboardInterrupt, too
        error.block = number
        raise


def send_block(lines, number, data, attempts):
    body = number.to_bytes(2, "big") + data.ljust(SIZE, b"\xff")
    for attempt in range(attempts):
        lines.reset_input_buffer()  # an answer that comes too late is not this block's
        try:
            sw.write(lines, [START, body, zlib.crc32(body).to_bytes(4, "big")], idle_timeout=1.0)
            if lines.read_exactly(1, timeout=1.0) == ACK:
                return
        except sw.TransferTimeout as error:
            print(f"block {number}, attempt {attempt + 1}: {error}")
    raise TimeoutError(f"block {number} was not acknowledged in {attempts} attempts")


# end


class Loader:
    """The simulated boot loader: it refuses block 2 once, and at block 5 it presses Ctrl-C."""

    def __init__(self):
        self.image, self.events = bytearray(), {2: lambda: NAK, 5: lambda: os.kill(os.getpid(), signal.SIGINT)}

    def block(self, match):
        number, data, check = int.from_bytes(match[1], "big"), match[2], match[3]
        answer = self.events.pop(number, lambda: None)()
        if zlib.crc32(match[1] + data).to_bytes(4, "big") != check or answer == NAK:
            return NAK
        self.image[number * SIZE :] = data
        return ACK


def main():
    firmware, loader, block = bytes(range(256)) * 4, Loader(), 0
    rule = re.compile(START + rb"(..)(.{128})(.{4})", re.DOTALL)
    with Answering({rule: loader.block}) as device, sw.SerialPort(device.port, 115200) as port:
        lines = sw.Buffered(port)
        try:
            upload(lines, firmware)
        except KeyboardInterrupt as error:
            print("stopped by Ctrl-C")
            block = error.block
        upload(lines, firmware, start=block)
    print("uploaded", loader.image == firmware)
    # prints: stopped by Ctrl-C
    # prints: uploaded True


if __name__ == "__main__":
    main()
