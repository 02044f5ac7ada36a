"""A small valid file of every format that is read, to be damaged."""

import json
from collections.abc import Callable
from email.message import EmailMessage
from io import BytesIO

import docx
import openpyxl
import pptx
import pyarrow as pa
from pyarrow import parquet
from reportlab.pdfgen import canvas

WORDS = "The lamp of the tower is 31 metres above the sea; its keeper lights it at dusk."
ROWS = [("place", "height"), ("Gull Rock", "31"), ("North Head", "12"), ("Émile’s Point", "7.5")]


def _pdf() -> bytes:
    out = BytesIO()
    drawn = canvas.Canvas(out)
    for number in (1, 2):
        drawn.bookmarkPage(f"p{number}")
        drawn.addOutlineEntry(f"Chapter {number}", f"p{number}")
        drawn.drawString(72, 700, WORDS)
        drawn.showPage()
    drawn.save()
    return out.getvalue()


def _word() -> bytes:
    out, made = BytesIO(), docx.Document()
    made.add_heading("The tower", 1)
    made.add_paragraph(WORDS)
    made.add_paragraph("a lamp", style="List Bullet")
    table = made.add_table(len(ROWS), 2)
    for row, cells in zip(table.rows, ROWS, strict=True):
        row.cells[0].text, row.cells[1].text = cells
    made.save(out)
    return out.getvalue()


def _slides() -> bytes:
    out, made = BytesIO(), pptx.Presentation()
    slide = made.slides.add_slide(made.slide_layouts[1])
    slide.shapes.title.text = "The tower"
    slide.placeholders[1].text = WORDS
    slide.notes_slide.notes_text_frame.text = "said aside"
    made.save(out)
    return out.getvalue()


def _spreadsheet() -> bytes:
    out, made = BytesIO(), openpyxl.Workbook()
    for row in ROWS:
        made.active.append(row)
    made.active.merge_cells("A2:A3")
    made.save(out)
    return out.getvalue()


def _parquet() -> bytes:
    out = BytesIO()
    names, *rows = ROWS
    table = pa.table({name: [row[at] for row in rows] for at, name in enumerate(names)})
    table = table.append_column("nested", pa.array([{"a": [1]}, None, {"a": []}]))
    parquet.write_table(table, out)
    return out.getvalue()


def _mail() -> bytes:
    made = EmailMessage()
    made["Subject"], made["From"], made["To"] = "Lamp", "a@example.org", "b@example.org"
    made["Date"] = "Fri, 01 Mar 2024 10:00:00 +0000"
    made.set_content(WORDS)
    made.add_alternative(f"<p>{WORDS}</p>", subtype="html")
    made.add_attachment(b"a,b\n1,2\n", maintype="text", subtype="csv", filename="rows.csv")
    return made.as_bytes()


def _html() -> bytes:
    rows = "".join(f"<tr><td>{a}</td><td>{b}</td></tr>" for a, b in ROWS)
    head = "<head><title>Tower</title><meta charset=utf-8></head>"
    body = (
        f"<h1>Tower</h1><p>{WORDS}</p><ul><li>one<li>two</ul><table>{rows}</table><pre>a\nb</pre>"
    )
    return f"<!DOCTYPE html><html>{head}<body>{body}</body></html>".encode()


def _records() -> bytes:
    names, *rows = ROWS
    return "\n".join(
        json.dumps({**dict(zip(names, row, strict=True)), "more": {"list": [1, {"x": None}]}})
        for row in rows
    ).encode()


def _array() -> bytes:
    return b"[" + _records().replace(b"\n", b",\n") + b"]"


def _table(delimiter: str) -> bytes:
    return "\n".join(delimiter.join(row) for row in ROWS).encode()


def _markdown() -> bytes:
    text = f"---\ntitle: Tower\n---\n# Tower\n\n{WORDS}\n\nUnder\n-----\n```sh\nls\n```\n- one\n"
    return text.encode()


def _code() -> bytes:
    return b'"""Doc."""\n\n\ndef lamp():\n    return 31\n\n\nclass Tower:\n    height = 31\n'


MAKERS: dict[str, Callable[[], bytes]] = {
    "a.pdf": _pdf,
    "a.docx": _word,
    "a.pptx": _slides,
    "a.xlsx": _spreadsheet,
    "a.parquet": _parquet,
    "a.eml": _mail,
    "a.mbox": lambda: b"From a@example.org Fri Mar  1 10:00:00 2024\n" + _mail(),
    "a.html": _html,
    "a.md": _markdown,
    "a.csv": lambda: _table(","),
    "a.tsv": lambda: _table("\t"),
    "a.jsonl": _records,
    "a.json": _array,
    "a.py": _code,
    "a.txt": lambda: f"{WORDS}\f{WORDS}".encode(),
    "wide.txt": lambda: WORDS.encode("utf-16"),
}
