"""Which format a file is in: told by the content first, then by the name."""

import mmap
import re
import zlib
from pathlib import Path, PurePosixPath
from zipfile import BadZipFile, ZipFile

from ingest.load.page import LoadError

HEAD_BYTES = 1 << 16
PDF_BYTES = 1024  # PDF viewers accept the mark of a PDF anywhere within these.
READ = "PDF, Office files, HTML, e-mail, tables, Parquet, JSON lines, text and code are read"
OTHER_FORMATS = (
    (b"\x89PNG", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"GIF8", "a GIF image"),
    (b"II*\0", "a TIFF image"),
    (b"MM\0*", "a TIFF image"),
    (b"{\\rtf", "an RTF document; save it as DOCX or PDF"),
    (b"\x1f\x8b", "a gzip archive; unpack it"),
    (b"BZh", "a bzip2 archive; unpack it"),
    (b"\xfd7zXZ", "an xz archive; unpack it"),
    (b"7z\xbc\xaf", "a 7-Zip archive; unpack it"),
    (b"Rar!", "a RAR archive; unpack it"),
    (b"\x7fELF", "a program"),
    (b"SQLite format 3", "a SQLite database; use `redten ingest sqlite:///FILE`"),
)
ZIP, OLE = b"PK\x03\x04", b"\xd0\xcf\x11\xe0"
PARQUET = (b"PAR1", b"PARE")
# The folder that tells the program, and the kinds of its documents that are read.
OFFICE = {
    "word": ("word/", (b"wordprocessingml.document.main",)),
    "slides": ("ppt/", (b"presentationml.presentation.main", b"presentation.macroEnabled.main")),
    "spreadsheet": ("xl/", (b"spreadsheetml.sheet.main", b"sheet.macroEnabled.main")),
}
TYPES, TYPES_BYTES = "[Content_Types].xml", 1 << 20
ENCRYPTED_OFFICE = "EncryptedPackage".encode("utf-16-le")
# Each comment is an atom: else a row of them takes time exponential in its length.
HTML = re.compile(
    rb"(?>\s*<\?xml[^>]*>)?(?>\s*<!--.*?-->)*\s*<(!doctype\s+html|html|head|body)[\s>]",
    re.IGNORECASE | re.DOTALL,
)
MAILBOX = re.compile(rb"From .*\b(Mon|Tue|Wed|Thu|Fri|Sat|Sun),? +[A-Z][a-z]{2} +\d\d? +\d\d:\d\d")
RECORDS = re.compile(rb'\s*(\[\s*\{|\{[^\n]*\}[ \t\r]*\n\s*\{")')
SUFFIXES = {
    "table": ".csv .tsv .tab",
    "markdown": ".md .markdown .mdown .mkd",
    "html": ".html .htm .xhtml",
    "mail": ".eml .mbox .mbx",
    "records": ".jsonl .ndjson",
    "code": """
        .asm .bash .bat .c .cc .cfg .cjs .clj .cmake .conf .cpp .cs .css .cxx .dart .el .erl .ex
        .exs .f .f90 .fs .go .gradle .groovy .h .hpp .hs .ini .ipynb .java .jl .js .json .jsx .kt
        .kts .lisp .lua .m .mjs .mk .ml .mm .nim .pas .php .pl .pm .proto .ps1 .py .pyi .pyx .r .rb
        .rs .s .scala .scm .scss .sh .sql .sv .swift .tf .toml .ts .tsx .v .vb .vue .xml .yaml .yml
        .zig .zsh
    """,
}
BY_SUFFIX = {suffix: module for module, those in SUFFIXES.items() for suffix in those.split()}
CODE_NAMES = {"dockerfile", "gnumakefile", "jenkinsfile", "makefile", "rakefile", "vagrantfile"}
# Of these the content says so itself, or the name is wrong.
MARKED = {
    **{".pdf": "a PDF", ".docx": "a Word document", ".pptx": "a PowerPoint presentation"},
    **{".xlsx": "an Excel workbook", ".xlsm": "an Excel workbook", ".parquet": "a Parquet file"},
}


def format_of(path: Path, name: str) -> str:
    """The module of this package that reads the file. Raises LoadError if there is none."""
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    if not head:
        raise LoadError("empty_document", "the file is empty (0 bytes)")
    suffix = PurePosixPath(name).suffix.lower()
    return _binary_format(path, head, suffix) or _text_format(head, name, suffix)


def _binary_format(path: Path, head: bytes, suffix: str) -> str:
    """The format that a mark at the beginning tells, or ""."""
    if head.lstrip().startswith(b"%PDF-") or (suffix == ".pdf" and b"%PDF-" in head[:PDF_BYTES]):
        return "pdf"
    if head.startswith(PARQUET):
        return "parquet"
    if head.startswith(ZIP):
        return _in_zip(path)
    if head.startswith(OLE):
        return _in_ole(path)
    for mark, what in OTHER_FORMATS:
        if head.startswith(mark):
            raise _unsupported(what)
    if suffix in MARKED:
        message = f"the file is called {MARKED[suffix]} but does not begin as one"
        raise LoadError("broken_document", message)
    return ""


def _in_zip(path: Path) -> str:
    try:
        with ZipFile(path) as archive:
            names = archive.namelist()
            types = archive.open(TYPES).read(TYPES_BYTES) if TYPES in names else b""
    except (BadZipFile, OSError, RuntimeError, ValueError, zlib.error) as exc:
        message = "the file is a ZIP archive or an Office document, damaged or incomplete"
        raise LoadError("broken_document", message) from exc
    if "mimetype" in names:
        raise _unsupported("an OpenDocument file or an e-book; save it as DOCX, XLSX or PDF")
    for module, (folder, kinds) in OFFICE.items():
        if types and any(name.startswith(folder) for name in names):
            if any(kind in types for kind in kinds):
                return module
            raise _unsupported("an Office file of a rare kind; save it as DOCX, PPTX or XLSX")
    raise _unsupported("a ZIP archive; unpack it")


def _in_ole(path: Path) -> str:
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        if content.find(ENCRYPTED_OFFICE) >= 0:
            message = "the Office document is encrypted; save a copy without a password"
            raise LoadError("encrypted_document", message)
    raise _unsupported(
        "an old Office document (.doc, .xls, .ppt) or an Outlook message; "
        "save it as DOCX, XLSX, PPTX or PDF, a message as .eml"
    )


def _unsupported(what: str) -> LoadError:
    return LoadError("unsupported_format", f"the file is {what}. {READ}")


def _text_format(head: bytes, name: str, suffix: str) -> str:
    # UTF-16 has a NUL beside each ASCII character; its mark is no ASCII.
    plain = head.replace(b"\0", b"").lstrip(b"\xef\xbb\xbf\xff\xfe")
    if MAILBOX.match(plain):
        return "mail"
    if suffix == ".json" and RECORDS.match(plain):
        return "records"
    is_code = PurePosixPath(name).name.lower() in CODE_NAMES
    by_name = "code" if is_code else BY_SUFFIX.get(suffix, "text")
    # Templates and documentation may begin as HTML and be something else.
    is_html = HTML.match(plain) and by_name not in ("code", "markdown")
    return "html" if is_html else by_name
