"""Which scopes a service key needs to call a route; people who have logged in need none."""

from models.errors import RedtenError
from models.service_key import Scope

ASK, READ, INGEST = Scope.ASK, Scope.READ, Scope.INGEST
REVIEW, DELIVER, MANAGE = Scope.REVIEW, Scope.DELIVER, Scope.MANAGE
# What changes who may get in is open to no key, nor is a route that is missing here.
PEOPLE_ONLY: tuple[Scope, ...] = ()

# Any one of them is enough: whoever may begin something may also see what becomes of it.
NEEDED: dict[str, tuple[Scope, ...]] = {
    "answers.create_result": (DELIVER,),
    "answers.get_result": (READ, ASK, REVIEW),
    "answers.get_reviews": (READ, REVIEW),
    "answers.review_result": (REVIEW,),
    "answers.search_results": (READ, ASK, REVIEW),
    "collections.change_collection": (INGEST,),
    "collections.create_collection": (INGEST,),
    "collections.delete_collection": (INGEST,),
    "collections.delete_document": (INGEST,),
    "collections.get_document": (READ, INGEST),
    "collections.list_collections": (READ, ASK, INGEST),
    "collections.list_documents": (READ, INGEST),
    "collections.upload_document": (INGEST,),
    "completions.complete_chat": (ASK,),
    "completions.complete_text": (ASK,),
    "dify.retrieve_records": (ASK,),
    "embedding.delete_embedding": (ASK,),
    "embedding.embed_texts": (ASK,),
    "embedding.get_embedding": (READ, ASK),
    "embedding.get_vectors": (READ, ASK),
    "embedding.send_file_of_texts": (ASK,),
    "embeddings.embed": (ASK,),
    "events.follow_job": (READ, ASK),
    "failures.list_failures": (READ, MANAGE),
    "failures.retry_failure": (MANAGE,),
    "failures.retry_failures": (MANAGE,),
    "invitations.accept_invitation": PEOPLE_ONLY,
    "invitations.create_invitation": PEOPLE_ONLY,
    "invitations.delete_invitation": PEOPLE_ONLY,
    "invitations.list_invitations": (MANAGE,),
    "jobs.create_job": (ASK,),
    "jobs.delete_job": (ASK,),
    "jobs.get_job": (READ, ASK),
    "jobs.get_job_result": (READ, ASK),
    "jobs.list_jobs": (READ, ASK),
    "jobs.retry_job": (ASK, MANAGE),
    "keys.create_key": PEOPLE_ONLY,
    "keys.delete_key": PEOPLE_ONLY,
    "keys.list_keys": (MANAGE,),
    "members.change_role": PEOPLE_ONLY,
    "members.delete_member": PEOPLE_ONLY,
    "members.hand_over_tenant": PEOPLE_ONLY,
    "members.list_members": (MANAGE,),
    "models.list_models": (READ, ASK),
    "passwords.reset_password": PEOPLE_ONLY,
    "passwords.use_one_time_password": PEOPLE_ONLY,
    "quotas.get_quota": (READ, ASK, INGEST),
    "results_export.export_answers": (READ, REVIEW),
    "retrieval.retrieve": (ASK,),
    "served_models.get_served": (READ, ASK),
    "served_models.list_served": (READ, ASK),
    "sessions.log_out": PEOPLE_ONLY,
    "sessions.log_out_everywhere": PEOPLE_ONLY,
    "sessions.refresh_token": PEOPLE_ONLY,
    "sources.create_source": (INGEST,),
    "sources.delete_source": (INGEST,),
    "sources.get_source": (READ, INGEST),
    "sources.list_sources": (READ, INGEST),
    "sources.run_source": (INGEST,),
    "tenants.change_tenant": PEOPLE_ONLY,
    "tenants.choose_default_tenant": PEOPLE_ONLY,
    "tenants.create_tenant": PEOPLE_ONLY,
    "tenants.delete_tenant": PEOPLE_ONLY,
    "tenants.export_tenant": PEOPLE_ONLY,
    "tenants.list_tenants": (READ, MANAGE),
    "user_data.change_user_data": (INGEST,),
    "user_data.delete_data": (INGEST,),
    "user_data.download_data": (READ, INGEST),
    "user_data.search_user_data": (READ, INGEST),
    "user_data.upload_data": (INGEST,),
    "users.change_user": PEOPLE_ONLY,
    "users.delete_user": PEOPLE_ONLY,
    "users.get_user": tuple(Scope),
    "users.search_users": PEOPLE_ONLY,
}


def require(endpoint: str | None, held: frozenset[str]) -> None:
    """Raises RedtenError `forbidden` for a service key without a scope that the route needs."""
    needed = NEEDED.get(endpoint or "", PEOPLE_ONLY)
    if needed == PEOPLE_ONLY:
        raise RedtenError("forbidden", "a service key may not do that: log in and use the token")
    if held.isdisjoint(needed):
        named = " or ".join(needed)
        raise RedtenError("forbidden", f"this service key lacks the scope {named}")
