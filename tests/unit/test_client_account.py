"""Who asks, and what becomes of refusals."""

import pytest

from client.client import Client
from client.errors import ClientError
from client.records import Answer
from tests.unit.client_stub import EMAIL, NO_SUCH_USER, USER, Stub

WRONG_PASSWORD = (400, {"msg": "User login failed - invalid password", "code": "bad_password"})


@pytest.fixture
def stub() -> Stub:
    return Stub()


@pytest.fixture
def client(stub: Stub) -> Client:
    return stub.client()


def test_the_first_call_logs_in_and_the_next_one_does_not(stub: Stub, client: Client) -> None:
    stub.on("GET", "/members", (200, {"members": []}))

    client.members()
    client.members()

    assert stub.routes == ["POST /login", "GET /members", "GET /members"]
    assert stub.requests[-1].headers["Authorization"] == "Bearer t-7"
    assert "Authorization" not in stub.requests[0].headers


def test_an_unknown_user_signs_up_and_logs_in(stub: Stub) -> None:
    stub.on("POST", "/login", NO_SUCH_USER, (201, USER))
    stub.on("POST", "/user", (201, USER))

    assert stub.client(username="ann").login().id == 7

    assert stub.routes == ["POST /login", "POST /user", "POST /login"]
    [sent] = stub.asked("POST", "/user")
    assert sent == {"email": EMAIL, "password": "secret", "username": "ann"}


def test_a_wrong_password_is_never_followed_by_a_sign_up(stub: Stub, client: Client) -> None:
    stub.on("POST", "/login", WRONG_PASSWORD)

    with pytest.raises(ClientError, match="invalid password") as caught:
        client.login()

    assert (caught.value.code, caught.value.status) == ("bad_password", 400)
    assert stub.routes == ["POST /login"]


def test_without_a_name_nothing_is_sent(stub: Stub) -> None:
    nobody = Client("https://stub.test", None, None)

    with pytest.raises(ClientError, match="AI_EMAIL and AI_PASSWORD"):
        nobody.members()


def test_secrets_do_not_show_in_what_is_printed(client: Client) -> None:
    client.login()

    shown = repr((client.login(), vars(client)))

    assert "t-7" not in shown
    assert "secret" not in shown


def test_the_tenant_acted_for_is_named(stub: Stub) -> None:
    stub.on("GET", "/members", (200, {"members": []}))

    stub.client(tenant="acme").members()

    assert stub.requests[-1].headers["X-Redten-Tenant"] == b"acme"


@pytest.mark.parametrize(
    ("reply", "code", "said"),
    [
        ((409, {"code": "taken", "message": "it is taken", "msg": "x"}), "taken", "it is taken"),
        ((404, {"msg": "no such thing"}), "http_404", "no such thing"),
        ((502, b"<html>Bad Gateway</html>"), "http_502", "GET .* was answered with 502"),
    ],
)
def test_a_refusal_is_told_in_the_servers_words(
    stub: Stub, client: Client, reply: tuple[int, object], code: str, said: str
) -> None:
    stub.on("GET", "/members", reply)

    with pytest.raises(ClientError, match=said) as caught:
        client.members()

    assert (caught.value.code, caught.value.status) == (code, reply[0])


def test_a_record_of_the_wrong_shape_is_an_error_that_names_the_field(
    stub: Stub, client: Client
) -> None:
    stub.on("GET", "/members", (200, {"members": [{"user_id": 1, "email": "a@b.c"}]}))

    with pytest.raises(ClientError, match=r"member is not as expected \(role\)"):
        client.members()


def test_numbers_that_json_cannot_hold_are_an_error_of_ours(client: Client) -> None:
    with pytest.raises(ClientError) as caught:
        client.review(Answer(id=1), "x", float("nan"))

    assert caught.value.code == "bad_request"
