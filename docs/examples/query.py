"""A device-control script: send a command, read the reply up to its line end, with no event loop in sight."""

import serialwrite as sw
from serialwrite.testing import Answering


def query(lines, command, *, timeout=1.0):
    """Send ``command`` and return the device's reply, one line."""
    lines.write(command + b"\r\n", timeout=timeout)
    return lines.readline(timeout=timeout).rstrip()


# end


def main():
    with Answering({b"*IDN?\r\n": b"ACME,MODEL 1,0042\r\n"}) as device, sw.SerialPort(device.port, 9600) as port:
        lines = sw.Buffered(port)  # one for as long as the port is open
        print(query(lines, b"*IDN?").decode())


if __name__ == "__main__":
    main()
