"""What the chaos came to: the table of faults, what is wrong, and the figures."""

from collections import Counter
from dataclasses import dataclass, field
from statistics import median

from benchmarks.census import Census
from benchmarks.ledger import Recovery
from benchmarks.report import Figure


@dataclass(frozen=True, slots=True)
class Injection:
    """A fault, seconds after the first one, while so much work was in flight."""

    fault: str
    at_s: float
    in_flight: int


@dataclass(slots=True)
class Report:
    """What was done and what came of it."""

    injected: list[Injection] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    troubles: list[str] = field(default_factory=list)
    accepted: str = ""
    cuts: int = 0
    tried_again: Counter[str] = field(default_factory=Counter)
    census: Census = field(default_factory=Census)
    recoveries: list[Recovery] = field(default_factory=list)
    orphaned_blobs: list[str] = field(default_factory=list)
    orphaned_processes: list[str] = field(default_factory=list)

    @property
    def recovery_s(self) -> list[float]:
        """Seconds from a fault to the next attempt, of all that it had cost one."""
        return sorted(one.seconds for one in self.recoveries)


def tell(report: Report) -> None:
    """The table of faults, and whatever is wrong."""
    print("\n   at, s  in flight  attempts lost  longest recovery, s  fault")
    for one in report.injected:
        hit = [other.seconds for other in report.recoveries if other.fault == one.fault]
        longest = f"{max(hit):.1f}" if hit else "-"
        print(f"{one.at_s:>8.1f}{one.in_flight:>11}{len(hit):>15}{longest:>21}  {one.fault}")
    for fault in report.left_out:
        print(f"not injected: {fault}, as this process may not mount a small disk")
    print(f"{report.cuts} messages to or from the broker were cut")
    for why, count in report.tried_again.items():
        print(f"clients tried again: {count} × {why}")
    for reason, count in report.census.failed.items():
        print(f"failed readably: {count} × {reason}")
    wrong = {
        "lost": report.census.lost,
        "twice": report.census.twice,
        "where it does not belong": report.census.foreign,
        "orphaned blob": report.orphaned_blobs,
        "orphaned process": report.orphaned_processes,
        "trouble": report.troubles,
    }
    for what, lines in wrong.items():
        for line in lines:
            print(f"{what}: {line}")


def figures(report: Report) -> list[Figure]:
    """What is claimed."""
    seconds, counted = report.recovery_s or [0.0], report.census
    peer = f"{len(seconds)} attempts that faults have cost, by the database's own clock"
    return [
        _figure("faults injected", len(report.injected), "none", report.accepted),
        _figure("work lost", len(counted.lost), "== 0", report.accepted),
        _figure("work or rows there twice", len(counted.twice), "== 0", report.accepted),
        _figure("rows with another tenant's", len(counted.foreign), "== 0", report.accepted),
        _figure("work failed with a reason", counted.failed.total(), "none", report.accepted),
        _figure("orphaned blobs", len(report.orphaned_blobs), "== 0", "the blob store"),
        _figure("orphaned processes", len(report.orphaned_processes), "== 0", "after the stop"),
        _figure("recovery p50, s", median(seconds), "none", peer),
        _figure("recovery max, s", max(seconds), "<= 40", peer),
    ]


def _figure(name: str, value: float, aim: str, peer: str) -> Figure:
    return Figure(figure=name, value=round(value, 2), aim=aim, peer=peer)
