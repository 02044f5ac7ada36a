"""Answers with their reviews as one file, for spreadsheets and programs."""

import csv
import io
import json
from collections.abc import Iterable, Iterator
from typing import Any, Literal

from apiflask import APIBlueprint
from flask import Response

from api.answers import shown
from api.auth import caller, signed_in
from api.replies import AnswerOut
from api.schemas import In, Ref
from models.answer import visible_answers
from models.collection import find_collection
from models.session import session_scope
from models.tenant import Caller

blueprint = APIBlueprint("results_export", __name__, tag="Results")

ROWS_AT_ONCE = 200
# https://owasp.org/www-community/attacks/CSV_Injection
BEGINS_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
TYPES = {"csv": "text/csv", "jsonl": "application/jsonl"}
REPLIES: dict[int | str, dict[str, str | dict[str, dict[str, Any]]]] = {
    200: {
        "description": "A row or line for each answer, the oldest first.",
        "content": {
            kind: {"schema": {"type": "string", "format": "binary"}} for kind in TYPES.values()
        },
    }
}

Record = dict[str, Any]


class ExportIn(In):
    """What the file is to hold, and how."""

    format: Literal["csv", "jsonl"] = "csv"
    collection: Ref | None = None


@blueprint.get("/ai/result/export")
@blueprint.input(ExportIn, location="query")
@signed_in(blueprint, responses=REPLIES)
def export_answers(query_data: ExportIn) -> Response:
    """Fetch all answers with their newest reviews: for owners and experts the tenant's, else yours.

    In CSV, texts that a spreadsheet would take for a formula begin with an apostrophe.
    """
    who, collection_id = caller(), None
    if query_data.collection is not None:
        with session_scope(who.tenant_id) as session:
            collection_id = find_collection(session, who, str(query_data.collection)).id
    records = _records(who, collection_id)
    written = _csv(records) if query_data.format == "csv" else _lines(records)
    reply = Response(written, mimetype=TYPES[query_data.format])
    reply.headers.set("Content-Disposition", "attachment", filename=f"answers.{query_data.format}")
    return reply


def _records(who: Caller, collection_id: int | None) -> Iterator[Record]:
    """A transaction for each few, so that a slow reader holds none open."""
    last = 0
    while True:
        with session_scope(who.tenant_id) as session:
            found = visible_answers(session, who, last, ROWS_AT_ONCE, collection_id)
            records = shown(session, found)
        if not records:
            return
        yield from (AnswerOut.model_validate(one).model_dump(mode="json") for one in records)
        last = records[-1]["id"]


def _lines(records: Iterable[Record]) -> Iterator[str]:
    for record in records:
        yield json.dumps(record, ensure_ascii=False) + "\n"


def _csv(records: Iterable[Record]) -> Iterator[str]:
    """As RFC 4180 has it."""
    yield _row(AnswerOut.model_fields)
    for record in records:
        yield _row(_cell(value) for value in record.values())


def _row(cells: Iterable[object]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\r\n").writerow(cells)
    return out.getvalue()


def _cell(value: object) -> object:
    match value:
        case str():
            return f"'{value}" if value.lstrip(" ").startswith(BEGINS_FORMULA) else value
        case dict():
            return json.dumps(value, ensure_ascii=False)
    return value
