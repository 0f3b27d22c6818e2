"""The documentation's build. Sphinx, since its autodoc and its strict mode hold the pages to the source."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

project = "serialwrite"
author = "The serialwrite developers"
copyright = "2026, the serialwrite developers"  # noqa: A001 # Sphinx's name for it
release = version = "0.1.0"

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
]
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
source_suffix = {".md": "markdown"}
exclude_patterns = ["_build"]

autodoc_typehints = "none"  # the signatures of overloads would drown the words
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_rtype = False  # "What the token gives; awaited: ..." is a sentence, not a type

html_theme = "furo"
html_title = "serialwrite"
html_static_path = ["_static"]
html_copy_source = False
html_show_sourcelink = False
