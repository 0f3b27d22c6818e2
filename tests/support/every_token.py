"""Every completion token, and every adapter over one, as a way to run an initiating function and get its result.

``await TOKENS[name](initiate)`` gives ``(error, n)``. ``initiate(token)`` is the call that is tested;
``wrap(token)``, when given, adapts the token first.
"""

import asyncio

from waiting import BOUND, until

import serialwrite as sw


def as_it_is(token):
    return token


async def outcome(awaitable):
    """``(error, n)`` of what raises its error."""
    try:
        async with asyncio.timeout(BOUND):
            return None, await awaitable
    except sw.TransferError as error:
        return error, error.bytes_transferred


def ended():
    """A future, and the handler that puts its arguments there."""
    future = asyncio.get_running_loop().create_future()
    return future, lambda *args: future.set_result(args)


# -- tokens -------------------------------------------------------------------------------------------


async def function(initiate, wrap=as_it_is):
    future, handler = ended()
    assert initiate(wrap(handler)) is None
    return await asyncio.wait_for(future, BOUND)


class Handler:
    """A handler of the user's own class, associated with an executor and a slot."""

    def __init__(self):
        self.future = asyncio.get_running_loop().create_future()
        self.executor = sw.EventLoopExecutor()
        self.cancellation_slot = sw.CancellationSignal().slot

    def __call__(self, error, n):
        assert not self.cancellation_slot.has_handler
        self.future.set_result((error, n))


async def handler_object(initiate, wrap=as_it_is):
    handler = Handler()
    initiate(wrap(handler))
    return await asyncio.wait_for(handler.future, BOUND)


async def deferred(initiate, wrap=as_it_is):
    return await outcome(initiate(wrap(sw.deferred)))


async def deferred_launched_later(initiate, wrap=as_it_is):
    future, handler = ended()
    operation = initiate(wrap(sw.deferred))
    await asyncio.sleep(0)
    operation(handler)
    return await asyncio.wait_for(future, BOUND)


async def deferred_as_task(initiate, wrap=as_it_is):
    return await outcome(asyncio.create_task(initiate(wrap(sw.deferred))))


async def use_awaitable(initiate, wrap=as_it_is):
    return await outcome(initiate(wrap(sw.use_awaitable)))


async def use_promise(initiate, wrap=as_it_is):
    return await outcome(initiate(wrap(sw.use_promise)))


async def use_future(initiate, wrap=as_it_is):
    return await outcome(asyncio.wrap_future(initiate(wrap(sw.use_future))))


async def yielding(initiate, wrap=as_it_is):
    return await outcome(sw.spawn(sw.EventLoopExecutor(), lambda yield_: initiate(wrap(yield_))))


class Collecting(sw.CompletionToken[list, list]):
    """A token of the user's own: gives a list, where the result will be."""

    def initiate(self, operation, /):
        results = []
        operation.launch(sw.Handler(lambda *args: results.append(args), operation.executor))
        return results


async def users_own(initiate, wrap=as_it_is):
    results = initiate(wrap(Collecting()))
    await until(lambda: results)
    return results[0]


TOKENS = {
    "function": function,
    "handler object": handler_object,
    "deferred": deferred,
    "deferred, launched later": deferred_launched_later,
    "deferred, as a task": deferred_as_task,
    "use_awaitable": use_awaitable,
    "use_promise": use_promise,
    "use_future": use_future,
    "yield_": yielding,
    "a user's own": users_own,
}


# -- adapters -----------------------------------------------------------------------------------------


async def as_tuple(initiate):
    return await asyncio.wait_for(initiate(sw.as_tuple()), BOUND)


async def redirect_error(initiate):
    ref = sw.ErrorRef()
    n = await asyncio.wait_for(initiate(sw.redirect_error(sw.use_promise, ref)), BOUND)
    return ref.value, n


async def append(initiate):
    future, handler = ended()
    initiate(sw.append(handler, "a", 1))
    error, n, *more = await asyncio.wait_for(future, BOUND)
    assert more == ["a", 1]
    return error, n


async def prepend(initiate):
    *more, error, n = await asyncio.wait_for(initiate(sw.prepend(sw.deferred, "a", 1)), BOUND)
    assert more == ["a", 1]
    return error, n


def over_a_function(adapt):
    async def run(initiate):
        return await function(initiate, adapt)

    return run


SIGNAL = sw.CancellationSignal()

ADAPTERS = {
    "as_tuple": as_tuple,
    "redirect_error": redirect_error,
    "append": append,
    "prepend": prepend,
    "consign": over_a_function(lambda token: sw.consign(token, object())),
    "bind_executor": over_a_function(lambda token: sw.bind_executor(sw.EventLoopExecutor(), token)),
    "bind_immediate_executor": over_a_function(lambda token: sw.bind_immediate_executor(sw.inline_executor, token)),
    "bind_cancellation_slot": over_a_function(lambda token: sw.bind_cancellation_slot(SIGNAL.slot, token)),
    "cancel_after": over_a_function(lambda token: sw.cancel_after(BOUND, token)),
    "cancel_at": over_a_function(lambda token: sw.cancel_at(asyncio.get_running_loop().time() + BOUND, token)),
}
