"""`serialwrite probe` on each driver: the card that the docs show, and that it tells what test_quirks.py proves."""

from __future__ import annotations

import errno
import json
import os
import select

from typer.testing import CliRunner

from hw_tests import raw
from hw_tests.device import Device
from hw_tests.promises import BOUND_SECONDS
from hw_tests.wired import driver_of
from serialwrite.cli._app import app

UNTOLD = "not reported"
# What serialwrite takes for the end of a connection.
GONE = {errno.EIO, errno.ENODEV, errno.ENXIO}


def test_the_card(device: Device, record_property):
    if "no-stall" not in device.quirks:
        device.stall()
    told = CliRunner().invoke(app, ["probe", device.path, "--baud", str(device.baudrate), "--measure", "--json"])
    assert told.exit_code == 0, told.output
    card = json.loads(told.stdout)
    record_property("cards", card)
    facts = {fact["name"]: fact["value"] for fact in card["facts"]}
    assert facts["driver"] in {driver_of(device.path), UNTOLD}
    assert (facts["transmitter empty"] == UNTOLD) == ("no-lsr" in device.quirks)
    held, taken = (int(part.split()[0].replace(",", "")) for part in facts["output queue when full"].split(" of "))
    if "outq-overcounts" not in device.quirks:
        assert 0 < held <= taken
        assert facts["discard"].startswith("ignored: ") == ("tcflush-is-noop" in device.quirks)


def test_what_an_unplug_looks_like(device: Device, record_property):
    """Each way to notice it, and each of them is one that serialwrite takes for the end of the connection."""
    device.without("no-unplug")
    with raw.opened(device.path, **device.settings) as port:
        device.stall()
        raw.fill(port, b"." * 2048)
        device.unplug()
        assert select.select([port], [port], [], BOUND_SECONDS)[0]
        seen = {"write": _error(lambda: os.write(port, b".")), "read": _error(lambda: os.read(port, 1) or None)}
        seen["TIOCOUTQ"] = _error(lambda: raw.queued(port))
        poll = select.poll()
        poll.register(port, select.POLLIN | select.POLLOUT)
        ((_, events),) = poll.poll(0)
        assert events & select.POLLHUP
    assert seen["write"] in {errno.errorcode[each] for each in GONE}
    assert seen["TIOCOUTQ"] in {errno.errorcode[each] for each in GONE}
    record_property("unplugs", {**seen, "poll": _names(events)})


def _error(call) -> str:
    try:
        return "end of file" if call() is None else "no error"
    except OSError as error:
        return errno.errorcode[error.errno]


def _names(events: int) -> str:
    return " ".join(name for name in ("POLLIN", "POLLOUT", "POLLERR", "POLLHUP") if events & getattr(select, name))
