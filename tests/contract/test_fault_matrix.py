"""The fault matrix of the reference, done again: each cell is as the page says, and the page has each cell."""

import asyncio
from itertools import cycle

import fault_matrix
import pytest

REMOTE = [stream for stream in fault_matrix.ON_A_LINE if "rfc2217" in stream]


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
async def test_line_fault_changes_what_arrives_and_not_the_count(fault, stream, need_tool):
    if stream in fault_matrix.RESET_BY_CLOSING:
        need_tool("ser2net")
    said = fault_matrix.documented(fault_matrix.BEGIN_FAULTS)[fault][stream]
    assert await fault_matrix.fault_cell(fault, stream) == said


def on_uvloop(cell):
    """A remote port alone has two watchers on its loop for one write; for the rest it is the same on every loop."""
    uvloop = pytest.importorskip("uvloop")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(cell)


@pytest.mark.parametrize("stream", REMOTE)
@pytest.mark.parametrize("ending", fault_matrix.ENDINGS)
def test_on_uvloop_too_the_count_is_the_truth(stream, ending, need_tool):
    for tool in fault_matrix.TOOLS[stream]:
        need_tool(tool)
    said = fault_matrix.documented()[stream][ending]
    assert on_uvloop(fault_matrix.cell(stream, ending)) == said


@pytest.mark.parametrize(("fault", "stream"), list(zip(fault_matrix.FAULTS, cycle(REMOTE), strict=False)))
def test_on_uvloop_too_a_line_fault_changes_no_count(fault, stream, need_tool):
    need_tool("ser2net")
    said = fault_matrix.documented(fault_matrix.BEGIN_FAULTS)[fault][stream]
    assert on_uvloop(fault_matrix.fault_cell(fault, stream)) == said


def test_the_page_has_all_faults():
    whole = {fault: set(fault_matrix.ON_A_LINE) for fault in fault_matrix.FAULTS}
    found = fault_matrix.documented(fault_matrix.BEGIN_FAULTS)
    assert {fault: set(row) for fault, row in found.items()} == whole


def test_the_page_has_the_whole_matrix():
    whole = {stream: set(fault_matrix.ENDINGS) for stream in fault_matrix.STREAMS}
    assert {stream: set(row) for stream, row in fault_matrix.documented().items()} == whole
