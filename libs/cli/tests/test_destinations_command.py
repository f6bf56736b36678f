"""``leadbus destinations`` against the API that every sink serves, on a real database."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import asyncpg
import pytest
from leadbus import delivery, outbox
from leadbus.db import Database
from leadbus.delivery.router import router
from leadbus.web import TokenVerifier, create_app, sign_token
from leadbus.web.audit import DDL_V1 as AUDIT_DDL
from leadbus.web.tokens import StaticKey
from pydantic import SecretStr

KEY = SecretStr("a key for tests that is long enough to sign with")
NAME = "smtp.example.net:587"
REFUSED_AT = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)
TABLES = (outbox.DDL_V1, delivery.DDL_V1, delivery.DDL_V2, AUDIT_DDL)


@dataclass(frozen=True, slots=True)
class Mailer:
    database_url: str

    def execute(self, sql: str, *arguments: Any) -> None:
        asyncio.run(_execute(self.database_url, sql, *arguments))


async def _execute(url: str, sql: str, *arguments: Any) -> None:
    connection = await asyncpg.connect(url)
    await connection.execute(sql, *arguments)
    await connection.close()


@pytest.fixture(scope="module")
def sink(database_factory: Any, served: Any) -> Iterator[tuple[str, str]]:
    """URL of the sink and of its database."""
    database_url = database_factory.create(None)
    for ddl in TABLES:
        asyncio.run(_execute(database_url, ddl))
    database = Database(database_url)

    @contextlib.asynccontextmanager
    async def lifespan(_: Any) -> AsyncIterator[None]:
        await database.open()
        yield
        await database.close()

    routers = [router(database, sink="adf-mailer")]
    app = create_app(
        "adf-mailer", "adf-mailer", "1", routers, lifespan, verifier=TokenVerifier(StaticKey(KEY))
    )
    with served(app) as url:
        yield url, database_url
    database_factory.drop(database_url)


@pytest.fixture
def mailer(sink: tuple[str, str], leadbus: Any, monkeypatch: pytest.MonkeyPatch) -> Mailer:
    url, database_url = sink
    monkeypatch.setenv("LEADBUS_ADF_MAILER_URL", url)
    monkeypatch.setenv("LEADBUS_TOKEN", sign_token(KEY, "ann", "operator"))
    mailer = Mailer(database_url)
    mailer.execute("TRUNCATE destination, audit")
    mailer.execute("INSERT INTO destination (name, created_at) VALUES ($1, now())", NAME)
    return mailer


def test_a_suspended_destination_says_since_when_and_why(leadbus: Any, mailer: Mailer) -> None:
    mailer.execute(
        "UPDATE destination SET breaker = 'open', suspended_at = $1, suspended_reason = 'auth_refused',"
        " failed_at = $1, failed_outcome = 'suspended', failed_reason = 'auth_refused'",
        REFUSED_AT,
    )
    listed = leadbus("destinations", "list")
    assert NAME in listed.out
    assert "suspended" in listed.out
    assert "2026-11-21 09:30:00+00:00" in listed.out
    assert "auth_refused" in listed.out
    assert [one["name"] for one in leadbus("destinations", "list", "--json").json["items"]] == [NAME]
    assert leadbus("destinations", "list", "--health", "healthy").out == "none\n"
    shown = leadbus("destinations", "show", NAME)
    assert "last failure" in shown.out
    assert "queued" in shown.out
    as_json = leadbus("destinations", "show", NAME, "--json").json
    assert (as_json["sink"], as_json["health"]) == ("adf-mailer", "suspended")


def test_pause_and_resume(leadbus: Any, mailer: Mailer) -> None:
    assert leadbus("destinations", "pause", NAME, "--reason", "moved").out == f"{NAME} paused\n"
    assert leadbus("destinations", "show", NAME, "--json").json["health"] == "paused"
    assert leadbus("destinations", "resume", NAME).out == f"{NAME} resumed\n"
    assert leadbus("destinations", "show", NAME, "--json").json["health"] == "healthy"


def test_limits_are_shown_set_one_by_one_and_lifted(leadbus: Any, mailer: Mailer) -> None:
    def limits(*options: str) -> dict[str, Any]:
        said: dict[str, Any] = leadbus("destinations", "limits", NAME, *options, "--json").json
        return {key: said[key] for key in ("max_in_flight", "per_minute")}

    assert limits() == {"max_in_flight": None, "per_minute": None}
    assert limits("--max-in-flight", "3") == {"max_in_flight": 3, "per_minute": None}
    assert limits("--per-minute", "60") == {"max_in_flight": 3, "per_minute": 60}
    assert limits("--max-in-flight", "none") == {"max_in_flight": None, "per_minute": 60}
    assert "per minute     60" in leadbus("destinations", "limits", NAME).out


@pytest.mark.parametrize(
    "options",
    [
        ("--max-in-flight", "0"),
        ("--max-in-flight", "many"),
        ("--per-minute", "1.5"),
        ("--per-minute", "\u0663"),
        ("--per-minute", "999999999"),
    ],
    ids=["zero", "word", "fraction", "other-digits", "absurd"],
)
def test_bad_limits_are_said_in_one_line_and_change_nothing(
    leadbus: Any, mailer: Mailer, options: tuple[str, str]
) -> None:
    ran = leadbus("destinations", "limits", NAME, *options)
    assert (ran.code, ran.out, len(ran.complaints)) == (1, "", 1)
    now = leadbus("destinations", "limits", NAME, "--json").json
    assert (now["max_in_flight"], now["per_minute"]) == (None, None)


@pytest.mark.parametrize(
    "command",
    [("show", "nowhere"), ("limits", "nowhere"), ("limits", "nowhere", "--per-minute", "1")],
    ids=" ".join,
)
def test_unknown_destination(leadbus: Any, mailer: Mailer, command: tuple[str, ...]) -> None:
    ran = leadbus("destinations", *command)
    assert (ran.code, ran.out, ran.complaints) == (1, "", ["there is no destination nowhere"])


def test_a_viewer_may_look_only(leadbus: Any, mailer: Mailer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEADBUS_TOKEN", sign_token(KEY, "eve", "viewer"))
    assert leadbus("destinations", "show", NAME).code == 0
    ran = leadbus("destinations", "limits", NAME, "--per-minute", "1")
    assert (ran.code, ran.out, len(ran.complaints)) == (1, "", 1)


def test_unknown_health_is_named(leadbus: Any, mailer: Mailer) -> None:
    ran = leadbus("destinations", "list", "--health", "ill")
    assert (ran.code, len(ran.complaints)) == (1, 1)
    assert "health" in ran.complaints[0]


def test_the_doctor_sees_a_suspended_one_beyond_the_first_page(leadbus: Any, mailer: Mailer) -> None:
    mailer.execute(
        "INSERT INTO destination (name, created_at, breaker, suspended_at, suspended_reason)"
        " SELECT format('smtp-%s:587', to_char(n, 'FM0000')), now() + n * interval '1 second',"
        "        CASE WHEN last THEN 'open' ELSE 'closed' END, CASE WHEN last THEN now() END,"
        "        CASE WHEN last THEN 'auth_refused' END"
        " FROM generate_series(0, 600) AS n, LATERAL (SELECT n IN (0, 600) AS last) AS ends"
    )
    told = leadbus("doctor", "--json", "--timeout", "30").json["findings"]
    [found] = [it["found"] for it in told if (it["level"], it["check"]) == ("wrong", "destinations")]
    assert found == "2 suspended: smtp-0000:587, smtp-0600:587", "in whichever order they are listed"
