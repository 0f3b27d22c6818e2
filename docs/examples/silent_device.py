"""A device that answers half a line, and then nothing: the script learns which half."""

import threading

import serialwrite as sw
from serialwrite.testing import PtyPair


# begin ask
def ask(port, command, *, timeout=1.0, attempts=2):
    """Send ``command`` and return the reply; ask again where it doesn't come whole."""
    for attempt in range(attempts):
        port.serial.reset_input_buffer()  # what is left of an earlier reply is not the answer to this
        sw.write(port, command + b"\r\n", timeout=timeout)
        reply = sw.dynamic_buffer(bytearray())
        try:
            n = sw.read_until(port, reply, b"\r\n", timeout=timeout)
        except sw.TransferTimeout:
            print(f"attempt {attempt + 1}: no whole reply, only {bytes(reply.data)}")
        else:
            return bytes(reply.data[: n - 2])
    raise TimeoutError(f"no reply to {command!r} in {attempts} attempts")


# end ask


def device(port):
    """What stands for the device: its first answer breaks off."""
    for answer in (b"VOLT 4.9", b"VOLT 4.98\r\n"):
        sw.read_until(port, sw.dynamic_buffer(bytearray()), b"\r\n", timeout=5)
        sw.write(port, answer)


def main():
    with PtyPair() as rig, sw.SerialPort(rig.port, 9600) as port, sw.SerialPort(rig.peer, 9600) as far:
        supply = threading.Thread(target=device, args=(far,))
        supply.start()
        print(ask(port, b"MEAS:VOLT?", timeout=0.5).decode())
        supply.join()
        # prints: attempt 1: no whole reply, only b'VOLT 4.9'
        # prints: VOLT 4.98


if __name__ == "__main__":
    main()
