"""A port served over TCP on loopback by ser2net, as Telnet with RFC 2217 or as it is."""

import contextlib
import socket
import subprocess
import time

CONFIG = """%YAML 1.1
---
connection: &served
  accepter: {accepter},127.0.0.1,{port}
  connector: serialdev,{device},115200n81,local
  options: {{kickolduser: true{options}}}
"""
RFC2217 = "telnet(rfc2217=true),tcp"
RAW = "tcp"


class Number(int):
    """A TCP port, and the server that listens there."""

    def __new__(cls, number, server):
        made = super().__new__(cls, number)
        made.server = server
        return made

    def kill(self):
        self.server.kill()


@contextlib.contextmanager
def ser2net(program, folder, device, accepter=RFC2217, options=""):
    """Serve `device` while the block runs; gives the TCP port, whose `kill()` ends the server at once."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    config = folder / "ser2net.yaml"
    config.write_text(CONFIG.format(port=port, device=device, accepter=accepter, options=options))
    with (folder / "ser2net.log").open("w") as log:
        server = subprocess.Popen([program, "-n", "-d", "-u", "-c", config], stdout=log, stderr=log)
    try:
        _await_server(port, server)
        yield Number(port, server)
    finally:
        server.kill()  # it may ignore SIGTERM
        server.wait()


def _await_server(port, server, timeout=10.0):
    deadline = time.monotonic() + timeout
    while True:
        assert server.poll() is None, "ser2net has ended"
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=1):
                return
        except ConnectionRefusedError:
            assert time.monotonic() < deadline, "ser2net does not listen"
            time.sleep(0.01)
