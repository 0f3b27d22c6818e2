"""How fast the patterns are made and checked: run it by hand on a quiet machine; best of five."""

import random
import time

from serialwrite.loopback import Checker, SelfSynchronisingCheck, make_pattern
from serialwrite.loopback.patterns._prbs import POLYNOMIALS

SIZE, PIECE = 64_000_000, 1 << 16


def speed(work, size):
    best = min(_timed(work) for _ in range(5))
    return f"{size / best / 1e6:8.1f} MB/s"


def _timed(work):
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def check(pattern, data, sent):
    checker = Checker(make_pattern(pattern))
    for at in range(0, len(data), PIECE):
        checker.feed(data[at : at + PIECE])
    return checker.finish(sent)


def main():
    for name in ("prbs31", "prbs23", "prbs15", "counting", "random", "all256"):
        pattern = make_pattern(name)
        data = memoryview(pattern.block(0, SIZE))

        def generate(name=name):
            fresh = make_pattern(name)
            for at in range(0, SIZE, PIECE):
                fresh.block(at, PIECE)

        print(f"{name:10} make {speed(generate, SIZE)}")
        print(f"{name:10} make and check {speed(lambda name=name, data=data: check(name, data, SIZE), SIZE)}")
    data = make_pattern("prbs31").block(0, SIZE)
    recurrence = SelfSynchronisingCheck(POLYNOMIALS[31])
    print(f"prbs31     self-synchronising check {speed(lambda: recurrence.feed(data), SIZE)}")
    part = data[: SIZE // 16]
    flipped, chance = bytearray(part), random.Random(1)
    for _ in range(len(part) // 10_000):
        flipped[chance.randrange(len(part))] ^= 1
    faulty = {
        "one flip in 10,000 bytes": bytes(flipped),
        "LF to CR LF": part.replace(b"\n", b"\r\n"),
        "seven bits": bytes(value & 0x7F for value in part),
        "noise": chance.randbytes(len(part)),
    }
    for name, received in faulty.items():
        print(f"prbs31     {name}: {speed(lambda data=received: check('prbs31', data, len(part)), len(part))}")


if __name__ == "__main__":
    main()
