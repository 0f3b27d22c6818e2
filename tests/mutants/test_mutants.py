"""The kept list of slips still fits the library. `python -m tests.mutants` plants them."""

import pytest

from tests.mutants import ALL
from tests.mutants.slips import ROOT, StaleSlip, slip


@pytest.mark.parametrize("one", ALL, ids=str)
def test_a_slip_applies_and_its_tests_are_there(one):
    assert one.applied(ROOT) != (ROOT / "serialwrite" / one.file).read_text()
    assert one.tests
    assert one.missing_tests(ROOT) == []


def test_the_list_is_long_and_has_no_slip_twice():
    assert len({(one.file, one.old, one.new) for one in ALL}) == len(ALL) >= 100


def test_a_slip_whose_text_is_gone_says_so():
    with pytest.raises(StaleSlip, match="the old text is in the file 0 times"):
        slip("_transfer.py", "not there", "x", "contract/test_rules.py").applied()
