"""Logs shown as they grow, across rotations."""

from contextlib import closing
from pathlib import Path

import pytest

from local.logs import LAST_LINES, Echo, Tail, end_of


def test_only_what_is_written_from_now_on_is_shown(tmp_path: Path) -> None:
    log = tmp_path / "api.log"
    log.write_text("old\n")
    with closing(Tail(log)) as tail:
        with log.open("a") as file:
            file.write("new\n")

        assert tail.lines() == ["new"]
        assert tail.lines() == []


def test_a_log_that_appears_later_is_shown_from_its_start(tmp_path: Path) -> None:
    with closing(Tail(tmp_path / "api.log")) as tail:
        assert tail.lines() == []

        (tmp_path / "api.log").write_text("first\n")

        assert tail.lines() == ["first"]


def test_a_line_is_shown_when_it_is_whole(tmp_path: Path) -> None:
    log = tmp_path / "api.log"
    log.write_text("")
    with closing(Tail(log)) as tail:
        with log.open("a") as file:
            file.write("one \N{EURO SIGN} ")
            file.flush()
            assert tail.lines() == []
            file.write("line\n")

        assert tail.lines() == ["one \N{EURO SIGN} line"]


def test_no_line_is_lost_in_a_rotation(tmp_path: Path) -> None:
    log = tmp_path / "api.log"
    log.write_text("")
    with closing(Tail(log)) as tail:
        log.write_text("last of the old\n")

        log.rename(tmp_path / "api.log.1")
        log.write_text("first of the new\n")

        assert tail.lines() == ["last of the old", "first of the new"]


def test_lines_carry_the_name_of_their_program(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    echo = Echo(tmp_path, ["api", "valkey"])
    (tmp_path / "api.log").write_text("hello\n")

    echo.start()
    echo.stop()

    assert capfd.readouterr().out == "api    | hello\n"


def test_the_end_of_a_log_names_the_file(tmp_path: Path) -> None:
    log = tmp_path / "api.log"
    log.write_text("".join(f"line {n}\n" for n in range(100)))

    first, *shown = end_of(log).splitlines()

    assert first == f"read {log}"
    assert shown == [f"line {n}" for n in range(100 - LAST_LINES, 100)]
