"""The command line. Its packages (typer, rich) come with the extra ``cli``; ``_app`` puts the commands together."""

from __future__ import annotations

import sys

from ._output import guard_standard_streams

EXTRA_MODULES = frozenset({"typer", "rich"})


def main() -> None:
    """Run the command that ``sys.argv`` names, and exit with its code."""
    guard_standard_streams()
    try:
        from ._app import app  # noqa: PLC0415 # so that a missing extra can be named
    except ModuleNotFoundError as missing:
        if (missing.name or "").partition(".")[0] not in EXTRA_MODULES:
            raise
        print(
            f"serialwrite: the command line needs {missing.name}, which is not installed; "
            "install what it needs with: pip install typer rich",
            file=sys.stderr,
        )
        sys.exit(2)
    except KeyboardInterrupt:  # before there was anything to give back
        sys.exit(130)
    app()
