"""The reference of names that are values, such as the tokens: ``.. value:: use_future`` has the words of its class."""

import inspect
from importlib import import_module

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective


class Value(SphinxDirective):
    """A name of the current module, with the words given here, or else those of its class."""

    required_arguments = 1
    has_content = True

    def run(self) -> list[nodes.Node]:
        module = self.env.ref_context["py:module"]
        name = self.arguments[0]
        value = getattr(import_module(module), name)
        words = list(self.content) or inspect.cleandoc(type(value).__doc__ or "").splitlines()
        lines = [f".. py:data:: {name}", f"   :module: {module}", "", *("   " + line for line in words)]
        return self.parse_text_to_nodes("\n".join(lines))


def setup(sphinx: Sphinx) -> dict[str, bool]:
    sphinx.add_directive("value", Value)
    return {"parallel_read_safe": True}
