"""Finding leads: by filters of the list, and by phone or e-mail under a key."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import httpx2
import pytest
from leadbus.web import TokenVerifier, create_app, sign_token
from leadbus.web.tokens import StaticKey
from normalizer import api
from normalizer.domain.terms import Terms
from normalizer.indexing import Indexing
from normalizer.normalizing import Normalizing
from normalizer.receiving import Limits
from pydantic import SecretStr

TOKEN_KEY = SecretStr("a-key-of-tests-that-has-32-bytes-or-more")
TERMS = Terms(b"the key of these tests, 32 bytes and more")
OTHER = Terms(b"another key of these tests, also 32 bytes+")
CIVIC, ACCORD = "1HGCM82633A004352", "1HGCM82633A123456"


def bearer(role: str = "operator", dealers: list[str] | None = None) -> dict[str, str]:
    return {"Authorization": f"Bearer {sign_token(TOKEN_KEY, f'a-{role}', role, dealers)}"}


@dataclass
class Desk:
    """The API over HTTP, as an operator."""

    client: httpx2.AsyncClient

    async def get(self, status: int = 200, /, **parameters: Any) -> Any:
        answer = await self.client.get("/v1/leads", params=parameters)
        assert answer.status_code == status, answer.text
        return answer.json()

    async def find(self, status: int = 200, /, token: Any = None, **body: Any) -> Any:
        answer = await self.client.post("/v1/leads/find", json=body, headers=token or bearer())
        assert answer.status_code == status, answer.text
        return answer.json()


def desk(workshop: Any, terms: Terms | None, before: Terms | None = None) -> Desk:
    app = create_app(
        "normalizer",
        "normalizer",
        "0",
        [api.router(workshop.database, workshop.quarantining, terms, before)],
        verifier=TokenVerifier(StaticKey(TOKEN_KEY)),
    )
    transport = httpx2.ASGITransport(app)
    return Desk(httpx2.AsyncClient(transport=transport, base_url="http://n", headers=bearer()))


@pytest.fixture
async def keyed(workshop: Any) -> Any:
    """A workshop whose leads are found by phone and e-mail."""
    use(workshop, TERMS)
    await workshop.map_dealer()
    return workshop


@pytest.fixture
def http(keyed: Any) -> Desk:
    return desk(keyed, TERMS)


def use(workshop: Any, terms: Terms) -> None:
    workshop.raw._normalizing = Normalizing(Limits(body_bytes=4_194_304), terms)


def ids(page: Any) -> list[str]:
    return [one["lead_id"] for one in page["items"]]


async def brought(workshop: Any, message: Any, payload: Any, raw_id: str, /, **changes: Any) -> UUID:
    """The lead that one more message makes or changes."""
    before = {row["lead_id"] for row in await workshop.fetch("SELECT lead_id FROM lead")}
    workshop.clock.advance(1)
    await workshop.raw.handle([message(payload(**{"lead_id": raw_id, **changes}), f"raw {raw_id}")])
    after = [row["lead_id"] for row in await workshop.fetch("SELECT lead_id FROM lead ORDER BY updated_at")]
    new = [lead_id for lead_id in after if lead_id not in before]
    return UUID(str((new or after)[-1]))


def customer(phone: str | None = None, email: str | None = None) -> dict[str, Any]:
    return {"customer": {"name": "Ann Example", "phone": phone, "email": email}}


async def listed(workshop: Any) -> list[tuple[str, UUID]]:
    rows = await workshop.fetch("SELECT term, lead_id FROM lead_term ORDER BY 1, 2")
    return [(row["term"], row["lead_id"]) for row in rows]


@pytest.mark.parametrize(
    ("kept", "asked"),
    [
        pytest.param("(312) 555-0148", {"phone": "+1 312 555 0148"}, id="with-prefix"),
        pytest.param("+13125550148", {"phone": "312-555-0148", "country": "US"}, id="as-dialled-there"),
        pytest.param("312 555 0148 x204", {"phone": "+13125550148"}, id="extension-does-not-matter"),
    ],
)
async def test_by_phone(keyed: Any, http: Desk, message: Any, payload: Any, kept: Any, asked: Any) -> None:
    lead_id = await brought(keyed, message, payload, "1", **customer(phone=kept))
    await brought(keyed, message, payload, "2", **customer(phone="+13125550149"))
    assert ids(await http.find(**asked)) == [str(lead_id)]


async def test_by_email_in_capitals_or_not(keyed: Any, http: Desk, message: Any, payload: Any) -> None:
    lead_id = await brought(keyed, message, payload, "1", **customer(email="Dana.W@Example.com"))
    await brought(keyed, message, payload, "2", **customer(email="dana.x@example.com"))
    assert ids(await http.find(email="dana.w@EXAMPLE.com")) == [str(lead_id)]


async def test_both_mean_both(keyed: Any, http: Desk, message: Any, payload: Any) -> None:
    both = await brought(keyed, message, payload, "1", **customer("+13125550148", "dana@example.com"))
    await brought(keyed, message, payload, "2", **customer("+13125550148", "dan@example.com"))
    await brought(keyed, message, payload, "3", **customer("+13125550149", "dana@example.com"))
    asked = {"phone": "+13125550148", "email": "dana@example.com"}
    assert ids(await http.find(**asked)) == [str(both)]
    assert ids(await http.find(**asked, dealer="another")) == []


async def test_what_is_found_tells_nobody_who_it_is(keyed: Any, message: Any, payload: Any) -> None:
    await brought(keyed, message, payload, "1", **customer("+13125550148", "dana@example.com"))
    stored = json.dumps(await keyed.fetch("SELECT row_to_json(lead_term)::text AS row FROM lead_term"))
    lead = json.dumps(await keyed.fetch("SELECT row_to_json(lead)::text AS row FROM lead"))
    for secret in ("3125550148", "dana@example.com"):
        assert secret not in stored + lead
    other = Terms(b"x" * 32)
    assert other.phone("+13125550148") != TERMS.phone("+13125550148")
    assert TERMS.phone("same").removeprefix("phone:") != TERMS.email("same").removeprefix("email:")
    assert b"the key" not in repr(TERMS).encode()


async def test_a_revision_is_found_by_what_it_says_now(
    keyed: Any, http: Desk, message: Any, payload: Any
) -> None:
    lead_id = await brought(keyed, message, payload, "1", **customer(phone="+13125550148"))
    again = payload(lead_id="1", vehicle={"vin": ACCORD}, **customer(phone="+13125550149"))
    await keyed.raw.handle([message(again, "raw 1b")])
    assert ids(await http.find(phone="+13125550148")) == []
    assert ids(await http.find(phone="+13125550149")) == [str(lead_id)]
    assert ids(await http.get(vin=ACCORD)) == [str(lead_id)]
    lead = await keyed.lead(lead_id)
    assert await listed(keyed) == sorted((term, lead_id) for term in TERMS.of(lead))


async def test_every_vehicle_counts(keyed: Any, http: Desk, message: Any, payload: Any) -> None:
    vehicles = {"vehicle": None, "vehicles": [{"vin": CIVIC}, {"vin": ACCORD}, {"make": "Honda"}]}
    lead_id = await brought(keyed, message, payload, "1", **vehicles)
    for vin in (CIVIC, ACCORD, f"VIN: {ACCORD.lower()}"):
        assert ids(await http.get(vin=vin)) == [str(lead_id)]
    assert ids(await http.find(vin=CIVIC, email=payload()["customer"]["email"])) == [str(lead_id)]


async def test_pages_of_one_vehicle(keyed: Any, http: Desk, message: Any, payload: Any) -> None:
    made = [
        await brought(keyed, message, payload, str(number), vehicle={"vin": CIVIC}) for number in range(5)
    ]
    seen: list[str] = []
    cursor: dict[str, Any] = {}
    while True:
        page = await http.get(vin=CIVIC, limit=2, **cursor)
        seen += ids(page)
        if page["next_cursor"] is None:
            break
        cursor = {"cursor": page["next_cursor"]}
    assert seen == [str(one) for one in reversed(made)]


async def test_a_token_of_a_dealer_finds_its_own(keyed: Any, http: Desk, message: Any, payload: Any) -> None:
    await brought(keyed, message, payload, "1", **customer(phone="+13125550148"))
    found = [
        ids(await http.find(token=bearer(dealers=[dealer]), phone="+13125550148"))
        for dealer in ("prairie-motors", "another")
    ]
    assert [len(each) for each in found] == [1, 0]
    assert (await http.find(403, token=bearer("viewer"), phone="+13125550148"))["title"]


async def test_looking_for_somebody_is_on_record_without_saying_for_whom(
    keyed: Any, http: Desk, message: Any, payload: Any, capsys: Any
) -> None:
    await brought(keyed, message, payload, "1", **customer(phone="+13125550148"))
    capsys.readouterr()
    await http.find(phone="+13125550148")
    (row,) = await keyed.fetch("SELECT actor, detail::text FROM audit WHERE action = 'lead.find'")
    assert row["actor"] == "a-operator"
    assert json.loads(row["detail"]) == {"by": ["phone"], "found": 1}
    told = capsys.readouterr()
    assert "5550148" not in told.out + told.err


@pytest.mark.parametrize(
    ("body", "pointer", "code"),
    [
        pytest.param({}, "/phone", "missing", id="nothing"),
        pytest.param({"vin": CIVIC}, "/phone", "missing", id="only-a-vin"),
        pytest.param({"phone": "ask for Bob"}, "/phone", "phone_unreadable", id="no-number"),
        pytest.param({"phone": "3125550148"}, "/phone", "phone_unreadable", id="without-country"),
        pytest.param({"phone": "+13125550148 or +13125550149"}, "/phone", "phone_extracted", id="two"),
        pytest.param({"email": "dana at example"}, "/email", "email_invalid", id="no-address"),
        pytest.param({"email": "d@example.com", "vin": "short"}, "/vin", "vin_length", id="bad-vin"),
        pytest.param({"phone": "1", "country": "usa"}, "/country", "string_pattern_mismatch", id="country"),
        pytest.param({"phone": "1", "state": "lost"}, "/state", "literal_error", id="state"),
        pytest.param({"phone": "1", "since": "yesterday"}, "/since", "datetime_from_date_parsing", id="date"),
        pytest.param({"fone": "1"}, "/fone", "extra_forbidden", id="unknown-field"),
        pytest.param({"phone": "\0"}, "/phone", "phone_unreadable", id="nul"),
    ],
)
async def test_what_cannot_be_looked_for_is_said(http: Desk, body: Any, pointer: Any, code: Any) -> None:
    problem = await http.find(422, **body)
    told = {(each["pointer"], each["code"]) for each in problem["errors"]}
    assert told == {(pointer, code)}
    assert all(str(value) not in json.dumps(problem) for value in body.values() if len(str(value)) > 3)


@pytest.mark.parametrize(
    ("parameters", "status", "told"),
    [
        ({"vin": "123"}, 422, "vin"),
        ({"vin": "IOQIOQIOQIOQIOQIO"}, 422, "vin"),
        ({"state": "lost"}, 422, "state"),
        ({"since": "2026-13-01T00:00:00Z"}, 422, "since"),
        ({"since": "2026-03-01T00:00:00"}, 422, "since"),
        ({"since": "2026-03-02T00:00:00Z", "until": "2026-03-01T00:00:00Z"}, 422, "until"),
        ({"since": "2026-03-02T00:00:00Z", "until": "2026-03-02T00:00:00Z"}, 422, "until"),
        ({"phone": "+13125550148"}, 400, None),
        ({"test": "perhaps"}, 422, "test"),
    ],
)
async def test_wrong_filters(http: Desk, parameters: Any, status: Any, told: Any) -> None:
    problem = await http.get(status, **parameters)
    if told:
        assert [each["parameter"] for each in problem["errors"]] == [told]


async def test_without_a_key_the_answer_says_so(workshop: Any, message: Any, payload: Any) -> None:
    await workshop.map_dealer()
    lead_id = await brought(workshop, message, payload, "1", vehicle={"vin": CIVIC})
    http = desk(workshop, None)
    problem = await http.find(409, phone="+13125550148")
    assert problem["type"].endswith("/finding-without-key")
    assert await listed(workshop) == [(f"vin:{CIVIC}", lead_id)]
    assert ids(await http.get(vin=CIVIC)) == [str(lead_id)]


async def index(workshop: Any, terms: Terms) -> int:
    indexing, total = Indexing(workshop.database, terms), 0
    while done := await indexing.index():
        total += done
    return total


async def test_leads_of_an_earlier_release_are_indexed(
    keyed: Any, http: Desk, message: Any, payload: Any
) -> None:
    lead_id = await brought(keyed, message, payload, "1", **customer(phone="+13125550148"))
    await keyed.fetch("UPDATE lead SET terms = '{}', terms_by = '', state = 'waiting'")
    await keyed.fetch("DELETE FROM lead_term")
    await keyed.fetch(
        "INSERT INTO ledger SELECT lead_id, 's', 'r', lead_id, 'failed', 'o', 1, false, false, now(), now()"
        " FROM lead"
    )
    assert ids(await http.find(phone="+13125550148")) == []
    assert await index(keyed, TERMS) == 1
    assert ids(await http.find(phone="+13125550148")) == [str(lead_id)]
    assert ids(await http.get(state="failed")) == [str(lead_id)]
    assert await index(keyed, TERMS) == 0


async def test_how_many_are_left_is_counted_by_the_poll_not_by_the_batch(
    keyed: Any, message: Any, payload: Any, monkeypatch: Any
) -> None:
    monkeypatch.setattr("normalizer.indexing.BATCH", 1)
    told, none_left = list[int](), asyncio.Event()

    def tell(left: int) -> None:
        told.append(left)
        if not left:
            none_left.set()

    monkeypatch.setattr("normalizer.reporting.UNINDEXED.set", tell)
    for number in range(3):
        await brought(keyed, message, payload, str(number))
    indexing = asyncio.create_task(Indexing(keyed.database, OTHER, poll_seconds=600, pause_seconds=0).run())
    async with asyncio.timeout(60):
        await none_left.wait()
    indexing.cancel()
    await asyncio.wait([indexing])
    # Once for all batches, and at once when none is left.
    assert told == [3, 0]
    assert await keyed.fetch("SELECT FROM lead WHERE terms_by <> $1", OTHER.mark) == []


async def test_a_key_is_replaced_while_leads_stay_findable(keyed: Any, message: Any, payload: Any) -> None:
    old = await brought(keyed, message, payload, "1", **customer(phone="+13125550148"))
    http = desk(keyed, OTHER, TERMS)
    use(keyed, OTHER)
    new = await brought(keyed, message, payload, "2", **customer(phone="+13125550148"))
    both = [str(new), str(old)]
    assert ids(await http.find(phone="+13125550148")) == both
    assert await index(keyed, OTHER) == 1
    assert ids(await http.find(phone="+13125550148")) == both
    assert ids(await desk(keyed, OTHER).find(phone="+13125550148")) == both
    assert ids(await desk(keyed, TERMS).find(phone="+13125550148")) == []


async def test_a_replica_without_the_key_undoes_no_hashes(keyed: Any, message: Any, payload: Any) -> None:
    await brought(keyed, message, payload, "1", **customer(phone="+13125550148"))
    before = await listed(keyed)
    assert await index(keyed, Terms()) == 0
    assert await listed(keyed) == before


async def test_many_leads_are_indexed_in_batches_by_two_at_once(
    keyed: Any, message: Any, payload: Any
) -> None:
    batch = [message(payload(lead_id=str(number)), f"raw {number}") for number in range(450)]
    await keyed.raw.handle(batch)
    before = await listed(keyed)
    await keyed.fetch("UPDATE lead SET terms_by = ''")
    done = await asyncio.gather(index(keyed, TERMS), index(keyed, TERMS))
    assert sum(done) == 450
    assert await listed(keyed) == before


def test_a_short_key_is_refused() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        Terms(b"short")
