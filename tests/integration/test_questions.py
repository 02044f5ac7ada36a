"""A question's way through the chain: real services, real retrieval, a fake generator."""

import subprocess
import sys
from collections.abc import Iterator

import pytest

from models.overdue import KINDS
from tasks import chains
from tests.integration.door import answer, ask, result, sign_up, upload
from tests.integration.processes import FAKE, asked, session_value, until, workers

TEXT = b"# Gull Rock\n\nThe tower of Gull Rock is 31 metres high.\n\n# Bread\n\nBread needs flour."


@pytest.fixture(scope="module", autouse=True)
def alive(services: None) -> Iterator[None]:
    with workers(inference=FAKE):
        yield


@pytest.fixture
def tower(http, owner) -> dict[str, object]:
    return upload(http, owner, "rocks/gull.md", TEXT)


def test_an_answer_comes_with_scores_source_and_page(http, headers, tower):
    job = ask(http, headers, "How high is the tower of Gull Rock?")

    found = answer(http, headers, job)

    assert (found["match_source"], found["match_page"]) == ("rocks/gull.md", 1)
    assert "31 metres" in found["match_content"]
    assert 0.5 < found["question_score"] <= 1
    assert found["score"] == pytest.approx(
        (found["question_score"] * found["answer_score"]) ** 0.5, abs=1e-5
    )
    assert found["model_name"] == "fake.gguf"
    assert found["latency"] > 0
    data = found["data"]
    assert data["grounded"] is True
    assert data["passages"][0]["page"] == 1
    assert data["seconds"].keys() >= {"embed_question", "retrieve_passages", "generate_answer"}
    assert data["parameters"]["match_docs"] == 3
    assert {"prompt_tokens", "completion_tokens"} <= data["generation"].keys()


def test_each_sentence_of_an_answer_is_tied_to_the_words_that_bear_it(http, headers, tower):
    job = ask(http, headers, "echo: how high is the tower of Gull Rock?")

    found = answer(http, headers, job)

    cited = {
        found["answer"][one["start"] : one["end"]]: found["data"]["passages"][one["passage"]][
            "text"
        ][one["quote"]["start"] : one["quote"]["end"]]
        for one in found["data"]["citations"]
    }
    sentence = "The tower of Gull Rock is 31 metres high."
    assert cited[sentence] == sentence
    assert {(one["source"], one["page"]) for one in found["data"]["citations"]} <= {
        (one["source"], one["page"]) for one in found["data"]["passages"] if one["in_prompt"]
    }


def test_a_message_that_comes_twice_changes_nothing(http, headers, tower):
    job = ask(http, headers, "slow: how high is the tower?")
    chains.send("job", 1, job, 1)
    answer(http, headers, job)
    chains.send("job", 1, job, 1)
    last = ask(http, headers, "And what does bread need?")
    answer(http, headers, last)
    assert len(asked()) == 2
    assert session_value(f"select count(*) from answers where job_id = {job}") == 1


def test_passages_that_are_too_far_off_stay_out(http, headers, tower):
    job = ask(http, headers, "echo the dividend policy of a shipping company", min_q_score=0.6)
    found = answer(http, headers, job)
    assert "Source:" not in found["answer"]
    assert found["data"]["grounded"] is False
    assert found["data"]["supported"] is False
    assert (found["match_source"], found["match_page"], found["match_content"]) == (None,) * 3
    assert found["score"] == 0


def test_an_answer_that_the_passages_do_not_bear_out_is_marked(http, headers, tower):
    job = ask(http, headers, "How high is the tower of Gull Rock?", min_a_score=0.99)
    assert answer(http, headers, job)["data"]["supported"] is False
    job = ask(http, headers, "echo: how high is the tower of Gull Rock?", min_a_score=0.3)
    assert answer(http, headers, job)["data"]["supported"] is True


def test_limits_on_passages_are_kept(http, headers, tower):
    for limits, most in (({"match_docs": 1}, 1), ({"match_docs": 2, "max_doc_scores": 1}, 1)):
        job = ask(http, headers, "How high is Gull Rock?", min_q_score=-1, **limits)
        assert len(answer(http, headers, job)["data"]["passages"]) == most


def test_without_a_collection_nothing_is_retrieved(http, headers, tower):
    job = ask(http, headers, "echo: how high is the tower of Gull Rock?", collection_id=None)
    found = answer(http, headers, job)
    assert found["data"]["passages"] == []
    assert found["collection"] is None


def test_earlier_turns_of_the_session_reach_the_prompt(http, headers, tower):
    first = ask(http, headers, "How high is Gull Rock?", session_id="walk")
    answer(http, headers, first)
    second = ask(http, headers, "And how old?", session_id="walk")
    assert answer(http, headers, second)["data"]["generation"]["turns"] == 1
    third = ask(http, headers, "And?", session_id="walk", derived_session_id="aside")
    assert answer(http, headers, third)["data"]["generation"]["turns"] == 0
    other = sign_up(http, "other@example.org")
    fourth = ask(http, other, "And how old?", session_id="walk")
    assert answer(http, other, fourth)["data"]["generation"]["turns"] == 0


def test_a_question_is_answered_from_the_documents_that_its_filters_leave(http, headers, owner):
    upload(http, owner, "gull.md", TEXT)
    upload(http, owner, "vik.md", TEXT.replace(b"31", b"44"))
    rag = {"filters": {"names": ["vik*"]}, "mode": "vector", "match_docs": 5}

    asked = {"msg": "How high is the tower?", "collection_id": "embed-security", "rag": rag}
    job = http.post("/job", json={"ask": asked}, headers=headers).json["id"]

    found = answer(http, headers, job)["data"]
    assert {one["source"] for one in found["passages"]} == {"vik.md"}
    assert found["parameters"]["filters"] == {"names": ["vik*"]}


def test_what_is_much_worse_than_the_best_stays_out_of_the_prompt(http, headers, owner):
    upload(http, owner, "gull.md", TEXT)
    upload(http, owner, "oats.md", b"Oats grow in poor soil, and horses like them.")
    kept = {}
    for margin in (0, 4):
        rag = {"min_q_score": -1, "margin": margin}
        asked = {"msg": "How high is Gull Rock?", "collection_id": "embed-security", "rag": rag}
        job = http.post("/job", json={"ask": asked}, headers=headers).json["id"]
        kept[margin] = [one["source"] for one in answer(http, headers, job)["data"]["passages"]]

    assert kept[0] == ["gull.md"]
    assert set(kept[4]) == {"gull.md", "oats.md"}


def test_what_stands_around_a_passage_follows_it_into_the_prompt(http, headers, owner):
    sections = [f"# Part {number}\n\nOnly part {number} says so." for number in range(5)]
    upload(http, owner, "parts.md", "\n\n".join(sections).encode())
    rag = {"neighbours": 1, "match_docs": 1, "min_q_score": -1}

    asked = {"msg": "echo what part 2 says", "collection_id": "embed-security", "rag": rag}
    job = http.post("/job", json={"ask": asked}, headers=headers).json["id"]

    found = answer(http, headers, job)
    positions = [one["position"] for one in found["data"]["passages"]]
    assert positions[1:] == [positions[0] - 1, positions[0] + 1]
    assert all(one["in_prompt"] for one in found["data"]["passages"])


@pytest.mark.parametrize(
    "rag",
    [
        {"mode": "guess"},
        {"neighbours": 9},
        {"rerank": True},
        {"filters": {"colour": "red"}},
        {"filters": {"pages": [3, 1]}},
    ],
)
def test_a_search_that_makes_no_sense_is_refused_at_once(http, headers, rag):
    asked = {"msg": "How high?", "collection_id": "embed-security", "rag": rag}

    reply = http.post("/job", json={"ask": asked}, headers=headers)

    assert reply.status_code == 400
    assert next(iter(rag)) in reply.json["message"]


def test_passages_are_left_out_whole_when_the_context_is_small(http, headers, owner):
    words = " ".join(f"tower{number}" for number in range(100))
    for name in ("a.md", "b.md"):
        upload(http, owner, name, f"The tower {name} is high. {words}".encode())
    job = ask(http, headers, "How high is the tower?", min_q_score=-1, n_ctx=400, max_tokens=180)
    found = answer(http, headers, job)
    assert [one["in_prompt"] for one in found["data"]["passages"]] == [True, True, False]
    assert found["data"]["generation"]["n_ctx"] == 400


def test_a_question_that_does_not_fit_alone_fails_and_says_so(http, headers, tower):
    job = ask(http, headers, "why " * 3000)
    over = result(http, headers, job)
    assert (over["state"], over["code"]) == (4, "question_too_long")
    assert "3000" not in over["msg"]
    assert "n_ctx" in over["msg"]
    assert http.get(f"/ai/result/{job}", headers=headers).status_code == 404
    assert asked() == []


def test_a_review_is_held_against_the_collection_as_it_is(http, headers, owner, tower):
    job = ask(http, headers, "How high is the tower of Gull Rock?")
    id = answer(http, headers, job)["id"]

    def score(text):
        review = {"id": id, "reviewed_answer": text, "reviewed_score": 97}
        http.put("/ai/result", json=review, headers=headers)
        return until(lambda: computed(), 20)

    def computed():
        seen = http.get(f"/ai/result/{job}", headers=headers).json
        return seen["reviewed_computed_score"]

    borne_out = score("The tower of Gull Rock is 31 metres high.")
    upload(http, owner, "rocks/gull.md", b"# Cheese\n\nCheese is made of milk.")
    assert score("The tower of Gull Rock is thirty-one metres high.") < borne_out - 0.3


def test_a_review_without_a_collection_has_no_computed_score(http, headers):
    id = http.post("/ai/result", json={"answer": "llm"}, headers=headers).json["id"]
    review = {"id": id, "reviewed_answer": "expert", "reviewed_score": 60}
    assert http.put("/ai/result", json=review, headers=headers).status_code == 200
    until(lambda: session_value("select state from reviews") == 3)
    assert session_value("select computed_score from reviews") is None


def test_every_step_that_a_chain_names_is_registered():
    from tasks.app import app

    app.loader.import_default_modules()
    for kind, chain in chains.CHAINS.items():
        made = chain(1, 2, 3)
        steps = getattr(made, "tasks", [made])  # one step alone is no chain
        names = [step.task for step in steps] + [e.task for e in made.options["link_error"]]
        assert set(names) <= set(app.tasks)
        assert names[0].endswith(KINDS[kind].FIRST_STEP)


def test_importing_the_door_loads_no_weights():
    heavy = "{'torch', 'sentence_transformers', 'llama_cpp', 'onnxruntime'}"
    code = f"import api.app, sys; print({heavy} & set(sys.modules))"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "set()"
