"""What every test gets: both event loops, a check that it leaks nothing, and external tools by name."""

import asyncio
import contextlib
import gc
import logging
import os
import shutil
import signal

import hypothesis
import pytest

from serialwrite.testing import PtyPair
from serialwrite.testing._leaks import Held, leaked_since

try:
    import uvloop
except ImportError:  # not made for this platform; everything still runs on asyncio's own loop
    uvloop = None

hypothesis.settings.register_profile("untimed", deadline=None)  # no test asserts a time
hypothesis.settings.load_profile("untimed")

# Seconds that what a test has let go of may take to be gone: a thread that ends, a child that is reaped.
SETTLE = 5.0


# -- event loops ------------------------------------------------------------------------------------


# Folders and files whose tests depend on no event loop, or on a program's own, which is asyncio's.
ON_ONE_LOOP = (
    "cli",
    "contract/test_bad_input.py",
    "contract/test_fault_matrix.py",
    "contract/test_pyserial_mistakes.py",
    "docs",
    "lab",
    "loopback",
)


def pytest_asyncio_loop_factories(config, item):
    """Every other async test runs once on each of these."""
    factories = {"asyncio": asyncio.new_event_loop}
    if uvloop is not None and not item.nodeid.removeprefix("tests/").startswith(ON_ONE_LOOP):
        factories["uvloop"] = uvloop.new_event_loop
    return factories


def pytest_sessionstart(session):
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # begun with "&": what tests start would be deaf to Ctrl-C
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:  # begun with nohup
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
    if uvloop is not None:
        uvloop.new_event_loop().close()  # the first one of a process makes a pipe that stays


def pytest_itemcollected(item):
    """Only a test that is marked runs again when it has failed, and its mark gives the reason."""
    mark = item.get_closest_marker("flaky")
    if mark is not None and not mark.kwargs.get("reason"):
        raise pytest.UsageError(f'{item.nodeid}: flaky without a reason; pass @pytest.mark.flaky(reason="...")')


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item):
    with no_leaked_tasks(item), time_limit(item):
        return (yield)


def loop_of(item):
    """The event loop of an async test, None for another."""
    runner = getattr(item, "funcargs", {}).get("_function_scoped_runner")
    return runner and runner.get_loop()


# -- time ---------------------------------------------------------------------------------------------

# Seconds that a test may take; another number: @pytest.mark.time_limit(seconds). A bug that hangs is a failed test.
TIME_LIMIT = 120


def pytest_configure(config):
    config.addinivalue_line("markers", f"time_limit(seconds): fail after that many seconds, instead of {TIME_LIMIT}")


@contextlib.contextmanager
def time_limit(item):
    """Interrupt a test that hangs, with the traceback of where it does."""
    marker = item.get_closest_marker("time_limit")
    limit = marker.args[0] if marker else TIME_LIMIT
    loop = loop_of(item)
    too_long = TimeoutError(f"the test took more than {limit} s")
    expired = False

    def cancel():
        nonlocal expired
        expired = True
        for task in asyncio.all_tasks(loop):
            task.cancel()

    def interrupt(number, frame):
        raise too_long

    timer = loop.call_later(limit, cancel) if loop else None
    before = signal.signal(signal.SIGALRM, interrupt)
    # A loop has its turn first: uvloop, while it waits, runs no handlers of signals.
    signal.setitimer(signal.ITIMER_REAL, limit + (1 if loop else 0))
    try:
        yield
    except asyncio.CancelledError as where:
        if expired:
            raise too_long from where
        raise
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        if timer:
            timer.cancel()


# -- external tools ---------------------------------------------------------------------------------


@pytest.fixture
def need_tool():
    """``need_tool("socat")``: skip by that name where it is missing; where CI=true, fail."""
    return _need_tool


def _need_tool(name):
    path = shutil.which(name)
    if path is None:
        if os.environ.get("CI") == "true":
            pytest.fail(f"{name} is not installed, and CI runs every test", pytrace=False)
        pytest.skip(f"{name} is not installed")
    return path


# -- lines ------------------------------------------------------------------------------------------


@pytest.fixture
def line():
    """A pair of ptys."""
    with PtyPair() as rig:
        yield rig


@pytest.fixture
def device(line):
    """The far end of ``line``."""
    with line.open_peer() as device:
        yield device


# -- leaks ------------------------------------------------------------------------------------------


@contextlib.contextmanager
def no_leaked_tasks(item):
    """No test leaves a task behind: seen before the runner's end, which would cancel what is left.

    The tasks of a test that fails are ended here, too. Its traceback keeps them: the error of such a task would be
    logged when that goes, and be blamed on a later test.
    """
    loop = loop_of(item)
    of_fixtures = asyncio.all_tasks(loop) if loop else set()  # these end when the fixtures are torn down
    try:
        yield
    except Exception:
        if loop and (tasks := asyncio.all_tasks(loop) - of_fixtures):
            for task in tasks:
                task.cancel()
            done, _ = loop.run_until_complete(asyncio.wait(tasks, timeout=SETTLE))
            for task in done:
                _ = task.cancelled() or task.exception()
        raise
    tasks = asyncio.all_tasks(loop) - of_fixtures if loop else None
    if tasks:
        loop.run_until_complete(asyncio.wait(tasks, timeout=SETTLE))
        left = [task for task in tasks if not task.done()]
        assert not left, f"the test leaked {left}"


@pytest.fixture(autouse=True)
def no_leaks(loop_errors):
    """No test leaks a descriptor, a thread or a child process, or an error that only a log has seen.

    It is set up before the event loop, and so looks after that has been closed.
    """
    before = Held()
    yield
    if leaked := leaked_since(before, SETTLE):
        pytest.fail(f"the test leaked {', '.join(leaked)}", pytrace=False)
    assert not loop_errors, "the event loop was left with an error that nobody saw: " + "\n".join(loop_errors)


@pytest.fixture
def loop_errors():
    """What event loops have logged as errors, such as exceptions in callbacks. A test that wants one takes it out."""
    handler = Messages()
    logger = logging.getLogger("asyncio")
    logger.addHandler(handler)
    yield handler.messages
    gc.collect(0)  # an exception that was never retrieved is logged when its task or future goes
    logger.removeHandler(handler)


class Messages(logging.Handler):
    """Keeps what is logged."""

    def __init__(self):
        super().__init__(logging.ERROR)
        self.messages = []

    def emit(self, record):
        self.messages.append(logging.Formatter().format(record))
