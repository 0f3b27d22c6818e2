"""Mistakes of one who knows pyserial or asyncio: each gets at once a true sentence that says what to write instead."""

import asyncio
import contextlib
import gc
import re
import socket
import warnings

import pytest
import serial

import serialwrite as sw
from serialwrite.testing import PtyPair


def assign(name, value):
    return lambda port: setattr(port, name, value)


def write(*arguments, **options):
    return lambda port: port.write(*arguments, **options)


def read(*arguments, **options):
    return lambda port: port.read(*arguments, **options)


def opened(*arguments, **options):
    return lambda port: sw.SerialPort(*(port.port if each is ... else each for each in arguments), **options)


BUFFERED = r"make lines = Buffered\(stream\) once"
# What was written, the error, and what its message says to write instead.
MISTAKES = {
    # names of pyserial's that are others here
    "port.readline()": (lambda port: port.readline(), AttributeError, rf"{BUFFERED}, then .* lines\.readline\(\)"),
    "port.readlines()": (lambda port: port.readlines(), AttributeError, rf"{BUFFERED}, .*for line in lines"),
    "port.iread_until()": (lambda port: port.iread_until(b"\n"), AttributeError, rf"{BUFFERED}, .*for line in lines"),
    "port.read_all()": (lambda port: port.read_all(), AttributeError, r"read\(port\.in_waiting\)"),
    "port.readinto(b)": (lambda port: port.readinto(bytearray(4)), AttributeError, r"read\(buffer\)"),
    "port.writelines(l)": (lambda port: port.writelines([b"x"]), AttributeError, r"write\(list_of_bytes\)"),
    "port.inWaiting()": (lambda port: port.inWaiting(), AttributeError, r"in_waiting, without \(\)"),
    "port.in_waiting()": (lambda port: port.in_waiting(), TypeError, "'int' object is not callable"),
    "port.isOpen()": (lambda port: port.isOpen(), AttributeError, r"is_open, without \(\)"),
    "port.open()": (lambda port: port.open(), AttributeError, r"is open once it is made: .*async_open"),
    "port.flush()": (lambda port: port.flush(), AttributeError, r"await port\.async_drain\(\) waits"),
    "port.flushInput()": (lambda port: port.flushInput(), AttributeError, r"reset_input_buffer\(\)"),
    "port.flushOutput()": (lambda port: port.flushOutput(), AttributeError, r"reset_output_buffer\(\)"),
    "port.setDTR(True)": (lambda port: port.setDTR(True), AttributeError, r"port\.dtr = True"),
    "port.setRTS(True)": (lambda port: port.setRTS(True), AttributeError, r"port\.rts = True"),
    "port.getCTS()": (lambda port: port.getCTS(), AttributeError, r"cts, without \(\)"),
    "port.send_break()": (lambda port: port.send_break(), AttributeError, r"async_send_break\(seconds\)"),
    "port.cancel_write()": (lambda port: port.cancel_write(), AttributeError, "cancel the task"),
    "port.fileno()": (lambda port: port.fileno(), AttributeError, r"port\.serial\.fileno\(\)"),
    "port.name": (lambda port: port.name, AttributeError, "port, the path or URL"),
    "port.get_settings()": (lambda port: port.get_settings(), AttributeError, "in_force"),
    "port.apply_settings({})": (lambda port: port.apply_settings({}), AttributeError, r"async_configure\(baudrate"),
    "port.readexactly(4)": (lambda port: port.readexactly(4), AttributeError, r"async_read\(size\)"),
    "port.drain()": (lambda port: port.drain(), AttributeError, r"async_drain\(\)"),
    "port.baudrat": (lambda port: port.baudrat, AttributeError, "no attribute 'baudrat'"),
    # settings
    "port.writeTimeout = 1": (assign("writeTimeout", 1), AttributeError, "writeTimeout: write_timeout"),
    "port.baud = 9600": (assign("baud", 9600), AttributeError, "no attribute 'baud'"),
    "port.port = '/dev/ttyS9'": (assign("port", "/dev/ttyS9"), AttributeError, r"only be read; .*SerialPort\(path"),
    "port.is_open = True": (assign("is_open", True), AttributeError, "is_open: it can only be read"),
    "port.baudrate = '9k6'": (assign("baudrate", "9k6"), ValueError, "pass bits per second, a whole number above 0"),
    "port.baudrate = 0": (assign("baudrate", 0), ValueError, "pass bits per second"),
    "port.bytesize = 9": (assign("bytesize", 9), ValueError, "pass one of 5, 6, 7, 8"),
    "port.parity = 'even'": (assign("parity", "even"), ValueError, "pass one of 'N', 'E', 'O', 'M', 'S'"),
    "port.stopbits = 3": (assign("stopbits", 3), ValueError, r"pass one of 1, 1\.5, 2"),
    "port.rtscts = 'on'": (assign("rtscts", "on"), TypeError, "pass True or False"),
    "port.rts = 'high'": (assign("rts", "high"), TypeError, "pass True or False"),
    "port.cts = True": (assign("cts", True), AttributeError, "the other end drives this line"),
    "port.timeout = -1": (assign("timeout", -1), ValueError, "pass seconds, 0 or more, or None for no limit"),
    "port.timeout = '1 s'": (assign("timeout", "1 s"), TypeError, "pass seconds, 0 or more"),
    # opening
    "SerialPort(path, databits=8)": (opened(..., databits=8), ValueError, "it has baudrate, bytesize, parity"),
    "SerialPort(path, writeTimeout=1)": (opened(..., writeTimeout=1), ValueError, "writeTimeout: write_timeout"),
    "SerialPort(path, 'even')": (opened(..., "even"), ValueError, "baudrate='even': pass bits per second"),
    "SerialPort(path, parity=None)": (opened(..., parity=None), ValueError, "parity=None: pass one of 'N'"),
    "SerialPort(path, timeout='1')": (opened(..., timeout="1"), TypeError, "timeout='1': pass seconds"),
    "SerialPort(9600, path)": (
        opened(9600, "/dev/ttyS9"),
        TypeError,
        r"the port comes first: SerialPort\('/dev/ttyS9'",
    ),
    "SerialPort(None)": (opened(None), TypeError, "pass a path or a URL as str"),
    "SerialPort(path, 9600, 8, 'N', 1)": (
        opened(..., 9600, 8, "N", 1),
        TypeError,
        "by its name: bytesize=8, parity='N'",
    ),
    # data
    "port.write('text')": (write("text"), TypeError, "buffers: got str; encode"),
    "port.write(65)": (write(65), TypeError, r"bytes\(\[n\]\)"),
    "port.write(['a', 'b'])": (write(["a", "b"]), TypeError, r"buffers\[0\].*encode"),
    "port.write(None)": (write(None), TypeError, "bytes-like"),
    "port.write(b'x', timeout='1')": (write(b"x", timeout="1"), TypeError, "pass seconds, 0 or more"),
    "write(b'x', port)": (
        lambda port: sw.write(b"x", port),
        TypeError,
        r"the stream comes first: write\(stream, buffers\)",
    ),
    "async_write(b'x', port)": (lambda port: sw.async_write(b"x", port), TypeError, "the stream comes first"),
    "write('/dev/ttyS9', b'x')": (lambda port: sw.write("/dev/ttyS9", b"x"), TypeError, r"open it first.*SerialPort\("),
    "port.read()": (read(), TypeError, r"pass a size in bytes, or memory to read into"),
    "port.read(size=4)": (read(size=4), TypeError, r"no argument size=: .* without a name, read\(4\)"),
    "port.async_read(size=4)": (lambda port: port.async_read(size=4), TypeError, r"without a name, async_read\(4\)"),
    "port.read(4, timout=1)": (read(4, timout=1), TypeError, r"no argument timout=: .* timeout= and idle_timeout="),
    "port.read('4')": (read("4"), TypeError, "buffers: got str"),
    "port.read(4.0)": (read(4.0), TypeError, "buffers"),
    "port.read(-1)": (read(-1), ValueError, "size"),
    "port.read(b'    ')": (read(b"    "), TypeError, "buffers.*writable|buffers.*read-only"),
    "port.read_until()": (lambda port: port.read_until(), TypeError, BUFFERED),
    "port.read_until(b'\\n')": (lambda port: port.read_until(b"\n"), TypeError, BUFFERED),
    "port.read_until(b'\\n', 100)": (lambda port: port.read_until(b"\n", 100), TypeError, BUFFERED),
    "port.read_until(expected=b'\\n')": (lambda port: port.read_until(expected=b"\n"), TypeError, BUFFERED),
    "port.read_until(bytearray(), b'\\n')": (
        lambda port: port.read_until(bytearray(), b"\n"),
        TypeError,
        r"dynamic_buffer\(a_bytearray\)",
    ),
    "for line in port": (list, TypeError, rf"{BUFFERED}, then async for line in lines"),
    "for line in layer": (lambda port: list(sw.Queued(port)), TypeError, BUFFERED),
    "layer.baudrate": (lambda port: sw.Queued(port).baudrate, AttributeError, r"layer\.stream\.baudrate"),
    "layer.baudrate = 1": (
        lambda port: assign("baudrate", 1)(sw.Queued(port)),
        AttributeError,
        r"layer\.stream\.baudrate",
    ),
    "lines.readline(b'\\r')": (
        lambda port: sw.Buffered(port).readline(b"\r"),
        TypeError,
        r"a line ends with b'\\n' alone; read_until\(delimiter\) reads up to another end",
    ),
    "lines.readline(10)": (
        lambda port: sw.Buffered(port).readline(10),
        TypeError,
        r"read_exactly\(size\) so many bytes",
    ),
    "lines.async_readline(10)": (
        lambda port: sw.Buffered(port).async_readline(10),
        TypeError,
        r"async_read_exactly\(size\) so many bytes",
    ),
    "lines.read_until('\\n')": (
        lambda port: sw.Buffered(port).read_until("\n"),
        TypeError,
        "delimiter: got text; pass bytes",
    ),
    # tokens
    "async_write(data, print())": (lambda port: port.async_write(b"x", None), TypeError, "not what calling it gave"),
    "async_write(data, 1.0)": (lambda port: port.async_write(b"x", 1.0), TypeError, "is not a completion token"),
    "async_read(4, transfer_all())": (
        lambda port: port.async_read(bytearray(4), sw.transfer_all()),
        TypeError,
        "pass it as completion_condition=",
    ),
}


@pytest.fixture
def port():
    with PtyPair() as rig, sw.SerialPort(rig.port, 115200) as port:
        yield port


def test_the_table_has_at_least_40_mistakes():
    assert len(MISTAKES) >= 40


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_says_what_to_write_instead(port, mistake):
    do, kind, says = MISTAKES[mistake]
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # refused, nothing was forgotten
        with pytest.raises(kind, match=says):
            do(port)
        gc.collect()
    assert (port.is_open, port.baudrate) == (True, 115200)


# -- in an event loop, and without one -----------------------------------------------------------------------


@pytest.mark.parametrize("call", ["write", "read", "read_until"])
async def test_a_blocking_method_in_a_coroutine_names_the_async_one(port, call):
    arguments = {"write": (b"x",), "read": (1,), "read_until": (sw.dynamic_buffer(bytearray()), b"x")}[call]
    with pytest.raises(RuntimeError, match=rf"{call}\(\) would block .*await async_{call}\(\.\.\.\) here"):
        getattr(port, call)(*arguments)


async def test_a_blocking_for_in_a_coroutine_names_async_for(port):
    with pytest.raises(RuntimeError, match="async for line in"):
        list(sw.Buffered(port))


async def test_async_for_over_a_port_names_buffered(port):
    with pytest.raises(TypeError, match=BUFFERED):
        async for _ in port:
            pass


async def test_reading_what_can_only_be_written_to_says_so():
    near, far = socket.socketpair()
    with far:
        _, writer = await asyncio.open_connection(sock=near)
        stream = sw.as_stream(writer)
        with pytest.raises(sw.TransferError, match=r"TypeError: .*: read from its StreamReader"):
            await stream.async_read(4)
        with pytest.raises(TypeError, match=BUFFERED):
            async for _ in stream:
                pass
        writer.close()
        await writer.wait_closed()


@pytest.mark.parametrize("token", [print, sw.use_future, sw.detached], ids=["a function", "use_future", "detached"])
def test_an_async_method_without_a_loop_says_what_to_use(port, token):
    with pytest.raises(RuntimeError, match=r"no running event loop.*IoThread|IoThread"):
        port.async_write(b"x", token)


def test_a_forgotten_await_says_so(port):
    with pytest.warns(RuntimeWarning, match="async_write was never launched: await it"):
        port.async_write(b"x")
    with pytest.warns(RuntimeWarning, match="async_read was never launched: await it"), contextlib.suppress(TypeError):
        port.async_read(4)[0]


@pytest.mark.parametrize("use", ["decode", "startswith", "read"])
def test_what_is_not_awaited_yet_says_so(port, use):
    operation = port.async_read(4)
    with pytest.raises(AttributeError, match=rf"async_read has no {use}: await it first"):
        getattr(operation, use)
    operation.close()


def test_a_port_that_is_not_open_yet_says_so():
    operation = sw.async_open("/dev/none", 9600)
    with pytest.raises(AttributeError, match=r"async_open has no async_write: await it first"):
        operation.async_write  # noqa: B018
    operation.close()


def test_a_class_of_the_users_may_have_an_absent_name():
    class Lines:
        def readline(self):
            return b"a line"

        @property
        def portstr(self):
            return "mine"

    class Stream(sw.SocketStream, Lines):
        pass

    near, far = socket.socketpair()
    with near, far, Stream(near) as stream:
        assert (stream.readline(), stream.portstr, Stream.readline) == (b"a line", "mine", Lines.readline)
        assert not hasattr(stream, "readlines")
        assert not hasattr(Stream, "readlines")
        assert {"readline", "readlines", "write"} & set(dir(stream)) == {"readline", "write"}


async def test_a_line_without_an_end_says_how_much_came(port):
    with PtyPair() as rig, rig.open_peer() as peer:
        async with sw.SerialPort(rig.port) as device:
            peer.write(b"no end")
            with pytest.raises(sw.TransferTimeout, match=re.escape(r"b'\n' has not come")) as info:
                await sw.Buffered(device).async_readline(timeout=0.2)
            assert info.value.data == b"no end"


def test_a_second_opening_names_who_has_it(port):
    with pytest.raises(serial.SerialException, match=r"in use|open here already"):
        sw.SerialPort(port.port)
