"""Slips in the library, each with the tests that find it: what shows that the tests would notice.

A module has the list of one part; ``slips`` is what they are made of, ``python -m tests.mutants`` plants them.
"""

from .cli import CLI
from .core import CORE
from .loopback import LOOPBACK
from .streams import STREAMS
from .testing import TESTING

ALL = [*CORE, *STREAMS, *TESTING, *CLI, *LOOPBACK]
