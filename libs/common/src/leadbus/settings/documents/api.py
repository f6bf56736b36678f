"""`/v1/settings`: kinds with their JSON Schema, documents, history."""

from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends, Header, Path, Query, Response
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import select
from sqlmodel import col

from leadbus.settings.documents.document import Change, Document, Revision
from leadbus.settings.documents.kind import NAME_PATTERN
from leadbus.settings.documents.store import BY_HAND, DocumentStore
from leadbus.settings.tables import Setting
from leadbus.web.etag import Condition, if_match, none_match, set_etag
from leadbus.web.lists import Filter, Listing, ListQuery, Page
from leadbus.web.problems import problem_responses
from leadbus.web.tokens import Actor, Role, require

Manager = Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[A-Za-z0-9][A-Za-z0-9._:@/+-]*$")]
DocumentName = Annotated[str, Path(pattern=NAME_PATTERN)]

DOCUMENTS = Listing(
    key=Setting.name,
    sorts={"name": Setting.name, "updated_at": Setting.updated_at},
    default_sort="name",
    filters={"managed_by": Filter(str, Setting.managed_by, description="Who keeps the documents.")},
)


class KindDescription(BaseModel):
    """A kind of document and the JSON Schema of its spec."""

    model_config = ConfigDict(populate_by_name=True)

    kind: str
    title: str
    description: str | None
    references: dict[str, str] = Field(description="Field of the spec to the kind it names.")
    spec_schema: dict[str, Any] = Field(description="JSON Schema 2020-12 with titles, help and `x-order`.")


class Kinds(BaseModel):
    items: list[KindDescription]


class History(BaseModel):
    items: list[Revision] = Field(description="Newest first.")


class Put(BaseModel):
    """The wanted state."""

    model_config = ConfigDict(extra="forbid")

    spec: dict[str, Any] = Field(description="As the JSON Schema of the kind says.")
    managed_by: Manager = Field(BY_HAND, description="Who keeps it from now on.")
    after: dict[Annotated[str, Field(pattern=NAME_PATTERN)], dict[str, Any]] = Field(
        default_factory=dict,
        description="Only with `dry_run`: specs of other documents of the kind, by name, that are to be put "
        "before this one. What is checked is how it stands beside them.",
    )


def router(
    store: DocumentStore, *, read: Role | str = Role.VIEWER, write: Role | str = Role.ADMIN
) -> APIRouter:
    """The HTTP API of `store`. Tokens limited to dealers see what is theirs and change nothing."""
    api = APIRouter(prefix="/v1/settings", tags=["settings"])
    words = {"enum": list(store.kinds)}
    KindName = Annotated[str, Path(description="A kind of this service.", json_schema_extra=words)]  # noqa: N806
    Reader = Annotated[Actor, require(read)]  # noqa: N806
    Writer = Annotated[Actor, require(write)]  # noqa: N806
    TakeOver = Annotated[bool, Query(description="Change it although someone else keeps it.")]  # noqa: N806
    DryRun = Annotated[bool, Query(description="Say what would change and change nothing.")]  # noqa: N806

    @api.get("", summary="Kinds of settings")
    async def kinds(actor: Reader) -> Kinds:
        return Kinds(items=[_described(kind) for kind in store.kinds.values()])

    @api.get("/{kind}", summary="Documents of a kind")
    async def documents(
        kind: KindName, actor: Reader, query: Annotated[ListQuery, Depends(DOCUMENTS)]
    ) -> Page[Document]:
        store.kind(kind)
        async with store.database.session() as session:
            page = await query.page(session, select(Setting).where(col(Setting.kind) == kind), _document)
        return page.model_copy(
            update={"items": [each for each in page.items if _visible(store, actor, each)]}
        )

    @api.get("/{kind}/{name}", summary="A document", responses={304: {"description": "Not modified"}})
    async def document(
        kind: KindName,
        name: DocumentName,
        actor: Reader,
        response: Response,
        if_none_match: Annotated[str | None, Header()] = None,
    ) -> Document:
        found = await store.get(kind, name)
        _must_see(store, actor, found)
        set_etag(response, found.etag)
        if none_match(if_none_match, found.etag):
            return Response(status_code=304, headers={"ETag": f'"{found.etag}"'})  # type: ignore[return-value]
        return found

    @api.put(
        "/{kind}/{name}",
        summary="Create or change a document",
        responses={201: {"model": Change, "description": "Created"}},
    )
    async def put(
        kind: KindName,
        name: DocumentName,
        body: Annotated[Put, Body()],
        actor: Writer,
        response: Response,
        condition: Annotated[Condition, if_match],
        take_over: TakeOver = False,
        dry_run: DryRun = False,
    ) -> Change:
        actor.must_be_unlimited("does not change settings")
        change = await store.put(
            kind,
            name,
            body.spec,
            actor=actor,
            managed_by=body.managed_by,
            condition=condition,
            take_over=take_over,
            dry_run=dry_run,
            after=body.after,
        )
        if change.document is not None and not dry_run:
            set_etag(response, change.document.etag)
            response.status_code = 201 if change.action == "created" else 200
        return change

    @api.delete("/{kind}/{name}", summary="Delete a document", responses=problem_responses(409))
    async def delete(
        kind: KindName,
        name: DocumentName,
        actor: Writer,
        condition: Annotated[Condition, if_match],
        managed_by: Annotated[Manager, Query(description="Who deletes it.")] = BY_HAND,
        take_over: TakeOver = False,
        dry_run: DryRun = False,
    ) -> Change:
        actor.must_be_unlimited("does not change settings")
        return await store.delete(
            kind,
            name,
            actor=actor,
            managed_by=managed_by,
            condition=condition,
            take_over=take_over,
            dry_run=dry_run,
        )

    @api.get("/{kind}/{name}/history", summary="Every change of a document")
    async def history(kind: KindName, name: DocumentName, actor: Reader) -> History:
        revisions = await store.history(kind, name)
        if actor.dealers is not None:
            _must_see(store, actor, await store.get(kind, name))
        return History(items=revisions)

    return api


def _described(kind: Any) -> KindDescription:
    schema = kind.schema()
    return KindDescription(
        kind=kind.name,
        title=kind.title or schema.get("title") or kind.name,
        description=kind.description or schema.get("description"),
        references=dict(kind.references),
        spec_schema=schema,
    )


def _document(row: Setting) -> Document:
    return Document.model_validate(row, from_attributes=True)


def _visible(store: DocumentStore, actor: Actor, document: Document) -> bool:
    if actor.dealers is None:
        return True
    kind = store.kinds[document.kind]
    return kind.dealer_of is not None and actor.may_see(
        kind.dealer_of(document.name, kind.model.model_validate(document.spec))
    )


def _must_see(store: DocumentStore, actor: Actor, document: Document) -> None:
    if not _visible(store, actor, document):
        actor.must_see(None)
