"""A device-control script: send a command, read the reply up to its line end, with no event loop in sight."""

import threading

import serialwrite as sw
from serialwrite.testing import PtyPair


def query(port, received, command, *, timeout=1.0):
    """Send ``command`` and return the device's reply, one line. ``received`` keeps what came behind it."""
    sw.write(port, command + b"\r\n", timeout=timeout)
    n = sw.read_until(port, received, b"\r\n", timeout=timeout)
    reply = bytes(received.data[: n - 2])
    received.consume(n)
    return reply


# end


def device(port):
    """What stands for the instrument here."""
    command = sw.dynamic_buffer(bytearray())
    sw.read_until(port, command, b"\r\n", timeout=5)
    sw.write(port, b"ACME,MODEL 1,0042\r\n")


def main():
    # Both ends are open before anything is sent: pyserial drops what came before a port was opened.
    with PtyPair() as rig, sw.SerialPort(rig.port, 9600) as port, sw.SerialPort(rig.peer, 9600) as far:
        instrument = threading.Thread(target=device, args=(far,))
        instrument.start()
        received = sw.dynamic_buffer(bytearray())  # one for as long as the port is open
        print(query(port, received, b"*IDN?").decode())
        instrument.join()


if __name__ == "__main__":
    main()
