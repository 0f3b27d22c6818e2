"""serialwrite: the write that tells you exactly how far it got."""

from types import FunctionType as _FunctionType
from typing import Any as _Any

from ._adapters import (
    ErrorRef as ErrorRef,
    append as append,
    as_tuple as as_tuple,
    bind_executor as bind_executor,
    bind_immediate_executor as bind_immediate_executor,
    consign as consign,
    prepend as prepend,
    redirect_error as redirect_error,
)
from ._adapting import (
    AsyncReadStream as AsyncReadStream,
    AsyncWriteStream as AsyncWriteStream,
    as_stream as as_stream,
)
from ._buffers import (
    DynamicBuffer as DynamicBuffer,
    buffer as buffer,
    buffer_size as buffer_size,
    dynamic_buffer as dynamic_buffer,
)
from ._cancellation import (
    CancellationSignal as CancellationSignal,
    CancellationSlot as CancellationSlot,
    CancellationState as CancellationState,
    CancellationType as CancellationType,
    disable_cancellation as disable_cancellation,
    enable_partial_cancellation as enable_partial_cancellation,
    enable_terminal_cancellation as enable_terminal_cancellation,
    enable_total_cancellation as enable_total_cancellation,
)
from ._cancelling import (
    bind_cancellation_slot as bind_cancellation_slot,
    cancel_after as cancel_after,
    cancel_at as cancel_at,
)
from ._conditions import (
    CompletionCondition as CompletionCondition,
    transfer_all as transfer_all,
    transfer_at_least as transfer_at_least,
    transfer_exactly as transfer_exactly,
)
from ._errors import (
    Disconnected as Disconnected,
    EndOfFile as EndOfFile,
    OperationAborted as OperationAborted,
    StreamBusy as StreamBusy,
    StreamClosed as StreamClosed,
    TransferError as TransferError,
    TransferTimeout as TransferTimeout,
)
from ._executors import (
    EventLoopExecutor as EventLoopExecutor,
    Executor as Executor,
    inline_executor as inline_executor,
)
from ._given_buffers import buffer_copy as buffer_copy
from ._handler import Completion as Completion, Handler as Handler
from ._initiate import async_initiate as async_initiate
from ._io_thread import IoThread as IoThread
from ._operation import CompletionToken as CompletionToken, Operation as Operation
from ._read import (
    async_read as async_read,
    async_read_until as async_read_until,
    read as read,
    read_until as read_until,
)
from ._spawn import spawn as spawn
from ._stackful import yield_context as yield_context
from ._tokens import (
    OperationFuture as OperationFuture,
    OperationPromise as OperationPromise,
    deferred as deferred,
    detached as detached,
    use_awaitable as use_awaitable,
    use_future as use_future,
    use_promise as use_promise,
)
from ._write import async_write as async_write, write as write
from .streams import _adapt as _adapt  # it registers with as_stream how each object is adapted
from .streams._proof import ProofLevel as ProofLevel, strongest_proof as strongest_proof
from .streams.fd._buffered_transport import BufferedTransportStream as BufferedTransportStream
from .streams.fd._descriptor import DescriptorStream as DescriptorStream
from .streams.fd._socket import SocketStream as SocketStream
from .streams.fd._transport import TransportStream as TransportStream
from .streams.layers._buffered import Buffered as Buffered
from .streams.layers._paced import Paced as Paced
from .streams.layers._queued import Queued as Queued
from .streams.layers._reconnecting import Reconnecting as Reconnecting
from .streams.layers._rs485 import RS485 as RS485
from .streams.layers._trace_event import TraceEvent as TraceEvent
from .streams.layers._traced import Traced as Traced
from .streams.serial._async_open import async_open as async_open
from .streams.serial._device import LineCounters as LineCounters, ModemLines as ModemLines
from .streams.serial._port import SerialPort as SerialPort
from .streams.serial._port_lookout import async_wait_for_port as async_wait_for_port
from .streams.serial._ports import PortInfo as PortInfo, ports as ports
from .streams.serial._settings import Settings as Settings

__version__ = "0.1.0"


def _show_as_public(package: str, names: dict[str, _Any]) -> None:
    """Let reprs, errors and pickles name what is public by where it is imported from, not by its private file."""
    for name, value in names.items():
        named = isinstance(value, (type, _FunctionType, type(async_write))) and not name.startswith("_")
        if named and value.__module__.startswith("serialwrite.") and "._" in value.__module__:
            value.__module__ = package


_show_as_public(__name__, globals())
