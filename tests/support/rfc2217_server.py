"""A server of RFC 2217 in this process, for one client: pyserial's own, on a thread; what it says is scripted."""

import contextlib
import socket
import threading

import serial
import serial.rfc2217


class Rfc2217Server:
    """``connection`` is the client's, once it has been negotiated with."""

    def __init__(self, listening):
        self.url = "rfc2217://{}:{}".format(*listening.getsockname())
        self._listening = listening
        self.negotiated = threading.Event()
        self.thread = threading.Thread(target=self._serve)
        self.thread.start()

    def _serve(self):
        self.connection, _ = self._listening.accept()
        device = serial.serial_for_url("loop://", timeout=0)
        manager = serial.rfc2217.PortManager(device, self)
        self.connection.settimeout(0.01)
        while not self.negotiated.is_set():
            with contextlib.suppress(TimeoutError):
                data = self.connection.recv(1024)
                if not data:
                    return
                b"".join(manager.filter(data))
        self.connection.settimeout(10)

    def write(self, data):
        self.connection.sendall(data)

    def serve_no_more(self):
        """The client has opened its port: from here on the connection is the test's."""
        self.negotiated.set()
        self.thread.join()
        return self.connection


@contextlib.contextmanager
def rfc2217_server():
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = Rfc2217Server(listening)
        try:
            yield server
        finally:
            server.negotiated.set()
            with contextlib.suppress(OSError):
                listening.shutdown(socket.SHUT_RDWR)  # ends an accept that waits
            server.thread.join()
