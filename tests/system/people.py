"""The people of the tests, and what they say to the stack over HTTPS."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import requests

ANSWER_S = 20.0


@dataclass(frozen=True)
class Door:
    """HTTPS to one stack, for the holder of the token or for anybody."""

    url: str
    ca: str
    token: str = ""

    def send(self, method: str, path: str, **sending: Any) -> requests.Response:
        """Whatever the stack answers; `sending` is what requests takes."""
        headers = {"Bearer": self.token} if self.token else {}
        headers |= sending.pop("headers", {})
        with requests.Session() as session:
            # Neither a proxy nor a ~/.netrc of this machine has a part in it.
            session.trust_env = False
            return session.request(
                method,
                self.url + path,
                headers=headers,
                verify=self.ca,
                timeout=ANSWER_S,
                allow_redirects=False,
                **sending,
            )

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """The JSON of an answer that has to be a success."""
        answer = self.send(method, path, json=body)
        assert answer.ok, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json()


@dataclass(frozen=True)
class Person:
    """An email and a password, known to the stack or not; `environment` is for their commands."""

    email: str
    password: str
    environment: Mapping[str, str]
    door: Door

    def known(self) -> "Person":
        """The same with an account."""
        self.door.call("POST", "/user", self.credentials)
        return self.logged_in()

    def logged_in(self) -> "Person":
        """The same with a token, which they must have an account for."""
        token = self.door.call("POST", "/login", self.credentials)["token"]
        return replace(self, door=replace(self.door, token=token))

    def exporting(self, **more: str) -> "Person":
        """The same with more in the environment of their commands."""
        return replace(self, environment={**self.environment, **more})

    @property
    def credentials(self) -> dict[str, str]:
        """The body of a login."""
        return {"email": self.email, "password": self.password}


def stranger(door: Door, client: Mapping[str, str], home: Path) -> Person:
    """Somebody without an account; `client` is what the stack tells its clients to export."""
    email, password = f"{uuid.uuid4().hex[:12]}@example.com", "a secret of mine"
    return Person(email, password, environment_of(email, password, client, home), door)


def environment_of(
    email: str, password: str, client: Mapping[str, str], home: Path
) -> dict[str, str]:
    """All that their commands are told; nothing of this process leaks in."""
    home.mkdir(exist_ok=True)
    told = {"PATH": "/usr/bin:/bin", "HOME": str(home), "LANG": "C.UTF-8", "COLUMNS": "200"}
    return {**told, **client, "AI_EMAIL": email, "AI_PASSWORD": password}
