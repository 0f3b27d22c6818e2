"""docs/reference/drivers.md says what a whole run on the drivers said, of every promise, and nothing else."""

import copy
import json

import pytest

from hw_tests import drivers, emulated, quirks
from hw_tests.record import PASSED

TAKEN = json.loads(drivers.TAKEN.read_text())


def test_the_page_is_made_of_the_run_that_is_kept_beside_it():
    text = drivers.PAGE.read_text()
    assert text == drivers.page(text, TAKEN), "run: python -m hw_tests.drivers write"


def test_the_run_was_whole_and_green():
    assert TAKEN["whole"]
    assert not TAKEN["failed"]
    assert "failed" not in TAKEN["counts"]


def test_every_promise_that_has_a_test_has_a_row_and_no_other():
    assert set(TAKEN["promises"]) == set(drivers.promises())


def test_every_device_of_the_rig_has_a_column():
    assert list(drivers.DEVICES) == list(emulated.DEVICES)


@pytest.mark.parametrize("device", drivers.DEVICES)
def test_every_cell_is_a_passed_test_or_a_stated_quirk(device):
    for promise in drivers.promises():
        outcomes = TAKEN["promises"][promise][device]
        assert outcomes, promise
        assert set(outcomes) - {PASSED} <= set(TAKEN["quirks"][device]) & quirks.ALL.keys(), promise


def test_each_promise_was_seen_kept_on_some_driver():
    for promise, cells in TAKEN["promises"].items():
        assert any(PASSED in outcomes for outcomes in cells.values()), promise


def test_a_run_that_tells_otherwise_is_seen():
    assert drivers.differences(TAKEN, TAKEN) == []
    promise, device = drivers.promises()[0], next(iter(drivers.DEVICES))
    other = copy.deepcopy(TAKEN)
    other["promises"][promise][device] = ["failed"]
    other["quirks"][device] = []
    assert [line.partition(":")[0] for line in drivers.differences(other, TAKEN)] == [
        f"{promise} on {device}",
        f"quirks of {device}",
    ]
