"""The bytes that are sent: any far end can predict them, so that a lost, doubled or swapped one is seen."""


def pattern(size: int, period: int) -> bytes:
    """``period`` pseudo-random bytes, over and over, ``size`` in all; the same as ``native/measure.h`` makes."""
    x, block = 12345, bytearray(period)
    for i in range(min(size, period)):
        x = (x * 1103515245 + 12345) & 0x7FFFFFFF
        block[i] = x >> 16 & 0xFF
    return (bytes(block) * (size // period + 1))[:size] if size % period else bytes(block) * (size // period)
