"""Nothing lost: questions, documents and reviews of several tenants while part after part dies.

    make chaos

A `redten up` of its own, with the lease that a deployment has. Before each fault new work comes
in, and it strikes when some of that is in the step that it is to hit; more comes while it lasts.
Clients try again what was refused or broken off. The next fault comes when all that was in flight
has moved on. At the end the database is compared with what the clients were told.
"""

import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks import census
from benchmarks.broker_proxy import proxied
from benchmarks.chaos_report import Injection, Report, figures, tell
from benchmarks.crowd import Crowd, send
from benchmarks.faults import ALL, Fault, Target, disk_full
from benchmarks.ledger import Ledger
from benchmarks.organisations import founded
from benchmarks.report import write
from benchmarks.small_disk import small_disk
from benchmarks.stack import Stack
from local.processes import Kin

SEED, LOOK_S = 20, 0.1
IN_STEP_S, READY_S = 10.0, 120.0
# Files that no row refers to go sooner than in a deployment, where uploads may be slow.
TIDY = {"REDTEN_LOOSE_AFTER_S": "60", "REDTEN_LOOSE_EVERY_S": "10"}


@dataclass(frozen=True, slots=True)
class Plan:
    """How much of what; `settle_s` is the longest wait between faults, `quiet_s` at the end."""

    questions: int = 300
    documents: int = 40
    reviews: int = 60
    tenants: int = 6
    entries: int = 120
    faults: Sequence[Fault] = ALL
    settle_s: float = 90.0
    quiet_s: float = 240.0
    blobs_s: float = 120.0
    told: Mapping[str, str] = field(default_factory=lambda: TIDY)


def run(root: Path, plan: Plan) -> Report:
    """A deployment of its own below `root`, through all the faults of the plan."""
    report = Report()
    with ExitStack() as scope:
        filled = any(one.strike is disk_full for one in plan.faults)
        disk = scope.enter_context(small_disk(root / "disk")) if filled else None
        stack = Stack(root / "data", {**plan.told, **({"REDTEN_BLOBS": str(disk)} if disk else {})})
        try:
            stack.start()
            with proxied(stack) as proxy:
                _ordeal(Target(stack, proxy, disk), plan, report)
                stack.stop()
            left = Kin.of(stack.layout).alive()
            report.orphaned_processes = [" ".join(one.cmdline()) for one in left]
        finally:
            stack.forget()
    return report


def _ordeal(target: Target, plan: Plan, report: Report) -> None:
    ledger = Ledger(target.stack.postgres())
    _await_ready(target.stack)
    ledger.open()
    crowd = Crowd(founded(target.stack, plan.tenants, plan.quiet_s), plan.entries, SEED)
    crowd.begin(0, plan.tenants, 0)
    _await(lambda: ledger.unfinished() == 0, plan.settle_s)
    chosen = [one for one in plan.faults if target.small_disk or one.strike is not disk_full]
    report.left_out = [one.name for one in plan.faults if one not in chosen]
    began = time.monotonic()
    for number, fault in enumerate(chosen):
        halves = [_part(plan, 2 * number + late, 2 * len(chosen)) for late in (0, 1)]
        at_s = round(time.monotonic() - began, 1)
        print(f"{at_s:6.1f} s  {fault.name}", flush=True)
        in_flight = _strike(target, ledger, fault, crowd, halves)
        report.injected.append(Injection(fault.name, at_s, in_flight))
        _await_ready(target.stack)
        if not _await(ledger.all_moved, plan.settle_s):
            report.troubles.append(f"after {plan.settle_s:.0f} s not all had moved: {fault.name}")
    crowd.finish(plan.quiet_s)
    _await(lambda: ledger.unfinished() == 0, plan.quiet_s)
    _count(target, plan, report, ledger, crowd)


def _part(plan: Plan, part: int, parts: int) -> tuple[int, int, int]:
    """The questions, documents and reviews that belong to one of so many parts."""
    totals = (plan.questions, plan.documents - plan.tenants, plan.reviews)
    shares = (total * (part + 1) // parts - total * part // parts for total in totals)
    questions, documents, reviews = shares
    return questions, documents, reviews


def _strike(
    target: Target,
    ledger: Ledger,
    fault: Fault,
    crowd: Crowd,
    halves: Sequence[tuple[int, int, int]],
) -> int:
    """Gives how much was in flight."""
    before, meanwhile = halves
    crowd.begin(*before)
    half = sum(before) // 2
    _await(
        lambda: bool(ledger.running(fault.during)) and (ledger.unfinished() or 0) >= half,
        IN_STEP_S,
    )
    in_flight = ledger.note_fault(fault.name)
    with fault.strike(target):
        crowd.begin(*meanwhile)
        time.sleep(fault.lasts_s)
    return in_flight


def _count(target: Target, plan: Plan, report: Report, ledger: Ledger, crowd: Crowd) -> None:
    """What is there in the end."""
    database, blobs = target.stack.postgres(), target.small_disk or target.stack.layout.blobs
    _await(lambda: not census.orphaned_blobs(database, blobs), plan.blobs_s)
    report.orphaned_blobs = census.orphaned_blobs(database, blobs)
    report.census = census.take(ledger, crowd)
    report.recoveries = ledger.recoveries()
    report.troubles += crowd.troubles
    report.cuts = target.proxy.cuts
    for one in crowd.organisations:
        report.tried_again += one.tried_again
    report.accepted = (
        f"{len(crowd.jobs)} questions, {len(crowd.documents)} documents and"
        f" {len(crowd.reviews)} reviews accepted from {plan.tenants} tenants"
    )


def _await(holds: Callable[[], bool], limit_s: float) -> bool:
    """Whether it came to hold in time."""
    deadline = time.monotonic() + limit_s
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(LOOK_S)
    return True


def _await_ready(stack: Stack) -> None:
    """Raises SystemExit if it does not come back at all."""

    def ready() -> bool:
        reply = send(stack, "GET", "/readyz")
        return reply is not None and reply.status_code == 200

    if not _await(ready, READY_S):
        raise SystemExit(f"the stack is not ready again after {READY_S:.0f} s")


def main() -> None:
    """The whole plan; the exit code says whether anything was lost or is there twice."""
    with tempfile.TemporaryDirectory(prefix="redten-chaos-") as folder:
        report = run(Path(folder), Plan())
    tell(report)
    write("chaos", figures(report))
    sys.exit(bool(report.census.lost or report.census.twice or report.census.foreign))


if __name__ == "__main__":
    main()
