"""Questions, answers and reviews through the client, and how it waits for them."""

import pytest
import requests

from client import patience
from client.client import Client
from client.errors import ClientError
from client.records import Answer, Job, State
from tests.unit.client_stub import Stub

DROPPED = requests.exceptions.ConnectionError("Connection aborted.")
ANSWER = {"id": 9, "job_id": 5, "answer": "1,200 litres", "score": 0.8}


def job(state: State, **more: object) -> tuple[int, dict[str, object]]:
    return 200, {"id": 5, "state": state, **more}


@pytest.fixture
def stub() -> Stub:
    return Stub()


@pytest.fixture
def client(stub: Stub) -> Client:
    return stub.client()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "FIRST_PAUSE_S", 0.001)
    monkeypatch.setattr(patience, "LONGEST_PAUSE_S", 0.002)


def test_a_question_is_sent_as_the_published_client_sends_it(stub: Stub, client: Client) -> None:
    stub.on("POST", "/job", (201, {"id": 5, "state": 1}))

    accepted = client.ask("how much oil?", wait=False, collection="lights")

    assert accepted.id == 5
    assert stub.asked("POST", "/job") == [
        {
            "user_id": 7,
            "worker_id": 1,
            "state": 1,
            "job_type": 1,
            "ask": {
                "msg": "how much oil?",
                "collection_id": "lights",
                "max_tokens": 512,
                "n_ctx": 2048,
                "n_batch": 10,
                "rag": {
                    "match_docs": 3,
                    "max_doc_scores": 3,
                    "min_q_score": 0.3,
                    "min_a_score": 0.3,
                },
            },
        }
    ]


def test_options_reach_the_part_of_the_question_they_belong_to(stub: Stub, client: Client) -> None:
    stub.on("POST", "/job", (201, {"id": 5, "state": 1}))

    client.ask(
        "how much oil?", wait=False, model_name="big", n_ctx=64, min_q_score=0.1, session_id="s"
    )

    [ask] = [body["ask"] for body in stub.asked("POST", "/job")]
    assert (ask["model_name"], ask["n_ctx"], ask["session_id"]) == ("big", 64, "s")
    assert (ask["rag"]["min_q_score"], ask["rag"]["match_docs"]) == (0.1, 3)
    assert ask["collection_id"] is None
    assert "min_q_score" not in ask


def test_every_passage_asked_for_is_used_unless_fewer_are_told(stub: Stub, client: Client) -> None:
    stub.on("POST", "/job", (201, {"id": 5, "state": 1}))

    client.ask("how much oil?", wait=False, match_docs=9)
    client.ask("how much oil?", wait=False, match_docs=9, max_doc_scores=4)

    used = [body["ask"]["rag"]["max_doc_scores"] for body in stub.asked("POST", "/job")]
    assert used == [9, 4]


@pytest.mark.usefixtures("impatient")
def test_asking_waits_and_shows_every_step(stub: Stub, client: Client) -> None:
    stub.on("POST", "/job", (201, {"id": 5, "state": 1}))
    stub.on(
        "GET",
        "/job/5",
        job(State.WAITING, step="start_job"),
        job(State.RUNNING, step="generate_answer"),
        job(State.DONE),
    )
    stub.on("GET", "/ai/result/5", (200, ANSWER))
    steps: list[str] = []

    def seen(job: Job) -> None:
        steps.append(job.doing)

    answer = client.ask("how much oil?", on_progress=seen)

    assert answer.answer == "1,200 litres"
    assert steps == ["waiting for start job", "generate answer", "done"]


def test_a_failed_job_raises_its_reason(stub: Stub, client: Client) -> None:
    stub.on("GET", "/job/5", job(State.FAILED, code="too_long", msg="the question is too long"))

    with pytest.raises(ClientError, match="job 5 failed: the question is too long") as caught:
        client.result(5)

    assert caught.value.code == "too_long"
    assert "GET /ai/result/5" not in stub.routes


@pytest.mark.usefixtures("impatient")
def test_a_lost_connection_is_borne_while_waiting(stub: Stub, client: Client) -> None:
    restarting = (503, {"msg": "starting"})
    stub.on("GET", "/job/5", DROPPED, job(State.WAITING), DROPPED, restarting, job(State.DONE))
    stub.on("GET", "/ai/result/5", DROPPED, (200, ANSWER))

    assert client.result(5).id == 9


def test_a_server_that_is_not_there_at_the_login_is_told_at_once(
    stub: Stub, client: Client
) -> None:
    stub.on("POST", "/login", DROPPED)

    with pytest.raises(ClientError, match="dropped"):
        client.result(5)

    assert stub.routes == ["POST /login"]


def test_a_question_is_never_sent_twice(stub: Stub, client: Client) -> None:
    stub.on("POST", "/job", DROPPED)

    with pytest.raises(ClientError, match="dropped"):
        client.ask("how much oil?")

    assert stub.routes.count("POST /job") == 1


def test_a_review_sends_the_review_and_nothing_else(stub: Stub, client: Client) -> None:
    stub.on("GET", "/ai/result/5", (200, ANSWER | {"tags": "old", "session_id": "s"}))
    stub.on("PUT", "/ai/result", (200, ANSWER | {"reviewed_answer": "1,300", "reviewed_score": 97}))

    reviewed = client.review(5, "1,300", 97, notes="log book")

    assert reviewed.reviewed_score == 97
    assert stub.asked("PUT", "/ai/result") == [
        {
            "id": 9,
            "job_id": 5,
            "reviewed_answer": "1,300",
            "reviewed_score": 97,
            "reviewed_notes": "log book",
        }
    ]


def test_an_answer_made_elsewhere_is_stored_without_an_id_of_its_own(
    stub: Stub, client: Client
) -> None:
    stub.on("POST", "/ai/result", (201, ANSWER))

    stored = client.create_answer(Answer(id=1, answer="yes", tags="a,b"), idempotency_key="k1")

    [sent] = stub.asked("POST", "/ai/result")
    assert stored.id == 9
    assert (sent["answer"], sent["tags"]) == ("yes", "a,b")
    assert "id" not in sent
    assert stub.requests[-1].headers["Idempotency-Key"] == "k1"


def test_a_search_is_by_job(stub: Stub, client: Client) -> None:
    stub.on("POST", "/ai/result/search", (200, {"query": "by_job_id", "recs": [ANSWER]}))

    assert [found.id for found in client.search(5)] == [9]
    assert stub.asked("POST", "/ai/result/search") == [
        {"query": "by_job_id", "user_id": 7, "job_id": 5}
    ]


def test_an_answer_shows_its_passages_and_doubts() -> None:
    data = {"grounded": True, "supported": False, "passages": [{"text": "oil", "page": 2, "x": 1}]}

    answer = Answer(data=data)

    assert [(p.text, p.page) for p in answer.passages] == [("oil", 2)]
    assert (answer.grounded, answer.supported) == (True, False)
    assert (Answer().passages, Answer().grounded) == ([], None)


def test_every_field_of_the_wire_is_in_the_record() -> None:
    assert len(Answer.model_fields) == 32
