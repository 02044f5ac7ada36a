"""Chunks put straight into their table."""

import numpy as np
from sqlalchemy.orm import Session

from models.chunks import Arriving, put_chunks
from models.document import Document


def put_texts(session: Session, document: Document, *texts: str, dimensions: int = 4) -> None:
    """A chunk for each text, all with the same vector."""
    vector = np.ones(dimensions, np.float32)
    rows = (Arriving(at, 1, text, "", {}, {}, vector) for at, text in enumerate(texts))
    put_chunks(session, document, rows, "english")
