"""Made-up results for the report's tests: a clean run, a faulty one, a sweep, one that could not run."""

import random
from dataclasses import replace

from serialwrite.loopback._result import (
    Axis,
    Check,
    Direction,
    Fact,
    KernelCounters,
    Outcome,
    Result,
    Run,
    Settings,
    Verdict,
    Writes,
)
from serialwrite.loopback.check._checker import Checker
from serialwrite.loopback.measure._arrivals import Arrivals
from serialwrite.loopback.measure._statistics import latency
from serialwrite.loopback.patterns._patterns import make_pattern

HOSTILE = "<script>alert(\"1\")</script>\x1b[31m\u202egnp.exe & 'x' \ud800"

FACTS = (
    Fact("driver", "ftdi_sio, FT232R USB UART, serial A50285BI", "/sys/class/tty/ttyUSB0"),
    Fact("latency timer", "1 ms (default 16 ms)", "/sys/bus/usb-serial/devices/ttyUSB0/latency_timer"),
    Fact("output queue", "4,608 bytes taken before EAGAIN", "measured"),
    Fact("closing_wait", "30 s", "TIOCGSERIAL"),
    Fact("kernel", "Linux 6.18.3 x86_64", "uname"),
    Fact("serialwrite", "0.1.0 on CPython 3.11.7, pyserial 3.5", ""),
)
CHECKS = (
    Check("RTS → CTS", Outcome.PASS, "CTS followed RTS high and low within 1.2 ms"),
    Check("DTR → DSR, DCD", Outcome.FAIL, "DSR followed; DCD stayed low: pin 1 is not wired"),
    Check("break", Outcome.UNKNOWN, "the driver does not count breaks"),
    Check("flow control stops the sender", Outcome.PASS, "RTS low: 0 bytes in 0.5 s, then all 64"),
    Check("accounting on this adapter", Outcome.PASS, "stalled and timed out at 4,608 bytes; 4,608 arrived"),
)


def direction(name, size, faults=(), *, baud=115_200, pattern="prbs31", stall=False, seed=1):
    """Send `size` bytes of a pattern through made-up faults, at a made-up pace."""
    sent = make_pattern(pattern).block(0, size)
    received = bytearray(sent)
    for at, what in sorted(faults, reverse=True):
        received[at : at + 1] = what(received[at])
    checker = Checker(make_pattern(pattern))
    checker.feed(received)
    chance, time, left, count = random.Random(seed), 0.0, len(received), 0
    arrivals = Arrivals(threshold=0.1, line_rate=baud / 10)
    while left > 0:
        lump = min(left, chance.randrange(20, 62))
        time += lump * 10 / baud * chance.uniform(0.95, 1.05)
        time += 0.3 if stall and count == 1200 else 0.0
        left -= lump
        count += 1
        arrivals.add(time, lump)
    kernel = KernelCounters(frame=0, overrun=len(faults) % 3, parity=0, breaks=0, buffer_overrun=0)
    return Direction(
        name=name,
        account=checker.finish(size),
        seconds=time,
        throughput=arrivals.throughput(),
        gaps=arrivals.gaps(),
        baud=arrivals.baud(10),
        writes=Writes(calls=61, short=17, blocked=903, smallest=240),
        kernel=kernel,
    )


def round_trips(count=2000):
    chance = random.Random(3)
    return latency([chance.lognormvariate(0, 0.35) * 1.4e-3 + (chance.random() < 0.003) * 0.03 for _ in range(count)])


SETTINGS = Settings(("/dev/ttyUSB0", "/dev/ttyUSB1"), "prbs31", 115_200, bytes_to_send=120_000)
COMMAND = "serialwrite loopback /dev/ttyUSB0 /dev/ttyUSB1 --pattern prbs31 --bytes 120000 --baud 115200"


def clean():
    run = Run(
        settings=SETTINGS,
        verdict=Verdict.PASS,
        directions=(direction("A → B", 120_000),),
        latency=round_trips(),
        cpu_seconds=0.31,
        seconds=10.9,
    )
    return Result((run,), CHECKS[:1], facts=FACTS, command=COMMAND, started="2026-01-12T09:30:00+01:00")


def faulty():
    flip, drop, double = (lambda b: [b ^ 4]), (lambda b: []), (lambda b: [b, b])
    faults = [
        (1000, flip),
        (40_404, drop),
        (40_409, drop),
        (77_000, double),
        (110_000, lambda b: [b, 7, 7, 9, 1]),
    ]
    newline = [(at, lambda b: [13, b]) for at, b in enumerate(make_pattern("prbs31").block(0, 120_000)) if b == 10]
    run = Run(
        settings=SETTINGS,
        verdict=Verdict.FAIL,
        directions=(
            direction("A → B", 120_000, faults, stall=True, baud=112_896),
            direction("B → A", 120_000, newline, seed=2),
        ),
        latency=round_trips(500),
        cpu_seconds=0.45,
        seconds=21.4,
    )
    return Result((run,), CHECKS, facts=FACTS, command=COMMAND, started="2026-01-12T09:30:00+01:00")


def sweep():
    axes = (
        Axis("baud", ("9600", "115200", "460800", "921600", "3000000")),
        Axis("parity", ("N", "E")),
        Axis("flow", ("none", "rtscts")),
    )
    runs = []
    for baud in map(int, axes[0].values):
        for parity in axes[1].values:
            for flow in axes[2].values:
                settings = replace(SETTINGS, baudrate=baud, parity=parity, flow=flow, bytes_to_send=20_000)
                bad = baud > 900_000 and flow == "none"
                count = 0 if not bad else 3 if baud < 3_000_000 else 400
                spots = [(i * 20_000 // (count or 1) + 7, lambda b: []) for i in range(count)]
                if baud == 3_000_000 and parity == "E":
                    runs.append(Run(settings, Verdict.NOT_RUN, ("the driver set 115200 instead of 3000000",)))
                    continue
                one = direction("A → B", 20_000, spots, baud=baud)
                verdict = Verdict.FAIL if bad else Verdict.PASS
                runs.append(Run(settings, verdict, directions=(one,), seconds=1.0, cpu_seconds=0.1))
    return Result(tuple(runs[:-1]), CHECKS[:2], axes, FACTS, COMMAND + " --sweep …", "2026-01-12T09:30:00+01:00")


def not_run():
    reason = "/dev/ttyUSB1 is locked by process 4711 (minicom)"
    return Result((), facts=FACTS[-2:], command=COMMAND, reasons=(reason,))


def hostile():
    """Every text that can come from a device, a file or a command line, set to something nasty."""
    settings = replace(SETTINGS, ports=(HOSTILE,), pattern=HOSTILE, flow=HOSTILE, parity=HOSTILE)
    account = replace(faulty().runs[0].directions[0].account, pattern=HOSTILE)
    one = replace(direction(HOSTILE, 1000), account=account)
    runs = tuple(Run(settings, Verdict.FAIL, (HOSTILE,), (one,)) for _ in range(2))
    return Result(
        runs,
        (Check(HOSTILE, Outcome.FAIL, HOSTILE),),
        (Axis(HOSTILE, (HOSTILE, "b")),),
        (Fact(HOSTILE, HOSTILE, HOSTILE),),
        HOSTILE,
        HOSTILE,
        (HOSTILE,),
    )
