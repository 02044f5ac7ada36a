"""Answers taken away as a file: whose they are, and how a spreadsheet reads them."""

import csv
import io
import json
from typing import Any

import pytest
from flask.testing import FlaskClient

from api import results_export
from tests.integration.door import send, sign_up

Headers = dict[str, str]


def deliver(http: FlaskClient, who: Headers, **record: Any) -> int:
    made = send(http, "POST", "/ai/result", record, who)
    assert made.status_code == 201, made.json
    return int(made.json["id"])


def rows(http: FlaskClient, who: Headers, **wanted: str) -> list[dict[str, str]]:
    """The CSV file as a spreadsheet reads it."""
    reply = http.get("/ai/result/export", query_string=wanted, headers=who)
    assert reply.status_code == 200, reply.json
    return list(csv.DictReader(io.StringIO(reply.text, newline="")))


def test_each_answer_is_a_row_with_its_newest_review(http, headers):
    id = deliver(http, headers, question="How high?", answer='31, "about"\nas told', score=-0.5)
    for text in ("first", "second"):
        review = {"id": id, "reviewed_answer": text, "reviewed_score": 80}
        send(http, "PUT", "/ai/result", review, headers)

    [row] = rows(http, headers)

    assert (row["id"], row["question"], row["answer"]) == (
        str(id),
        "How high?",
        '31, "about"\nas told',
    )
    assert (row["reviewed_answer"], row["reviewed_score"]) == ("second", "80.0")
    # A number is no formula.
    assert row["score"] == "-0.5"
    assert row["job_id"] == ""


@pytest.mark.parametrize(
    "text",
    ["=1+1", "+1", "-1", "@sum(a)", "\t=1", "\r=1", "\n=1", "  =1", "＝1", "=cmd|' /C calc'!A0"],
)
def test_no_text_is_a_formula_to_a_spreadsheet(http, headers, text):
    deliver(http, headers, question=text, answer="a plain = text", tags=text)

    [row] = rows(http, headers)

    assert (row["question"], row["tags"], row["answer"]) == (
        f"'{text}",
        f"'{text}",
        "a plain = text",
    )


def test_lines_of_json_hold_the_records_as_they_are(http, headers):
    deliver(http, headers, question="=1+1", data={"n": 1})

    reply = http.get("/ai/result/export?format=jsonl", headers=headers)

    [record] = [json.loads(line) for line in reply.text.splitlines()]
    assert (record["question"], record["data"], record["score"]) == ("=1+1", {"n": 1}, None)
    assert reply.mimetype == "application/jsonl"
    assert reply.headers["Content-Disposition"] == "attachment; filename=answers.jsonl"


def test_the_file_is_made_of_lines_as_rfc_4180_has_them(http, headers):
    deliver(http, headers, question="straße")

    reply = http.get("/ai/result/export", headers=headers)

    assert reply.mimetype == "text/csv"
    assert reply.data.decode().count("\r\n") == 2
    assert "straße" in reply.data.decode()


def test_who_reviews_gets_the_tenants_answers_and_anybody_else_their_own(http, headers, owner):
    other = sign_up(http, "other@example.org")
    for who, text in ((headers, "of the member"), (other, "of another"), (owner, "of the owner")):
        deliver(http, who, question=text)

    assert [row["question"] for row in rows(http, headers)] == ["of the member"]
    assert len(rows(http, owner)) == 3


def test_one_collection_can_be_asked_for_and_one_out_of_sight_does_not_exist(http, headers, owner):
    send(http, "POST", "/collections", {"name": "ours"}, owner)
    deliver(http, owner, question="in it", collection="ours")
    deliver(http, owner, question="elsewhere")

    assert [row["question"] for row in rows(http, owner, collection="ours")] == ["in it"]
    hidden = http.get("/ai/result/export?collection=ours", headers=headers)
    missing = http.get("/ai/result/export?collection=none", headers=headers)
    assert (hidden.status_code, missing.status_code) == (404, 404)
    assert hidden.json["code"] == missing.json["code"] == "collection_not_found"


def test_all_answers_come_however_few_are_read_at_once(http, headers, monkeypatch):
    monkeypatch.setattr(results_export, "ROWS_AT_ONCE", 2)
    made = [deliver(http, headers, question=f"number {number}") for number in range(5)]

    assert [int(row["id"]) for row in rows(http, headers)] == made


def test_without_a_token_there_is_no_file(http):
    assert http.get("/ai/result/export").status_code == 401
