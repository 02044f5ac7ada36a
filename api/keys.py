"""Service keys: made, listed, revoked."""

from typing import Any

from apiflask import APIBlueprint

from api.auth import caller, signed_in
from api.replies import Out, Stamp
from api.schemas import KeyIn
from models.service_key import Scope, ServiceKey, add_key, keys_of, revoke_key
from models.session import session_scope

blueprint = APIBlueprint("keys", __name__, tag="Keys")


class KeyOut(Out):
    """A service key; `hint` is how its secret begins, `last_used_at` true to the minute."""

    id: int
    user_id: int
    name: str
    hint: str
    scopes: list[Scope]
    created_at: Stamp
    expires_at: Stamp | None
    revoked_at: Stamp | None
    last_used_at: Stamp | None
    msg: str = "success"


class NewKeyOut(KeyOut):
    """A new service key and its secret, `key`, which is not kept."""

    key: str


class KeysOut(Out):
    """Service keys."""

    keys: list[KeyOut]
    msg: str = "success"


@blueprint.post("/keys")
@blueprint.input(KeyIn)
@blueprint.output(NewKeyOut, status_code=201)
@signed_in(blueprint)
def create_key(json_data: KeyIn) -> dict[str, Any]:
    """Make a key that acts for you in this tenant; its secret is told this once."""
    with session_scope(caller().tenant_id) as session:
        key, secret = add_key(
            session, caller(), json_data.name, json_data.expires_in_days, json_data.scopes
        )
        return {**KeyOut.model_validate(key).model_dump(), "key": secret}


@blueprint.get("/keys")
@blueprint.output(KeysOut)
@signed_in(blueprint)
def list_keys() -> dict[str, Any]:
    """List your keys in this tenant, revoked and expired ones too; owners see everybody's."""
    with session_scope(caller().tenant_id) as session:
        return {"keys": keys_of(session, caller())}


@blueprint.delete("/keys/<number:id>")
@blueprint.output(KeyOut)
@signed_in(blueprint)
def delete_key(id: int) -> ServiceKey:
    """Revoke a key at once; an owner may revoke everybody's."""
    with session_scope(caller().tenant_id) as session:
        key = revoke_key(session, caller(), id)
        session.flush()
        session.refresh(key)
        return key
