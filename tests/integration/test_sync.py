"""A source against its collection: what comes, what stays, what goes, and what a run says."""

import ipaddress
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from celery.exceptions import Ignore

from ingest.sources.folder import Folder
from ingest.sources.item import Sink, SourceError
from models import addresses
from models.collection import find_collection
from models.document import Document, add_document
from models.errors import RedtenError
from models.session import session_scope
from models.source import KEPT_RUNS, Source, SourceRun, add_source, open_run, runs_of
from models.tenant import Caller
from tasks import sync
from tasks.due import start_due_work
from tasks.lifecycle import fail_work
from tests.integration.processes import session_value
from tests.integration.s3_server import CREDENTIALS, S3Server, s3_server
from tests.integration.web_server import Site, served


def allow(monkeypatch: pytest.MonkeyPatch, **more: Any) -> None:
    """Other settings, for where sources look at them."""
    changed = addresses.settings.model_copy(update=more)
    for module in (addresses, sync):
        monkeypatch.setattr(module, "settings", changed)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    made = tmp_path / "docs"
    (made / "deep").mkdir(parents=True)
    for name in ("a.md", "deep/b.md"):
        (made / name).write_text(f"text of {name}")
    allow(monkeypatch, source_dirs=(str(tmp_path),))
    return made


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with served() as site:
        yield site


@pytest.fixture(scope="module")
def s3() -> Iterator[S3Server]:
    with s3_server() as server:
        yield server


def source_of(admin: Caller, address: Any, **more: Any) -> int:
    with session_scope(1) as session:
        collection = find_collection(session, admin, "embed-security")
        made = add_source(session, admin, collection, str(address), **more)
    assert made is not None
    return made.id


def run(source_id: int) -> SourceRun:
    """One run from its begin to its end, failed or not, as a worker does it."""
    with session_scope(1) as session:
        Source.begin(session, Source.id == source_id)
        attempt = session.get_one(Source, source_id).attempt
    try:
        sync.sync_source(1, source_id, attempt)
    except RedtenError as error:
        work = {"kind": "source", "tenant_id": 1, "id": source_id, "attempt": attempt}
        fail_work(None, error, None, **work)
    with session_scope(1) as session:
        return runs_of(session, source_id)[0]


def counts(done: SourceRun) -> tuple[int, ...]:
    """(added, changed, unchanged, removed, failed) of a run that went through."""
    assert (done.code, done.ended_at is not None) == (None, True), done.msg
    return (done.added, done.changed, done.unchanged, done.removed, done.failed)


def names() -> list[str]:
    return json.loads(
        session_value("select json_agg(name order by name, id)::text from documents") or "[]"
    )


def store_all() -> None:
    """As if the documents had gone their way: the newest of each name is left, and is done."""
    session_value(
        "delete from documents d using documents n where n.name = d.name and n.id > d.id"
        " returning 1"
    )
    session_value("update documents set state = 3, step = null returning 1")


def test_a_run_brings_what_is_new_or_changed_and_takes_out_what_has_vanished(admin, folder):
    source = source_of(admin, folder)
    assert counts(run(source)) == (2, 0, 0, 0, 0)
    assert names() == ["a.md", "deep/b.md"]
    assert counts(run(source)) == (0, 0, 2, 0, 0)

    store_all()
    (folder / "a.md").write_text("another text")
    (folder / "c.md").write_text("text of c.md")
    assert counts(run(source)) == (1, 1, 1, 0, 0)
    assert names() == ["a.md", "a.md", "c.md", "deep/b.md"]

    store_all()
    (folder / "deep/b.md").unlink()
    assert counts(run(source)) == (0, 0, 2, 1, 0)
    assert names() == ["a.md", "c.md"]


def test_a_touched_file_of_the_same_content_is_read_once_more_and_left_alone(admin, folder):
    source = source_of(admin, folder)
    run(source)
    before = session_value("select array_agg(id order by id) from documents")
    os.utime(folder / "a.md", (1, 1))
    assert counts(run(source)) == (0, 0, 2, 0, 0)
    assert session_value("select array_agg(id order by id) from documents") == before
    assert session_value("select version from source_items where name = 'a.md'") == "1000000000-12"


def test_hidden_files_and_links_stay_out(admin, folder, tmp_path):
    (tmp_path / "secret.txt").write_text("secret")
    (folder / ".hidden.md").write_text("hidden")
    (folder / "link.txt").symlink_to(tmp_path / "secret.txt")
    (folder / "linked").symlink_to(tmp_path, target_is_directory=True)
    os.mkfifo(folder / "pipe")
    assert counts(run(source_of(admin, folder))) == (2, 0, 0, 0, 0)


def test_a_link_that_leads_out_of_what_is_allowed_is_not_followed(
    admin, folder, tmp_path, monkeypatch
):
    (folder / "out").symlink_to(tmp_path, target_is_directory=True)
    allow(monkeypatch, source_dirs=(str(folder),))
    done = run(source_of(admin, folder / "out"))
    assert (done.code, names()) == ("address_not_allowed", [])


@pytest.mark.parametrize("named", [".hidden", "link"])
def test_what_is_hidden_below_an_allowed_folder_is_not_read_by_its_name(admin, folder, named):
    (folder / ".hidden").mkdir()
    (folder / ".hidden/key.txt").write_text("secret")
    (folder / "link").symlink_to(folder / ".hidden", target_is_directory=True)
    done = run(source_of(admin, folder / named))
    assert (done.code, names()) == ("address_not_allowed", [])


@pytest.mark.parametrize("swapped", ["deep/b.md", "deep"])
def test_a_file_that_becomes_a_link_before_it_is_read_is_not_read(folder, tmp_path, swapped):
    place = Folder(folder, [folder])
    [item] = [item for item in place.items({}) if item.name == "deep/b.md"]
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/b.md").write_text("secret")
    (folder / swapped).rename(tmp_path / "aside")
    (folder / swapped).symlink_to(tmp_path / "outside" / ("b.md" if "." in swapped else ""))
    with (tmp_path / "sink").open("wb") as file, pytest.raises(SourceError):
        place.read(item, "", Sink(file, 100))
    assert (tmp_path / "sink").read_bytes() == b""


def test_nothing_is_removed_when_the_source_is_not_there_or_comes_back_empty(admin, folder):
    source = source_of(admin, folder)
    run(source)
    folder.rename(folder.with_name("away"))
    gone = run(source)
    folder.mkdir()
    empty = run(source)
    assert (gone.code, empty.code) == ("unreadable_source", "empty_source")
    assert gone.ended_at is not None
    assert "nothing was removed" in (empty.msg or "")
    assert names() == ["a.md", "deep/b.md"]
    assert session_value("select state from sources") == 4
    folder.rmdir()
    folder.with_name("away").rename(folder)
    assert counts(run(source)) == (0, 0, 2, 0, 0)


def test_each_thing_fails_alone_and_keeps_what_it_was(admin, folder, monkeypatch):
    source = source_of(admin, folder)
    run(source)
    allow(monkeypatch, max_upload_bytes=20)
    (folder / "a.md").write_text("x" * 21)
    (folder / "new\nline.md").write_text("x")
    (folder / "empty.md").write_text("")
    done = run(source)
    assert counts(done) == (0, 0, 1, 0, 3)
    failed = {message["name"]: message["code"] for message in done.messages}
    assert failed == {"a.md": "too_large", "new\nline.md": "bad_name", "empty.md": "empty_document"}
    assert names() == ["a.md", "deep/b.md"]


def test_a_source_of_more_than_the_limit_is_refused_whole(admin, folder, monkeypatch):
    allow(monkeypatch, source_items=1)
    assert run(source_of(admin, folder)).code == "too_many_items"


def test_a_moved_file_keeps_its_document(admin, folder):
    source = source_of(admin, folder)
    run(source)
    before = session_value("select id from documents where name = 'a.md'")
    (folder / "a.md").rename(folder / "z.md")
    assert counts(run(source)) == (1, 0, 1, 1, 0)
    assert session_value("select id from documents where name = 'z.md'") == before
    assert names() == ["deep/b.md", "z.md"]


def test_of_two_files_of_the_same_content_one_may_change_or_go(admin, folder):
    (folder / "twin.md").write_text("text of a.md")
    source = source_of(admin, folder)
    assert counts(run(source)) == (3, 0, 0, 0, 0)
    assert len(names()) == 2
    assert counts(run(source)) == (0, 0, 3, 0, 0)

    store_all()
    (folder / "twin.md").write_text("its own text")
    run(source)
    assert names() == ["a.md", "deep/b.md", "twin.md"]

    (folder / "a.md").write_text("its own text")
    run(source)
    store_all()
    (folder / "a.md").unlink()
    assert counts(run(source)) == (0, 0, 2, 1, 0)
    assert names() == ["deep/b.md", "twin.md"]


def by_hand(admin: Caller, name: str, sha256: str) -> None:
    """A document that somebody uploads."""
    with session_scope(1) as session:
        collection = find_collection(session, admin, "embed-security")
        wanted = Document(
            tenant_id=1,
            collection_id=collection.id,
            name=name,
            content_sha256=sha256,
            size_in_bytes=1,
            blob="documents/by-hand",
            step="load_document",
        )
        add_document(session, wanted)


def test_what_somebody_uploaded_as_well_is_not_removed_with_the_source(admin, folder):
    source = source_of(admin, folder)
    run(source)
    by_hand(admin, "mine.md", session_value("select content_sha256 from source_items limit 1"))
    for path in ("a.md", "deep/b.md"):
        (folder / path).unlink()
    (folder / "c.md").write_text("c")
    assert counts(run(source)) == (1, 0, 0, 2, 0)
    assert names() == ["c.md", "mine.md"]


def test_a_document_from_elsewhere_is_not_replaced_by_one_of_the_same_name(admin, folder):
    by_hand(admin, "a.md", "0" * 64)
    done = run(source_of(admin, folder))
    assert counts(done) == (1, 0, 0, 0, 1)
    assert done.messages[0]["code"] == "same_name"
    assert counts(run(source_of(admin, folder / "deep", prefix="theirs/"))) == (1, 0, 0, 0, 0)
    assert names() == ["a.md", "theirs/b.md"]


def test_a_document_that_was_removed_by_hand_is_brought_again(admin, folder):
    source = source_of(admin, folder)
    run(source)
    session_value("delete from documents where name = 'a.md' returning 1")
    assert counts(run(source)) == (0, 1, 1, 0, 0)
    assert names() == ["a.md", "deep/b.md"]


def test_an_s3_prefix_is_kept_up_with(admin, s3, monkeypatch):
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    s3.make("papers")
    client = s3.client()
    for key in ("y/a.md", "y/deep/b.md", "y/", "y/.hidden", "yz/c.md", "other/d.md"):
        client.put_object(Bucket="papers", Key=key, Body=key.encode())
    allow(monkeypatch, s3_sources=("s3://papers/y",), s3_endpoint=s3.endpoint)
    source = source_of(admin, "s3://papers/y")
    assert counts(run(source)) == (2, 0, 0, 0, 0)
    assert names() == ["a.md", "deep/b.md"]

    store_all()
    client.put_object(Bucket="papers", Key="y/a.md", Body=b"another")
    client.delete_object(Bucket="papers", Key="y/deep/b.md")
    assert counts(run(source)) == (0, 1, 0, 1, 0)
    assert counts(run(source)) == (0, 0, 1, 0, 0)

    one = source_of(admin, "s3://papers/y/a.md", prefix="alone/")
    assert counts(run(one)) == (1, 0, 0, 0, 0)


def test_a_bucket_that_is_not_there_fails_the_run_with_what_s3_says(admin, s3, monkeypatch):
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    allow(monkeypatch, s3_sources=("s3://nowhere",), s3_endpoint=s3.endpoint)
    done = run(source_of(admin, "s3://nowhere/x"))
    assert (done.code, done.msg) == ("unreadable_source", "nowhere: S3 answers NoSuchBucket")


FEED = """<?xml version="1.0"?><rss version="2.0"><channel><title>News</title>{items}{end}"""
LINKED = "<item><title>t</title><link>{url}</link></item>"
LINKLESS = (
    "<item><title>No page</title><guid>urn:1</guid><description>Its text</description></item>"
)


@pytest.fixture
def web(site: Site, monkeypatch: pytest.MonkeyPatch) -> Site:
    site.pages.clear()
    networks = (ipaddress.ip_network("127.0.0.1/32"),)
    allow(monkeypatch, web_sources=(f"127.0.0.1:{site.port}",), web_networks=networks)
    return site


def put_feed(site: Site, *pages: str, end: str = "</channel></rss>") -> None:
    items = "".join(LINKED.format(url=site.url(page)) for page in pages)
    site.put("/feed", FEED.format(items=items + LINKLESS, end=end))


def test_a_page_is_read_again_only_if_it_has_changed(admin, web):
    web.put("/page", "<html>one</html>", ETag='"1"')
    source = source_of(admin, web.url("/page"))
    assert counts(run(source)) == (1, 0, 0, 0, 0)
    assert counts(run(source)) == (0, 0, 1, 0, 0)
    web.put("/page", "<html>two</html>", ETag='"2"')
    assert counts(run(source)) == (0, 1, 0, 0, 0)
    assert names() == [web.url("/page")] * 2
    web.put("/page", "gone", 404)
    assert run(source).code == "unreadable"
    assert len(names()) == 2


def test_a_feed_brings_the_pages_of_its_entries(admin, web):
    web.put("/1", "<html>one</html>", ETag='"1"')
    web.put("/2", "<html>two</html>")
    put_feed(web, "/1", "/2", "/missing")
    source = source_of(admin, web.url("/feed"))
    done = run(source)
    assert counts(done) == (3, 0, 0, 0, 1)
    assert done.messages[0]["name"] == web.url("/missing")
    assert names() == [web.url("/1"), web.url("/2"), "urn:1"]

    put_feed(web, "/2")
    assert counts(run(source)) == (0, 0, 2, 1, 0)
    assert names() == [web.url("/2"), "urn:1"]

    put_feed(web, end="<item")
    broken = run(source)
    assert counts(broken) == (0, 0, 1, 0, 1), "what it does not show has not vanished"
    assert broken.messages[0]["code"] == "incomplete"
    web.put("/feed", "<rss><channel><title>News</title><it")
    assert run(source).code == "incomplete"
    web.put("/feed", FEED.format(items="<item><title>&#xD800;</title></item>", end=""))
    assert run(source).code == "unreadable_source"
    web.put("/feed", FEED.format(items="<item><guid>a&#0;b</guid></item>" + LINKLESS, end=""))
    failed = {one["name"]: one["code"] for one in run(source).messages}
    assert failed == {web.url("/a\ufffdb"): "bad_name", web.url("/feed"): "incomplete"}
    assert names() == [web.url("/2"), "urn:1"]


def test_a_feed_cannot_send_its_reader_where_it_may_not_go(admin, web):
    inside = ("http://127.0.0.1:1/", "http://localhost/", "https://10.0.0.1/", "http://u:p@h/")
    items = "".join(LINKED.format(url=url) for url in inside)
    web.put("/feed", FEED.format(items=items, end="</channel></rss>"))
    done = run(source_of(admin, web.url("/feed")))
    assert counts(done) == (0, 0, 0, 0, 4)
    assert {one["code"] for one in done.messages} == {"address_not_allowed", "bad_address"}


def test_a_page_in_the_house_is_not_read_although_its_host_is_named(admin, web, monkeypatch):
    allow(monkeypatch, web_networks=())
    web.put("/page", "secret")
    assert run(source_of(admin, web.url("/page"))).code == "address_not_allowed"
    assert names() == []


def test_only_sources_that_are_due_and_over_begin_a_run(admin, folder):
    source = source_of(admin, folder, every_s=60)
    start_due_work()
    assert session_value("select attempt from sources") == 1, "its first run has not ended"
    run(source)
    start_due_work()
    assert session_value("select state from sources") == 3, "the next is due in a minute"
    session_value("update sources set next_run_at = now() returning 1")
    start_due_work()
    assert session_value("select state from sources") == 1
    assert session_value("select next_run_at > now() from sources")
    assert session_value("select losses from sources") == 0


def test_a_source_that_is_given_up_ends_its_run_and_the_next_one_starts_afresh(admin, folder):
    source = source_of(admin, folder, every_s=60)
    with session_scope(1) as session:
        found = Source.claim(session, source, 1, "sync_source")
        assert found is not None
        open_run(session, found)
    session_value("update sources set losses = 2, lease_until = now() - interval '1 s' returning 1")
    with session_scope(1) as session:
        assert Source.give_up(session, source, 1, "lost", "lost 3 times")
        assert runs_of(session, source)[0].code == "lost"
    assert counts(run(source)) == (2, 0, 0, 0, 0)


def test_an_attempt_that_was_taken_over_brings_nothing_more(admin, folder, monkeypatch):
    source = source_of(admin, folder)
    bring = sync._bring

    def taken_over_before(comparison, item) -> None:
        session_value("update sources set attempt = 9 returning 1")
        bring(comparison, item)

    monkeypatch.setattr(sync, "_bring", taken_over_before)
    with pytest.raises(Ignore):
        sync.sync_source(1, source, 1)
    assert names() == []
    assert session_value("select ended_at from source_runs") is None


def test_only_the_last_runs_are_kept(admin, folder):
    source = source_of(admin, folder)
    run(source)
    session_value(
        "insert into source_runs (tenant_id, source_id, ended_at)"
        f" select 1, {source}, now() from generate_series(1, 30) returning 1"
    )
    run(source)
    assert session_value("select count(*) from source_runs") == KEPT_RUNS


def test_attempts_of_a_source_stay_small_numbers(admin, folder):
    source = source_of(admin, folder)
    session_value("update sources set state = 3, attempt = 30000 returning 1")
    assert counts(run(source)) == (2, 0, 0, 0, 0)
    assert session_value("select attempt from sources") == 1
