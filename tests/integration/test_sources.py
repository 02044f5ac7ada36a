"""Sources at the door: who may have which, and questions that bring their own."""

import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from models import addresses
from tests.integration.door import answer, ask, result, send, sign_up
from tests.integration.processes import FAKE, kill, session_value, until, workers
from tests.integration.web_server import Site, served


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with served() as site:
        yield site


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("sources")


@pytest.fixture(scope="module", autouse=True)
def alive(services: None, root: Path, site: Site) -> Iterator[dict[str, subprocess.Popen[bytes]]]:
    """Workers that may read what the door allows; the last test kills one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REDTEN_SOURCE_DIRS", str(root))
        patch.setenv("REDTEN_WEB_SOURCES", f"127.0.0.1:{site.port}")
        patch.setenv("REDTEN_WEB_NETWORKS", "127.0.0.1")
        with workers(inference=FAKE) as made:
            yield made


@pytest.fixture(autouse=True)
def allowed(root: Path, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same at the door, which is in this process."""
    update = {"source_dirs": (str(root),), "web_sources": (f"127.0.0.1:{site.port}",)}
    monkeypatch.setattr(addresses, "settings", addresses.settings.model_copy(update=update))


@pytest.fixture
def folder(root: Path, request: pytest.FixtureRequest) -> Path:
    made = root / str(abs(hash(request.node.name)))
    made.mkdir()
    (made / "capital.md").write_text("The capital of France is Paris.")
    return made


def add(http: FlaskClient, headers: dict[str, str], address: object, **more: Any) -> Any:
    body = {"collection": "embed-security", "address": str(address)} | more
    return send(http, "POST", "/sources", body, headers)


def settled(http: FlaskClient, headers: dict[str, str], source: int) -> Any:
    """The source, once its run is over and so are its documents."""

    def over() -> Any:
        unfinished = session_value("select count(*) from documents where state in (1, 2)")
        seen = http.get(f"/sources/{source}", headers=headers).json
        return seen if seen["state"] > 2 and not unfinished else None

    return until(over, 60)


def test_a_source_is_kept_up_with_by_itself(http, owner, folder):
    (folder / "gone.md").write_text("This will vanish.")
    made = add(http, owner, folder, every_s=60)
    assert made.status_code == 201, made.json
    source = made.json["id"]
    assert settled(http, owner, source)["run"]["added"] == 2

    (folder / "capital.md").write_text("The capital of Italy is Rome.")
    (folder / "gone.md").unlink()
    session_value("update sources set next_run_at = now() returning 1")
    until(lambda: session_value("select count(*) from source_runs where ended_at is not null") == 2)
    seen = settled(http, owner, source)
    assert [seen["run"][count] for count in ("changed", "removed", "failed")] == [1, 1, 0]
    assert len(seen["runs"]) == 2
    assert (
        session_value("select string_agg(text, '') from chunks") == "The capital of Italy is Rome."
    )


def test_a_source_is_run_when_asked_and_removed_with_or_without_its_documents(http, owner, folder):
    source = add(http, owner, folder).json["id"]
    settled(http, owner, source)
    assert http.post(f"/sources/{source}/run", headers=owner).status_code == 202
    until(lambda: session_value("select count(*) from source_runs where ended_at is not null") == 2)
    assert add(http, owner, folder).status_code == 409
    assert http.delete(f"/sources/{source}", headers=owner).status_code == 200
    assert session_value("select count(*) from documents") == 1

    again = add(http, owner, folder).json["id"]
    settled(http, owner, again)
    http.delete(f"/sources/{again}?documents=true", headers=owner)
    assert session_value("select count(*) from sources") == 0
    assert session_value("select count(*) from documents") == 0


def test_a_source_is_nobodys_business_but_of_those_who_fill_the_collection(http, owner, folder):
    source = add(http, owner, folder).json["id"]
    settled(http, owner, source)
    stranger = sign_up(http, "stranger@example.org")
    assert add(http, stranger, folder).status_code == 403
    assert http.get("/sources", headers=stranger).json["sources"] == []
    for method, path in (("GET", ""), ("POST", "/run"), ("DELETE", "")):
        reply = http.open(f"/sources/{source}{path}", method=method, headers=stranger)
        assert (reply.status_code, reply.json["code"]) == (404, "source_not_found")
    assert [one["id"] for one in http.get("/sources", headers=owner).json["sources"]] == [source]


@pytest.mark.parametrize(
    ("address", "status", "code"),
    [
        ("/etc", 403, "address_not_allowed"),
        ("https://10.0.0.1/", 403, "address_not_allowed"),
        ("gopher://example.org/", 400, "bad_address"),
    ],
)
def test_an_address_that_may_not_be_read_is_refused_at_the_door(http, owner, address, status, code):
    reply = add(http, owner, address)
    assert (reply.status_code, reply.json["code"]) == (status, code)


def question(http: FlaskClient, headers: dict[str, str], **rag: Any) -> int:
    body = {"ask": {"msg": "echo the capital of France", "rag": {"min_q_score": -1} | rag}}
    reply = send(http, "POST", "/job", body, headers)
    assert reply.status_code == 201, reply.json
    return int(reply.json["id"])


def test_a_question_waits_for_its_own_folder_and_is_answered_from_it(http, headers, folder):
    job = question(http, headers, dirs=[str(folder)])
    assert session_value(f"select awaits_id is not null from jobs where id = {job}")
    told = answer(http, headers, job, 60)
    assert told["match_source"] == f"{folder}/capital.md"
    assert session_value(f"select losses from jobs where id = {job}") == 0

    again = question(http, headers, dirs=[f"{folder}/"])
    assert session_value(f"select awaits_id is null from jobs where id = {again}")
    assert answer(http, headers, again, 60)["match_source"] == f"{folder}/capital.md"
    assert session_value("select count(*) from source_runs") == 1, "it was read a moment ago"


def test_a_collection_made_for_a_question_is_private_to_who_asked(http, headers, owner, folder):
    answer(http, headers, question(http, headers, dirs=[str(folder)]), 60)
    [made] = [
        one["name"]
        for one in http.get("/collections", headers=headers).json["collections"]
        if one["name"].startswith("rag-")
    ]
    assert http.get(f"/collections/{made}/documents", headers=owner).status_code == 404


def test_a_question_whose_source_cannot_be_read_fails_with_the_reason(http, headers, root):
    over = result(http, headers, question(http, headers, dirs=[str(root / "nowhere")]), 60)
    assert (over["state"], over["code"]) == (4, "source_failed")
    assert f"{root}/nowhere could not be read" in over["msg"]


def test_a_question_that_waits_for_its_sources_can_be_withdrawn(http, headers, site):
    go_on = threading.Event()
    site.pages["/slow"] = lambda request: (go_on.wait(20), request.send_error(500))
    job = question(http, headers, rss=[site.url("/slow")])
    try:
        assert http.delete(f"/job/{job}", headers=headers).status_code == 200
        assert result(http, headers, job)["code"] == "cancelled"
    finally:
        go_on.set()
    until(lambda: session_value("select count(*) from sources where state = 4"))


def test_caches_are_further_collections_to_search(http, headers):
    send(http, "POST", "/collections", {"name": "mine"}, headers)
    mine = session_value("select id from collections where name = 'mine'")
    public = session_value("select id from collections where name = 'embed-security'")
    job = ask(http, headers, "?", rag={"caches": ["mine", "embed-security"]})
    assert session_value(f"select params->'collections' from jobs where id = {job}") == [mine]
    assert session_value(f"select collection_id from jobs where id = {job}") == public

    alone = question(http, headers, caches=["mine"])
    assert session_value(f"select collection_id from jobs where id = {alone}") == mine
    plain = ask(http, headers, "?", rag={"dirs": [], "s3": [], "caches": [], "rss": []})
    assert session_value(f"select params ? 'collections' from jobs where id = {plain}") is False


def test_a_run_goes_on_where_a_killed_worker_left_it(http, owner, site, alive):
    """Each thing once, none lost, and one loss for the source."""
    blocked, go_on = threading.Event(), threading.Event()

    def wait(request: Any) -> None:
        blocked.set()
        go_on.wait(20)
        site.put("/2", "<html>page 2</html>")
        site.pages["/2"](request)

    pages = [site.url(f"/{number}") for number in (1, 2, 3)]
    items = "".join(f"<item><link>{page}</link></item>" for page in pages)
    site.put("/feed", f"<rss version='2.0'><channel>{items}</channel></rss>")
    for number in (1, 3):
        site.put(f"/{number}", f"<html>page {number}</html>", ETag=f'"{number}"')
    site.pages["/2"] = wait

    source = add(http, owner, site.url("/feed")).json["id"]
    assert blocked.wait(20)
    kill(alive["ingest"])
    go_on.set()
    with workers(inference="", pipeline="", sweep=""):
        seen = settled(http, owner, source)
    assert [seen["run"][count] for count in ("added", "unchanged", "failed")] == [3, 0, 0]
    assert len(seen["runs"]) == 1
    assert session_value("select losses from sources") == 1
    assert session_value("select count(*) from documents where state = 3") == 3
    assert session_value("select count(*) - count(distinct text) from chunks") == 0
