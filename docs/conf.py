"""The documentation's build. Sphinx, since its autodoc and its strict mode hold the pages to the source."""

import os
import sys
from importlib import import_module
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.pycode import ModuleAnalyzer

sys.path[:0] = [str(Path(__file__).parent.parent), str(Path(__file__).parent / "_ext")]

os.environ["SERIALWRITE_PURE"] = "1"  # what is compiled has no overloads to show
import serialwrite

project = "serialwrite"
author = "The serialwrite developers"
copyright = "2026, the serialwrite developers"  # noqa: A001 # Sphinx's name for it
release = version = serialwrite.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
    "command_line",
    "pytest_plugin",
    "values",
]
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
source_suffix = {".md": "markdown"}
default_role = "code"

autodoc_typehints = "none"  # the signatures of overloads would drown the words
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_rtype = False  # "What the token gives; awaited: ..." is a sentence, not a type

html_theme = "furo"
html_title = "serialwrite"
html_static_path = ["_static"]
html_css_files = ["pictures.css"]
html_copy_source = False
html_domain_indices = False
html_show_sourcelink = False


def trim_excerpts(_sphinx: Sphinx, page: nodes.document) -> None:
    """No empty lines around an excerpt: its marks stand two lines from the code."""
    for block in page.findall(nodes.literal_block):
        block.rawsource = block.astext().strip("\n") + "\n"
        block[:] = [nodes.Text(block.rawsource)]  # where the two differ, nothing is highlighted


def keep_colons(sphinx: Sphinx) -> None:
    """Napoleon takes what stands before a colon in an attribute's docstring for its type; here it is a sentence."""
    as_written: dict[str, list[str]] = {}

    def note(_sphinx: Sphinx, what: str, name: str, _object: object, _options: object, lines: list[str]) -> None:
        if what in {"attribute", "property"}:
            as_written[name] = list(lines)

    def restore(_sphinx: Sphinx, _what: str, name: str, _object: object, _options: object, lines: list[str]) -> None:
        lines[:] = as_written.get(name, lines)

    sphinx.connect("autodoc-process-docstring", note, priority=100)
    sphinx.connect("autodoc-process-docstring", restore, priority=900)


def readable_signature(
    _sphinx: Sphinx,
    what: str,
    _name: str,
    _object: object,
    _options: object,
    signature: str | None,
    returns: str | None,
) -> tuple[str | None, str | None]:
    """Defaults by the names that users know; errors, which users don't make, without their arguments."""
    if what == "exception" and signature:
        return "", None
    for internal, known in {
        "default_token": "deferred",
        "unspecified": "deferred",
        "TRANSFER_ALL": "transfer_all()",
    }.items():
        signature = signature and signature.replace(f"={internal}", f"={known}")
    return signature, returns


def find_private_files() -> None:
    """Public names say that they stand in their package, and Sphinx looks there for the words of their attributes."""
    for package in ("serialwrite", "serialwrite.testing", "serialwrite.loopback"):
        import_module(package)
        public = ModuleAnalyzer.for_module(package)
        public.analyze()
        for name in [one for one in sys.modules if one.startswith(f"{package}.")]:
            private = ModuleAnalyzer.for_module(name)
            private.analyze()
            public.attr_docs.update(private.attr_docs)
            public.tagorder.update(private.tagorder)


def setup(sphinx: Sphinx) -> None:
    find_private_files()
    keep_colons(sphinx)
    sphinx.connect("autodoc-process-signature", readable_signature)
    sphinx.connect("doctree-read", trim_excerpts)
