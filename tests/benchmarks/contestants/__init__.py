"""Who takes part: the floor, Python's own, the peers, ours, readers of lines, importing. A module each, imported when needed."""

import importlib

from ._shapes import Contestant

MODULES = ("bare", "standard", "peers", "ours", "lines", "imports")
# Who takes part in the small run that only sees whether everything still works.
QUICK = (
    "C write",
    "os.write",
    "asyncio StreamWriter",
    "serialwrite",
    "serialwrite callback",
    "serialwrite use_future",
    "serialwrite as_tuple",
    "Buffered, async for",
    "import serialwrite",
)


def contestants(module: str | None = None) -> list[Contestant]:
    """Those of one module, or all."""
    made: list[Contestant] = []
    for name in [module] if module else MODULES:
        made += importlib.import_module(f".{name}", __package__).CONTESTANTS
    return made
