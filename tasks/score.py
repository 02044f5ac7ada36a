"""How well an answer is borne out by the passages it was given."""

import math

import numpy as np
import numpy.typing as npt

from engines.embedder import get_embedder
from tasks.app import app
from tasks.cite import cite, sentences
from tasks.flow import Flow, Scores, unpack
from tasks.lease import running

Vectors = npt.NDArray[np.float32]

MOST_SENTENCES = 64


def similarities(vector: Vectors, passages: Vectors) -> list[float]:
    """Cosine of a vector of length 1 to each passage's; negative ones count as 0."""
    if not len(passages):
        return []
    return [float(one) for one in np.clip(passages @ vector, 0.0, 1.0)]


def overall(question_score: float, answer_score: float) -> float:
    """One number 0–1: the geometric mean, √(question score · answer score).

    High only if the passages fit the question and the answer fits the passages; 0 if either
    does not at all.
    """
    return math.sqrt(question_score * answer_score)


def confidence(log_probability: float) -> float:
    """The geometric mean of the tokens' probabilities, 0–1: how sure the model was of its words."""
    return math.exp(min(log_probability, 0.0))


@app.task
def score_answer(flow: Flow) -> Flow:
    """Adds the scores, which passage bears the answer best, and which bears each sentence."""
    with running(flow, "score_answer", then="persist_answer"):
        used = [number for number, one in enumerate(flow["passages"]) if one.get("in_prompt")]
        vectors = unpack(flow["vectors"], len(flow["passages"]))[used]
        spans = sentences(flow["answer"])[:MOST_SENTENCES] if used else []
        texts = [flow["answer"], *(flow["answer"][one["start"] : one["end"]] for one in spans)]
        [whole, *parts] = get_embedder(flow["embed_model_name"]).embed(texts)
        citations = cite(
            flow["answer"],
            spans,
            np.array(parts, np.float32),
            {number: flow["passages"][number] for number in used},
            dict(zip(used, vectors, strict=True)),
        )
        return flow | {"scores": _scores(flow, used, whole, vectors), "citations": citations}


def _scores(flow: Flow, used: list[int], answer_vector: Vectors, vectors: Vectors) -> Scores:
    support = similarities(answer_vector, vectors)
    question = max((flow["passages"][number]["score"] for number in used), default=0.0)
    question, answer = max(0.0, min(question, 1.0)), max(support, default=0.0)
    return {
        "question_score": round(question, 6),
        "answer_score": round(answer, 6),
        "score": round(overall(question, answer), 6),
        "confidence": round(confidence(flow["log_probability"]), 6),
        "best": used[support.index(max(support))] if support else None,
    }


@app.task
def score_review(flow: Flow) -> Flow:
    """Adds how well the collection bears out the reviewed answer; None without a collection."""
    with running(flow, "score_review", then="persist_review"):
        [vector] = unpack(flow["vector"], 1)
        support = similarities(vector, unpack(flow["vectors"], len(flow["passages"])))
        score = None if flow["collection_id"] is None else max(support, default=0.0)
        return flow | {"computed_score": score}
