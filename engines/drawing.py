"""The next tokens of one answer, from what a batch has computed."""

from engines.context import Context, Row
from engines.request import Request
from engines.sampler import log_probability


def draw(
    context: Context, request: Request, rows: list[Row], first: int
) -> list[tuple[int, float]]:
    """What follows the rows, the first of which is row `first` of the batch.

    Each token comes with its natural log-probability. After a row that was only proposed comes
    nothing, unless it is what would have been drawn. Raises EngineError `bad_grammar`.
    """
    drawn: list[tuple[int, float]] = []
    for number, row in enumerate(rows):
        if not row.wanted:
            continue
        if drawn and drawn[-1][0] != row.token:
            break
        drawn.append(_token(context, request, first + number))
    return drawn


def _token(context: Context, request: Request, row: int) -> tuple[int, float]:
    logits = context.logits(row)
    if request.chain:
        token = request.chain.draw(logits)
    else:
        scripted = request.scripted()
        token = int(logits.argmax()) if scripted is None else scripted
    return token, log_probability(logits, token)
