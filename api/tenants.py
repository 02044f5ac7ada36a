"""Tenants: those one belongs to; made, renamed, exported, deleted."""

import logging
from typing import Annotated, Any

from apiflask import APIBlueprint
from apiflask.schemas import FileSchema
from flask import Response
from pydantic import Field

from api.auth import caller, holder, require_owner, signed_in
from api.events import thread_held
from api.replies import Out
from api.schemas import In, Name, Ref
from api.tenant_archive import TenantArchive
from models.closing import close_tenant
from models.errors import RedtenError
from models.job import Job
from models.session import session_scope
from models.tenant import (
    Belonging,
    Role,
    add_tenant,
    pick,
    rename_tenant,
    set_default,
)
from models.user import User
from settings import settings
from tasks import chains, events, telling

log = logging.getLogger(__name__)

blueprint = APIBlueprint("tenants", __name__, tag="Tenants")


class TenantIn(In):
    """What a tenant is called; others may have the same name."""

    name: Name


class DefaultTenantIn(In):
    """A tenant of one's own, by name or id."""

    tenant: Ref


class TenantGoneIn(In):
    """The tenant's name, repeated."""

    name: Annotated[str, Field(max_length=128)]


class TenantOut(Out):
    """A tenant, the caller's role in it, and whether they act in it when they name none."""

    id: int
    name: str
    role: str
    default: bool
    msg: str = "success"


class TenantsOut(Out):
    """All tenants that one belongs to."""

    tenants: list[TenantOut]
    msg: str = "success"


def shown(one: Belonging, user: User, **more: Any) -> dict[str, Any]:
    """What `TenantOut` tells of a tenant."""
    default = one.tenant_id == user.default_tenant_id
    return {"id": one.tenant_id, "name": one.tenant, "role": one.role, "default": default, **more}


def _here(name: str) -> Belonging:
    return Belonging(caller().tenant_id, name, caller().role)


@blueprint.get("/tenants")
@blueprint.output(TenantsOut)
@signed_in(blueprint, in_tenant=False)
def list_tenants() -> dict[str, Any]:
    """List the tenants that you belong to."""
    return {"tenants": [shown(one, holder().user) for one in holder().belongings]}


@blueprint.post("/tenants")
@blueprint.input(TenantIn)
@blueprint.output(TenantOut, status_code=201)
@signed_in(blueprint, in_tenant=False)
def create_tenant(json_data: TenantIn) -> dict[str, Any]:
    """Make a tenant, which you own; it is named in `X-Redten-Tenant` from then on."""
    user = holder().user
    _may_create(user)
    with session_scope() as session:
        made = add_tenant(session, user.id, json_data.name, settings.tenants_each)
    return shown(Belonging(made, json_data.name, Role.OWNER), user)


def _may_create(user: User) -> None:
    if settings.tenant_creation == "admin" and not user.is_admin:
        raise RedtenError("forbidden", "only an administrator makes tenants here")
    if not user.verified:
        raise RedtenError("forbidden", "verify your email first: `redten account verify`")


@blueprint.put("/tenants/default")
@blueprint.input(DefaultTenantIn)
@blueprint.output(TenantOut)
@signed_in(blueprint, in_tenant=False)
def choose_default_tenant(json_data: DefaultTenantIn) -> dict[str, Any]:
    """Choose the tenant that you act in when you name none."""
    who = holder()
    chosen = pick(who.belongings, str(json_data.tenant))
    with session_scope() as session:
        set_default(session, who.user.id, chosen.tenant_id)
    return shown(chosen, who.user, default=True)


@blueprint.patch("/tenant")
@blueprint.input(TenantIn)
@blueprint.output(TenantOut)
@signed_in(blueprint)
def change_tenant(json_data: TenantIn) -> dict[str, Any]:
    """Rename the tenant; for its owners."""
    require_owner()
    with session_scope(caller().tenant_id) as session:
        rename_tenant(session, caller().tenant_id, json_data.name)
    return shown(_here(json_data.name), holder().user)


@blueprint.get("/tenant/export")
@blueprint.output(
    FileSchema(type="string", format="binary"),
    content_type="application/gzip",
    description="A tar.gz whose last file, manifest.json, tells of all others.",
)
@signed_in(blueprint)
def export_tenant() -> Response:
    """Fetch all that the tenant has, rows and files, as of one moment; for its owners.

    It is the organisation's: private collections and files of all its members are in it. Secrets
    are not, nor what can be computed from the rest: vectors, and indexes of words.
    """
    require_owner()
    tenant_id = caller().tenant_id
    log.info("tenant %d: exported by user %d", tenant_id, caller().user_id)
    with thread_held() as held:
        archive = TenantArchive(tenant_id, held)
        reply = Response(archive.pieces(), mimetype="application/gzip")
        reply.headers["Content-Disposition"] = f"attachment; filename=tenant-{tenant_id}.tar.gz"
        reply.headers["X-Accel-Buffering"] = "no"
        reply.call_on_close(held.pop_all().close)
        return reply


@blueprint.delete("/tenant")
@blueprint.input(TenantGoneIn, location="query")
@blueprint.output(TenantOut, status_code=202)
@signed_in(blueprint)
def delete_tenant(query_data: TenantGoneIn) -> dict[str, Any]:
    """Delete the tenant with everything in it, for its owners; its name must be repeated.

    Nobody gets in from now on, and work that is under way is cancelled. The rows and files go
    soon after. Accounts stay.
    """
    require_owner()
    with session_scope(caller().tenant_id) as session:
        cancelled = close_tenant(session, caller(), query_data.name)
    log.info("tenant %d: closed by user %d", caller().tenant_id, caller().user_id)
    for work in cancelled:
        if isinstance(work, Job):
            events.cancel(work.id)
            telling.tell_end(work)
    # A hint; the clock sees to it.
    chains.send_once(chains.step("closing.remove_closed_tenants"), settings.closing_every_s)
    return shown(_here(query_data.name), holder().user, default=False)
