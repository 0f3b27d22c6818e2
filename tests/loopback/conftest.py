"""Lets the tests of this folder import their helpers beside them: importlib mode leaves sys.path alone."""

import sys
from pathlib import Path

from hypothesis import HealthCheck, settings

sys.path.insert(0, str(Path(__file__).parent))

# No test asserts a time, hypothesis's of 200 ms an example neither: a busy machine is no failure.
settings.register_profile("no-clock", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("no-clock")
