"""What a question is to be answered from: a collection, others beside it, and its own sources."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from api.questions import RagIn
from models.addresses import checked_address
from models.collection import Collection, common_model, find_collection
from models.job import Job
from models.quota import check_documents, check_jobs
from models.session import session_scope
from models.source import Source, add_source, collection_of, stale, unfinished
from models.tenant import Caller
from tasks import chains


@dataclass(frozen=True, slots=True)
class Reach:
    """The collection to search first, None for none; further ones; and the one to wait for."""

    collection: str | None
    further: list[int]
    awaits_id: int | None

    def params(self) -> dict[str, Any]:
        """What the chain needs to know of it."""
        return {"collections": self.further} if self.further else {}

    def columns(self) -> dict[str, Any]:
        """What the job's row says of it."""
        if self.awaits_id is None:
            return {}
        return {"awaits_id": self.awaits_id, "step": Job.AWAITING}


def reach(who: Caller, named: str | None, rag: RagIn) -> Reach:
    """Resolves the lists of a question; starts the sources that were not read lately.

    A question's own sources fill a private collection of the caller's, one for each set of
    addresses, so that the next question finds it filled.
    """
    addresses = sorted(
        {checked_address(one, who.tenant_id) for one in (*rag.dirs, *rag.s3, *rag.rss)}
    )
    if not addresses and not rag.caches:
        return Reach(named, [], None)
    with session_scope(who.tenant_id) as session:
        # Before sources are read for a question that is refused afterwards.
        check_jobs(session, who.tenant_id)
        wanted = [find_collection(session, who, str(ref)) for ref in (named, *rag.caches) if ref]
        begun: list[Source] = []
        awaits_id = None
        if addresses:
            own = collection_of(session, who, addresses)
            begun = _begun(session, who, own, addresses)
            if begun:
                check_documents(session, who.tenant_id)
            wanted.append(own)
            awaits_id = own.id if unfinished(session, own.id) else None
        common_model(wanted)
    for source in begun:
        chains.send("source", source.tenant_id, source.id, source.attempt)
    ids = list(dict.fromkeys(collection.id for collection in wanted))
    return Reach(str(ids[0]) if ids else None, ids[1:], awaits_id)


def _begun(session: Session, who: Caller, own: Collection, addresses: list[str]) -> list[Source]:
    """The sources of the collection that are read now because of this question."""
    made = [
        add_source(session, who, own, address, prefix=_prefix(address)) for address in addresses
    ]
    again = Source.begin(session, Source.collection_id == own.id, stale())
    return [source for source in made if source is not None] + again


def _prefix(address: str) -> str:
    """Two folders may hold a file of the same name; a page's name is its address."""
    return "" if address.startswith("http") else f"{address.rstrip('/')}/"
