"""Programs that people type: our own command, and the client that is published on PyPI."""

import json
import subprocess
import sys
import venv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.system.people import Person

REDTEN = Path(sys.executable).with_name("redten")
PUBLISHED = "llama-client-aic==1.0.8"
LIMIT_S = 120.0

Ended = subprocess.CompletedProcess[str]


def run(
    *command: str | Path, environment: Mapping[str, str], stdin: str = "", limit_s: float = LIMIT_S
) -> Ended:
    """A program at its end, whatever its exit code."""
    return subprocess.run(
        [str(word) for word in command],
        env=dict(environment),
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
        timeout=limit_s,
    )


def redten(
    person: Person, *arguments: str | Path, stdin: str = "", limit_s: float = LIMIT_S
) -> Ended:
    """Our command, run by that person."""
    environment = person.environment
    return run(REDTEN, *arguments, environment=environment, stdin=stdin, limit_s=limit_s)


def redten_json(person: Person, *arguments: str | Path, stdin: str = "") -> Any:
    """What our command prints with --json; it has to succeed."""
    ended = redten(person, *arguments, "--json", stdin=stdin)
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout)


@dataclass(frozen=True)
class Published:
    """The published client in a virtual environment of its own."""

    home: Path

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self.home / "bin" / "python"

    def install(self) -> None:
        """Makes the environment, unless an earlier run has done it."""
        stamp = self.home / f".{PUBLISHED}"
        if not stamp.exists():
            venv.create(self.home, clear=True, with_pip=True)
            pip = [str(self.python), "-m", "pip", "install", "--disable-pip-version-check"]
            subprocess.run([*pip, "--quiet", PUBLISHED], check=True)
            stamp.touch()

    def script(
        self, person: Person, name: str, *arguments: str | Path, limit_s: float = LIMIT_S
    ) -> str:
        """What one of its scripts logs. Its exit code is 0 whatever happens."""
        script = self.home / "bin" / name
        ended = run(script, *arguments, environment=person.environment, limit_s=limit_s)
        assert ended.returncode == 0, ended.stderr
        return ended.stdout + ended.stderr

    def evaluate(self, person: Person, code: str, *arguments: str) -> Any:
        """The JSON that this code prints with the client at hand; `sys.argv[1:]` are arguments."""
        ended = run(self.python, "-c", code, *arguments, environment=person.environment)
        assert ended.returncode == 0, ended.stderr
        return json.loads(ended.stdout)
