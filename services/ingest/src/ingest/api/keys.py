"""API keys of senders, for admins. A key is said once, when it is made."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path
from fastapi.responses import JSONResponse
from leadbus.web import Actor, Filter, Listing, ListQuery, Page, Problem, Role, problem_responses, require

from ingest.api.models import Key, KeyRequest, NewKey, Rotation
from ingest.api.problems import UNKNOWN_SOURCE
from ingest.domain.api_key import ApiKey
from ingest.keyring import Keyring, Made
from ingest.sources.setting import PUSHED
from ingest.store import keys
from ingest.store.tables import ApiKeyRow


def _source(source: Annotated[str, Path(description=f"The source: {', '.join(PUSHED)}.")]) -> str:
    if source not in PUSHED:
        raise Problem(UNKNOWN_SOURCE, f"Sources that push are {', '.join(PUSHED)}.")
    return source


SourceName = Annotated[str, Depends(_source)]
KeyId = Annotated[str, Path(description="The public part of a key.", max_length=64, pattern="^[A-Za-z0-9]+$")]
Admin = Annotated[Actor, require(Role.ADMIN)]

KEYS = Listing(
    key=ApiKeyRow.key_id,
    sorts={"created_at": ApiKeyRow.created_at},
    default_sort="-created_at",
    filters={"account": Filter(str, ApiKeyRow.account)},
)


def router(keyring: Keyring) -> APIRouter:
    router = APIRouter(prefix="/v1/sources/{source}/keys", tags=["API keys"])

    @router.post(
        "",
        status_code=201,
        summary="Make a key",
        description="For one account of a source that is set up. Several keys of one account are fine.",
        response_model=NewKey,
        responses=problem_responses(409),
    )
    async def make(source: SourceName, wanted: KeyRequest, actor: Admin) -> JSONResponse:
        actor.must_see(None)
        return _said(await keyring.make(source, wanted.account, wanted.label, actor), keyring)

    @router.get("", summary="List a source's keys", description="Never the secrets: they are not kept.")
    async def list_keys(
        source: SourceName, query: Annotated[ListQuery, Depends(KEYS)], actor: Admin
    ) -> Page[Key]:
        actor.must_see(None)
        async with keyring.database.session() as session:
            return await query.page(session, keys.of_source(source), lambda row: _key(row, keyring))

    @router.post(
        "/{key_id}/rotate",
        status_code=201,
        summary="Replace a key",
        description="Makes a new key for the same account. The old one stays valid for `grace_seconds`, for "
        "its holder to change over; with 0 it ends at once. Only an active key is rotated, and once.",
        response_model=NewKey,
        responses=problem_responses(409),
    )
    async def rotate(source: SourceName, key_id: KeyId, rotation: Rotation, actor: Admin) -> JSONResponse:
        actor.must_see(None)
        return _said(await keyring.rotate(source, key_id, rotation.grace_seconds, actor), keyring)

    @router.post(
        "/{key_id}/revoke",
        summary="Revoke a key",
        description="It opens nothing from the next request on. Again: changes nothing. It stays listed.",
    )
    async def revoke(source: SourceName, key_id: KeyId, actor: Admin) -> Key:
        actor.must_see(None)
        return Key.of(await keyring.revoke(source, key_id, actor), keyring.now())

    return router


def _said(made: Made, keyring: Keyring) -> JSONResponse:
    now = keyring.now()
    answer = NewKey(
        **Key.of(made.key, now).model_dump(),
        key=made.text,
        replaces=Key.of(made.replaced, now) if made.replaced else None,
    )
    return JSONResponse(answer.model_dump(mode="json"), 201, {"Cache-Control": "no-store"})


def _key(row: ApiKeyRow, keyring: Keyring) -> Key:
    return Key.of(ApiKey(**row.model_dump()), keyring.now())
