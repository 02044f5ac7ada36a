"""Records as text for people."""

import textwrap
from collections.abc import Iterable, Mapping, Sequence

from client.records import Answer, Citation, Passage

NOT_GROUNDED = "not grounded: no passage was near enough to the question, the model answered alone"
NOT_SUPPORTED = "not supported: no passage bears this answer out"
BANDS = ((95.0, "known fact"), (80.0, "confident"), (65.0, "somewhat confident"))


def band(confidence: float) -> str:
    """What a confidence of 0..100 means."""
    return next((name for least, name in BANDS if confidence >= least), "not confident")


def table(headers: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Left-aligned columns; None is an empty cell."""
    cells = [list(headers)] + [["" if c is None else str(c) for c in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = ("  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)) for row in cells)
    return "\n".join(line.rstrip() for line in lines)


def number(value: float | None) -> str | None:
    """Two places, enough to compare scores by eye."""
    return None if value is None else f"{value:.2f}"


def shorten(text: str | None, width: int = 60) -> str:
    """One line of at most `width` characters."""
    return textwrap.shorten(text or "", width, placeholder=" ...")


def place(
    source: str | None, page: int | None, locator: Mapping[str, object] | None = None
) -> str | None:
    """`handbook.pdf, page 3` or `oil.xlsx, sheet 2019, rows 4-9`, as far as it is known."""
    where = located(locator or {}) or (f"page {page}" if page else "")
    return f"{source}, {where}" if source and where else source


def located(locator: Mapping[str, object]) -> str:
    """A place in terms of its format, ranges of rows and the like last; empty if nothing is."""
    ranges = {unit: spans for unit, spans in locator.items() if isinstance(spans, list) and spans}
    named = [f"{unit} {value}" for unit, value in locator.items() if unit not in ranges]
    return ", ".join([*map(shorten, named), *(_range(*one) for one in ranges.items())])


def _range(unit: str, ends: list[object]) -> str:
    first, last = ends[0], ends[-1]
    return f"{unit} {first}-{last}" if first != last else f"{unit.removesuffix('s')} {first}"


def pairs(named: Iterable[tuple[str, object]]) -> str:
    """Name and value a line, those without a value left out."""
    return "\n".join(f"{name:<11}{value}" for name, value in named if value not in (None, ""))


def answer_text(answer: Answer) -> str:
    """The answer, and how far to trust it."""
    return f"{(answer.answer or '').strip()}\n\n{facts_text(answer)}"


def facts_text(answer: Answer) -> str:
    """How far to trust an answer, and where it is from."""
    facts = [
        ("score", _scores(answer)),
        ("source", place(answer.match_source, answer.match_page)),
        ("model", answer.model_name),
        ("job", answer.job_id),
        ("note", _doubt(answer)),
    ]
    return pairs(facts)


def result_text(answer: Answer) -> str:
    """All there is to know about an answer: origin, review, passages."""
    parts = [
        f"Q: {(answer.question or '').strip()}\n",
        answer_text(answer),
        pairs(_origin(answer)),
        pairs(("cited", _citation_text(answer, one)) for one in answer.citations),
        review_text(answer),
        *(_passage_text(passage) for passage in answer.passages),
    ]
    return "\n".join(part for part in parts if part)


def review_text(answer: Answer) -> str:
    """The newest review; empty without one."""
    if answer.reviewed_answer is None and answer.reviewed_score is None:
        return ""
    score = answer.reviewed_score
    confidence = None if score is None else f"{score:g} of 100, {band(score)}"
    facts = [
        ("review", answer.reviewed_answer),
        ("confidence", confidence),
        ("computed", number(answer.reviewed_computed_score)),
        ("notes", answer.reviewed_notes),
    ]
    return "\n" + pairs(facts)


def _scores(answer: Answer) -> str | None:
    if answer.score is None:
        return None
    parts = [("question", answer.question_score), ("answer", answer.answer_score)]
    detail = ", ".join(f"{name} {value:.2f}" for name, value in parts if value is not None)
    return f"{answer.score:.2f} ({detail})" if detail else f"{answer.score:.2f}"


def _doubt(answer: Answer) -> str | None:
    if answer.grounded is False:
        return NOT_GROUNDED
    return NOT_SUPPORTED if answer.supported is False else None


def _origin(answer: Answer) -> list[tuple[str, object]]:
    return [
        ("answer id", answer.id),
        ("collection", answer.collection),
        ("embedder", answer.embed_model_name),
        ("session", answer.session_id),
        ("category", answer.category),
        ("tags", answer.tags),
        ("seconds", number(answer.latency)),
        ("made", answer.created_at),
        ("changed", answer.updated_at),
    ]


def _citation_text(answer: Answer, citation: Citation) -> str:
    """The sentence on one line, and where the passage that bears it out stands."""
    sentence = " ".join((answer.answer or "")[citation.start : citation.end].split())
    passages = answer.passages
    locator = passages[citation.passage].locator if citation.passage < len(passages) else {}
    return f"{sentence} ({place(citation.source, citation.page, locator) or 'a passage'})"


def _passage_text(passage: Passage) -> str:
    where = place(passage.source, passage.page, passage.locator) or "a passage"
    score = "" if passage.score is None else f" ({passage.score:.2f})"
    return f"\n{where}{score}\n{textwrap.indent(passage.text.strip(), '    ')}"
