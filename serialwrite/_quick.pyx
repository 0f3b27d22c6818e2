# cython: language_level=3, auto_pickle=False
"""The first try of a small write, compiled: one system call and a count. ``_quick.py`` is its twin in Python.

Here is no rule. What is not all taken at once is handed to a ``QuickWrite``, and so is every question but two:
how much was transferred, and what remains.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from cpython.exc cimport PyErr_CheckSignals
from cpython.object cimport PyObject
from cpython.ref cimport Py_DECREF
from libc.errno cimport EAGAIN, EINTR, errno

from functools import update_wrapper
from os import strerror

from ._conditions import TRANSFER_ALL as _transfer_all
from ._deadlines import UNLIMITED as _unlimited, checked_limits as _checked_limits
from ._operation import Operation, default_token as _default_token, deferred as _deferred

cdef object TRANSFER_ALL = _transfer_all, UNLIMITED = _unlimited, checked_limits = _checked_limits
cdef object default_token = _default_token, deferred = _deferred  # found without a look into the module


cdef extern from "Python.h":
    unsigned long PyThread_get_thread_ident()
    ctypedef enum PySendResult:
        PYGEN_RETURN
        PYGEN_ERROR
        PYGEN_NEXT
    PyObject *PyLong_FromSsize_t(Py_ssize_t) except NULL
    PySendResult PyIter_Send(object, object, PyObject **) except PYGEN_ERROR


cdef extern from "<sys/socket.h>" nogil:
    ssize_t c_send "send" (int, const void *, size_t, int)


cdef extern from "<unistd.h>" nogil:
    ssize_t c_write "write" (int, const void *, size_t)


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
cdef Py_ssize_t KEPT_SIZE = 1 << 14
cdef Py_ssize_t per_operation
cdef object quick_write, full_write  # what everything else is left to, see quickened()
cdef object checked_timeout = None, limits_of_timeout = None  # the float that came last is found to be one again


cdef class Turn:
    """What a direction is asked before each first try, where it costs nothing to ask."""

    cdef public unsigned long idle_in
    cdef public Py_ssize_t budget
    cdef public object write_one


cdef class Port:
    """A stream whose direction for writing is found at once."""

    cdef public object _write_direction


@cython.final
cdef class DirectWrite:
    """``write_one`` of a descriptor, without a call of Python.

    Args:
        number: gives the descriptor: a socket's ``fileno``; or the ``__dict__`` of a port, where it is ``fd``.
        flags: of send(2); None: write(2) is called.
        otherwise: what is called where there is no such descriptor.
    """

    cdef object number, otherwise
    cdef bint sends
    cdef int flags

    def __init__(self, number, flags, otherwise):
        self.number = number
        self.sends = flags is not None
        self.flags = flags or 0
        self.otherwise = otherwise

    cdef Py_ssize_t attempt(self, bytes data) except -1:
        """The bytes that were taken; OSError where none were."""
        cdef object number = self.number() if self.sends else (<dict>self.number).get("fd")
        if number is None:
            return self.otherwise(data)
        cdef int fd = number, error = 0
        cdef Py_ssize_t n, size = PyBytes_GET_SIZE(data)
        cdef const char *start = PyBytes_AS_STRING(data)
        while True:
            if self.sends and size <= KEPT_SIZE:
                n = c_send(fd, start, size, self.flags)
                error = errno
            else:  # who shares a terminal may make it block
                with nogil:
                    n = c_send(fd, start, size, self.flags) if self.sends else c_write(fd, start, size)
                    error = errno
            if n > 0 or n == size:
                return n
            if n == 0:
                error = EAGAIN  # full, whatever it said
            if error != EINTR:
                raise OSError(error, strerror(error))
            PyErr_CheckSignals()

    def __call__(self, bytes data):
        return self.attempt(data)


@cython.final
@cython.freelist(64)
cdef class FirstTry:
    """A write of one ``bytes`` object that was not tried yet, or that the stream took at once."""

    cdef Port stream
    cdef bytes data
    cdef object limits
    cdef object twin  # the QuickWrite that everything else is left to
    cdef object rest  # the generator that this goes on with, where it is awaited
    cdef bint asked  # for its __await__
    cdef bint done  # the stream took everything
    cdef bint handed_over  # to the twin
    cdef object __weakref__

    cdef object left(self):
        if not self.handed_over:
            self.handed_over = True
            self.twin = quick_write(self.stream, self.data, self.limits)
            if self.done:
                self.twin.tried(None, PyBytes_GET_SIZE(self.data))
        return self.twin

    cdef Py_ssize_t take(self, Turn turn) except -1:
        """The bytes that were taken; -2: it has failed, and the twin knows."""
        try:
            if type(turn.write_one) is DirectWrite:
                return (<DirectWrite>turn.write_one).attempt(self.data)
            return turn.write_one(self.data)
        except Exception as error:
            self.left().tried(error, 0)
            return -2

    cdef bint completed(self) except -1:
        """Try once. Whether that was all; else ``rest`` goes on."""
        cdef Turn turn
        cdef Py_ssize_t n
        cdef object direction = self.stream._write_direction
        if not self.handed_over and not self.done and isinstance(direction, Turn):
            turn = <Turn>direction
            if turn.idle_in == PyThread_get_thread_ident():
                n = self.take(turn)
                if n == PyBytes_GET_SIZE(self.data):
                    self.done = True
                    turn.budget -= n + per_operation
                    if turn.budget <= 0:
                        turn.idle_in = 0
                    return True
                if n >= 0:
                    self.left().tried(None, n)
                self.rest = self.left().goes_on()
                return False
        self.rest = self.left().__await__()
        return False

    def __await__(self):
        if self.asked or self.done or self.handed_over:
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
        elif not self.done:
            self.left().close()

    @property
    def bytes_transferred(self):
        """Bytes transferred so far."""
        if self.handed_over:
            return self.twin.bytes_transferred
        return PyBytes_GET_SIZE(self.data) if self.done else 0

    @property
    def remaining(self):
        """What is left of the caller's buffers, as new views of them."""
        return () if self.done and not self.handed_over else self.left().remaining

    def __call__(self, token, /):
        return self.left()(token)

    def __getattr__(self, name):
        return getattr(self.left(), name)

    def __setattr__(self, name, value):
        setattr(self.left(), name, value)

    def __repr__(self):
        return repr(self.left())

    def __dealloc__(self):
        if not (self.done or self.handed_over):
            self.left()  # it warns: this was forgotten


cdef PySendResult send(object operation, object value, PyObject **result) except PYGEN_ERROR:
    cdef FirstTry self = <FirstTry>operation
    cdef PySendResult how
    if self.rest is None:
        if self.completed():
            result[0] = PyLong_FromSsize_t(PyBytes_GET_SIZE(self.data))
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
Operation.register(FirstTry)


@cython.binding(True)
def async_write(
    stream,
    buffers,
    token=default_token,
    /,
    *,
    completion_condition=TRANSFER_ALL,
    timeout=None,
    idle_timeout=None,
):
    global checked_timeout, limits_of_timeout
    cdef FirstTry made
    cdef object limits = UNLIMITED
    if (
        type(buffers) is bytes
        and isinstance(stream, Port)
        and token is default_token
        and completion_condition is TRANSFER_ALL
        and stream.default_token is deferred
    ):
        if idle_timeout is not None or type(timeout) is not float:
            if timeout is not None or idle_timeout is not None:
                limits = checked_limits(timeout, idle_timeout)
        elif timeout is checked_timeout:
            limits = limits_of_timeout
        else:
            limits = limits_of_timeout = checked_limits(timeout)
            checked_timeout = timeout
        made = FirstTry.__new__(FirstTry)
        made.stream, made.data, made.limits = stream, buffers, limits
        return made
    return full_write(
        stream, buffers, token, completion_condition=completion_condition, timeout=timeout, idle_timeout=idle_timeout
    )


def quickened(function, twin, Py_ssize_t cost):
    """``function``, async_write, which makes a FirstTry where it would make a ``twin`` to be awaited."""
    global full_write, quick_write, per_operation
    full_write, quick_write, per_operation = function, twin, cost
    return update_wrapper(async_write, function)
