"""A device-control script: send a command, read the reply up to its line end, with no event loop in sight."""

import threading

import serialwrite as sw
from serialwrite.testing import PtyPair


# start
def query(port, command, *, timeout=1.0):
    """Send ``command`` and return the device's reply, one line."""
    sw.write(port, command + b"\r\n", timeout=timeout)
    reply = sw.dynamic_buffer(bytearray())
    n = sw.read_until(port, reply, b"\r\n", timeout=timeout)
    return bytes(reply.data[: n - 2])


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
        print(query(port, b"*IDN?").decode())
        instrument.join()


if __name__ == "__main__":
    main()
