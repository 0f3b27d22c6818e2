"""Traced: a stream that records every write_some and read_some, with its bytes and its result."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from ..._adapting import as_stream
from ..._buffers import first_bytes
from ..._direction import READING, direction_of
from ..._errors import transfer_error
from ..._handler import Handler
from ._layer import Layer, LayerDirection, Step
from ._trace_event import TraceEvent

if TYPE_CHECKING:
    from ._trace_files import JsonlFile, PcapngFile


Sink: TypeAlias = "Callable[[TraceEvent], object] | logging.Logger | str | bytes | os.PathLike[Any]"


class Traced(Layer):
    """``stream``, with every write_some and read_some reported to ``sink``.

    Args:
        stream: any stream. What is traced is what goes from this layer to ``stream``.
        sink: a function of a :class:`TraceEvent`, a ``logging.Logger``, or the name of a file. ``print`` shows the time
            and the bytes. A logger is used at level DEBUG. A file is made anew. A ``.pcapng`` file is
            for Wireshark (link type RTAC Serial), any other gets JSON, an event a line.

    If a sink raises, the transfer goes on. The error goes to the event loop's exception handler, or to the logger
    ``serialwrite`` without a loop. A file that can't be written keeps the whole records that it has.
    :meth:`close` closes the file, and then ``stream``.

    Cancellation: as the wrapped stream.
    """

    def __init__(self, stream: Any, sink: Sink) -> None:
        super().__init__(as_stream(stream))
        self._file: JsonlFile | PcapngFile | None = None
        if isinstance(sink, logging.Logger):
            self._tell: Callable[[TraceEvent], object] = lambda event: sink.debug("%r: %s", self.stream, event.summary)
        elif callable(sink):
            self._tell = sink
        elif not isinstance(sink, (str, bytes, os.PathLike)):  # pyright: ignore[reportUnnecessaryIsInstance] # unchecked
            raise TypeError(
                f"sink: got {type(sink).__name__}; pass a function of an event, a logging.Logger, or a file's name"
            )
        else:
            from ._trace_files import trace_file  # noqa: PLC0415 # and with it json, for files alone

            self._file = trace_file(os.fsdecode(sink))
            self._tell = self._file.write

    @property
    def _read_direction(self) -> Any:
        return LayerDirection(self, direction_of(self.stream, READING), partial(self._step, "read"))

    def _write_step(self, below: Step, buffers: Sequence[memoryview], handler: Handler) -> None:
        self._step("write", below, buffers, handler)

    def _step(
        self, direction: Literal["write", "read"], below: Step, buffers: Sequence[memoryview], handler: Handler
    ) -> None:
        started, begin = time.time(), time.monotonic()
        asked = sum(map(len, buffers))

        def complete(error: BaseException | None, n: int) -> None:
            elapsed = time.monotonic() - begin
            data = b"".join(first_bytes(buffers, n))
            shown = transfer_error(error) if isinstance(error, OSError) else error
            self._show(TraceEvent(direction, started, elapsed, asked, n, shown, data))
            handler(error, n)

        below(buffers, handler.replaced(complete))

    def _show(self, event: TraceEvent) -> None:
        try:
            self._tell(event)
        except Exception as error:
            message = f"the sink of {self!r} raised"
            try:
                loop = asyncio.get_running_loop()
            except RuntimeError:  # an executor without an event loop
                logging.getLogger("serialwrite").exception(message)
            else:
                loop.call_exception_handler({"message": message, "exception": error})

    def close(self, *args: Any, **options: Any) -> Any:
        """Close the trace's file, and then the stream, as its own ``close`` does."""
        try:
            return super().close(*args, **options)
        finally:
            self.close_trace()

    def __exit__(self, *error: object) -> None:
        super().__exit__(*error)
        self.close_trace()

    async def __aexit__(self, *error: object) -> None:
        await super().__aexit__(*error)
        self.close_trace()

    def close_trace(self) -> None:
        """Close the trace's file, and leave the stream open."""
        if self._file is not None:
            self._file.close()
