"""The prover of a lab with places of its own, where labgrid is not needed."""

import contextlib

import pytest

from serialwrite.lab._prove import Prover
from serialwrite.lab._reports import write_html
from serialwrite.lab._row import Line, NotAcquired, Row, State, exit_code, wired

PLUG = Line("console", ("loop://",), 115200, ("bench/console/port",))


class Places:
    """Lends what it is given: lines, or the exception that says why not."""

    def __init__(self, **places):
        self.places = places
        self.released = []

    @contextlib.asynccontextmanager
    async def acquired(self, place):
        lines = self.places[place]
        if isinstance(lines, Exception):
            raise lines
        try:
            yield lines
        finally:
            self.released.append(place)
            if place == "stuck":
                raise ConnectionError("the coordinator did not answer")


async def proved(places, *, stop_at="", jobs=2):
    said = []

    def progress(words):
        said.append(words)
        if stop_at and stop_at in words:
            prover.stop()

    prover = Prover(places, ["-n", "1000", "--no-checks", "--trips", "0"], jobs, progress)
    return {row.name: row for row in await prover.prove(places.places)}, said


async def test_a_line_of_each_place_is_proved_and_released():
    places = Places(a=[PLUG], b=[PLUG])
    rows, said = await proved(places)
    assert [(name, row.state) for name, row in rows.items()] == [("a: console", "pass"), ("b: console", "pass")]
    assert "1,000 bytes" in rows["a: console"].reason
    assert sorted(places.released) == ["a", "b"]
    assert any("testing loop:// at 115200" in words for words in said)


async def test_what_cannot_be_tried_is_a_row_with_its_reason():
    no_server = Line("console", (), 115200, ("bench/console/port",))
    places = Places(
        busy=NotAcquired("acquired by lab/ann", "lab/ann"), gone=NotAcquired("deleted"), empty=[], unserved=[no_server],
        missing=[Line("console", ("/dev/not-there",), 115200, ())], stuck=[PLUG],
    )  # fmt: skip
    rows, _ = await proved(places, jobs=6)
    assert rows["busy"].state is State.BUSY
    assert rows["busy"].reason == "acquired by lab/ann"
    assert rows["gone"].state is rows["empty"].state is rows["unserved: console"].state is State.NOT_RUN
    assert rows["missing: console"].state is State.NOT_RUN
    assert "'/dev/not-there' does not exist" in rows["missing: console"].reason
    assert rows["stuck: console"].state is State.PASS
    assert rows["stuck"].state is State.NOT_RUN
    assert "could not be released" in rows["stuck"].reason


async def test_stop_ends_the_running_test_and_starts_no_other():
    places = Places(a=[PLUG, PLUG], b=[PLUG])
    rows, _ = await proved(places, stop_at="testing", jobs=1)
    assert {row.state for row in rows.values()} == {State.STOPPED}
    assert places.released == ["a"]


@pytest.mark.parametrize(
    ("states", "stopped", "code"),
    [
        (["pass", "pass"], False, 0),
        (["pass", "busy"], False, 3),
        (["busy", "fail"], False, 1),
        (["disconnected"], False, 1),
        (["pass", "stopped"], True, 130),
        (["fail", "stopped"], True, 1),
        (["pass"], True, 130),
    ],
)
def test_exit_code_of(states, stopped, code):
    assert exit_code([Row("p", None, State(state), "") for state in states], stopped=stopped) == code


def test_ports_named_port_and_peer_are_wired_together():
    port, peer = Line("port", ("loop://1",), 9600, ("a",)), Line("peer", ("loop://2",), 9600, ("b",))
    pair = Line("port ↔ peer", ("loop://1", "loop://2"), 9600, ("a", "b"))
    assert wired({"peer": peer, "port": port, "console": PLUG}) == [pair, PLUG]
    assert wired({"port": port}) == [port]


def test_the_page_has_a_row_for_each_state(tmp_path):
    checks = {"checks": [{"outcome": "fail", "name": "accounting", "detail": "4,090 of <4,096> arrived"}]}
    rows = [Row("bench", PLUG, state, f"because of {state}", 1.0, checks) for state in State]
    write_html(
        [*rows, Row("busy place", None, State.BUSY, "acquired by <ann>")],
        "lab:1",
        "2026-11-28T20:00:00",
        tmp_path / "lab.html",
    )
    page = (tmp_path / "lab.html").read_text(encoding="utf-8")
    assert all(f"because of {state}" in page for state in State)
    assert "acquired by &lt;ann&gt;" in page
    assert "4,090 of &lt;4,096&gt; arrived" in page
