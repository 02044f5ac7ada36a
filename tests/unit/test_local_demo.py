"""What the demo's expert says."""

from local.demo import fact

QUESTION = {"question": "How high is the tower?", "answer_contains": ["31", "metres"]}


def test_the_expert_quotes_the_sentence_that_holds_the_fact() -> None:
    source = "Built in 1871.\nThe tower is 31 metres\nhigh. Its lamp burns oil."

    assert fact(source, QUESTION) == "The tower is 31 metres high."


def test_the_expert_knows_the_fact_without_a_source() -> None:
    assert fact(None, QUESTION) == "31, metres"
