"""The short version of `make chaos`: a few of its faults, a short lease, little work."""

from dataclasses import replace

import pytest

from benchmarks import chaos, faults

FAULTS = (
    "inference worker killed",
    "broker killed, its data lost",
    "Postgres killed",
)
# Its whole run counts as the setting up of the first test.
pytestmark = pytest.mark.timeout(900)
QUICK = {
    "REDTEN_LEASE_S": "4",
    "REDTEN_STALE_AFTER_S": "3",
    "REDTEN_SWEEP_EVERY_S": "1",
    "REDTEN_LOOSE_AFTER_S": "5",
    "REDTEN_LOOSE_EVERY_S": "1",
}


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> chaos.Report:
    """What came of it; every test looks at another side."""
    chosen = [replace(one, lasts_s=0.5) for one in faults.ALL if one.name in FAULTS]
    plan = chaos.Plan(
        questions=18, documents=7, reviews=6, tenants=2, entries=40, faults=chosen, told=QUICK
    )
    return chaos.run(tmp_path_factory.mktemp("chaos"), plan)


def test_every_fault_struck_and_some_of_them_hit_work(report: chaos.Report) -> None:
    assert {one.fault for one in report.injected} == set(FAULTS)
    assert any(one.in_flight for one in report.injected)


def test_nothing_is_lost_and_nothing_is_there_twice(report: chaos.Report) -> None:
    assert report.accepted.startswith("18 questions, 7 documents and 6 reviews accepted")
    assert (report.census.lost, report.census.twice) == ([], [])


def test_no_tenant_reads_of_another(report: chaos.Report) -> None:
    assert report.census.foreign == []


def test_no_file_and_no_process_is_left_over(report: chaos.Report) -> None:
    assert report.orphaned_blobs == []
    assert report.orphaned_processes == []
