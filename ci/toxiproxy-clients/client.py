"""The package toxiproxy-python against an API in Toxiproxy's dialect: client.py HOST PORT.

Fails at the first thing that is not as with Toxiproxy.
"""

import contextlib
import socket
import sys
import threading
import time

from toxiproxy import Toxiproxy
from toxiproxy.exceptions import InvalidToxic, NotFound, ProxyExists


def echo_server():
    """A server that says everything again; returns where it is."""

    def serve(connection):
        # Its client may be reset.
        with connection, contextlib.suppress(ConnectionResetError):
            while word := connection.recv(4096):
                connection.sendall(word)

    def accept():
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=serve, args=(connection,), daemon=True).start()

    listener = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=accept, daemon=True).start()
    return "%s:%d" % listener.getsockname()


def connect(address):
    host, port = address.rsplit(":", 1)
    return socket.create_connection((host, int(port)), timeout=20)


def echo(address):
    """Sends a word and waits for it; returns the seconds that it took."""
    with connect(address) as connection:
        began = time.monotonic()
        connection.sendall(b"word")
        assert connection.recv(4096) == b"word"
        return time.monotonic() - began


def raises(kind, what, *arguments, **named):
    try:
        what(*arguments, **named)
    except kind:
        return
    raise AssertionError("no %s" % kind.__name__)


def main():
    server = Toxiproxy()
    server.update_api_consumer(sys.argv[1], int(sys.argv[2]))
    upstream = echo_server()
    assert server.running() and b'"version"' in server.version()

    proxy = server.create(upstream=upstream, name="python")
    assert server.get_proxy("python").listen == proxy.listen
    raises(ProxyExists, server.create, upstream=upstream, name="python")
    echo(proxy.listen)

    proxy.add_toxic(type="latency", attributes={"latency": 200, "jitter": 10})
    toxic = proxy.get_toxic("latency_downstream")
    assert (toxic.stream, toxic.toxicity, toxic.attributes) == ("downstream", 1, {"latency": 200, "jitter": 10})
    assert echo(proxy.listen) >= 0.19
    raises(ProxyExists, proxy.add_toxic, type="latency")
    raises(InvalidToxic, proxy.add_toxic, type="no such type")
    proxy.destroy_toxic("latency_downstream")
    raises(NotFound, proxy.destroy_toxic, "latency_downstream")
    assert proxy.toxics() == {}

    with connect(proxy.listen) as connection:
        connection.sendall(b"word")
        assert connection.recv(4096) == b"word"
        proxy.add_toxic(type="reset_peer", attributes={"timeout": 0})
        raises(ConnectionResetError, connection.recv, 4096)
    server.reset()

    proxy.add_toxic(type="timeout", attributes={"timeout": 200})
    with connect(proxy.listen) as connection:
        connection.sendall(b"word")
        assert connection.recv(4096) == b"", "it is closed after its time"
    server.reset()
    assert proxy.toxics() == {}

    with proxy.down():
        raises(ConnectionRefusedError, connect, proxy.listen)
    echo(proxy.listen)

    # A type that Toxiproxy does not have, through a library that has never heard of it.
    proxy.add_toxic(type="refuse")
    raises(ConnectionRefusedError, connect, proxy.listen)
    proxy.destroy_toxic("refuse_downstream")

    more = server.populate([{"name": "more", "upstream": upstream, "listen": "127.0.0.1:0"}])
    assert len(server.proxies()) == 2
    echo(more[0].listen)
    server.destroy_all()
    assert server.proxies() == {}
    raises(ConnectionRefusedError, connect, proxy.listen)
    print("toxiproxy-python: as with Toxiproxy")


main()
