"""The proxy that breaks connections to the broker in the middle of a message."""

import socket
from collections.abc import Iterator

import pytest

from benchmarks.broker_proxy import BrokerProxy
from benchmarks.stack import free_port

MESSAGE = b"a message that is longer than what is let through"


@pytest.fixture
def heard() -> Iterator[tuple[socket.socket, BrokerProxy, socket.socket]]:
    """A client, the proxy that it is connected to, and the server's end."""
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        BrokerProxy(free_port(), server.getsockname()[1]) as proxy,
        socket.create_connection(("127.0.0.1", proxy.port), 5) as client,
        server.accept()[0] as end,
    ):
        end.settimeout(5)
        yield client, proxy, end


def test_messages_pass_both_ways(heard) -> None:
    client, _, end = heard

    client.sendall(MESSAGE)
    assert end.recv(1024) == MESSAGE
    end.sendall(b"an answer")
    assert client.recv(1024) == b"an answer"


def test_a_message_is_cut_and_the_connection_reset_on_both_sides(heard) -> None:
    client, proxy, end = heard
    proxy.cut(1, 9)

    client.sendall(MESSAGE)

    assert end.recv(1024) == MESSAGE[:9]
    for one in (end, client):
        with pytest.raises(ConnectionResetError):
            one.recv(1024)
    assert proxy.cuts == 1


def test_short_messages_are_let_through(heard) -> None:
    client, proxy, end = heard
    proxy.cut(1, len(MESSAGE))

    client.sendall(MESSAGE)

    assert end.recv(1024) == MESSAGE


def test_nobody_behind_the_proxy_is_a_closed_connection() -> None:
    with (
        BrokerProxy(free_port(), free_port()) as proxy,
        socket.create_connection(("127.0.0.1", proxy.port), 5) as client,
    ):
        assert client.recv(1024) == b""


def test_the_end_does_not_wait_for_idle_connections() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        with BrokerProxy(free_port(), server.getsockname()[1]) as proxy:
            client = socket.create_connection(("127.0.0.1", proxy.port), 5)
            end, _ = server.accept()
        with client, end:
            assert client.recv(1024) == b""
