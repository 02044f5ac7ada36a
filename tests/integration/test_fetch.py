"""Reading from the web: what is refused however it is dressed up, and what is cut off."""

import gzip
import io
import ipaddress
import socket
import ssl
import threading
from collections.abc import Iterator

import pytest

from ingest.sources.fetch import Guard, fetch, may_connect
from ingest.sources.item import Sink, SourceError
from tests.conftest import LAYOUT
from tests.integration.processes import until
from tests.integration.web_server import Site, served

LOOPBACK = [ipaddress.ip_network("127.0.0.1/32")]
MOST = 1_000_000


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with served() as site:
        yield site


def anything(scheme: str, host: str, port: int) -> str | None:
    return None


def get(url: str, networks=LOOPBACK, refusal=anything, limit_s=10.0, known="") -> tuple[bytes, str]:
    """The content and its version."""
    content = io.BytesIO()
    found = fetch(url, Guard(refusal, networks, limit_s), Sink(content, MOST), known)
    return content.getvalue(), found.version if found.changed else "unchanged"


def refused(url: str, **more) -> SourceError:
    with pytest.raises(SourceError) as refusal:
        get(url, **more)
    return refusal.value


def test_a_page_comes_with_its_version_and_is_not_sent_again(site):
    site.put("/page", "text", ETag='"one"')

    content, version = get(site.url("/page"))

    assert (content, version) == (b"text", 'etag "one"')
    assert get(site.url("/page"), known=version) == (b"", "unchanged")


def test_a_version_that_could_not_be_sent_back_is_none(site):
    site.put("/odd", "text", ETag='"caf\xe9"')
    assert get(site.url("/odd")) == (b"text", "")


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "2130706433", "0x7f000001", "0177.0.0.1", "127.1", "localhost", "[::1]", "0"],
)
def test_no_spelling_of_this_machine_is_connected_to(site, host):
    assert refused(site.url("/secret", host), networks=[]).code == "address_not_allowed"
    assert "/secret" not in site.asked


@pytest.mark.parametrize(
    "address",
    [
        "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.1",
        "0.0.0.0", "fd00:ec2::254",  # noqa: S104
        "127.9.9.9", "224.0.0.1", "240.0.0.1", "255.255.255.255", "192.0.2.1", "198.18.0.1",
        "::", "::1", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:8.8.8.8", "64:ff9b::7f00:1",
        "64:ff9b:1::1", "2002:7f00:1::", "2001:0:4136:e378:8000:63bf:3fff:fdd2", "fc00::1",
        "fe80::1", "fe80::1%eth0", "fec0::1", "ff02::1", "ff0e::1",
    ],
)  # fmt: skip
def test_an_address_that_is_not_everybodys_is_refused_unless_it_is_named(address):
    assert not may_connect(address, [])
    assert not may_connect(address, LOOPBACK)


def test_addresses_of_everybody_and_those_named_are_connected_to():
    assert may_connect("8.8.8.8", [])
    assert may_connect("2606:4700::1111", [])
    assert may_connect("10.1.2.3", [ipaddress.ip_network("10.0.0.0/8")])
    assert may_connect("127.0.0.1", LOOPBACK)


def resolving(monkeypatch, *answers: list[str]) -> None:
    """Each look-up of a name gives the next of the answers, then the last one for ever."""
    left, numeric = list(answers), socket.getaddrinfo

    def look_up(host, port, *args, **kwargs):
        if host[0].isdigit():
            return numeric(host, port, *args, **kwargs)
        found = left.pop(0) if len(left) > 1 else left[0]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, port)) for one in found]

    monkeypatch.setattr("ingest.sources.fetch.socket.getaddrinfo", look_up)


def test_a_name_that_means_this_machine_is_refused_and_only_the_log_tells_where_it_is(
    site, monkeypatch, caplog
):
    resolving(monkeypatch, ["127.0.0.1"])

    error = refused(site.url("/secret", "docs.example.org"), networks=[])

    assert error.code == "address_not_allowed"
    assert "docs.example.org" in error.message
    assert "127.0.0.1" not in error.message
    assert "docs.example.org is at 127.0.0.1" in caplog.text


def test_one_private_address_among_public_ones_is_enough_to_refuse(site, monkeypatch):
    resolving(monkeypatch, ["93.184.216.34", "10.0.0.1"])
    assert refused(site.url("/x", "docs.example.org"), networks=[]).code == "address_not_allowed"


def test_the_connection_goes_to_the_address_that_was_checked(site, monkeypatch):
    site.put("/rebound", "text")
    connected = []
    connect = socket.create_connection

    def watched(address, *args, **kwargs):
        connected.append(address)
        return connect(address, *args, **kwargs)

    # A second look-up would find another address, as an attacker's name server has it.
    resolving(monkeypatch, ["127.0.0.1"], ["127.0.0.2"])
    monkeypatch.setattr("ingest.sources.fetch.socket.create_connection", watched)

    assert get(site.url("/rebound", "docs.example.org"))[0] == b"text"
    assert connected == [("127.0.0.1", site.port)]


def test_every_hop_of_a_redirect_is_checked_anew(site):
    def only(scheme: str, host: str, port: int) -> str | None:
        return None if host == "127.0.0.1" else f"{host} is not named"

    site.put("/away", "", 302, Location="http://localhost/")
    assert refused(site.url("/away"), refusal=only).code == "address_not_allowed"
    for to in ("http://127.0.0.2/", "http://[::1]/", "https://10.0.0.1/", "//169.254.169.254/"):
        site.put("/away", "", 302, Location=to)
        assert refused(site.url("/away")).code == "address_not_allowed", to


def test_a_redirect_leads_neither_to_another_scheme_nor_round_in_circles(site):
    site.put("/file", "", 302, Location="file:///etc/passwd")
    site.put("/round", "", 307, Location="/round")
    site.put("/there", "", 301, Location="there/it/is")
    site.put("/there/it/is", "text")
    site.put("/broken-link", "", 302, Location="http://[half")

    assert refused(site.url("/file")).code == "bad_address"
    assert refused(site.url("/broken-link")).code == "bad_address"
    assert "redirects" in str(refused(site.url("/round")))
    assert get(site.url("/there"))[0] == b"text"


@pytest.mark.parametrize("url", ["ftp://example.org/", "http://", "http://a b/", "http://u:p@h/"])
def test_what_is_no_address_of_the_web_is_refused(url):
    assert refused(url).code in ("bad_address", "unreadable")


def test_a_name_that_a_nul_would_end_early_is_refused():
    assert refused("http://127.0.0.1\0.example.org/").code == "bad_address"


def test_more_than_the_limit_is_not_taken(site):
    site.put("/huge", b"x" * (MOST + 1))
    assert refused(site.url("/huge")).code == "too_large"


def test_a_bomb_is_stopped_by_what_it_would_unpack_to(site):
    bomb = gzip.compress(b"\0" * (50 * MOST))
    assert len(bomb) < MOST
    site.put("/bomb", bomb, Content_Encoding="gzip")
    site.put("/packed", gzip.compress(b"text"), Content_Encoding="gzip")
    site.put("/cut", gzip.compress(b"text" * 99)[:-9], Content_Encoding="gzip")
    site.put("/other", b"text", Content_Encoding="br")

    assert refused(site.url("/bomb")).code == "too_large"
    assert get(site.url("/packed"))[0] == b"text"
    assert "broke off" in str(refused(site.url("/cut")))
    assert "br" in str(refused(site.url("/other")))


def drip(request) -> None:
    """A byte now and then, for ever: each read is in time."""
    request.send_response(200)
    request.end_headers()
    over = threading.Event()
    while not over.wait(0.02):
        request.wfile.write(b"x")


def drip_headers(request) -> None:
    request.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    over = threading.Event()
    while not over.wait(0.02):
        request.wfile.write(b"x")


@pytest.mark.parametrize("slow", [drip, drip_headers])
def test_a_server_that_drips_is_cut_off_when_the_time_is_over(site, slow):
    site.pages["/slow"] = slow
    assert refused(site.url("/slow"), limit_s=0.3).code == "too_slow"


def test_time_that_is_over_before_the_connection_is_made_ends_it_too(site, monkeypatch):
    connect = socket.create_connection

    def late(*args, **kwargs):
        until(lambda: not any(isinstance(one, threading.Timer) for one in threading.enumerate()))
        return connect(*args, **kwargs)

    site.pages["/slow"] = drip
    monkeypatch.setattr("ingest.sources.fetch.socket.create_connection", late)

    assert refused(site.url("/slow"), limit_s=0.05).code == "too_slow"


def test_content_that_breaks_off_is_not_taken_for_whole(site):
    def short(request) -> None:
        request.send_response(200)
        request.send_header("Content-Length", "10")
        request.end_headers()
        request.wfile.write(b"half")

    site.pages["/short"] = short
    assert refused(site.url("/short")).code == "unreadable"


def test_a_server_that_refuses_is_told_with_its_status(site):
    site.put("/broken", "", 500)
    assert "500" in str(refused(site.url("/broken")))
    assert "404" in str(refused(site.url("/no-such-page")))


def test_an_encrypted_page_is_read_from_who_can_prove_to_be_the_host(monkeypatch):
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(LAYOUT.cert, LAYOUT.key)
    with served(context) as site:
        site.put("/page", "text")
        url = site.url("/page").replace("http:", "https:")
        assert "SSL" in str(refused(url)), "nobody vouches for the certificate"

        monkeypatch.setenv("SSL_CERT_FILE", str(LAYOUT.ca))
        assert get(url)[0] == b"text"
        resolving(monkeypatch, ["127.0.0.1"])
        other = url.replace("127.0.0.1", "docs.example.org")
        assert "SSL" in str(refused(other)), "the certificate is another host's"
