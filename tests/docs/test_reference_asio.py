"""The page that sets Asio's elements beside ours names only what there is."""

import re
from pathlib import Path

import serialwrite as sw
from serialwrite import _adapters

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "asio.md"
ROWS = [
    [cell.strip() for cell in line.strip("|\n").split("|")]
    for line in PAGE.read_text(encoding="utf-8").splitlines()
    if line.startswith("| ") and not line.startswith("| Asio |")
]
OTHERS = {"stream", "condition", "executor", "close", "handler", "initiate"}  # a word of the call, or a method
OURS = sorted(
    {name for row in ROWS for name in re.findall(r"`([A-Za-z_]+)", row[1]) if name not in OTHERS},
)


def test_each_row_has_three_cells():
    assert len(ROWS) > 50
    assert [row for row in ROWS if len(row) != 3] == []


def test_what_stands_in_our_column_exists():
    assert [name for name in OURS if not hasattr(sw, name)] == []


def test_every_token_and_adapter_has_a_row():
    tokens = {name for name in dir(sw) if isinstance(getattr(sw, name), sw.CompletionToken)}
    adapters = {name for name in dir(sw) if getattr(getattr(sw, name), "__globals__", None) is vars(_adapters)}
    filters = {
        name for name in dir(sw) if name.startswith(("enable_", "disable_", "Cancellation", "transfer_", "async_"))
    }
    not_asios = {"ErrorRef", "async_open", "async_wait_for_port"}
    assert (tokens | adapters | filters) - not_asios <= set(OURS)
