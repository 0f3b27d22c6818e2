"""A stream that does exactly as its script says, on a clock that needs no time: an hour's timeout, tested at once."""

from serialwrite import TransferTimeout, async_write, use_future
from serialwrite.testing import BLOCKED, ScriptedStream, VirtualTime


def test_an_hour():
    clock = VirtualTime()
    stream = ScriptedStream(4, BLOCKED, executor=clock)  # takes 4 bytes, then nothing
    future = async_write(stream, b"0123456789", use_future, timeout=3600)
    clock.run()
    error = future.exception()
    assert isinstance(error, TransferTimeout)
    assert error.bytes_transferred == 4
    assert clock.time() == 3600


# end

if __name__ == "__main__":
    test_an_hour()
