"""A server of RFC 2217 in this process, for one client, on a thread: what it says, and when, is scripted."""

import contextlib
import select
import socket
import threading
import time

IAC, DONT, DO, WONT, WILL, SB, SE = 255, 254, 253, 252, 251, 250, 240
BINARY, COM_PORT = 0, 44


def subnegotiation(*body):
    return bytes((IAC, SB, COM_PORT)) + bytes(body).replace(b"\xff", b"\xff\xff") + bytes((IAC, SE))


class TelnetServer:
    """Takes one byte at a time, as the simplest of servers does.

    Args:
        first: whether it speaks first.
        cut: most bytes that it sends at a time.
        refused: options that it refuses.
        grants: by the code of a question, the value that it grants whatever is asked for.
        silent: codes, or (code, value), of questions that it does not answer.
        echo: whether the data is sent back.
        sink: a socket that the data is given to, in the place of a serial port; what it sends goes to the client.

    Attributes:
        data: what the client has sent, without Telnet.
        questions: the codes and values, in their order.
        go: cleared, it takes nothing from the connection.
        answer: cleared, answers are kept back.
    """

    def __init__(self, listening, *, first=True, cut=65536, refused=(), grants=None, silent=(), echo=False, sink=None):
        self.url = "rfc2217://{}:{}".format(*listening.getsockname()[:2])
        self._listening = listening
        self._first, self._cut, self._refused, self._grants, self._silent = first, cut, refused, grants or {}, silent
        self._echo, self._sink = echo, sink
        if sink is not None:
            sink.setblocking(True)
        self.data, self.questions = bytearray(), []
        self.raw = 0
        self.go, self.answer = threading.Event(), threading.Event()
        self.go.set()
        self.answer.set()
        self.connection = None
        self._baudrate = bytes(4)
        self._kept = b""
        self._over = False
        self.thread = threading.Thread(target=self._serve)
        self.thread.start()

    def say(self, data):
        """Send something now."""
        for at in range(0, len(data), self._cut):
            self.connection.sendall(data[at : at + self._cut])
            if self._cut < 10:
                time.sleep(0)

    def hang_up(self):
        """The server is gone, in the midst of whatever it does."""
        self.end(join=False)

    def end(self, *, join=True):
        self._over = True
        self.go.set()
        with contextlib.suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        for each in filter(None, (self.connection, self._sink)):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        if not join:
            return
        self.thread.join()
        if self.connection is not None:
            self.connection.close()

    def _serve(self):
        with contextlib.suppress(OSError):
            self.connection, _ = self._listening.accept()
            self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._first:
                offers = ((WILL, BINARY), (DO, BINARY), (DO, COM_PORT))
                self.say(b"".join(bytes((IAC, *offer)) for offer in offers if offer[1] not in self._refused))
            parse = self._parser()
            next(parse)
            while not self._over:
                self.go.wait()
                if self.answer.is_set() and self._kept:
                    kept, self._kept = self._kept, b""
                    self.say(kept)
                ready, _, _ = select.select([each for each in (self.connection, self._sink) if each], [], [], 0.01)
                if self._sink in ready and (data := self._sink.recv(4096)):
                    self.say(data.replace(b"\xff", b"\xff\xff"))
                if self.connection not in ready:
                    continue
                if not (data := self.connection.recv(4096)):
                    return
                self.raw += len(data)
                for byte in data:
                    parse.send(byte)
                self._pass_on()
                if self._echo:
                    self.say(bytes(self.data).replace(b"\xff", b"\xff\xff"))
                    self.data.clear()

    def _pass_on(self):
        if self._sink is not None:
            self._sink.sendall(self.data)
            self.data.clear()

    def _parser(self):
        while True:
            byte = yield
            if byte != IAC:
                self.data.append(byte)
                continue
            kind = yield
            if kind == IAC:
                self.data.append(IAC)
            elif kind in {DO, DONT, WILL, WONT}:
                self._negotiate(kind, (yield))
            elif kind == SB:
                body = bytearray()
                while True:
                    byte = yield
                    if byte == IAC:
                        byte = yield
                        if byte == SE:
                            break
                    body.append(byte)
                self._question(bytes(body))

    def _negotiate(self, kind, option):
        if kind in {WILL, DO}:
            agree = option not in self._refused
            answers = (DO, DONT) if kind == WILL else (WILL, WONT)
            self._tell(bytes((IAC, answers[not agree], option)))

    def _question(self, body):
        self._pass_on()  # in its order
        option, code, *value = body
        assert option == COM_PORT
        self.questions.append((code, *value))
        if code in self._silent or (code, *value) in self._silent or code in {0, 10, 11}:
            return
        granted = bytes(value)
        if code == 1:
            granted = self._grants.get(1, granted) if granted != bytes(4) else self._baudrate
            self._baudrate = granted
        granted = self._grants.get(code, granted)
        self._tell(subnegotiation(code + 100, *granted))

    def _tell(self, data):
        if self.answer.is_set():
            self.say(data)
        else:
            self._kept += data


@contextlib.contextmanager
def telnet_server(host="127.0.0.1", **script):
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, 0), family=family) as listening:
        server = TelnetServer(listening, **script)
        try:
            yield server
        finally:
            server.end()
