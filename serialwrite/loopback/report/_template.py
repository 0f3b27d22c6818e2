"""The Jinja2 environment of a report: all text is made printable and escaped."""

from __future__ import annotations

from typing import Any

from serialwrite.loopback.report._words import printable


def environment(package: str, folder: str) -> Any:
    """Return the environment for the templates in ``folder`` of ``package``.

    Raises:
        ImportError: Jinja2 is not installed; the message says how to install it.
    """
    try:
        import jinja2  # noqa: PLC0415 # for a report alone
    except ModuleNotFoundError as missing:
        raise ImportError(
            "a report needs Jinja2, which is not installed; install it with: pip install jinja2"
        ) from missing

    def shown(value: object) -> Any:
        """Text from a device or a file, with all that could turn text round shown; markup has been through this."""
        return value if hasattr(value, "__html__") else printable(str(value))

    return jinja2.Environment(
        autoescape=True,
        finalize=shown,
        loader=jinja2.PackageLoader(package, folder),
        lstrip_blocks=True,
        trim_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
