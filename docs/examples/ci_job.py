"""What a CI job runs beside a rig: a program that finds its port in the environment, and a device at the other end."""

import os

import serialwrite as sw


def main():
    with sw.SerialPort(os.environ["SERIAL_PORT"]) as port, sw.SerialPort(os.environ["SERIAL_PEER"]) as device:
        sw.write(port, b"ping\n", timeout=5.0)
        line = sw.dynamic_buffer(bytearray())
        n = sw.read_until(device, line, b"\n", timeout=5.0)
        print("the device has read", bytes(line.data[:n]))  # prints: the device has read b'ping\n'


if __name__ == "__main__":
    main()
