"""A device that answers half a line, and then nothing: the script learns which half."""

import threading

import serialwrite as sw
from serialwrite.testing import PtyPair


def ask(port, received, command, *, timeout=1.0, attempts=2):
    """Send ``command`` and return the reply; ask again where it doesn't come whole."""
    for attempt in range(attempts):
        sw.write(port, command + b"\r\n", timeout=timeout)
        try:
            n = sw.read_until(port, received, b"\r\n", timeout=timeout)
        except sw.TransferTimeout:
            print(f"attempt {attempt + 1}: no whole reply, only {bytes(received.data)}")
            received.consume(len(received))  # half a reply is not the answer to what is asked next
            port.serial.reset_input_buffer()
        else:
            reply = bytes(received.data[: n - 2])
            received.consume(n)
            return reply
    raise TimeoutError(f"no reply to {command!r} in {attempts} attempts")


# end ask


def device(port):
    """What stands for the device: its first answer breaks off."""
    commands = sw.dynamic_buffer(bytearray())
    for answer in (b"VOLT 4.9", b"VOLT 4.98\r\n"):
        commands.consume(sw.read_until(port, commands, b"\r\n", timeout=5))
        sw.write(port, answer)


def main():
    with PtyPair() as rig, sw.SerialPort(rig.port, 9600) as port, sw.SerialPort(rig.peer, 9600) as far:
        supply = threading.Thread(target=device, args=(far,))
        supply.start()
        received = sw.dynamic_buffer(bytearray())
        print(ask(port, received, b"MEAS:VOLT?", timeout=0.5).decode())
        supply.join()
        # prints: attempt 1: no whole reply, only b'VOLT 4.9'
        # prints: VOLT 4.98


if __name__ == "__main__":
    main()
