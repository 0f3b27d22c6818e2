"""What is to be done: W1 to W7, and the sizes of each."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

KIB, MIB = 1 << 10, 1 << 20
# No divisor of it is a power of two: a chunk that comes twice, or not at all, shifts the pattern.
LONG_PERIOD = 65521


@dataclass(frozen=True)
class Work:
    """One piece of work over one kind of link.

    Attributes:
        action: what a contestant is asked to do (see ``contestants/_shapes.py``): ``repeat``, ``gather``, ``timeout``,
            ``blocked``, ``busy`` (``repeat`` beside a thread that computes), ``pending``, ``lines`` or ``import``.
        times: calls in a row, on each stream; of ``pending``, all at once.
        size: bytes of each buffer.
        warmup: calls before the clock is started.
        timeout: seconds.
        at: where on the axis of a W6 series; None elsewhere.
    """

    name: str
    link: str
    what: str
    action: str = "repeat"
    variant: str = ""
    times: int = 1
    size: int = 16
    warmup: int = 0
    buffers: int = 1
    streams: int = 1
    timeout: float = 0.0
    at: int | None = None

    @property
    def title(self) -> str:
        """How tables and JSON name it."""
        at = "" if self.at is None else f"{self.at:,}"
        return " ".join(filter(None, (self.name, self.link, self.variant, at)))

    @property
    def period(self) -> int:
        """After how many bytes the pattern repeats: where one payload is written again and again, with each."""
        return self.size if self.times > 1 else LONG_PERIOD

    @property
    def operations(self) -> int:
        return self.times * self.streams

    @property
    def bytes_per_stream(self) -> int:
        return (self.warmup + self.times) * self.size * self.buffers

    @property
    def quick(self) -> bool:
        """Whether the small run has it too: one timeout, and one point of each series, are enough there."""
        return self.at in (None, 10, 32) and self.variant != "50.4 ms"

    @property
    def drained(self) -> bool:
        """Whether a far end reads along, in a process of its own."""
        return self.action in ("repeat", "gather", "busy")

    @property
    def owns_link(self) -> bool:
        """Whether the contestant makes its own link, and is its own far end."""
        return self.action in ("blocked", "pending", "lines", "import")


IMPORT = Work("import", "", "the time that the import takes", "import")


def works(*, quick: bool = False) -> list[Work]:
    """All of them; ``quick`` makes each of a size that takes milliseconds, to see that everything still works."""
    made = [*_w1(), *_w2(), *_w3(), *_w4(), *_w5(), *_w6(), *_w7(), IMPORT]
    return [_small(work) for work in made if work.quick] if quick else made


def _w1() -> Iterator[Work]:
    for link in ("socketpair", "pty"):
        yield Work("W1", link, "20,000 sequential writes of 16 bytes", times=20_000, warmup=500)
    yield Work("W1", "socketpair", "a write that finds the stream full", "blocked", "blocked", times=2_000, warmup=100)
    yield Work("W1", "socketpair", "beside a thread that computes", "busy", "beside a thread", times=1_000, warmup=10)


def _w2() -> Iterator[Work]:
    yield Work("W2", "socketpair", "64 MiB in one call", size=64 * MIB)
    yield Work("W2", "pty", "16 MiB in one call", size=16 * MIB)


def _w3() -> Iterator[Work]:
    yield Work("W3", "socketpair", "4 MiB in 4,096 buffers, one call", "gather", "1 KiB", size=KIB, buffers=4_096)
    yield Work("W3", "socketpair", "4 MiB in 65,536 buffers, one call", "gather", "64 B", size=64, buffers=65_536)


def _w4() -> Iterator[Work]:
    yield Work("W4", "socketpair", "500 streams at once, each 200 writes of 64 bytes", times=200, size=64, streams=500)
    yield Work("W4", "pty", "200 streams at once, each 200 writes of 64 bytes", times=200, size=64, streams=200)


def _w5() -> Iterator[Work]:
    for link, milliseconds in (("socketpair", 50), ("socketpair", 50.4), ("pty", 50)):
        yield Work(
            "W5",
            link,
            f"256 KiB to a peer that does not read, timeout {milliseconds} ms",
            "timeout",
            f"{milliseconds} ms",
            times=10,
            size=256 * KIB,
            timeout=milliseconds / 1000,
        )


def _w6() -> Iterator[Work]:
    socketpair = Work("W6", "socketpair", "")
    for n in (1, 10, 100, 1_000, 2_000):
        what = "10 writes of 64 bytes on each of n streams at once"
        yield replace(socketpair, what=what, variant="streams", times=10, size=64, streams=n, at=n)
    for n in (1, 10, 100, 1_000, 10_000, 100_000):
        what = "n buffers of 16 bytes in one call"
        yield replace(socketpair, what=what, variant="buffers", action="gather", buffers=n, at=n)
    for power in (0, 5, 10, 15, 20, 24, 26, 28, 30):
        yield replace(socketpair, what="n bytes in one call", variant="payload", size=1 << power, at=1 << power)
    for n in (1, 10, 100, 1_000, 5_000):  # of two descriptors each
        what = "n writes, each on a full stream of its own, until their timeouts"
        yield replace(socketpair, what=what, variant="pending timeouts", action="pending", times=n, timeout=1.0, at=n)


def _w7() -> Iterator[Work]:
    for link in ("socketpair", "pty"):
        yield Work("W7", link, "1 MiB read, in 16,384 lines of 64 bytes", "lines", times=16_384, size=64)


def _small(work: Work) -> Work:
    if work.action == "timeout":
        return replace(work, times=2)
    return replace(
        work,
        times=min(work.times, 500),
        warmup=min(work.warmup, 10),
        size=min(work.size, MIB),
        streams=min(work.streams, 10),
        buffers=min(work.buffers, 2_000),
        timeout=min(work.timeout, 0.05),
    )
