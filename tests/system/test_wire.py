"""What only the real server shows: headers, bodies, prefixes, TLS, counters."""

import json
import socket
import ssl
import warnings
from typing import Any
from urllib.parse import urlsplit

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.system.jobs import ask, outcome
from tests.system.people import Door, Person
from tests.system.stack import Stack
from tests.system.waiting import eventually

MIB = 1 << 20
CONTENT_TYPES = [None, "application/x-www-form-urlencoded", "text/plain", "application/json"]


@pytest.fixture
def door(stack: Stack) -> Door:
    """The API, for anybody."""
    return stack.door


@pytest.mark.parametrize("kind", CONTENT_TYPES)
def test_a_body_is_json_whatever_its_content_type_says(person: Person, kind: str | None) -> None:
    body = json.dumps(person.credentials).encode()

    answer = person.door.send("POST", "/login", data=body, headers={"Content-Type": kind})

    assert answer.status_code == 201
    assert answer.json()["email"] == person.email


def test_a_body_that_is_no_json_is_refused_in_the_words_of_the_contract(door: Door) -> None:
    answer = door.send("POST", "/login", data=b"email=a&password=b")

    assert answer.status_code == 400
    said = "Login failed - please ensure email and password were set correctly in the request"
    assert answer.json()["msg"].startswith(said)
    assert answer.json()["code"] == "bad_json"


def test_a_get_may_carry_a_body_and_its_path_wins(person: Person) -> None:
    asked = ask(person.door, "What is a fog horn?", max_tokens=1)
    outcome(person.door, asked)

    answer = person.door.send("GET", f"/job/result/{asked}", json={"user_id": 1, "job_id": 1})

    assert (answer.status_code, answer.json()["job_id"]) == (200, asked)


def test_a_post_at_the_root_is_answered_as_published(door: Door) -> None:
    answer = door.send("POST", "/", data=b"12345")

    assert (answer.status_code, answer.text) == (200, "valid POST uri=/ data size=5 bytes")


@pytest.mark.parametrize("prefix", ["", "/v1/dev", "/v1/prod"])
def test_every_prefix_leads_to_the_same_routes(door: Door, prefix: str) -> None:
    assert door.call("GET", f"{prefix}/healthz") == {"status": "ok"}


@pytest.mark.parametrize("path", ["/nothing", "/v1/chat/healthz", "/v1/completions/healthz"])
def test_an_unknown_route_is_a_404_that_names_it(door: Door, path: str) -> None:
    answer = door.send("GET", path)

    assert answer.status_code == 404
    assert answer.json()["code"] == "not_found"
    assert path in answer.json()["message"]


@pytest.mark.parametrize(
    "header", [{"Bearer": "{}"}, {"Authorization": "Bearer {}"}], ids=["Bearer", "Authorization"]
)
def test_a_token_travels_in_either_header(door: Door, person: Person, header: Any) -> None:
    [(name, shape)] = header.items()

    answer = door.send("GET", "/collections", headers={name: shape.format(person.door.token)})

    assert answer.status_code == 200


@pytest.mark.parametrize("token", ["", "nonsense"])
def test_without_a_good_token_nobody_asks(door: Door, token: str) -> None:
    answer = door.send("POST", "/job", json={"ask": {"msg": "Who?"}}, headers={"Bearer": token})

    assert answer.status_code == 400
    assert "due to invalid token" in answer.json()["msg"]


def test_a_tenant_that_one_does_not_belong_to_is_not_found(person: Person) -> None:
    answer = person.door.send("GET", "/collections", headers={"X-Redten-Tenant": "theirs"})

    assert (answer.status_code, answer.json()["code"]) == (404, "tenant_not_found")


def test_a_json_body_beyond_the_limit_is_refused(person: Person) -> None:
    answer = person.door.send("POST", "/job", data=b'{"ask":{"msg":"' + b"x" * MIB + b'"}}')

    assert answer.status_code == 413


def test_confidence_outside_of_its_range_is_refused_with_the_range(person: Person) -> None:
    stored = person.door.call("POST", "/ai/result", {"answer": "31 metres"})

    answer = person.door.send("PUT", "/ai/result", json={"id": stored["id"], "reviewed_score": 101})

    assert answer.status_code == 400
    assert "between 0 and 100" in answer.json()["message"]


def test_the_process_is_alive_and_the_stack_is_ready(door: Door) -> None:
    assert door.call("GET", "/healthz") == {"status": "ok"}
    assert door.call("GET", "/readyz") == {"status": "ready", "missing": []}


def test_the_counters_of_all_processes_are_added_up(person: Person) -> None:
    user_id = person.door.call("POST", "/login", person.credentials)["user_id"]
    before = counted(person.door, "user", "get")

    for _ in range(20):
        person.door.call("GET", f"/user/{user_id}")

    assert counted(person.door, "user", "get") == before + 20


def counted(door: Door, resource: str, method: str) -> float:
    """How many of those requests the API has counted."""
    families = text_string_to_metric_families(door.send("GET", "/metrics").text)
    wanted = {"resource": resource, "method": method}
    samples = (sample for family in families for sample in family.samples)
    return sum(s.value for s in samples if s.name == "http_requests_total" and s.labels == wanted)


def refusal(address: str, ca: str, newest: ssl.TLSVersion) -> str | None:
    """Why the server ends a handshake that offers nothing newer; None if it does not."""
    context = ssl.create_default_context(cafile=ca)
    # The client has to be willing, or it would refuse before the server can.
    context.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = newest
    host, port = address.split(":")
    with socket.create_connection((host, int(port)), timeout=10) as plain:
        try:
            context.wrap_socket(plain, server_hostname=host).close()
        except ssl.SSLError as exc:
            return exc.reason
    return None


def test_nothing_older_than_tls_1_2_is_spoken(stack: Stack) -> None:
    where = urlsplit(stack.door.url).netloc, stack.door.ca

    assert refusal(*where, ssl.TLSVersion.TLSv1_1) == "TLSV1_ALERT_PROTOCOL_VERSION"
    assert refusal(*where, ssl.TLSVersion.TLSv1_2) is None


def test_an_upload_that_breaks_off_is_not_taken_for_the_whole(person: Person) -> None:
    person.door.call("POST", "/collections", {"name": "broken-off"})
    where = urlsplit(person.door.url)
    context = ssl.create_default_context(cafile=person.door.ca)
    request = (
        f"POST {where.path}/collections/broken-off/documents?name=a.txt HTTP/1.1\r\n"
        f"Host: localhost\r\nBearer: {person.door.token}\r\nContent-Length: 300\r\n\r\n"
    )
    before = counted(person.door, "collections", "post")

    with (
        socket.create_connection((str(where.hostname), int(where.port or 443))) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as secured,
    ):
        secured.sendall(request.encode() + b"x" * 100)

    eventually(lambda: counted(person.door, "collections", "post") > before, "end of the upload")
    listed = person.door.call("GET", "/collections/broken-off/documents")
    assert listed["documents"] == []


def test_a_document_may_be_larger_than_a_body_of_json(person: Person) -> None:
    person.door.call("POST", "/collections", {"name": "large"})
    text = b"The tower is high.\n\n" * (3 * MIB // 20)

    answer = person.door.send("POST", "/collections/large/documents?name=a.txt", data=text)

    assert (answer.status_code, answer.json()["size_in_bytes"]) == (202, len(text))
    person.door.call("DELETE", f"/collections/large/documents/{answer.json()['id']}")
