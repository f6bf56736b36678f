"""The story of a lead, put together from every service that had to do with it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from leadbus_cli.api import ServiceApi
from leadbus_cli.deployment import Deployment
from leadbus_cli.errors import Away, CliError
from leadbus_cli.identifiers import uuid_of
from leadbus_cli.output import facts, heading, say, shown, table

TEST_MARK = "TEST"
"""Stands beside everything that is no real customer's."""
_DELIVERIES = 1000


def gather(deployment: Deployment, id_: str, *, reveal: bool = False) -> dict[str, Any]:
    """Lead, raw messages, quarantine entry and deliveries by lead id or raw id.

    ``missing`` names what could not be asked. Raises CliError when nobody knows the id.
    """
    normalizer, missing = deployment.service("normalizer"), list[str]()
    lead_id, raw_ids = _resolve(normalizer, id_)
    lead = normalizer.get("v1", "leads", lead_id, reveal=reveal or None) if lead_id else None
    if lead is not None:
        raw_ids = list(dict.fromkeys(each["raw_id"] for each in lead["revisions"] if each["raw_id"]))
    raw = [_raw(deployment, normalizer, raw_id, missing) for raw_id in raw_ids]
    if lead is None and not any(each["ingest"] or each["normalizer"] for each in raw):
        raise CliError(*missing, f"there is no lead and no raw message {id_}")
    return {
        "lead": lead,
        "raw": raw,
        "quarantine": None if lead else _quarantine(normalizer, raw),
        "deliveries": _deliveries(deployment, str(lead_id), missing) if lead else [],
        "missing": missing,
    }


def _resolve(normalizer: ServiceApi, id_: str) -> tuple[str | None, list[str]]:
    """(lead id, raw ids) that an id stands for."""
    if uuid_of(id_) is not None and normalizer.find("v1", "leads", id_) is not None:
        return id_, []
    raw = normalizer.find("v1", "raw", id_)
    return (raw["lead_id"] if raw else None), [id_]


def _raw(deployment: Deployment, normalizer: ServiceApi, raw_id: str, missing: list[str]) -> dict[str, Any]:
    return {
        "raw_id": raw_id,
        "ingest": _at_the_door(deployment, raw_id, missing),
        "normalizer": normalizer.find("v1", "raw", raw_id),
    }


def _at_the_door(deployment: Deployment, raw_id: str, missing: list[str]) -> Any:
    # A message that was published straight to the broker has an id of its publisher's and no door.
    if uuid_of(raw_id) is None or "ingest" not in deployment.services:
        return None
    try:
        return deployment.service("ingest").find("v1", "raw", raw_id)
    except Away as error:
        _note(missing, error)
        return None


def _quarantine(normalizer: ServiceApi, raw: list[dict[str, Any]]) -> Any:
    for each in raw:
        if each["normalizer"] and each["normalizer"].get("quarantine"):
            return normalizer.find("v1", "quarantine", str(each["normalizer"]["raw_key"]))
    return None


def _deliveries(deployment: Deployment, lead_id: str, missing: list[str]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for sink in deployment.sinks():
        try:
            found += [
                {"sink": sink.name, **sink.get("v1", "deliveries", str(each["id"]))}
                for each in sink.items("v1", "deliveries", limit=_DELIVERIES, subject_id=lead_id)
            ]
        except Away as error:
            _note(missing, error)
    return sorted(found, key=lambda each: str(each["planned_at"]))


def _note(missing: list[str], error: Away) -> None:
    missing += [line for line in error.lines if line not in missing]


def tell(story: Mapping[str, Any]) -> None:
    """The story as text."""
    if story["lead"] is not None:
        _tell_lead(story["lead"])
    for raw in story["raw"]:
        _tell_raw(raw)
    if story["quarantine"] is not None:
        heading("quarantine")
        facts(story["quarantine"], indent="  ")
    if story["lead"] is not None:
        heading("revisions")
        revisions = story["lead"]["revisions"]
        acts = ("act_id",) if any(one.get("act_id") for one in revisions) else ()
        table(revisions, ("revision", "event_type", "changed", "at", "raw_id", *acts), indent="  ")
        if story["lead"]["ledger"]:
            heading("what the sinks said")
            table(
                [{**one, "route": route_of(one)} for one in story["lead"]["ledger"]],
                ("sink", "route", "aside", "state", "outcome", "attempts", "ambiguous", "finished_at"),
                indent="  ",
            )
    for delivery in story["deliveries"]:
        heading(f"delivery {delivery['id']}{_mark(delivery)}")
        _tell_rest(delivery)


def route_of(said: Mapping[str, Any]) -> str:
    """The route of a delivery, with the place of the recipient in it where it is not the first."""
    route, target = said["route"], said.get("target")
    return f"{route} ({target})" if target else str(route)


def tell_delivery(delivery: Mapping[str, Any]) -> None:
    """One delivery with tries and acts."""
    say(f"delivery {delivery['id']}{_mark(delivery)}")
    _tell_rest(delivery)


def _mark(thing: Mapping[str, Any]) -> str:
    return f"  {TEST_MARK}" if thing.get("test") else ""


def _tell_rest(delivery: Mapping[str, Any]) -> None:
    told = ("sink", "subject_id", "route", "destination", "phase", "outcome", "reason", "attempts")
    more = ("ambiguous", "planned_at", "next_try_at", "finished_at")
    facts({name: delivery.get(name) for name in (*told, *more)} | {"route": route_of(delivery)}, indent="  ")
    if delivery.get("tries"):
        say("  tries")
        table(
            delivery["tries"],
            ("n", "started_at", "duration_ms", "outcome", "reason", "ambiguous", "answer"),
            indent="    ",
        )
    _tell_details(delivery.get("details") or {})
    for act in delivery.get("acts") or ():
        say(f"  {shown(act['at'])} {act['actor']}: {act['action']}")


def _tell_details(details: Mapping[str, Any]) -> None:
    """What a sink adds: facts, and of a list (`mails`) one thing (`mail`) after the other."""
    listed = {name: value for name, value in details.items() if _is_list_of_things(value)}
    facts({name: value for name, value in details.items() if name not in listed}, indent="  ")
    for name, things in listed.items():
        for thing in things:
            say(f"  {name.replace('_', ' ').removesuffix('s')}")
            facts(thing, indent="    ")


def _is_list_of_things(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(each, Mapping) for each in value)


def _tell_lead(lead: Mapping[str, Any]) -> None:
    say(f"lead {lead['lead_id']}{_mark(lead)}")
    names = ("revision", "state", "source", "account", "dealer", "received_at", "updated_at")
    document = lead["lead"]
    customer = document.get("customer") or {}
    facts(
        {
            **{name: lead.get(name) for name in names},
            "source_type": document.get("source_type"),
            "channel": document.get("channel"),
            "intents": ", ".join(document.get("intents") or ()),
            "occurred_at": document.get("occurred_at"),
            "ids": ", ".join(f"{each['source']}={each['value']}" for each in document.get("ids") or ()),
            "customer": (customer.get("name") or {}).get("full"),
            "emails": ", ".join(_given(each, "address") for each in customer.get("emails") or ()),
            "phones": ", ".join(_given(each, "e164") for each in customer.get("phones") or ()),
            "vehicles": "; ".join(map(_vehicle, document.get("vehicles") or ())),
            "message": document.get("message"),
            "transcript_lines": len(document.get("transcript") or ()) or None,
            "call": document.get("call"),
            "consent": (document.get("consent") or {}).get("basis"),
            "linked": ", ".join(f"{each['lead_id']} ({each['why']})" for each in document.get("links") or ()),
            "warnings": ", ".join(
                f"{each['code']} {each['field']}" for each in document.get("warnings") or ()
            ),
        },
        indent="  ",
    )
    if lead.get("masked"):
        say("  (personal data masked; --reveal shows it)")


def _given(value: Mapping[str, Any], read_as: str) -> str:
    """What was understood, and in brackets what was given, where that differs."""
    raw, read = value.get("raw"), value.get(read_as)
    return str(raw) if read in (None, raw) else f"{read} ({raw})"


def _vehicle(vehicle: Mapping[str, Any]) -> str:
    parts = (vehicle.get(name) for name in ("status", "year", "make", "model", "trim", "vin", "stock"))
    return " ".join(str(part) for part in parts if part not in (None, "", "unknown"))


def _tell_raw(raw: Mapping[str, Any]) -> None:
    door, stored = raw["ingest"] or {}, raw["normalizer"] or {}
    heading(f"raw message {raw['raw_id']}{_mark(stored or door)}")
    names = ("raw_key", "source", "account", "received_at", "stored_at", "digest", "quarantine")
    facts(
        {
            "at_the_door": door.get("status"),
            **{
                name: door.get(name) for name in ("accepted_at", "published_at", "content_type", "size_bytes")
            },
            **{name: stored.get(name) for name in names},
        },
        indent="  ",
    )
    if not stored:
        say("  not read yet")
    if others := stored.get("others"):
        say(f"  further raw messages with this id, by raw key: {', '.join(map(str, others))}")
