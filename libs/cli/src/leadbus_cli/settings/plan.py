"""What applying the files would do, worked out with the services and without changing anything."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from leadbus_cli.api import ApiProblem
from leadbus_cli.errors import CliError
from leadbus_cli.settings.files import WantedDocument
from leadbus_cli.settings.kinds import OwnedKind, in_order

_LIMIT = 1_000_000
_REFERENCE = "reference"


@dataclass(frozen=True, slots=True)
class Options:
    """Who keeps the settings, whether what the files no longer name goes, and whether others' are taken."""

    manager: str
    prune: bool = False
    take_over: bool = False


@dataclass(frozen=True, slots=True)
class Step:
    """One setting: ``action`` is created, changed, unchanged or deleted; ``etag`` what was seen of it.

    ``notices`` are what its service finds odd about it.
    """

    kind: OwnedKind
    name: str
    action: str
    diff: Sequence[Mapping[str, Any]]
    etag: str | None
    wanted: WantedDocument | None = None
    notices: Sequence[Mapping[str, Any]] = ()

    def __str__(self) -> str:
        return f"{self.kind.name}/{self.name}"


@dataclass(slots=True)
class _Drawing:
    kinds: Mapping[str, OwnedKind]
    wanted: Mapping[tuple[str, str], WantedDocument]
    options: Options
    wrong: list[str] = field(default_factory=list)
    puts: list[WantedDocument] = field(default_factory=list)
    """What comes before the one that is looked at, and changes something."""


def draw(wanted: Iterable[WantedDocument], kinds: Mapping[str, OwnedKind], options: Options) -> list[Step]:
    """The steps in an order in which every reference exists. Raises CliError with a line per complaint."""
    documents = {document.key: document for document in wanted}
    drawing = _Drawing(kinds, documents, options)
    order = in_order(kinds)
    _check_kinds(drawing)
    doomed = _doomed(drawing) if options.prune else []
    _check_references(drawing, {(kind.name, found["name"]) for kind, found in doomed})
    _check_users(drawing, {(kind.name, found["name"]) for kind, found in doomed})
    if drawing.wrong:
        raise CliError(*drawing.wrong)
    puts = [
        step
        for name in order
        for document in documents.values()
        if document.kind == name and (step := _put_step(drawing, document)) is not None
    ]
    if drawing.wrong:
        raise CliError(*drawing.wrong)
    deletes = sorted((_delete_step(*each) for each in doomed), key=lambda step: -order.index(step.kind.name))
    return [*puts, *deletes]


def _check_kinds(drawing: _Drawing) -> None:
    for document in drawing.wanted.values():
        if document.kind not in drawing.kinds:
            known = ", ".join(sorted(drawing.kinds))
            drawing.wrong.append(
                f"{document.place('/kind')}: no service owns the kind {document.kind} (there are: {known})"
            )


def _check_references(drawing: _Drawing, doomed: set[tuple[str, str]]) -> None:
    """A setting may name what another service owns; only here both are seen."""
    there: dict[tuple[str, str], bool] = {}
    for document in drawing.wanted.values():
        kind = drawing.kinds.get(document.kind)
        for reference in kind.referred(document.spec) if kind else ():
            key = (reference.kind, reference.name)
            if key in drawing.wanted:
                continue
            if key not in there:
                target = drawing.kinds.get(reference.kind)
                there[key] = target is not None and _exists(target, reference.name)
            if key in doomed or not there[key]:
                why = "would be pruned" if key in doomed else "does not exist"
                drawing.wrong.append(
                    f"{document.place(reference.pointer)}: {document}: "
                    f"{reference.kind}/{reference.name} {why}"
                )


def _check_users(drawing: _Drawing, doomed: set[tuple[str, str]]) -> None:
    """What somebody else's setting names stays, also when another service owns that setting."""
    targets = {kind for kind, _ in doomed}
    for kind in drawing.kinds.values():
        if not targets & set(kind.references.values()):
            continue
        for found in kind.owner.items("v1", "settings", kind.name, limit=_LIMIT):
            key = (kind.name, found["name"])
            if key in drawing.wanted or key in doomed:
                continue
            drawing.wrong += [
                f"{reference.kind}/{reference.name} would be pruned, but {kind.name}/{found['name']} names it"
                for reference in kind.referred(found["spec"])
                if (reference.kind, reference.name) in doomed
            ]


def _exists(kind: OwnedKind, name: str) -> bool:
    try:
        return kind.owner.find("v1", "settings", kind.name, name) is not None
    except ApiProblem as problem:
        if problem.slug == "invalid":
            return False
        raise


def _put_step(drawing: _Drawing, document: WantedDocument) -> Step | None:
    kind = drawing.kinds[document.kind]
    try:
        present = kind.owner.find("v1", "settings", document.kind, document.name)
        change = _dry_run(drawing, document, present)
    except ApiProblem as problem:
        if problem.status < 500 and problem.status not in {401, 403}:
            drawing.wrong += _complaints(document, problem)
            return None
        raise
    if change["action"] != "unchanged":
        drawing.puts.append(document)
    etag = present["etag"] if present else None
    notices = change.get("notices", ())
    return Step(kind, document.name, change["action"], change["diff"], etag, document, notices)


def _dry_run(
    drawing: _Drawing, document: WantedDocument, present: Mapping[str, Any] | None
) -> Mapping[str, Any]:
    kind = drawing.kinds[document.kind]
    body: dict[str, Any] = {"spec": document.spec, "managed_by": drawing.options.manager}
    if after := _after(drawing, document):
        body["after"] = after
    try:
        response = kind.owner.request(
            "PUT",
            "v1",
            "settings",
            document.kind,
            document.name,
            query={"dry_run": True, "take_over": drawing.options.take_over or None},
            body=body,
        )
    except ApiProblem as problem:
        if not _only_awaits(drawing, document, problem):
            raise
        # The service cannot see what this very run will make first.
        action = "changed" if present else "created"
        return {"action": action, "diff": _difference(present["spec"] if present else {}, document.spec)}
    change: Mapping[str, Any] = response.json()
    return change


def _after(drawing: _Drawing, document: WantedDocument) -> dict[str, Any]:
    """Documents that will be put before this one and name the same as it: what it has to stand beside."""
    kind = drawing.kinds[document.kind]
    named = {(each.kind, each.name) for each in kind.referred(document.spec)}
    return {
        other.name: other.spec
        for other in drawing.puts
        if other.kind == document.kind
        and named & {(each.kind, each.name) for each in kind.referred(other.spec)}
    }


def _only_awaits(drawing: _Drawing, document: WantedDocument, problem: ApiProblem) -> bool:
    referred = {
        reference.pointer: (reference.kind, reference.name)
        for reference in drawing.kinds[document.kind].referred(document.spec)
    }
    return bool(problem.errors) and all(
        error.get("code") == _REFERENCE and referred.get(str(error.get("pointer"))) in drawing.wanted
        for error in problem.errors
    )


def _complaints(document: WantedDocument, problem: ApiProblem) -> list[str]:
    if not problem.errors:
        said = problem.document.get("detail") or problem.document.get("title") or f"HTTP {problem.status}"
        hint = " (--take-over takes it)" if problem.slug == "managed-elsewhere" else ""
        return [f"{document.place()}: {document}: {said}{hint}"]
    found = []
    for error in problem.errors:
        pointer = str(error.get("pointer") or "")
        if not pointer and error.get("parameter") == "name":
            pointer = "/metadata/name"
        below = pointer.removeprefix("/spec").lstrip("/").replace("/", ".")
        where = f"{below}: " if below else ""
        found.append(f"{document.place(pointer)}: {document}: {where}{error.get('detail')}")
    return found


def _difference(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Only fields that the file names: defaults are the service's to fill in."""
    return [
        {"pointer": f"/{name}", "before": before.get(name), "after": value}
        for name, value in after.items()
        if name not in before or before[name] != value
    ]


def _doomed(drawing: _Drawing) -> list[tuple[OwnedKind, Mapping[str, Any]]]:
    """Settings that this manager keeps and the files no longer name."""
    return [
        (kind, found)
        for kind in drawing.kinds.values()
        for found in kind.owner.items(
            "v1", "settings", kind.name, limit=_LIMIT, managed_by=drawing.options.manager
        )
        if (kind.name, found["name"]) not in drawing.wanted
    ]


def _delete_step(kind: OwnedKind, found: Mapping[str, Any]) -> Step:
    diff = [{"pointer": f"/{name}", "before": value, "after": None} for name, value in found["spec"].items()]
    return Step(kind, found["name"], "deleted", diff, found["etag"])
