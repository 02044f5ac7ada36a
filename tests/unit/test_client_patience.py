"""How long is waited, and for what."""

import itertools

import pytest

from client import patience
from client.errors import ClientError


def test_pauses_grow_from_a_tenth_to_two_seconds() -> None:
    first = list(itertools.islice(patience.pauses(), 20))

    assert first[0] == 0.1
    assert first == sorted(first)
    assert first[-1] == 2.0


class Clock:
    """Stands in for `time`: it goes on only while somebody sleeps."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def monotonic(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds


def test_patience_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    monkeypatch.setattr(patience, "time", clock)
    calls_s: list[float] = []

    def fail() -> None:
        calls_s.append(clock.now_s)
        raise ClientError("gone", code="unreachable")

    with pytest.raises(ClientError, match="gone"):
        patience.patiently(fail, patience_s=0.3)

    assert calls_s == pytest.approx([0.0, 0.1, 0.25])


def test_a_lasting_failure_is_not_tried_again() -> None:
    calls: list[int] = []

    def fail() -> None:
        calls.append(1)
        raise ClientError("no", code="forbidden", status=403)

    with pytest.raises(ClientError, match="no"):
        patience.patiently(fail)

    assert calls == [1]
