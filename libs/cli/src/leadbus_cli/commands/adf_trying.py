"""``leadbus adf preview``, ``test``, ``silence``: what a route would send, and who hears nothing."""

from __future__ import annotations

import base64
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from leadbus_cli.api import ServiceApi
from leadbus_cli.deployment import Deployment
from leadbus_cli.errors import CliError
from leadbus_cli.output import Json, facts, listing, print_json, say, shown
from leadbus_cli.settings.files import read_documents
from leadbus_cli.stories import route_of

Vehicle = Annotated[
    str | None,
    typer.Option(
        "--vehicle", help="What the test is about: new, used or service; else what the route is for."
    ),
]
SourceType = Annotated[
    str | None, typer.Option("--source-type", help="Lead type, else that of the dealer's latest lead.")
]

_JSON = {"Accept": "application/json"}
_KIND = "AdfRoute"
_POLL_SECONDS = 0.5
_ENDED = frozenset({"delivered", "failed", "skipped", "cancelled"})
_WHY_SKIPPED = {
    "no_route": "the lead is of another dealer than the route",
    "no_matching_route": "the lead is not what the route's conditions want",
    "route_disabled": "the route is switched off",
    "test_lead": "the route takes no tests: `send_test_leads: true`",
}
"""Of one route; other codes say it themselves."""
_FACTS = ("lead_id", "revision", "test", "route", "status", "sender", "size_bytes", "sha256", "message_id")
_SILENCE = (
    "dealer",
    "silent",
    "today",
    "expected_by_now",
    "usual_per_day",
    "days",
    "last_lead_at",
    "time_zone",
)


def preview(
    lead: Annotated[str | None, typer.Argument(metavar="[LEAD]", help="Id of a lead; else a test.")] = None,
    route: Annotated[str | None, typer.Option("--route", "-r", help="Name of a route in force.")] = None,
    file: Annotated[
        Path | None, typer.Option("--file", "-f", help="YAML with one AdfRoute, which need not be applied.")
    ] = None,
    status: Annotated[
        str | None, typer.Option("--status", help="new or resend; else as it would be.")
    ] = None,
    to: Annotated[
        str | None, typer.Option("--to", help="One of the route's addresses; else the first.")
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", help="Write the exact bytes into this file.")] = None,
    vehicle: Vehicle = None,
    source_type: SourceType = None,
    as_json: Json = False,
) -> None:
    """What a route would send about a lead as it is now, and whether it would. Nothing is sent."""
    if (route is None) == (file is None):
        raise CliError("which route? Give --route NAME, or --file with a document that need not be applied")
    mailer = _mailer()
    if lead is not None and route is not None:
        asked = {"route": route, "status": status, "to": to}
        answer = mailer.request("GET", "v1", "leads", lead, "preview", query=asked, headers=_JSON).json()
    else:
        name, spec = _document(file) if file else _in_force(mailer, str(route))
        options = {**_given("vehicle", vehicle), **_given("source_type", source_type)}
        body = {
            "name": name,
            "spec": spec,
            **_given("status", status),
            **_given("to", to),
            **({"lead_id": lead} if lead else {"test": options}),
        }
        answer = mailer.request("POST", "v1", "preview", body=body, headers=_JSON).json()
    content = base64.b64decode(answer["content_base64"])
    if out is not None:
        _write(out, content)
    if as_json:
        print_json(answer)
        return
    _tell(answer)
    if out is None:
        say("")
        for line in content.decode("utf-8", "backslashreplace").split("\r\n"):
            say(line)


def _named(recipient: Mapping[str, str]) -> str:
    """Its address, and its role where that is not the usual one."""
    role = recipient["role"]
    return recipient["address"] if role == "lead" else f"{recipient['address']} ({role})"


def send_test(
    route: Annotated[str, typer.Argument(metavar="ROUTE", help="Name of a route that takes tests.")],
    wait: Annotated[
        float, typer.Option("--wait", min=0, max=3600, help="Seconds to watch what becomes of it.")
    ] = 60.0,
    vehicle: Vehicle = None,
    source_type: SourceType = None,
    as_json: Json = False,
) -> None:
    """Send a test lead on this route, and tell what the other side says to it."""
    mailer = _mailer()
    options = {**_given("vehicle", vehicle), **_given("source_type", source_type)}
    sent = mailer.post("v1", "routes", route, "test-lead", body=options)
    if not as_json:
        say(f"test lead {sent['lead_id']} on {route}")
    until = time.monotonic() + wait
    stories = [_watch(mailer, one, until, quiet=as_json) for one in sent["delivery_ids"]] if wait else []
    if as_json:
        print_json({**sent, "deliveries": stories})
    left = [
        f"delivery {one['id']} is {one['phase']}: {_why(one)}; see `leadbus deliveries show {one['id']}`"
        for one in stories
        if one["phase"] != "delivered"
    ]
    if left:
        raise CliError(*left)


def silence(
    silent: Annotated[bool, typer.Option("--silent", help="Only dealers that are silent.")] = False,
    as_json: Json = False,
) -> None:
    """What dealers usually get by this time of day, and what they got today."""
    asked = {"silent": True} if silent else {}
    listing(_mailer().get("v1", "silence", **asked)["items"], _SILENCE, as_json=as_json)


def _document(file: Path) -> tuple[str, Mapping[str, Any]]:
    found = [one for one in read_documents([file]) if one.kind == _KIND]
    if len(found) != 1:
        raise CliError(f"{file}: one {_KIND} is wanted, {len(found)} are there")
    return found[0].name, found[0].spec


def _in_force(mailer: ServiceApi, name: str) -> tuple[str, Mapping[str, Any]]:
    stored = mailer.find("v1", "settings", _KIND, name)
    if stored is None:
        raise CliError(f"there is no route {name}")
    return name, stored["spec"]


def _given(name: str, value: str | None) -> dict[str, str]:
    return {} if value is None else {name: value}


def _write(out: Path, content: bytes) -> None:
    try:
        out.write_bytes(content)
    except OSError as error:
        raise CliError(f"{out} cannot be written: {error.strerror}") from None


def _tell(answer: Mapping[str, Any]) -> None:
    others = [one for one in answer["recipients"] if one != answer["recipient"]]
    facts(
        {
            **{name: answer[name] for name in _FACTS},
            "to": _named(answer["recipient"]),
            "also to": ", ".join(map(_named, others)),
        }
    )
    for one in answer["decisions"]:
        sent = one["action"] == "deliver"
        say(f"would be sent to {one['recipient']} as {one['status']}" if sent else _skipped(one["reason"]))
    for one in answer["warnings"]:
        say(f"warning: {one['code']} {one['field']}")
    for one in answer["notices"]:
        say(f"warning: {one['pointer'].removeprefix('/')}: {one['detail']}")
    for one in answer["problems"]:
        say(f"not valid ADF: {one['rule']} {one['where']}")


def _skipped(reason: str) -> str:
    meant = _WHY_SKIPPED.get(reason)
    return f"would be skipped: {reason}" + (f" ({meant})" if meant else "")


def _watch(mailer: ServiceApi, delivery_id: str, until: float, *, quiet: bool) -> Mapping[str, Any]:
    """The delivery once it has ended, or time is up; tells of each try as its answer is known."""
    told, named = 0, quiet
    while True:
        story: Mapping[str, Any] = mailer.get("v1", "deliveries", delivery_id)
        if not named and story.get("target"):
            say(route_of(story))
        named = True
        answered = [one for one in story["tries"] if one["outcome"]]
        if not quiet:
            for one in answered[told:]:
                answer = f": {shown(one['answer'])}" if one["answer"] else ""
                say(f"try {one['n']}: {_why(one)}{answer}")
        told = len(answered)
        if story["phase"] in _ENDED or time.monotonic() >= until:
            if not quiet:
                say(story["phase"])
            return story
        time.sleep(_POLL_SECONDS)


def _why(one: Mapping[str, Any]) -> str:
    return " ".join(str(one[name]) for name in ("outcome", "reason") if one.get(name)) or "no answer yet"


def _mailer() -> ServiceApi:
    return Deployment.find().service("adf-mailer")
