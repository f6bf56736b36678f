"""What is wrong with the services, each for itself and compared. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from leadbus_cli.deployment import variable_of
from leadbus_cli.doctor.findings import Finding, ok, or_ok, warning, wrong
from leadbus_cli.doctor.seen import Answer, ServiceSeen, Trouble

APART_WARNING_SECONDS = 2.0
"""Above what two machines that keep time differ by."""
APART_WRONG_SECONDS = 30.0
"""Half of what tokens may be off before they are refused."""
OUTBOX_WARNING_SECONDS = 60.0
"""The longest pause between two tries of a message: older ones were refused at least once."""
OUTBOX_WRONG_SECONDS = 600.0
_REFUSED = {
    401: (
        "it refuses the token",
        "another TOKEN_KEY or JWKS_URL than the other services have, or the token is old:"
        " compare `<service> config` of both",
    ),
    403: ("the token's role is too low", "a token of the role operator"),
    404: (
        "it knows no diagnosis",
        "an older release, or LEADBUS_…_URL names something else: deploy this one",
    ),
    503: ("it cannot verify tokens", "its JWKS_URL does not answer"),
}
_BROKER_RUNBOOK = "docs/runbooks/broker-or-database-away.md"


def judge_services(
    services: Sequence[ServiceSeen], *, prefix: str = "", vhost: str | None = None
) -> list[Finding]:
    """`vhost`: the one that the topology was looked at in; None: nobody looked."""
    if not services:
        return [
            wrong(
                "services",
                "deployment",
                "nobody said where the services are",
                "set LEADBUS_INGEST_URL, LEADBUS_NORMALIZER_URL and the like",
            )
        ]
    found: list[Finding] = []
    for service in services:
        found += _judge(service, prefix, vhost)
    return found + _versions(services)


def _judge(service: ServiceSeen, prefix: str, vhost: str | None) -> list[Finding]:
    found = list(_reached(service))
    if isinstance(service.diagnosis, Answer) and not found:
        document = service.diagnosis.document
        found += _database(service.name, document.get("database"))
        found += _clock(service.name, service.diagnosis)
        found += _outbox(service.name, document.get("outbox"))
        found += _broker(service.name, document.get("broker"), prefix, vhost)
        found += _tasks(service.name, document.get("tasks") or {})
    found += _readiness(service)
    found += _destinations(service)
    about = "answers, ready, schema current, clocks agree"
    return or_ok(found, "service", service.name, f"{about} ({service.url})")


def _reached(service: ServiceSeen) -> Iterator[Finding]:
    """Whether a diagnosis came, and from whom it should."""
    name, seen = service.name, service.diagnosis
    if isinstance(seen, Trouble):
        if seen.status is None:
            yield wrong(
                "reachable",
                name,
                f"{service.url} does not answer ({seen.why})",
                f"does it run? {variable_of(name)} says where it is asked",
            )
        elif isinstance(service.ready, Trouble) and service.ready.status is not None:
            yield wrong(
                "reachable", name, f"{service.url} is no service of Leadbus", f"correct {variable_of(name)}"
            )
        else:
            why, do = _REFUSED.get(seen.status, (f"it answered {seen.why}", "see its log"))
            yield wrong("token" if seen.status in (401, 403) else "reachable", name, why, do)
    elif seen.document.get("service") != name:
        yield wrong(
            "reachable",
            name,
            f"{service.url} is {seen.document.get('service') or 'no service of Leadbus'}",
            f"correct {variable_of(name)}",
        )


def _readiness(service: ServiceSeen) -> Iterator[Finding]:
    """Known without a token, so that a refused one hides it not."""
    if isinstance(service.ready, Trouble) or service.ready.get("ok"):
        return
    checks: Mapping[str, str] = service.ready.get("checks") or {}
    state = checks.get("service", "running")
    if state != "running":
        yield warning("ready", service.name, f"it is {state}", "wait, and look again")
    # What the diagnosis says more exactly is not said twice.
    diagnosed = isinstance(service.diagnosis, Answer)
    for check, outcome in checks.items():
        if check == "service" or outcome == "ok" or (diagnosed and _said_elsewhere(check)):
            continue
        yield wrong("ready", service.name, f"{check}: {outcome}", _BROKER_RUNBOOK)


def _said_elsewhere(check: str) -> bool:
    return check == "database" or check.startswith("consumes ")


def _database(name: str, seen: Mapping[str, Any] | None) -> Iterator[Finding]:
    if seen is None:
        return
    if not seen.get("reachable"):
        yield wrong("database", name, f"its database does not answer ({seen.get('error')})", _BROKER_RUNBOOK)
        return
    schema = seen.get("schema_state")
    if schema == "behind":
        yield wrong("schema", name, "its database's schema is behind this release", f"`{name} migrate`")
    elif schema == "ahead":
        yield warning(
            "schema",
            name,
            "its database's schema is ahead of this release",
            "fine during a rollout; else finish it",
        )
    elif schema is None:
        yield warning("schema", name, f"its schema could not be read ({seen.get('error')})", "ask again")
    apart = _beyond(seen.get("ahead_seconds"), (seen.get("round_trip_seconds") or 0.0) / 2)
    yield from _apart(name, "its database's clock", apart)


def _clock(name: str, answer: Answer) -> Iterator[Finding]:
    written = _moment(answer.document.get("clock"))
    if written is None:
        yield warning("clock", name, "it did not say its time", "an older release: deploy this one")
        return
    middle = answer.sent_at + (answer.received_at - answer.sent_at) / 2
    uncertain = (answer.received_at - answer.sent_at).total_seconds() / 2
    yield from _apart(name, "this machine's clock", _beyond((middle - written).total_seconds(), uncertain))


def _beyond(ahead_seconds: Any, uncertain_seconds: float) -> float:
    """How far a clock is ahead (behind: below 0) beyond what the way of the answer explains."""
    if not isinstance(ahead_seconds, int | float):
        return 0.0
    excess = max(0.0, abs(ahead_seconds) - uncertain_seconds)
    return excess if ahead_seconds > 0 else -excess


def _apart(name: str, other: str, seconds: float) -> Iterator[Finding]:
    if abs(seconds) <= APART_WARNING_SECONDS:
        return
    level = wrong if abs(seconds) > APART_WRONG_SECONDS else warning
    direction = "ahead of" if seconds > 0 else "behind"
    yield level(
        "clock", name, f"{other} is {abs(seconds):.0f} s {direction} its own", "synchronise both (NTP)"
    )


def _outbox(name: str, seen: Mapping[str, Any] | None) -> Iterator[Finding]:
    age = (seen or {}).get("oldest_age_seconds") or 0.0
    if seen is None or age <= OUTBOX_WARNING_SECONDS:
        return
    level = wrong if age > OUTBOX_WRONG_SECONDS else warning
    yield level(
        "outbox",
        name,
        f"{seen.get('pending')} messages are not published, the oldest for {age:.0f} s",
        _BROKER_RUNBOOK,
    )


def _broker(name: str, seen: Mapping[str, Any] | None, prefix: str, vhost: str | None) -> Iterator[Finding]:
    if seen is None:
        return
    if vhost is not None and seen.get("vhost") != vhost:
        yield wrong(
            "broker",
            name,
            f"it uses virtual host {seen.get('vhost')!r}, the topology was looked at in {vhost!r}",
            "correct its AMQP_URL, or LEADBUS_AMQP_URL here",
        )
    if seen.get("user") != prefix + name:
        yield warning(
            "broker",
            name,
            f"it logs in as {seen.get('user')}, whose rights are not those declared for {prefix + name}",
            "docs/runbooks/broker-users.md",
        )
    if seen.get("publishing") is False:
        yield wrong("broker", name, "it has no connection to publish on", _BROKER_RUNBOOK)
    for queue, consuming in (seen.get("consuming") or {}).items():
        if not consuming:
            yield wrong("consumer", name, f"it does not consume {queue}", _BROKER_RUNBOOK)


def _tasks(name: str, tasks: Mapping[str, str]) -> Iterator[Finding]:
    for task, state in tasks.items():
        if state in ("dead", "stalled"):
            yield wrong("task", name, f"task {task} is {state}", "its log says why; it is restarted soon")
        elif state != "running":
            yield warning("task", name, f"task {task} is {state}", "its log says what it waits for")


def _destinations(service: ServiceSeen) -> Iterator[Finding]:
    if service.destinations is None:
        return
    if isinstance(service.destinations, Trouble):
        if isinstance(service.diagnosis, Answer):
            why = service.destinations.why
            yield warning("destinations", service.name, f"they cannot be listed ({why})", "ask again")
        return
    do = {
        "suspended": "a person has to act: `leadbus destinations show NAME`",
        "failing": "`leadbus destinations show NAME`; they are probed and resume by themselves",
        "paused": "`leadbus destinations resume NAME` when the reason is gone",
    }
    states = Counter(str(each.get("health")) for each in service.destinations)
    for state, what in do.items():
        if states[state]:
            names = sorted(
                str(each.get("name")) for each in service.destinations if each.get("health") == state
            )
            shown = ", ".join(names[:3]) + (" and more" if len(names) > 3 else "")
            level = wrong if state == "suspended" else warning
            yield level("destinations", service.name, f"{states[state]} {state}: {shown}", what)


def _versions(services: Sequence[ServiceSeen]) -> list[Finding]:
    versions = {
        service.name: str(service.diagnosis.document.get("version"))
        for service in services
        if isinstance(service.diagnosis, Answer)
    }
    if len(set(versions.values())) > 1:
        said = ", ".join(f"{name} {version}" for name, version in sorted(versions.items()))
        return [warning("versions", "services", said, "fine during a rollout; else finish it")]
    return [ok("versions", "services", f"all {version}") for version in set(versions.values())]


def _moment(value: Any) -> datetime | None:
    try:
        moment = datetime.fromisoformat(str(value))
    except ValueError:
        return None
    return moment if moment.tzinfo else None
