# cython: language_level=3, auto_pickle=False
"""The first try of a small write, compiled: one system call and a count. ``_quick.py`` is its twin in Python.

Here is no rule. What is not all taken at once is handed to a ``QuickWrite``, and so is every question but one:
how much was transferred.

The file is long because it is one extension module: its classes call each other in C, which they could not do across two.
In its order: memory that is held, the system call, a write with a callback, what is awaited, the functions to call.
"""

cimport cython
from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from cpython.exc cimport PyErr_CheckSignals
from cpython.mem cimport PyMem_Free, PyMem_Malloc
from cpython.object cimport PyObject
from cpython.ref cimport Py_DECREF, Py_INCREF
from libc.errno cimport EAGAIN, EINTR, errno
from libc.string cimport memset

from functools import update_wrapper
from os import strerror
from types import FunctionType

cdef extern from "Python.h":
    unsigned long PyThread_get_thread_ident()
    ctypedef enum PySendResult:
        PYGEN_RETURN
        PYGEN_ERROR
        PYGEN_NEXT
    PySendResult PyIter_Send(object, object, PyObject **) except PYGEN_ERROR


cdef extern from "<sys/socket.h>" nogil:
    ssize_t c_send "send" (int, const void *, size_t, int)
    ssize_t c_sendmsg "sendmsg" (int, const msghdr *, int)
    cdef struct msghdr:
        iovec *msg_iov
        size_t msg_iovlen


cdef extern from "<unistd.h>" nogil:
    ssize_t c_write "write" (int, const void *, size_t)


cdef extern from "<sys/uio.h>" nogil:
    ssize_t c_writev "writev" (int, const iovec *, int)
    cdef struct iovec:
        void *iov_base
        size_t iov_len


cdef extern from *:
    """
    typedef PySendResult (*send_function)(PyObject *, PyObject *, PyObject **);
    static send_function first_send;

    /* From Python 3.12 on `await` asks this, and its result is a StopIteration: one that nothing else has, and that was
       not raised in a frame, is used again. */
    static PyObject *first_next(PyObject *self) {
        PyObject *result = NULL;
        if (first_send(self, Py_None, &result) != PYGEN_RETURN)
            return result;
    #if PY_VERSION_HEX >= 0x030C0000
        static PyStopIterationObject *stop;
        if (stop == NULL || Py_REFCNT(stop) > 1 || stop->traceback || stop->context || stop->cause)
            Py_XSETREF(stop, (PyStopIterationObject *)PyObject_CallNoArgs(PyExc_StopIteration));
        if (stop != NULL) {
            Py_XSETREF(stop->value, Py_NewRef(result));
            PyErr_SetRaisedException(Py_NewRef((PyObject *)stop));
        }
    #else
        PyObject *stop = PyObject_CallOneArg(PyExc_StopIteration, result);
        if (stop != NULL)
            PyErr_SetObject(PyExc_StopIteration, stop);
        Py_XDECREF(stop);
    #endif
        Py_DECREF(result);
        return NULL;
    }

    /* Tasks ask am_send, and so does `await` up to Python 3.11. Cython has no name for it. */
    static void set_send(PyObject *type, send_function send) {
        first_send = send;
        ((PyTypeObject *)type)->tp_as_async->am_send = send;
        ((PyTypeObject *)type)->tp_iternext = first_next;
    }
    """
    void set_send(object, PySendResult (*)(object, object, PyObject **) except PYGEN_ERROR)


# A send of no more bytes than this keeps the GIL: it can't block, and the wait for the GIL would be longer than it.
cdef size_t KEPT_SIZE = 1 << 14
cdef Py_ssize_t per_operation
cdef object quick_write, tried_write, full_write, initiate  # what everything else is left to, see quickened()
cdef object default_token, deferred, transfer_all, unlimited, checked_limits
cdef object UNGIVEN = object()
cdef object checked_timeout = None, limits_of_timeout = None  # the number that came last is found to be one again


@cython.final
cdef class Held:
    """Memory that can't be resized until it is released."""

    cdef Py_buffer *views
    cdef Py_ssize_t count

    cdef Py_buffer *hold(self, object one, Py_ssize_t room) except NULL:
        """Hold ``one`` too: of ``room`` at the most."""
        if self.views == NULL:
            self.views = <Py_buffer *>PyMem_Malloc(room * sizeof(Py_buffer))
            if self.views == NULL:
                raise MemoryError
        PyObject_GetBuffer(one, &self.views[self.count], PyBUF_SIMPLE)
        self.count += 1
        return &self.views[self.count - 1]

    def release(self):
        while self.count > 0:
            self.count -= 1
            PyBuffer_Release(&self.views[self.count])
        PyMem_Free(self.views)
        self.views = NULL

    def __dealloc__(self):
        self.release()


def hold(tuple given):
    """Hold those of ``given`` that are bytearrays; None where one is neither that nor plain ``bytes``."""
    cdef Held held = Held()
    for one in given:
        if type(one) is bytearray:
            held.hold(one, len(given))
        elif type(one) is not bytes:
            held.release()
            return None
    return held


def window_ends(tuple views, Py_ssize_t count):
    """How many bytes there are up to the end of each ``count`` of ``views``."""
    cdef Py_ssize_t end = 0, i
    cdef list ends = []
    for i in range(len(views)):
        end += len(views[i])
        if (i + 1) % count == 0 or i + 1 == len(views):
            ends.append(end)
    return ends


cdef class Turn:
    """What a direction is asked before each first try, where it costs nothing to ask."""

    cdef public unsigned long idle_thread
    cdef public Py_ssize_t budget
    cdef public object write_one


cdef class Port:
    """A stream whose direction for writing is found at once."""

    cdef public object _write_direction


cdef inline ssize_t system_call(int fd, bint sends, int flags, const msghdr *message) noexcept nogil:
    cdef iovec *first = message.msg_iov
    if message.msg_iovlen == 1:
        return c_send(fd, first.iov_base, first.iov_len, flags) if sends else c_write(fd, first.iov_base, first.iov_len)
    return c_sendmsg(fd, message, flags) if sends else c_writev(fd, first, message.msg_iovlen)


@cython.final
cdef class Direct:
    """``write_one`` and ``try_now`` of a descriptor, without a call of Python. Many buffers go into the kernel's vector.

    Args:
        number: gives the descriptor: a socket's ``fileno``; or the ``__dict__`` of a port, where it is ``fd``.
        flags: of send(2); None: write(2) is called.
        try_now: what is called of fewer than two buffers, and where ``ledger`` keeps counts.
        ledger: see ``_signal_safe``.
    """

    cdef object number, try_now, ledger
    cdef bint sends
    cdef int flags

    def __init__(self, number, flags, try_now, ledger):
        self.number, self.try_now, self.ledger = number, try_now, ledger
        self.sends = flags is not None
        self.flags = flags or 0

    def __call__(self, given):
        return self.write(given) if type(given) is bytes else self.gather(given)

    cdef int descriptor(self) except -2:
        """Its number; -1 once it is closed: ``try_now`` says what is."""
        cdef object number = self.number() if self.sends else (<dict>self.number).get("fd")
        return -1 if number is None else number

    cdef Py_ssize_t write(self, bytes data) except -1:
        """The bytes that were taken; OSError where none were."""
        cdef iovec one
        one.iov_base, one.iov_len = PyBytes_AS_STRING(data), PyBytes_GET_SIZE(data)
        cdef int fd = self.descriptor()
        return self.try_now((data,)) if fd < 0 else self.taken(fd, &one, 1, one.iov_len)

    cdef Py_ssize_t gather(self, buffers) except -1:
        cdef int i, fd = self.descriptor(), count = min(len(buffers), 1024)
        cdef size_t size = 0
        cdef iovec vector[1024]
        cdef Py_buffer *view
        cdef Held held = None
        if fd < 0 or count < 2 or type(buffers) is not list or self.ledger.record is not None:
            return self.try_now(buffers)
        for i in range(count):
            one = (<list>buffers)[i]
            if type(one) is bytes:
                vector[i].iov_base, vector[i].iov_len = PyBytes_AS_STRING(one), PyBytes_GET_SIZE(one)
            else:
                if held is None:
                    held = Held()
                view = held.hold(one, count)
                vector[i].iov_base, vector[i].iov_len = view.buf, view.len
            size += vector[i].iov_len
        return self.taken(fd, vector, count, size)

    cdef Py_ssize_t taken(self, int fd, iovec *vector, size_t count, size_t size) except -1:
        cdef int error
        cdef msghdr message
        cdef ssize_t n
        memset(&message, 0, sizeof(message))
        message.msg_iov, message.msg_iovlen = vector, count
        while True:
            if self.sends and size <= KEPT_SIZE:
                n = system_call(fd, self.sends, self.flags, &message)
                error = errno
            else:  # who shares a terminal may make it block
                with nogil:
                    n = system_call(fd, self.sends, self.flags, &message)
                    error = errno
            if n > 0:
                return n
            if n == 0:
                error = EAGAIN  # full, whatever it said
            if error != EINTR:
                raise OSError(error, strerror(error))
            PyErr_CheckSignals()


def write_directly(direction, number, flags, ledger):
    """Have ``direction`` write by a Direct of what it has."""
    direction.write_one = direction.try_now = Direct(number, flags, direction.try_now, ledger)


cdef object tried(Turn turn, Port stream, bytes data, object limits):
    """Try once. None: all was taken; else the operation that goes on."""
    cdef object failure = None
    cdef Py_ssize_t n = 0
    try:
        if type(turn.write_one) is Direct:
            n = (<Direct>turn.write_one).write(data)
        else:
            n = turn.write_one(data)
        if n == PyBytes_GET_SIZE(data):
            return None
    except Exception as error:
        failure = error
    return tried_write(stream, data, limits, failure, n)


@cython.final
@cython.freelist(64)
cdef class Delivery:
    """The user of a direction that took a write at once, until its handler is called, by the event loop."""

    cdef Port stream
    cdef object handler
    cdef readonly Py_ssize_t bytes_transferred

    def __call__(self):
        cdef object handler = self.handler
        self.handler = None
        self.stream._write_direction.release()
        handler(None, self.bytes_transferred)

    @property
    def executor(self):
        return self.stream.get_executor()

    def end_with(self, error):
        """Nothing is left to end."""

    def detach(self):
        """Nothing is left to forget."""


cdef bint launched(Port stream, bytes data, object handler) except -1:
    """Launch a write of ``data`` with ``handler``, a function of the caller's, if it can be tried at once."""
    cdef Delivery delivery
    cdef object loop, rest, direction = stream._write_direction
    if not isinstance(direction, Turn) or (<Turn>direction).idle_thread != PyThread_get_thread_ident():
        return False
    loop = direction.running_loop()
    if loop is None:
        return False
    delivery = Delivery.__new__(Delivery)
    delivery.stream, delivery.handler, delivery.bytes_transferred = stream, handler, PyBytes_GET_SIZE(data)
    direction.claim(delivery)
    try:
        rest = tried(<Turn>direction, stream, data, unlimited)
    except BaseException:  # the handler of a signal has raised it
        direction.release()
        raise
    if rest is None:
        loop.call_soon(delivery)
    else:
        direction.release()
        initiate(rest, handler)
    return True


@cython.freelist(64)
@cython.no_gc_clear  # forgotten in a cycle, it makes its twin
cdef class First:
    """An operation that was not tried yet, or that was done at once. Whatever else it is asked, its twin in Python is.

    It is a write or a read: see the two classes below. They add no members, so that they share its free list.
    """

    cdef object stream, limits
    cdef object wanted  # the bytes to write; of a read, up to where, or how many
    cdef object kind  # the class of its twin
    cdef object result  # once it is done: at once
    cdef object twin  # the operation that everything else is left to; of a write, once tried, the TransferOperation
    cdef object rest  # the generator that this goes on with, where it is awaited
    cdef bint asked, handed_over  # for its __await__; to the twin
    cdef object __weakref__

    cdef object left(self):
        if not self.handed_over:
            self.handed_over = True
            self.twin = self.kind(self.stream, self.wanted, self.limits)
            if self.result is not None:
                self.twin.done_at_once(self.result)
        return self.twin

    cdef bint completed(self) except -1:
        """Try once. Whether that was all; else ``rest`` goes on."""
        raise NotImplementedError

    def __await__(self):
        if self.asked or self.handed_over or self.result is not None:
            return self.left().__await__()
        self.asked = True
        return self

    def __iter__(self):
        return self

    def __next__(self):
        return self.send(None)

    def send(self, value, /):
        cdef PyObject *result = NULL
        how = send(self, value, &result)
        made = <object>result
        Py_DECREF(made)
        if how == PYGEN_RETURN:
            raise StopIteration(made)
        return made

    def throw(self, *args):
        return (self.left() if self.rest is None else self.rest).throw(*args)

    def close(self):
        if self.rest is not None:
            self.rest.close()
        elif self.result is None:
            self.left().close()

    def __call__(self, token, /):
        return self.left()(token)

    def __getattr__(self, name):
        return getattr(self.left(), name)

    def __setattr__(self, name, value):
        setattr(self.left(), name, value)

    def __repr__(self):
        return repr(self.left())

    def __dealloc__(self):
        if self.result is None:
            self.left()  # made now, it warns: this was forgotten


@cython.final
cdef class FirstTry(First):
    """A write of one ``bytes`` object."""

    cdef bint completed(self) except -1:
        cdef Turn turn
        cdef Py_ssize_t n
        direction = (<Port>self.stream)._write_direction
        if not self.handed_over and self.result is None and isinstance(direction, Turn):
            turn = <Turn>direction
            if turn.idle_thread == PyThread_get_thread_ident():
                rest = tried(turn, <Port>self.stream, self.wanted, self.limits)
                if rest is not None:
                    self.twin = rest
                    self.handed_over = True
                    self.rest = rest.await_rest()
                    return False
                n = PyBytes_GET_SIZE(self.wanted)
                self.result = n
                turn.budget -= n + per_operation
                if turn.budget <= 0:
                    turn.idle_thread = 0
                return True
        self.rest = self.left().__await__()
        return False

    @property
    def bytes_transferred(self):
        """Bytes transferred so far."""
        if self.handed_over:
            return self.twin.bytes_transferred
        return 0 if self.result is None else self.result


@cython.final
cdef class FirstRead(First):
    """A read of a ``Buffered``: up to a delimiter, or of so many bytes."""

    cdef bint completed(self) except -1:
        if not self.handed_over and self.result is None:
            self.result = self.stream._take_now(self.wanted)
            if self.result is not None:
                return True
        self.rest = self.left().__await__()
        return False


cdef PySendResult send(object operation, object value, PyObject **result) except PYGEN_ERROR:
    cdef First self = <First>operation
    cdef PySendResult how
    if self.rest is None:
        if self.completed():
            Py_INCREF(self.result)
            result[0] = <PyObject *>self.result
            return PYGEN_RETURN
        value = None
    try:
        how = PyIter_Send(self.rest, value, result)
    except BaseException:
        self.rest = None  # awaited again it says that it launches once
        raise
    if how == PYGEN_RETURN:
        self.rest = None
    return how


set_send(FirstTry, send)
set_send(FirstRead, send)


cdef object limits_of(object timeout, object idle_timeout):
    """What an operation is limited by that was given these two."""
    global checked_timeout, limits_of_timeout
    if idle_timeout is not None or (type(timeout) is not float and type(timeout) is not int):
        if timeout is None and idle_timeout is None:
            return unlimited
        return checked_limits(timeout, idle_timeout)
    if timeout is not checked_timeout:
        limits_of_timeout = checked_limits(timeout)
        checked_timeout = timeout
    return limits_of_timeout


@cython.binding(True)
def async_write(
    stream, buffers, token=UNGIVEN, /, *, completion_condition=UNGIVEN, timeout=None, idle_timeout=None
):
    cdef FirstTry made
    if token is UNGIVEN:
        token = default_token
    if completion_condition is UNGIVEN:
        completion_condition = transfer_all
    if type(buffers) is not bytes or not isinstance(stream, Port) or completion_condition is not transfer_all:
        pass
    elif token is not default_token:
        if (
            type(token) is FunctionType
            and timeout is None
            and idle_timeout is None
            and not token.__dict__
            and token.__module__ != "serialwrite"
            and launched(stream, buffers, token)
        ):
            return None
    elif stream.default_token is deferred:
        limits = limits_of(timeout, idle_timeout)  # first: refused, nothing was forgotten
        made = FirstTry.__new__(FirstTry)
        made.stream, made.kind, made.wanted, made.limits = stream, quick_write, buffers, limits
        return made
    return full_write(
        stream, buffers, token, completion_condition=completion_condition, timeout=timeout, idle_timeout=idle_timeout
    )


def quickened(function, twin, rest, start, Py_ssize_t cost, nothing_started, no_limits, check):
    """``function``, async_write, which makes a FirstTry where it would make a ``twin`` to be awaited.

    Args:
        rest: makes the operation that goes on where the first try did not take everything.
        start: gives an operation to a token.
        cost: of each of them, see ``Turn.budget``.
        nothing_started: the token ``deferred``.
        no_limits: what a write without ``timeout=`` and ``idle_timeout=`` is limited by.
        check: gives the limits of these two.
    """
    global full_write, quick_write, tried_write, initiate, per_operation, default_token, transfer_all, deferred, unlimited, checked_limits
    full_write, quick_write, tried_write, initiate, per_operation = function, twin, rest, start, cost
    default_token = function.__defaults__[0]
    transfer_all = function.__kwdefaults__["completion_condition"]
    deferred, unlimited, checked_limits = nothing_started, no_limits, check
    twin.register(FirstTry)
    return update_wrapper(async_write, function)


cdef FirstRead first_read(object buffered, object kind, object wanted, object timeout, object idle_timeout):
    """A read of ``buffered``; None where its stream has a default token of its own."""
    cdef FirstRead made
    if getattr(buffered.stream, "default_token", deferred) is not deferred:
        return None
    cdef object limits = limits_of(timeout, idle_timeout)  # first: refused, nothing was forgotten
    made = FirstRead.__new__(FirstRead)
    made.stream, made.kind, made.wanted, made.limits = buffered, kind, wanted, limits
    return made


def quickened_line(kind, end):
    """Decorates ``async_readline`` of a Buffered: to be awaited, it makes a FirstRead where it would make a ``kind``."""

    def decorated(function):
        @cython.binding(True)
        def async_readline(buffered, token=UNGIVEN, /, *, timeout=None, idle_timeout=None):
            made = first_read(buffered, kind, end, timeout, idle_timeout) if token is UNGIVEN else None
            token = default_token if token is UNGIVEN else token
            return function(buffered, token, timeout=timeout, idle_timeout=idle_timeout) if made is None else made

        kind.register(FirstRead)
        return update_wrapper(async_readline, function)

    return decorated


def quickened_read(kind):
    """The same, of a method that is told up to what it is to read, or how much; ``options`` are left to ``function``."""

    def decorated(function):
        @cython.binding(True)
        def async_read(buffered, wanted=UNGIVEN, token=UNGIVEN, /, *, timeout=None, idle_timeout=None, **options):
            if wanted is UNGIVEN:
                return function(buffered, **options)  # which says what is missing
            if token is UNGIVEN:
                token = default_token
                if not options and (type(wanted) is bytes and wanted or type(wanted) is int and wanted >= 0):
                    made = first_read(buffered, kind, wanted, timeout, idle_timeout)
                    if made is not None:
                        return made
            return function(buffered, wanted, token, timeout=timeout, idle_timeout=idle_timeout, **options)

        kind.register(FirstRead)
        return update_wrapper(async_read, function)

    return decorated
