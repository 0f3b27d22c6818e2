"""Advice on what to write instead of names from pyserial and asyncio that streams do not have."""

from __future__ import annotations

LINES = "make lines = Buffered(stream) once, then await lines.async_readline(), or lines.readline()"
ITERATE = "make lines = Buffered(stream) once, then async for line in lines, or for line in lines"
DRAIN = (
    "await port.async_drain() waits until what was accepted has left; "
    "without an event loop, asyncio.run(port.async_drain()) does"
)
ANEW = "a SerialPort is open once it is made: make another, SerialPort(path, baudrate), or await async_open(...)"
FLOW = "call it on port.serial, pyserial's object"
ABILITY = "a stream that can't do it has no such method, and says so when it is used"
CONSTANT = "it is a constant of serial.Serial"
CANCEL = "cancel the task that awaits, or pass timeout= to the call; a CancellationSignal does it from elsewhere"

# By the name that is tried: what to write instead. pyserial's are those of serial.Serial that a SerialPort lacks.
INSTEAD = {
    "readline": LINES,
    "readlines": ITERATE,
    "iread_until": ITERATE,
    "read_all": "read(port.in_waiting) reads what has come",
    "readall": "read(port.in_waiting) reads what has come",
    "readinto": "read(buffer) reads into memory of yours",
    "writelines": "write(list_of_bytes) writes them all, and joins nothing",
    "flush": DRAIN,
    "cancel_read": CANCEL,
    "cancel_write": CANCEL,
    "send_break": "await port.async_send_break(seconds)",
    "sendBreak": "await port.async_send_break(seconds)",
    "open": ANEW,
    "setPort": ANEW,
    "isOpen": "is_open, without ()",
    "closed": "not port.is_open",
    "inWaiting": "in_waiting, without ()",
    "flushInput": "reset_input_buffer()",
    "flushOutput": "reset_output_buffer(), which returns what is gone",
    "setDTR": "assign it: port.dtr = True",
    "setRTS": "assign it: port.rts = True",
    "getCTS": "cts, without ()",
    "getDSR": "dsr, without ()",
    "getRI": "ri, without ()",
    "getCD": "cd, without ()",
    "name": "port, the path or URL",
    "portstr": "port, the path or URL",
    "fd": "port.serial.fd",
    "fileno": "port.serial.fileno()",
    "writeTimeout": "write_timeout",
    "inter_byte_timeout": "pass idle_timeout= to each read",
    "interCharTimeout": "pass idle_timeout= to each read",
    "exclusive": "pass it when opening: SerialPort(path, exclusive=False); by default nothing else can open the port",
    "rs485_mode": "pass it when opening: SerialPort(path, rs485_mode=...); or RS485(port) switches RTS itself",
    "set_low_latency_mode": "pass it when opening: SerialPort(path, low_latency=True)",
    "get_settings": "in_force has what is set; baudrate and the others, what was asked for",
    "getSettingsDict": "in_force has what is set; baudrate and the others, what was asked for",
    "apply_settings": "await port.async_configure(baudrate=..., parity=...), or assign to each",
    "applySettingsDict": "await port.async_configure(baudrate=..., parity=...), or assign to each",
    "set_input_flow_control": FLOW,
    "set_output_flow_control": FLOW,
    "nonblocking": "leave it out: no call blocks the event loop",
    "BAUDRATES": CONSTANT,
    "BAUDRATE_CONSTANTS": CONSTANT,
    "BYTESIZES": CONSTANT,
    "PARITIES": CONSTANT,
    "STOPBITS": CONSTANT,
    "readable": ABILITY,
    "writable": ABILITY,
    "seekable": ABILITY,
    "seek": "a stream has no position",
    "tell": "a stream has no position",
    "truncate": "a stream has no position",
    "isatty": "os.isatty(port.serial.fd)",
    # asyncio's, and what else is likely
    "async_readline": LINES,
    "async_read_exactly": "async_read(size) reads exactly so many bytes",
    "readexactly": "await async_read(size) reads exactly so many bytes",
    "readuntil": LINES,
    "drain": DRAIN,
    "async_flush": DRAIN,
    "wait_closed": "await port.async_close() returns once it is closed",
    "is_closing": "not is_open",
    "async_open": "it is a function: await serialwrite.async_open(path, baudrate)",
}


def absent(stream: object, name: str) -> AttributeError:
    """The error for a name that ``stream`` does not have."""
    if name.startswith("_"):  # asked for by the library itself, where it may be there
        return AttributeError(name)
    kind, instead = type(stream).__name__, INSTEAD.get(name)
    if instead is None and (wrapped := holder(stream, name)):
        instead = f"use that of the wrapped port, {wrapped}.{name}"
    told = f"{kind!r} object has no attribute {name!r}" if instead is None else f"{kind} has no {name}: {instead}"
    return AttributeError(told, name=name, obj=stream)


def holder(layer: object, name: str) -> str | None:
    """Where the stream that ``layer`` is over, and that has the attribute, is found; None where there is none."""
    path, wrapped = "layer.stream", _wrapped(layer)
    while wrapped is not None and not _has(wrapped, name):
        path, wrapped = f"{path}.stream", _wrapped(wrapped)
    return None if wrapped is None else path


def _wrapped(layer: object) -> object:
    return getattr(layer, "__dict__", {}).get("stream")


def _has(stream: object, name: str) -> bool:
    return hasattr(type(stream), name)


def forbidden(stream: object, name: str) -> AttributeError | None:
    """The error for setting what can only be read; None where ``name`` can be set, or is not there at all."""
    own = getattr(type(stream), name, None)
    if not isinstance(own, property) or own.fset is not None:
        return None
    return AttributeError(f"{name}: it can only be read{'; ' + ANEW if name == 'port' else ''}", name=name, obj=stream)


def not_iterable(stream: object) -> TypeError:
    """The error for a stream that is iterated over."""
    return TypeError(f"{type(stream).__name__} is not iterable: it knows no lines; {ITERATE}")
