"""The client against real sockets: TLS, names, silence, and what is said about each."""

import logging
import socket
from collections.abc import Iterator
from http.server import ThreadingHTTPServer
from pathlib import Path

import pytest

from client.client import Client
from client.connection import Connection, base_url
from client.errors import ClientError
from settings import Settings
from tests.unit.client_stub import EMAIL, USER
from tests.unit.client_tls import authority, serving


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tls")


@pytest.fixture(scope="module")
def ca(folder: Path) -> str:
    return str(authority(folder, "right", "localhost"))


@pytest.fixture(scope="module")
def server(folder: Path, ca: str) -> Iterator[ThreadingHTTPServer]:
    with serving(folder / "right-server.pem") as server:
        yield server


@pytest.fixture
def url(server: ThreadingHTTPServer) -> str:
    server.seen.clear()  # type: ignore[attr-defined]
    return f"https://localhost:{server.server_port}/v1/dev"


def failure(connection: Connection, path: str = "/members", answer_s: float = 10.0) -> ClientError:
    with connection.session, pytest.raises(ClientError) as caught:
        connection.call("GET", path, answer_s=answer_s)
    return caught.value


def test_a_server_signed_by_the_named_authority_is_spoken_to(url: str, ca: str) -> None:
    with Client(url, EMAIL, "secret", ca=ca) as client:
        assert client.login().id == 7


def test_an_unknown_authority_is_refused_and_the_remedy_named(url: str) -> None:
    error = failure(Connection(url))

    assert error.code == "tls_failed"
    assert "set AI_API_CA=FILE" in str(error)


def test_the_named_authority_wins_over_the_environment(
    url: str, ca: str, monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority(folder, "other", "localhost")))

    with Client(url, EMAIL, "secret", ca=ca) as client:
        assert client.login().id == 7


def test_another_authority_than_the_named_one_is_refused(url: str, folder: Path) -> None:
    wrong = str(authority(folder, "wrong", "localhost"))

    assert f"AI_API_CA={wrong}" in str(failure(Connection(url, wrong)))


def test_a_certificate_for_another_host_is_refused(folder: Path) -> None:
    ca = str(authority(folder, "elsewhere", "elsewhere.test"))
    with serving(folder / "elsewhere-server.pem") as server:
        error = failure(Connection(f"https://127.0.0.1:{server.server_port}", ca))

    assert "another host name" in str(error)


def test_a_server_without_tls_is_told_apart(ca: str) -> None:
    with serving(None) as server:
        error = failure(Connection(f"https://localhost:{server.server_port}", ca))

    assert error.code == "tls_failed"
    assert "no TLS connection" in str(error)


def test_an_authority_file_that_is_no_pem_is_an_error_of_ours(url: str, tmp_path: Path) -> None:
    broken = tmp_path / "ca.pem"
    broken.write_text("not a certificate")

    assert failure(Connection(url, str(broken))).code == "tls_failed"


def test_a_missing_authority_file_is_named() -> None:
    with pytest.raises(ClientError, match=r"AI_API_CA=/no/such\.pem: there is no such file"):
        Connection("https://localhost:1", "/no/such.pem")


def test_a_port_where_nobody_listens_says_what_to_start(ca: str) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        error = failure(Connection(f"https://127.0.0.1:{free.getsockname()[1]}/v1/dev", ca))

    assert error.code == "unreachable"
    assert error.passing
    assert "is `redten up` running?" in str(error)


def test_an_unknown_host_is_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    error = failure(Connection("https://no-such-host.invalid"))

    assert error.code == "unknown_host"


def test_silence_ends_in_a_timeout(url: str, ca: str) -> None:
    error = failure(Connection(url, ca), "/silent", answer_s=0.2)

    assert (error.code, error.passing) == ("timeout", True)


@pytest.mark.parametrize("path", ["/dropped", "/torn"])
def test_a_dropped_connection_is_told_apart(url: str, ca: str, path: str) -> None:
    error = failure(Connection(url, ca), path)

    assert (error.code, error.passing) == ("dropped", True)


def test_a_connection_that_breaks_in_mid_upload_is_no_fault_of_the_authority(
    url: str, ca: str, tmp_path: Path
) -> None:
    path = tmp_path / "large.bin"
    path.write_bytes(bytes(8 << 20))

    with Client(url, EMAIL, "secret", ca=ca) as client, pytest.raises(ClientError) as caught:
        client.upload("torn", path, "large.bin")

    assert (caught.value.code, caught.value.passing) == ("dropped", True)


def test_something_else_than_json_is_no_redten_server(url: str, ca: str) -> None:
    assert failure(Connection(url, ca), "/page").code == "unexpected_answer"


def test_redirects_are_not_followed(url: str, ca: str) -> None:
    error = failure(Connection(url, ca), "/moved")

    assert error.status == 302


def test_a_netrc_login_never_takes_the_tokens_place(
    url: str, ca: str, server: ThreadingHTTPServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine localhost login bob password hunter2\n")
    monkeypatch.setenv("NETRC", str(netrc))

    with Client(url, EMAIL, "secret", ca=ca) as client:
        client.members()

    headers = server.seen[-1].headers  # type: ignore[attr-defined]
    assert headers["Authorization"] == "Bearer t-7"


def test_a_proxy_is_not_asked_for_a_server_on_this_machine(
    url: str, ca: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "")

    with Client(url, EMAIL, "secret", ca=ca) as client:
        assert client.members() == []


def test_a_file_arrives_as_it_is_and_its_progress_is_told(
    url: str, ca: str, server: ThreadingHTTPServer, tmp_path: Path
) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(bytes(range(256)) * 1000)
    told: list[int] = []

    with Client(url, EMAIL, "secret", ca=ca) as client:
        document = client.upload("my docs/1", path, "sub/a b.txt", told.append)

    sent = server.seen[-1]  # type: ignore[attr-defined]
    assert document.id == 3
    assert sent.path == "/v1/dev/collections/my%20docs%2F1/documents?name=sub%2Fa+b.txt"
    assert sent.body == path.read_bytes()
    assert told == sorted(told)
    assert told[-1] == 256_000


def test_an_empty_file_is_sent_with_its_length(
    url: str, ca: str, server: ThreadingHTTPServer, tmp_path: Path
) -> None:
    path = tmp_path / "empty"
    path.touch()

    with Client(url, EMAIL, "secret", ca=ca) as client:
        client.upload("docs", path, "empty")

    headers = server.seen[-1].headers  # type: ignore[attr-defined]
    assert headers["Content-Length"] == "0"
    assert "Transfer-Encoding" not in headers


def test_a_tenant_may_have_any_name(url: str, ca: str, server: ThreadingHTTPServer) -> None:
    with Client(url, EMAIL, "secret", ca=ca, tenant="Маяк") as client:
        client.members()

    # The server reads a header's bytes as Latin-1.
    named = server.seen[-1].headers["X-Redten-Tenant"]  # type: ignore[attr-defined]
    assert named.encode("latin-1").decode() == "Маяк"


def test_the_debug_log_names_requests_and_no_secrets(
    url: str, ca: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG), Client(url, EMAIL, "s3cr3t-word", ca=ca) as client:
        client.members()

    assert f"GET {url}/members 200" in caplog.text
    assert "s3cr3t-word" not in caplog.text
    assert str(USER["token"]) not in caplog.text


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"AI_API": "api.test", "AI_ENV": "prod"}, "https://api.test/v1/prod"),
        ({"AI_API": "api.test:3000", "AI_ENV": "dev", "USE_LOCAL": "1"}, "https://api.test:3000"),
        ({"AI_API": "https://api.test/", "AI_ENV": "dev"}, "https://api.test/v1/dev"),
    ],
)
def test_the_address_is_the_published_clients(given: dict[str, str], expected: str) -> None:
    assert base_url(Settings(**given)) == expected  # type: ignore[arg-type]


def test_an_address_without_tls_is_refused() -> None:
    with pytest.raises(ClientError, match="only https"):
        base_url(Settings(AI_API="http://api.test"))  # type: ignore[call-arg]


def test_a_client_certificate_goes_with_its_key(ca: str) -> None:
    both = Settings(AI_API_CERT=ca, AI_API_KEY=ca)  # type: ignore[call-arg]

    with Client.from_settings(both) as client:
        assert client.connection.cert == (ca, ca)


def test_an_empty_client_certificate_and_key_are_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AI_API_CERT", "")
    monkeypatch.setenv("AI_API_KEY", "")

    with Client.from_settings(Settings()) as client:
        assert client.connection.cert is None


@pytest.mark.parametrize("name", ["AI_API_CERT", "AI_API_KEY"])
def test_a_client_certificate_or_a_key_alone_is_refused(name: str, ca: str) -> None:
    with pytest.raises(ClientError, match="set both, or neither"):
        Client.from_settings(Settings(**{name: ca}))  # type: ignore[arg-type]
