"""The shapes that everything else is written against: handlers, operations, completion tokens.

An *initiating function* makes an :class:`Operation`: work that is ready to start and has not started.
A :class:`CompletionToken` starts it, now or later, with a :class:`Handler` of its own making,
and gives the caller whatever stands for the result.
"""

from ._handler import Completion as Completion, Handler as Handler, WriteHandler as WriteHandler
from ._initiate import async_initiate as async_initiate
from ._operation import Operation as Operation, initiate as initiate
from ._token import (
    Callback as Callback,
    CompletionToken as CompletionToken,
    DefaultToken as DefaultToken,
    Deferred as Deferred,
    default_token as default_token,
    deferred as deferred,
    resolve as resolve,
)
