"""Settings documents on a real database: conditions, references, history, and two people at once."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest
from leadbus.clock import FakeClock
from leadbus.db import Connection, Database
from leadbus.settings.documents import Change, DocumentStore, InvalidSpec, Kind, Notice, Spec
from leadbus.web import Condition, Problem
from pydantic import Field

ANY = Condition(tags=("*",))


class DealerSpec(Spec):
    """A dealer."""

    title: str = Field(title="Name")
    country: str = "US"


class RouteSpec(Spec):
    dealer: str = Field(title="Dealer")
    also: tuple[str, ...] = ()
    weight: float = 1.0


@pytest.fixture
def changes() -> list[tuple[str, Any, Any]]:
    return []


@pytest.fixture
def store(database: Database, changes: list[tuple[str, Any, Any]]) -> DocumentStore:
    async def check(connection: Connection, name: str, spec: RouteSpec) -> None:
        if spec.weight < 0:
            raise InvalidSpec("/weight", "is negative")

    async def on_change(connection: Connection, name: str, old: Any, new: Any) -> None:
        if name == "explodes":
            raise RuntimeError("the hook fails")
        changes.append((name, old, new))

    def notices(written: Mapping[str, Any], spec: RouteSpec) -> list[Notice]:
        odd = "weight" in written and spec.weight > 1
        return [Notice(pointer="/weight", code="heavy", detail="more than is usual")] if odd else []

    return DocumentStore(
        database,
        [
            Kind("Dealer", DealerSpec),
            Kind(
                "Route",
                RouteSpec,
                references={"dealer": "Dealer", "also": "Dealer"},
                check=check,
                on_change=on_change,
                notices_of=notices,
            ),
        ],
        clock=FakeClock(),
    )


async def put(store: DocumentStore, kind: str, name: str, spec: dict[str, Any], **options: Any) -> Change:
    return await store.put(kind, name, spec, actor="anna", **options)


async def refused(slug: str, work: Any) -> Problem:
    with pytest.raises(Problem) as raised:
        await work
    assert raised.value.kind.slug == slug
    return raised.value


async def test_a_document_is_created_changed_and_remembered(store: DocumentStore) -> None:
    created = await put(store, "Dealer", "north", {"title": "North"})
    assert created.action == "created"
    assert created.document
    assert created.document.spec == {"title": "North", "country": "US"}
    changed = await put(
        store, "Dealer", "north", {"title": "Nord"}, condition=Condition(tags=(created.document.etag,))
    )
    assert changed.action == "changed"
    assert [(each.pointer, each.before, each.after) for each in changed.diff] == [("/title", "North", "Nord")]
    history = await store.history("Dealer", "north")
    assert [(each.revision, each.action, each.spec and each.spec["title"]) for each in history] == [
        (2, "changed", "Nord"),
        (1, "created", "North"),
    ]


async def test_every_change_is_audited_with_its_actor(store: DocumentStore, database: Database) -> None:
    await put(store, "Dealer", "north", {"title": "North"})
    await store.delete("Dealer", "north", actor="bert", condition=ANY)
    async with database.acquire() as connection:
        rows = await connection.fetch("SELECT actor, action, object FROM audit ORDER BY id")
    assert [tuple(row) for row in rows] == [
        ("anna", "setting.created", "Dealer/north"),
        ("bert", "setting.deleted", "Dealer/north"),
    ]


async def test_overwriting_needs_the_tag_that_was_seen(store: DocumentStore) -> None:
    created = await put(store, "Dealer", "north", {"title": "North"})
    problem = await refused("precondition-required", put(store, "Dealer", "north", {"title": "X"}))
    assert created.document
    assert problem.headers["ETag"] == f'"{created.document.etag}"'
    await refused(
        "precondition-failed",
        put(store, "Dealer", "north", {"title": "X"}, condition=Condition(tags=("stale",))),
    )
    await refused(
        "precondition-failed",
        put(store, "Dealer", "north", {"title": "X"}, condition=Condition(must_be_new=True)),
    )
    await refused("precondition-failed", put(store, "Dealer", "south", {"title": "X"}, condition=ANY))


async def test_the_tag_is_new_when_a_state_comes_back(store: DocumentStore) -> None:
    tags: list[str] = []
    for title in ("A", "B", "A"):
        change = await put(store, "Dealer", "north", {"title": title}, condition=ANY if tags else None)
        assert change.document
        tags.append(change.document.etag)
    assert len(set(tags)) == 3


async def test_the_same_state_again_changes_nothing(
    store: DocumentStore, changes: list[tuple[str, Any, Any]]
) -> None:
    await put(store, "Dealer", "north", {"title": "North"})
    await put(store, "Route", "r", {"dealer": "north"})
    again = await put(store, "Route", "r", {"dealer": "north", "weight": 1}, condition=ANY)
    assert again.action == "unchanged"
    assert len(changes) == 1
    assert len(await store.history("Route", "r")) == 1


async def test_a_dry_run_checks_everything_and_changes_nothing(
    store: DocumentStore, changes: list[tuple[str, Any, Any]]
) -> None:
    await refused("invalid", put(store, "Route", "r", {"dealer": "nobody"}, dry_run=True))
    await put(store, "Dealer", "north", {"title": "North"})
    would = await put(store, "Dealer", "north", {"title": "Nord"}, dry_run=True)
    assert (would.action, would.dry_run, len(would.diff)) == ("changed", True, 1)
    await put(store, "Route", "r", {"dealer": "north"}, dry_run=True)
    assert (await store.get("Dealer", "north")).spec["title"] == "North"
    await refused("not-found", store.get("Route", "r"))
    assert changes == []


@pytest.mark.parametrize(
    ("spec", "pointers"),
    [
        pytest.param({}, ["/spec/dealer"], id="missing"),
        pytest.param({"dealer": 5}, ["/spec/dealer"], id="type"),
        pytest.param({"dealer": "north", "delaer": "x"}, ["/spec/delaer"], id="unknown"),
        pytest.param(
            {"dealer": "gone", "also": ["north", "away"]}, ["/spec/also/1", "/spec/dealer"], id="reference"
        ),
        pytest.param({"dealer": "north", "weight": -1}, ["/spec/weight"], id="check"),
        pytest.param({"dealer": "a\x00b"}, ["/spec/dealer"], id="nul"),
        pytest.param({"dealer": "a\ud800"}, ["/spec/dealer"], id="surrogate"),
        pytest.param({"dealer": "north", "weight": float("nan")}, ["/spec/weight"], id="nan"),
    ],
)
async def test_wrong_specs_are_answered_by_pointer(
    store: DocumentStore, spec: dict[str, Any], pointers: list[str]
) -> None:
    await put(store, "Dealer", "north", {"title": "North"})
    problem = await refused("invalid", put(store, "Route", "r", spec))
    assert sorted(str(error.pointer) for error in problem.errors) == pointers


async def test_deletion_waits_for_what_refers(store: DocumentStore) -> None:
    await put(store, "Dealer", "north", {"title": "North"})
    await put(store, "Dealer", "south", {"title": "South"})
    await put(store, "Route", "r", {"dealer": "south", "also": ["north"]})
    problem = await refused("still-referenced", store.delete("Dealer", "north", actor="anna", condition=ANY))
    assert problem.extensions["referrers"] == ["Route/r"]
    await store.delete("Route", "r", actor="anna", condition=ANY)
    gone = await store.delete("Dealer", "north", actor="anna", condition=ANY)
    assert gone.action == "deleted"
    assert [each.action for each in await store.history("Dealer", "north")] == ["deleted", "created"]


async def test_the_revision_counts_on_over_a_deletion(store: DocumentStore) -> None:
    await put(store, "Dealer", "north", {"title": "North"})
    await store.delete("Dealer", "north", actor="anna", condition=ANY)
    again = await put(store, "Dealer", "north", {"title": "North"})
    assert again.document
    assert again.document.revision == 3


async def test_git_and_people_do_not_fight(store: DocumentStore) -> None:
    await put(store, "Dealer", "north", {"title": "North"}, managed_by="git")
    problem = await refused("managed-elsewhere", put(store, "Dealer", "north", {"title": "X"}, condition=ANY))
    assert problem.extensions["managed_by"] == "git"
    await refused("managed-elsewhere", store.delete("Dealer", "north", actor="anna", condition=ANY))
    taken = await put(store, "Dealer", "north", {"title": "North"}, condition=ANY, take_over=True)
    assert taken.action == "changed"
    assert taken.document
    assert taken.document.managed_by == "hand"


async def test_a_failing_hook_undoes_the_change(store: DocumentStore) -> None:
    await put(store, "Dealer", "north", {"title": "North"})
    with pytest.raises(RuntimeError):
        await put(store, "Route", "explodes", {"dealer": "north"})
    await refused("not-found", store.get("Route", "explodes"))
    await refused("not-found", store.history("Route", "explodes"))


async def test_the_hook_sees_both_states(store: DocumentStore, changes: list[tuple[str, Any, Any]]) -> None:
    await put(store, "Dealer", "north", {"title": "North"})
    await put(store, "Route", "r", {"dealer": "north"})
    await put(store, "Route", "r", {"dealer": "north", "weight": 2}, condition=ANY)
    await store.delete("Route", "r", actor="anna", condition=ANY)
    weights = [(old and old.weight, new and new.weight) for _, old, new in changes]
    assert weights == [(None, 1.0), (1.0, 2.0), (2.0, None)]


async def test_what_is_odd_is_told_and_taken(store: DocumentStore) -> None:
    await put(store, "Dealer", "north", {"title": "North"})
    heavy = {"dealer": "north", "weight": 2}
    told = [
        await put(store, "Route", "r", heavy, dry_run=True),
        await put(store, "Route", "r", heavy),
        await put(store, "Route", "r", heavy, condition=ANY),
    ]
    assert [each.action for each in told] == ["created", "created", "unchanged"]
    assert [[one.code for one in each.notices] for each in told] == [["heavy"]] * 3
    usual = await put(store, "Route", "r", {"dealer": "north"}, condition=ANY)
    assert (usual.action, usual.notices) == ("changed", [])


async def test_of_many_who_saw_the_same_state_one_overwrites_it(store: DocumentStore) -> None:
    created = await put(store, "Dealer", "north", {"title": "0"})
    assert created.document
    seen = Condition(tags=(created.document.etag,))
    outcomes = await asyncio.gather(
        *(put(store, "Dealer", "north", {"title": str(n)}, condition=seen) for n in range(1, 9)),
        return_exceptions=True,
    )
    won = [each for each in outcomes if isinstance(each, Change)]
    lost = [each for each in outcomes if isinstance(each, Problem)]
    assert (len(won), {each.kind.slug for each in lost}) == (1, {"precondition-failed"})
    assert len(await store.history("Dealer", "north")) == 2


async def test_of_many_who_create_the_same_name_one_does(store: DocumentStore) -> None:
    outcomes = await asyncio.gather(
        *(put(store, "Dealer", "north", {"title": str(n)}) for n in range(8)), return_exceptions=True
    )
    assert len([each for each in outcomes if isinstance(each, Change)]) == 1
    lost = {each.kind.slug for each in outcomes if isinstance(each, Problem)}
    assert lost == {"precondition-required"}


async def test_a_dealer_is_never_deleted_under_a_route_being_made(store: DocumentStore) -> None:
    for n in range(6):
        dealer, route = f"dealer-{n}", f"route-{n}"
        await put(store, "Dealer", dealer, {"title": dealer})
        made, deleted = await asyncio.gather(
            put(store, "Route", route, {"dealer": dealer}),
            store.delete("Dealer", dealer, actor="anna", condition=ANY),
            return_exceptions=True,
        )
        assert isinstance(made, Change) != isinstance(deleted, Change)


@pytest.mark.parametrize("name", ["", "a/b", "-a", "a b", "x" * 129, "a\x00"])
async def test_names_can_stand_in_a_path(store: DocumentStore, name: str) -> None:
    await refused("invalid", put(store, "Dealer", name, {"title": "North"}))


def test_a_kind_whose_model_ignores_unknown_fields_is_refused() -> None:
    from pydantic import BaseModel

    class Lax(BaseModel):
        a: str

    with pytest.raises(TypeError, match="forbids extras"):
        Kind("Lax", Lax)


def test_kinds_refer_in_one_direction(database: Database) -> None:
    with pytest.raises(TypeError, match="circle"):
        DocumentStore(
            database,
            [
                Kind("A", RouteSpec, references={"dealer": "B"}),
                Kind("B", RouteSpec, references={"dealer": "A"}),
            ],
        )
    with pytest.raises(TypeError, match="no kind"):
        DocumentStore(database, [Kind("A", RouteSpec, references={"dealer": "B"})])


def test_the_schema_has_titles_order_and_references() -> None:
    schema = Kind("Route", RouteSpec, references={"dealer": "Dealer"}).schema()
    assert [(name, shape["x-order"]) for name, shape in schema["properties"].items()] == [
        ("dealer", 0),
        ("also", 1),
        ("weight", 2),
    ]
    assert schema["properties"]["dealer"]["title"] == "Dealer"
    assert schema["properties"]["dealer"]["x-reference"] == "Dealer"
