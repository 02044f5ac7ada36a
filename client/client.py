"""What a user can do with a redten server, one method each."""

import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self, Unpack, overload

import requests
from pydantic import SecretStr

from client.account import Account
from client.accounts import Accounts
from client.collection_records import Collection, Document
from client.connection import Connection, base_url, client_certificate
from client.data import Data
from client.embeddings import Embeddings
from client.errors import JobFailed
from client.events import Event, follow
from client.exports import Exports
from client.jobs import Jobs
from client.keys import Keys
from client.paths import documents_of, quoted
from client.patience import patiently, pauses
from client.question import Options, job_body
from client.recipes import Recipes
from client.records import Answer, Job, Member, State, User, read
from client.retrieval import Retrieval
from client.sources import Sources
from client.tenants import Tenants
from client.upload import upload_document
from settings import Settings


class Client:
    """Acts for one user of one server, who is logged in when first needed."""

    def __init__(
        self,
        base_url: str,
        email: str | None,
        password: str | SecretStr | None,
        *,
        username: str | None = None,
        ca: str | None = None,
        cert: tuple[str, str] | None = None,
        tenant: str | None = None,
        session: requests.Session | None = None,
    ) -> None:
        self.connection = Connection(base_url, ca, cert, tenant, session or requests.Session())
        secret = SecretStr(password) if isinstance(password, str) else password
        self._account = Account(self.connection, email, secret, username)
        self._call = self._account.call
        self.accounts = Accounts(self._account)
        self.jobs = Jobs(self._call)
        self.keys = Keys(self._call)
        self.recipes = Recipes(self._call)
        self.sources = Sources(self._call)
        self.data = Data(self._account)
        self.exports = Exports(self._account)
        self.retrieval = Retrieval(self._call)
        self.embeddings = Embeddings(self._account)
        self.tenants = Tenants(self._account)

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        """Whoever the environment names, at the server it names."""
        return cls(
            base_url(settings),
            settings.ai_email,
            settings.ai_password,
            username=settings.ai_user,
            ca=settings.ai_api_ca,
            cert=client_certificate(settings),
            tenant=settings.ai_tenant,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.connection.session.close()

    # --- who asks -------------------------------------------------------------------------------

    def login(self) -> User:
        """Log in; an account that is not there yet is made first. A wrong password is an error."""
        return self._account.login()

    def on_sign_up(self, told: Callable[[User], None]) -> None:
        """Let `told` hear of an account that a login makes."""
        self._account.on_sign_up = told

    def sign_up(self) -> User:
        """Make the account; an email that has one already is an error."""
        return self._account.sign_up()

    # --- questions and answers ------------------------------------------------------------------

    @overload
    def ask(
        self,
        question: str,
        *,
        wait: Literal[True] = True,
        on_progress: Callable[[Job], None] | None = None,
        **options: Unpack[Options],
    ) -> Answer: ...

    @overload
    def ask(self, question: str, *, wait: Literal[False], **options: Unpack[Options]) -> Job: ...

    def ask(
        self,
        question: str,
        *,
        wait: bool = True,
        on_progress: Callable[[Job], None] | None = None,
        **options: Unpack[Options],
    ) -> Answer | Job:
        """The answer, or with `wait=False` the job as soon as it is accepted."""
        body = job_body(question, options, self._account.user().id)
        job = read(Job, self._call("POST", "/job", json=body))
        return self.result(job.id, on_progress) if wait else job

    def job(self, job_id: int) -> Job:
        """Where the job stands now."""
        return read(Job, self._call("GET", f"/job/{job_id}"))

    def result(self, job_id: int, on_progress: Callable[[Job], None] | None = None) -> Answer:
        """The answer, waited for; `on_progress` sees the job at every look.

        JobFailed with the job's code and reason if it fails. A lost connection is borne for a
        while, but not before the login.
        """
        self._account.user()
        job = patiently(lambda: self.job(job_id))
        for pause in pauses():
            if on_progress:
                on_progress(job)
            if job.over:
                break
            time.sleep(pause)
            job = patiently(lambda: self.job(job_id))
        return self._outcome(job)

    def events(self, job_id: int) -> Iterator[Event]:
        """What happens to the job, as it happens: everything so far, then on to the end.

        Text of `token` events is void once `state` names a higher attempt; `answer` is what counts.
        """
        return follow(job_id, self._account.lines)

    def cancel(self, job_id: int) -> Job:
        """Withdraw a job that is not over yet."""
        return read(Job, self._call("DELETE", f"/job/{job_id}"))

    def _outcome(self, job: Job) -> Answer:
        if job.state == State.FAILED:
            reason = job.msg or "the server gives no reason"
            raise JobFailed(f"job {job.id} failed: {reason}", code=job.code or "job_failed")
        return patiently(lambda: self.answer(job.id))

    def answer(self, job_id: int) -> Answer:
        """The stored answer to that job, with its newest review."""
        return read(Answer, self._call("GET", f"/ai/result/{job_id}"))

    def review(
        self, reviewed: Answer | int, answer: str, score: float, notes: str | None = None
    ) -> Answer:
        """Review an answer, given as such or by its job's id, with a confidence of 0..100.

        Only the review is sent: everything left out stays as it is.
        """
        record = self.answer(reviewed) if isinstance(reviewed, int) else reviewed
        review = {"reviewed_answer": answer, "reviewed_score": score, "reviewed_notes": notes}
        ids = {"id": record.id, "job_id": record.job_id}
        return read(Answer, self._call("PUT", "/ai/result", json=ids | review))

    def search(self, job_id: int) -> list[Answer]:
        """Every stored answer to that job."""
        body = {"query": "by_job_id", "user_id": self._account.user().id, "job_id": job_id}
        found = self._call("POST", "/ai/result/search", json=body)
        return [read(Answer, record) for record in found.get("recs") or []]

    def create_answer(
        self, record: Answer | Mapping[str, Any], idempotency_key: str | None = None
    ) -> Answer:
        """Store an answer made elsewhere; the same key never stores a second one."""
        fields = record.model_dump() if isinstance(record, Answer) else dict(record)
        fields.pop("id", None)
        headers = {"Idempotency-Key": idempotency_key} if idempotency_key else None
        return read(Answer, self._call("POST", "/ai/result", json=fields, headers=headers))

    # --- collections and documents --------------------------------------------------------------

    def collections(self) -> list[Collection]:
        """Every collection that may be asked."""
        body = self._call("GET", "/collections")
        return [read(Collection, record) for record in body.get("collections") or []]

    def create_collection(
        self, name: str, visibility: str = "private", notes: str | None = None
    ) -> Collection:
        """A new collection of one's own: private, tenant or public (for reading)."""
        body = {"name": name, "visibility": visibility, "notes": notes}
        return read(Collection, self._call("POST", "/collections", json=body))

    def delete_collection(self, collection: str) -> None:
        """Remove the collection, named by name or id, with all documents and sources in it."""
        self._call("DELETE", f"/collections/{quoted(collection)}")

    def documents(self, collection: str, parent_id: int | None = None) -> list[Document]:
        """What is in the collection, named by name or id, or attached to that document of it."""
        body = self._call("GET", documents_of(collection), params={"parent_id": parent_id})
        return [read(Document, record) for record in body.get("documents") or []]

    def document(self, document_id: int) -> Document:
        """The document, and how far the work on it is."""
        return read(Document, self._call("GET", f"/documents/{document_id}"))

    def upload(
        self,
        collection: str,
        path: Path,
        name: str,
        on_bytes: Callable[[int], None] | None = None,
    ) -> Document:
        """Send a file; content that is already there comes back as `unchanged`.

        `on_bytes` is told how many bytes have gone so far. OSError if the file cannot be read.
        """
        return read(Document, upload_document(self._call, collection, path, name, on_bytes))

    def delete_document(self, collection: str, document_id: int) -> None:
        """Take the document and its chunks out of the collection."""
        self._call("DELETE", f"{documents_of(collection)}/{document_id}")

    # --- people ---------------------------------------------------------------------------------

    def members(self) -> list[Member]:
        """Who belongs to the tenant."""
        body = self._call("GET", "/members")
        return [read(Member, record) for record in body.get("members") or []]
