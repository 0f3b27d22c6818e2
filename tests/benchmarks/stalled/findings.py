"""What one library does, in words: every scenario, each in a process of its own."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from .far_end import FarEnd
from .libraries import Library, Pyserial
from .worker import ITEMS, PATIENCE, PAYLOAD, SECOND, SIZE, TIMEOUT

START = 30.0  # seconds that a process may take to be ready
CLOSING = 40.0  # seconds after which a close is called endless
AT_ONCE = 0.1  # seconds
SPINNING = 0.5  # the share of the time in which it runs or would run
WHILE_FROZEN = 3.0  # seconds after which a held line is let go: until then an event loop has to have turned


@dataclass
class Finding:
    """One row of the table."""

    library: str
    reported: str
    later: str
    closing: str
    besides: str


def look_at(library: Library) -> Finding:
    """Put `library` through everything."""
    reported, later = _timeout(library)
    besides = [words for scenario in BESIDES for words in scenario(library)]
    return Finding(library.name, reported, f"{later:,}", _close(library, later), "; ".join(besides))


def _timeout(library: Library) -> tuple[str, int]:
    """What the timeout reports, and how many bytes went out after it."""
    with FarEnd(library, "timeout") as far:
        _ready(far)
        told = _told(far)
        if told["error"] is None:
            raise RuntimeError(f"{library.name} did not time out")
        far.freeze()
        accepted = far.read()
        far.thaw()
        far.answer()
        later = far.read(quiet=2.0)
    if not PAYLOAD.startswith(accepted + later):
        raise RuntimeError(f"{library.name}: what arrived is not what was written")
    return _judged(told["count"], len(accepted)), len(later)


def _judged(count: int | None, accepted: int) -> str:
    if count is None:
        return "none"
    return "**exact**" if count == accepted else f"{count:,}, but {accepted:,} were accepted"


def _close(library: Library, later: int) -> str:
    """How long a close takes while the peer still doesn't read, and what is lost by it of what was to go out later."""
    with FarEnd(library, "close") as far:
        _ready(far)
        _told(far)
        far.answer()
        told = far.told(CLOSING)
        if told is None:
            return f"not in {CLOSING:.0f} s"
        words = "at once" if told["seconds"] < AT_ONCE else f"after {told['seconds']:.1f} s"
        dropped = SIZE - len(far.read()) if later else 0
    return f"{words}, and drops {dropped:,} bytes" if dropped else words


def _overlap(library: Library) -> Iterator[str]:
    """What becomes of two writes at once."""
    if not library.concurrent:
        return
    with FarEnd(library, "overlap") as far:
        _ready(far)
        _told(far)
        far.answer()
        arrived = far.read(quiet=PATIENCE / 2)
        told = _told(far)
    first, second = told["first"], told["second"]
    turns = sum(one != other for one, other in itertools.pairwise(arrived))
    if second is not None and second["error"] and first is not None and first["error"] is None:
        yield f"a second write is refused ({second['error']}), and the first unharmed"
    elif first is None or second is None:
        yield f"of two writes at once, the {'first' if first is None else 'second'} never ends"
    elif first["error"] or second["error"]:
        yield f"of two writes at once, one fails ({first['error'] or second['error']})"
    elif turns > 1:
        yield "two writes at once are mixed on the line"


def _items(library: Library) -> Iterator[str]:
    """Whether memory whose items are not bytes is written whole."""
    with FarEnd(library, "items") as far:
        _ready(far)
        told = far.told(TIMEOUT)  # some say at once that it is written; the others wait for the peer
        arrived = far.read(quiet=PATIENCE / 2)
        told = told or far.told(PATIENCE * 2)
        far.answer()
        arrived += far.read(quiet=PATIENCE / 2)
    if told is not None and told["error"] is None and arrived != bytes(ITEMS):
        lost = "" if bytes(ITEMS).startswith(arrived) else ", with holes in it"
        yield f"a memoryview of 4-byte items is cut to {len(arrived):,} of its {SECOND:,} bytes{lost}, and called written"


def _hang_up(library: Library) -> Iterator[str]:
    """What a write that waits says when the line is cut."""
    with FarEnd(library, "hang_up") as far:
        _ready(far)
        far.read_a_little()
        far.hang_up()
        told = far.told(PATIENCE * 2)
    if told is None or (told["seconds"] >= PATIENCE and told["error"] is not None):
        yield "is not told of a hang-up"
    elif told["error"] is None:
        yield "a write that is cut off by a hang-up is called written"


def _held(library: Library) -> Iterator[str]:
    """Whether a line that flow control holds also holds the event loop."""
    if library.link != "pty":
        return
    with FarEnd(library, "stopped") as far:
        far.told(START)
        far.hold()
        far.answer()
        frozen = far.told(WHILE_FROZEN) is None
        far.release()
    if frozen:
        yield "a line that is held by flow control freezes the program, whatever its timeout"


def _cancel_write(library: Library) -> Iterator[str]:
    """Whether pyserial's way to stop a write tells how far that got."""
    if not isinstance(library, Pyserial):
        return
    with FarEnd(library, "cancel_write") as far:
        _ready(far)
        count = _told(far)["count"]
        accepted = len(far.read())
    if count != accepted:
        yield f"`cancel_write()` says {count:,} where {accepted:,} were accepted"


def _at_once(library: Library) -> Iterator[str]:
    """Whether pyserial's ``write_timeout=0`` waits for nothing, on a full port."""
    if not isinstance(library, Pyserial):
        return
    with FarEnd(library, "at_once") as far:
        _ready(far)
        _told(far)
        far.answer()
        waits = far.told(WHILE_FROZEN) is None
        far.read()
        told = _told(far) if waits else {}
    if waits:
        how = "spins" if told["busy"] > SPINNING else "waits"
        yield f"with `write_timeout=0` it {how} while the port is full ({told['busy']:.0%} of the time it wants the CPU)"


BESIDES = (_overlap, _items, _hang_up, _held, _cancel_write, _at_once)


def _ready(far: FarEnd) -> None:
    if far.told(START) is None:
        raise RuntimeError("a library's process has not started")
    far.answer()


def _told(far: FarEnd) -> dict[str, Any]:
    told = far.told(TIMEOUT + 2 * PATIENCE)
    if told is None:
        raise RuntimeError("a library's process says nothing")
    return told
