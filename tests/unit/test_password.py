"""How passwords are kept."""

import subprocess
import sys

from tests.conftest import PROJECT


def test_a_password_is_hashed_by_the_minimum_of_owasp():
    # In a process of its own: the integration tests hash more cheaply in this one.
    said = "from models.password import hash_password; print(hash_password('a secret'))"
    command = [sys.executable, "-c", said]

    ended = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=True)

    assert ended.stdout.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
