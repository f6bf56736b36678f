"""``leadbus apply`` against two services with the real settings API on a real database."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import httpx2
import pytest
from leadbus.db import Database
from leadbus.settings.documents import DDL_V1, DocumentStore, InvalidSpec, Kind, Spec, router
from leadbus.web import TokenVerifier, create_app, sign_token
from leadbus.web.audit import DDL_V1 as AUDIT_DDL
from leadbus.web.tokens import StaticKey
from leadbus_cli.deployment import Deployment
from leadbus_cli.errors import CliError
from leadbus_cli.settings.carry_out import carry_out
from leadbus_cli.settings.files import read_documents
from leadbus_cli.settings.kinds import owned_kinds
from leadbus_cli.settings.plan import Options, draw
from pydantic import Field, SecretStr

KEY = SecretStr("a key for tests that is long enough to sign with")
TOKEN = sign_token(KEY, "ann", "admin")


class DealerSpec(Spec):
    name: str
    legal_name: str | None = None
    country: str = Field("US", pattern="^[A-Z]{2}$")


class LocationSpec(Spec):
    external_id: str
    dealer: str


class RouteSpec(Spec):
    dealer: str = Field(json_schema_extra={"x-reference": "Dealer"})
    address: str
    enabled: bool = True


async def _check_route(connection: Any, name: str, spec: RouteSpec) -> None:
    if spec.address.isupper():
        raise InvalidSpec("/address", "do not shout")
    other = await connection.fetchval(
        "SELECT name FROM setting WHERE kind = 'AdfRoute' AND name <> $1"
        " AND spec ->> 'dealer' = $2 AND spec ->> 'address' = $3",
        name,
        spec.dealer,
        spec.address,
    )
    if other is not None:
        raise InvalidSpec("/address", f"{other} goes there already")


NORMALIZER = [
    Kind("Dealer", DealerSpec),
    Kind("Location", LocationSpec, references={"dealer": "Dealer"}),
]
MAILER = [Kind("AdfRoute", RouteSpec, check=_check_route)]
KINDS = {"normalizer": NORMALIZER, "adf-mailer": MAILER}

ROUTE = """\
kind: AdfRoute
metadata: {name: prairie-crm}
spec:
  dealer: prairie
  address: leads@prairie.example
"""
LOCATION = """\
kind: Location
metadata: {name: cao-40217}
spec:
  external_id: "40217"
  dealer: prairie
"""
DEALER = """\
kind: Dealer
metadata: {name: prairie}
spec:
  name: Prairie Motors
"""
# Deliberately the wrong way round: what is referred to comes last.
ALL = "---\n".join([ROUTE, LOCATION, DEALER])


@dataclass(frozen=True, slots=True)
class Running:
    url: str
    database_url: str


@pytest.fixture(scope="module")
def services(database_factory: Any, served: Any) -> Iterator[dict[str, Running]]:
    """Both services, running for all tests of this file."""
    with contextlib.ExitStack() as ends:
        yield {
            name: ends.enter_context(_running(name, kinds, database_factory, served))
            for name, kinds in KINDS.items()
        }


@contextlib.contextmanager
def _running(name: str, kinds: list[Kind], database_factory: Any, served: Any) -> Iterator[Running]:
    database_url = database_factory.create(None)
    asyncio.run(_execute(database_url, DDL_V1, AUDIT_DDL))
    with served(_application(name, database_url, kinds)) as url:
        yield Running(url, database_url)
    database_factory.drop(database_url)


async def _execute(database_url: str, *statements: str) -> None:
    connection = await asyncpg.connect(database_url)
    for statement in statements:
        await connection.execute(statement)
    await connection.close()


def _application(name: str, database_url: str, kinds: list[Kind]) -> Any:
    database = Database(database_url)

    @contextlib.asynccontextmanager
    async def lifespan(_: Any) -> AsyncIterator[None]:
        await database.open()
        yield
        await database.close()

    verifier = TokenVerifier(StaticKey(KEY))
    return create_app(name, name, "1", [router(DocumentStore(database, kinds))], lifespan, verifier=verifier)


@pytest.fixture
async def urls(services: dict[str, Running], leadbus: Any, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The two services by name, without settings, known to the command by environment."""
    for name, running in services.items():
        await _execute(running.database_url, "TRUNCATE setting, setting_history, audit")
        monkeypatch.setenv(f"LEADBUS_{name.upper().replace('-', '_')}_URL", running.url)
    monkeypatch.setenv("LEADBUS_TOKEN", TOKEN)
    return {name: running.url for name, running in services.items()}


def write(text: str, name: str = "all.yaml") -> Path:
    path = Path(name)
    path.write_text(text, "utf-8")
    return path


def setting(url: str, kind: str, name: str) -> dict[str, Any] | None:
    answer = httpx2.get(f"{url}/v1/settings/{kind}/{name}", headers={"Authorization": f"Bearer {TOKEN}"})
    found: dict[str, Any] | None = answer.json() if answer.is_success else None
    return found


def put(url: str, kind: str, name: str, spec: dict[str, Any], managed_by: str = "hand") -> None:
    headers = {"Authorization": f"Bearer {TOKEN}"}
    address = f"{url}/v1/settings/{kind}/{name}"
    present = httpx2.get(address, headers=headers)
    if present.is_success:
        headers["If-Match"] = present.headers["ETag"]
    body = {"spec": spec, "managed_by": managed_by}
    httpx2.put(f"{address}?take_over=true", headers=headers, json=body).raise_for_status()


def actions(report: Any) -> dict[str, str]:
    return {f"{each['kind']}/{each['name']}": each["action"] for each in report["changes"]}


def test_first_run_makes_everything_in_an_order_that_works_and_the_second_nothing(
    leadbus: Any, urls: dict[str, str]
) -> None:
    write(ALL)
    first = leadbus("apply", "-f", ".")
    assert (first.code, first.err) == (0, "")
    assert first.out.splitlines()[-1] == "3 created"
    assert "+ AdfRoute/prairie-crm created (all.yaml:1)" in first.out
    assert "    name: Prairie Motors\n" in first.out
    assert "legal_name" not in first.out, "what is not set is not worth a line"
    route = setting(urls["adf-mailer"], "AdfRoute", "prairie-crm")
    assert route is not None
    assert (route["managed_by"], route["spec"]["address"]) == ("git", "leads@prairie.example")
    second = leadbus("apply", "-f", ".")
    assert (second.code, second.out) == (0, "3 unchanged\n")
    assert set(actions(leadbus("apply", "-f", ".", "--json").json).values()) == {"unchanged"}


def test_a_dry_run_tells_everything_and_changes_nothing(leadbus: Any, urls: dict[str, str]) -> None:
    write(ALL)
    ran = leadbus("apply", "-f", "all.yaml", "--dry-run")
    assert (ran.code, ran.out.splitlines()[-1]) == (0, "would be: 3 created")
    assert setting(urls["normalizer"], "Dealer", "prairie") is None
    assert leadbus("apply", "-f", "all.yaml", "--dry-run", "--json").json["summary"] == {"created": 3}
    assert setting(urls["normalizer"], "Dealer", "prairie") is None


def test_a_change_is_shown_field_by_field(leadbus: Any, urls: dict[str, str]) -> None:
    write(ALL)
    assert leadbus("apply", "-f", ".").code == 0
    write(ALL.replace("Prairie Motors", "Prairie Motors II"))
    ran = leadbus("apply", "-f", ".")
    assert "~ Dealer/prairie changed (all.yaml:13)" in ran.out
    assert "    name: Prairie Motors -> Prairie Motors II" in ran.out
    assert ran.out.splitlines()[-1] == "1 changed, 2 unchanged"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (ALL + "  country: Germany\n", "all.yaml:17: Dealer/prairie: country: "),
        (ALL + "  colour: red\n", "all.yaml:17: Dealer/prairie: colour: "),
        (ALL.replace("leads@prairie.example", "LEADS"), "all.yaml:5: AdfRoute/prairie-crm: address: do not"),
        (ALL.replace("kind: Location", "kind: Place"), "all.yaml:7: no service owns the kind Place"),
        (ALL.replace("name: cao-40217", "name: 'a b'"), "all.yaml:8: Location/a b: "),
        (ROUTE, "all.yaml:4: AdfRoute/prairie-crm: Dealer/prairie does not exist"),
        (LOCATION, "all.yaml:5: Location/cao-40217: Dealer/prairie does not exist"),
    ],
    ids=["value", "field", "check", "kind", "name", "reference across services", "reference"],
)
def test_one_wrong_document_stops_all_before_anything_changed(
    leadbus: Any, urls: dict[str, str], text: str, complaint: str
) -> None:
    write(text)
    ran = leadbus("apply", "-f", ".")
    assert (ran.code, ran.out) == (1, "")
    assert len(ran.complaints) == 1
    assert ran.complaints[0].startswith(complaint)
    assert setting(urls["normalizer"], "Dealer", "prairie") is None
    assert setting(urls["adf-mailer"], "AdfRoute", "prairie-crm") is None


def routes(*addresses: str) -> str:
    """One for each address, of one dealer."""
    return "---\n".join(
        ROUTE.replace("prairie-crm", f"route-{number}").replace("leads@prairie.example", address)
        for number, address in enumerate(addresses)
    )


def test_documents_that_cannot_stand_beside_each_other_are_refused_before_anything_changed(
    leadbus: Any, urls: dict[str, str]
) -> None:
    write(routes("a@x.example", "a@x.example") + "---\n" + DEALER)
    ran = leadbus("apply", "-f", ".")
    assert (ran.code, ran.out) == (1, "")
    (complaint,) = ran.complaints
    assert complaint.endswith("AdfRoute/route-1: address: route-0 goes there already")
    assert setting(urls["normalizer"], "Dealer", "prairie") is None
    assert setting(urls["adf-mailer"], "AdfRoute", "route-0") is None


def test_what_one_document_leaves_another_may_have_in_the_same_run(
    leadbus: Any, urls: dict[str, str]
) -> None:
    write(routes("a@x.example", "b@x.example") + "---\n" + DEALER)
    assert leadbus("apply", "-f", ".").code == 0
    write(routes("c@x.example", "a@x.example"))
    assert leadbus("apply", "-f", ".").out.splitlines()[-1] == "2 changed"
    taken = setting(urls["adf-mailer"], "AdfRoute", "route-1")
    assert taken is not None
    assert taken["spec"]["address"] == "a@x.example"


def test_an_exchange_is_refused_before_anything_changed(leadbus: Any, urls: dict[str, str]) -> None:
    write(routes("a@x.example", "b@x.example") + "---\n" + DEALER)
    assert leadbus("apply", "-f", ".").code == 0
    write(routes("b@x.example", "a@x.example"))
    ran = leadbus("apply", "-f", ".")
    assert (ran.code, ran.out) == (1, "")
    assert ran.complaints[0].endswith("AdfRoute/route-0: address: route-1 goes there already")
    for number, address in enumerate(("a@x.example", "b@x.example")):
        kept = setting(urls["adf-mailer"], "AdfRoute", f"route-{number}")
        assert kept is not None
        assert kept["spec"]["address"] == address


def test_every_wrong_document_is_told(leadbus: Any, urls: dict[str, str]) -> None:
    write(ALL.replace("leads@prairie.example", "LEADS") + "  country: Germany\n")
    assert len(leadbus("apply", "-f", ".").complaints) == 2


def test_what_is_referred_to_may_be_there_already(leadbus: Any, urls: dict[str, str]) -> None:
    put(urls["normalizer"], "Dealer", "prairie", {"name": "Prairie"})
    write("---\n".join([ROUTE, LOCATION]))
    assert leadbus("apply", "-f", ".").out.splitlines()[-1] == "2 created"


def test_what_somebody_else_keeps_is_left_alone_unless_taken_over(leadbus: Any, urls: dict[str, str]) -> None:
    put(urls["normalizer"], "Dealer", "prairie", {"name": "By hand"})
    write(DEALER)
    ran = leadbus("apply", "-f", ".")
    assert ran.code == 1
    assert ran.complaints == [
        "all.yaml:1: Dealer/prairie: it is managed by hand (--take-over takes it)",
    ]
    assert leadbus("apply", "-f", ".", "--take-over").code == 0
    taken = setting(urls["normalizer"], "Dealer", "prairie")
    assert taken is not None
    assert (taken["managed_by"], taken["spec"]["name"]) == ("git", "Prairie Motors")


def test_prune_deletes_what_the_files_no_longer_name_and_only_ours(
    leadbus: Any, urls: dict[str, str]
) -> None:
    write(ALL)
    assert leadbus("apply", "-f", ".").code == 0
    put(urls["normalizer"], "Dealer", "by-hand", {"name": "By hand"})
    write(DEALER.replace("prairie", "lakeside"))
    kept = leadbus("apply", "-f", ".")
    assert kept.out.splitlines()[-1] == "1 created"
    pruned = leadbus("apply", "-f", ".", "--prune", "--json")
    assert pruned.code == 0
    assert actions(pruned.json) == {
        "Dealer/lakeside": "unchanged",
        "AdfRoute/prairie-crm": "deleted",
        "Location/cao-40217": "deleted",
        "Dealer/prairie": "deleted",
    }
    assert setting(urls["normalizer"], "Dealer", "prairie") is None
    assert setting(urls["adf-mailer"], "AdfRoute", "prairie-crm") is None
    assert setting(urls["normalizer"], "Dealer", "by-hand") is not None


@pytest.mark.parametrize(
    ("kind", "service", "spec"),
    [
        ("Location", "normalizer", {"external_id": "9", "dealer": "prairie"}),
        ("AdfRoute", "adf-mailer", {"address": "a@b.example", "dealer": "prairie"}),
    ],
)
def test_prune_keeps_what_somebody_elses_setting_names(
    leadbus: Any, urls: dict[str, str], kind: str, service: str, spec: dict[str, Any]
) -> None:
    write(DEALER)
    assert leadbus("apply", "-f", ".").code == 0
    put(urls[service], kind, "by-hand", spec)
    write(DEALER.replace("prairie", "lakeside"))
    ran = leadbus("apply", "-f", ".", "--prune")
    assert ran.code == 1
    assert ran.complaints == [f"Dealer/prairie would be pruned, but {kind}/by-hand names it"]
    assert setting(urls["normalizer"], "Dealer", "lakeside") is None


def test_a_file_may_not_name_what_is_pruned(leadbus: Any, urls: dict[str, str]) -> None:
    write(ALL)
    assert leadbus("apply", "-f", ".").code == 0
    write(ROUTE)
    ran = leadbus("apply", "-f", ".", "--prune")
    assert ran.complaints == ["all.yaml:4: AdfRoute/prairie-crm: Dealer/prairie would be pruned"]


def test_managers_do_not_prune_each_other(leadbus: Any, urls: dict[str, str]) -> None:
    write(DEALER)
    assert leadbus("apply", "-f", ".", "--manager", "team-a").code == 0
    write(DEALER.replace("prairie", "lakeside"))
    assert leadbus("apply", "-f", ".", "--manager", "team-b", "--prune").out.splitlines()[-1] == "1 created"
    assert setting(urls["normalizer"], "Dealer", "prairie") is not None


def test_a_change_made_meanwhile_is_not_overwritten(leadbus: Any, urls: dict[str, str]) -> None:
    write(ALL)
    assert leadbus("apply", "-f", ".").code == 0
    write(ALL.replace("Prairie Motors", "Prairie II").replace('"40217"', '"40218"'))
    options = Options(manager="git")
    steps = draw(read_documents([Path()]), owned_kinds(Deployment.find().all()), options)
    location = {"external_id": "7", "dealer": "prairie"}
    put(urls["normalizer"], "Location", "cao-40217", location, managed_by="git")
    done: list[str] = []
    with pytest.raises(CliError) as caught:
        carry_out(steps, options, lambda step: done.append(str(step)))
    assert done == ["Dealer/prairie"]
    assert caught.value.lines[0].startswith("Location/cao-40217: normalizer: It changed meanwhile")
    assert caught.value.lines[-1] == "1 of 2 changes are made; run it again for the rest"
    assert leadbus("apply", "-f", ".").out.splitlines()[-1] == "1 changed, 2 unchanged"


def test_a_service_that_is_away_stops_all_in_one_line(
    leadbus: Any, urls: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEADBUS_ADF_MAILER_URL", "http://127.0.0.1:1")
    write(ALL)
    ran = leadbus("apply", "-f", ".")
    assert (ran.code, ran.out) == (1, "")
    assert ran.complaints == ["adf-mailer at http://127.0.0.1:1 does not answer (ConnectError)"]
    assert setting(urls["normalizer"], "Dealer", "prairie") is None


@pytest.mark.parametrize(
    "token", ["", "nonsense", sign_token(KEY, "vic", "viewer")], ids=["none", "bad", "viewer"]
)
def test_without_the_right_token_nothing_happens(
    leadbus: Any, urls: dict[str, str], monkeypatch: pytest.MonkeyPatch, token: str
) -> None:
    monkeypatch.setenv("LEADBUS_TOKEN", token)
    write(DEALER)
    ran = leadbus("apply", "-f", ".")
    assert (ran.code, ran.out, len(ran.complaints)) == (1, "", 1)
    assert ran.complaints[0].startswith("normalizer: ")


def test_two_owners_of_one_kind_are_refused(
    leadbus: Any, urls: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEADBUS_INGEST_URL", urls["normalizer"])
    write(DEALER)
    assert leadbus("apply", "-f", ".").complaints == ["Dealer is owned by ingest and normalizer"]


def test_files_are_asked_for(leadbus: Any) -> None:
    assert leadbus("apply").code == 2
