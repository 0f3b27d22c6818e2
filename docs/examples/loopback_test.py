"""A line is proved before anything else is tested on it: in pytest, with a typed result to assert on."""

from serialwrite import loopback
from serialwrite.testing import SimulatedUart


def test_the_line_loses_nothing():
    result = loopback.run(rig="pty", bytes_to_send=100_000)  # on your bench: run("/dev/ttyUSB0", "/dev/ttyUSB1", ...)
    assert result.verdict is loopback.Verdict.PASS, result.runs[0].reasons
    assert all(direction.account.clean for direction in result.runs[0].directions)


def test_a_flipped_bit_is_found():
    with SimulatedUart(None, faults="at byte 50_000: flip bit 3") as rig:
        result = loopback.run(rig, bytes_to_send=100_000, both_ways=False, checks=False)
    (fault,) = result.runs[0].directions[0].account.faults
    assert (fault.kind, fault.offset, fault.flipped_bits) == (loopback.FaultKind.CORRUPTED, 50_000, 1)
    print("a bit was flipped in byte", fault.offset)


if __name__ == "__main__":
    test_the_line_loses_nothing()
    test_a_flipped_bit_is_found()  # prints: a bit was flipped in byte 50000
