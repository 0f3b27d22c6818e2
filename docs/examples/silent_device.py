"""A device that answers half a line, and then nothing: the script learns which half."""

import serialwrite as sw
from serialwrite.testing import Answering


def ask(lines, command, *, timeout=1.0, attempts=2):
    """Send ``command`` and return the reply; ask again where it doesn't come whole."""
    for attempt in range(attempts):
        lines.write(command + b"\r\n", timeout=timeout)
        try:
            return lines.readline(timeout=timeout).rstrip()
        except sw.TransferTimeout as error:
            print(f"attempt {attempt + 1}: no whole reply, only {error.data}")
            lines.reset_input_buffer()  # half a reply is not the answer to what is asked next
    raise TimeoutError(f"no reply to {command!r} in {attempts} attempts")


# end ask


def main():
    # Its first answer breaks off.
    answers = {b"MEAS:VOLT?\r\n": [b"VOLT 4.9", b"VOLT 4.98\r\n"]}
    with Answering(answers) as supply, sw.SerialPort(supply.port, 9600) as port:
        print(ask(sw.Buffered(port), b"MEAS:VOLT?", timeout=0.5).decode())
        # prints: attempt 1: no whole reply, only b'VOLT 4.9'
        # prints: VOLT 4.98


if __name__ == "__main__":
    main()
