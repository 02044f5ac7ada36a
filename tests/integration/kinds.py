"""What the fields of the API's description stand for: of which kind an id or a name is."""

import re
from typing import Any, NamedTuple


class Own(NamedTuple):
    """The caller's own, or the tenant's."""

    kind: str


# What a place in a path stands for, by the word before it; None: nothing that a tenant has.
PLACES = {
    "collections": "collection",
    "data": "data",
    "documents": "document",
    "failures": None,
    "files": "embedding",
    "invitations": "invitation",
    "job": "job",
    "keys": "key",
    "members": "email",
    "models": None,
    "result": "job",
    "sources": "source",
    "user": "user",
    "{kind}": "failed",
}
# What a field, a header or a part of a query stands for, alone or of one operation.
FIELDS: dict[str, str | None] = {
    "/ai/result id": "answer",
    "/embed model": None,
    "/embed/files model": None,
    "/invitations/accept token": "invitation_secret",
    # An account is no tenant's: whoever has its password is let in, and its email is taken.
    "/login email": None,
    "/user email": None,
    "/user/password/change email": None,
    "/user/password/change token": "one_time_password",
    "/user/password/reset email": None,
    "/user/verify email": None,
    "/v1/chat/completions model": "served",
    "/v1/completions model": "served",
    "adapter": None,
    "caches": "collection",
    "collection": "collection",
    "collection_id": "collection",
    "collection_name": "collection",
    "collections": "collection",
    "data_id": "data",
    "derived_session_id": "session",
    "documents": "document",
    "email": "email",
    "embed_model_name": None,
    "filename": None,
    "job_id": "job",
    "knowledge_id": "collection",
    "last_event_id": None,
    "model": None,
    "model_name": None,
    "name": None,
    "names": None,
    "parent_id": "document",
    "session_id": "session",
    "tenant": "tenant",
    "u": "user",
    "user": None,
    "user_id": "user",
    "worker_id": None,
}
SUSPECT = re.compile(
    r"(^|_)(id|ids|ref|name|names|email|tenant|owner|user|member|key|token|model|collections?)$"
)
# What is sent for what an operation must be told.
SAMPLES: dict[str, Any] = {
    "address": "/srv/docs",
    "email": "new@example.org",
    "kind": "job",
    "messages": [{"role": "user", "content": "echo the tower"}],
    "msg": "echo the tower",
    "name": "made",
    "password": "a secret",
    "prompt": "echo the tower",
    "question": "the tower",
    "role": "agent",
}
# What an operation needs beside what its schema requires: a value, or the caller's own by its kind.
NEEDED: dict[str, dict[str, Any]] = {
    "delete /tenant": {"name": Own("tenant_name")},
    "delete /user": {"email": Own("email")},
    "get /user/verify": {"t": "a" * 32},
    "patch /tenant": {"name": Own("tenant_name")},
    "post /collections/{ref}/documents": {"name": "made"},
    "post /retrieve": {"collection": Own("collection")},
    "post /user/password/change": {
        "email": Own("email"),
        "password": "a secret",
        "token": Own("one_time_password"),
    },
    "post /user/password/reset": {"email": Own("email"), "user_id": Own("user")},
    "put /user": {"state": 0},
}
# What ends something of the caller's own, who does it at the very end, in this order.
ENDING = (
    "patch /tenant",
    "post /user/password/change",
    "post /tenant/hand-over",
    "delete /members/{email}",
    "post /token/refresh",
    "post /logout",
    "post /logout/all",
    "delete /tenant",
    "delete /user",
)
# Which names come back where, of those that others have and that were sent to be kept.
KEPT = {
    "/ai/result/export": ("collection",),
    "/invitations": ("email",),
    "/tenant/export": ("collection", "email"),
}
