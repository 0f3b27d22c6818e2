"""The fault matrix of the reference, done again: each cell is as the page says, and the page has each cell."""

import fault_matrix
import pytest


# pyserial 3.5 sets up the thread of its rfc2217:// the old way.
@pytest.mark.filterwarnings("ignore:set(Daemon|Name):DeprecationWarning")
@pytest.mark.parametrize("stream", fault_matrix.STREAMS)
@pytest.mark.parametrize("ending", fault_matrix.ENDINGS)
async def test_the_count_is_the_truth(stream, ending, need_tool):
    for tool in fault_matrix.TOOLS.get(stream, ()):
        need_tool(tool)
    assert await fault_matrix.cell(stream, ending) == fault_matrix.documented()[stream][ending]


@pytest.mark.parametrize("fault", fault_matrix.FAULTS)
@pytest.mark.parametrize("stream", fault_matrix.ON_A_LINE)
async def test_line_fault_changes_what_arrives_and_not_the_count(fault, stream):
    said = fault_matrix.documented(fault_matrix.BEGIN_FAULTS)[fault][stream]
    assert await fault_matrix.fault_cell(fault, stream) == said


def test_the_page_has_all_faults():
    whole = {fault: set(fault_matrix.ON_A_LINE) for fault in fault_matrix.FAULTS}
    found = fault_matrix.documented(fault_matrix.BEGIN_FAULTS)
    assert {fault: set(row) for fault, row in found.items()} == whole


def test_the_page_has_the_whole_matrix():
    whole = {stream: set(fault_matrix.ENDINGS) for stream in fault_matrix.STREAMS}
    assert {stream: set(row) for stream, row in fault_matrix.documented().items()} == whole
