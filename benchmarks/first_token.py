"""How long until the first token, for a document of 1,500 tokens that is known or is not."""

from collections import defaultdict

from benchmarks.contenders import cold_generator
from benchmarks.questions import COMMON, Document, documents
from benchmarks.report import Figure
from benchmarks.scale import Scale, compared
from engines.generator import Generator
from engines.sampling import Sampling

LENGTH = 1500
AIMS = {"RAM": "<= 0.1", "disk": "<= 0.25"}
# More than a question and the text around it, less than the document.
LEAST_KNOWN, MOST_UNKNOWN = LENGTH - 100, 100


def figures(scale: Scale) -> list[Figure]:
    """Warm from memory and warm from disk after a restart, beside cold."""
    times: dict[str, list[float]] = defaultdict(list)
    document: Document | None = None
    for number in range(scale.repetitions):
        with cold_generator() as generator:
            document = document or _long(generator, documents(scale.skip))
            times["cold"].append(_seconds(generator, document, 0, known=False))
            times["RAM"].append(_seconds(generator, document, 1, known=True))
        with cold_generator(keep=True) as generator:
            times["disk"].append(_seconds(generator, document, 2, known=True))
        told = (f"{name} {1000 * found[-1]:.0f} ms" for name, found in times.items())
        print(f"  first token {number + 1}:", ", ".join(told), flush=True)
    return [_figure(where, aim, times) for where, aim in AIMS.items()]


def _figure(where: str, aim: str, times: dict[str, list[float]]) -> Figure:
    pairs = list(zip(times[where], times["cold"], strict=True))
    return compared(
        f"time to first token, warm document from {where} ÷ cold",
        [warm / cold for warm, cold in pairs],
        aim,
        f"cold: {1000 * sorted(times['cold'])[len(pairs) // 2]:.0f} ms",
    )


def _long(generator: Generator, found: list[Document]) -> Document:
    """The first abstracts, as many as make a prompt of that length."""
    texts: list[str] = []
    for one in found:
        texts.append(one.text)
        joined = Document("abstracts.txt", "\n\n".join(texts), one.question)
        if generator.count(joined.chat(COMMON[0])) >= LENGTH:
            return joined
    raise SystemExit(f"all abstracts together are shorter than {LENGTH} tokens")


def _seconds(generator: Generator, document: Document, number: int, *, known: bool) -> float:
    """Until the first token of a question on the document, which is new each time."""
    made = generator.generate(document.chat(COMMON[number]), Sampling(2))
    cached = made.cached_tokens
    if cached < LEAST_KNOWN if known else cached > MOST_UNKNOWN:
        raise SystemExit(f"{cached} of {made.prompt_tokens} tokens were known; known: {known}")
    return made.seconds_to_first
