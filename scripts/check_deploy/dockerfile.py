"""The Dockerfile as instructions, and what must be true of it."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

_TAGGED = re.compile(r"[\w./-]+:\d[\w.-]*(@sha256:[0-9a-f]{64})?")
_VARIABLE = re.compile(r"\$\{(\w+)\}")


@dataclass(frozen=True, slots=True)
class Instruction:
    """One instruction, continuation lines joined, flags (`--from=build`) apart."""

    word: str
    flags: Mapping[str, str]
    text: str

    @property
    def words(self) -> list[str]:
        return shlex.split(self.text)


@dataclass(frozen=True, slots=True)
class Stage:
    name: str
    image: str
    instructions: tuple[Instruction, ...]

    def all(self, word: str) -> list[Instruction]:
        return [one for one in self.instructions if one.word == word]

    def last(self, word: str) -> Instruction | None:
        return next(iter(reversed(self.all(word))), None)


@dataclass(frozen=True, slots=True)
class Dockerfile:
    arguments: Mapping[str, str]
    """Of the head, before the first stage."""
    stages: tuple[Stage, ...]

    @property
    def services(self) -> list[str]:
        """What the build argument SERVICE may be."""
        for instruction in (one for stage in self.stages for one in stage.all("RUN")):
            if found := re.search(r'case "\$\{SERVICE\}" in ([\w|-]+)\)', instruction.text):
                return found[1].split("|")
        return []


def read(path: Path) -> Dockerfile:
    arguments: dict[str, str] = {}
    stages: list[Stage] = []
    for one in _instructions(path.read_text("utf-8")):
        if one.word == "FROM":
            image, _, name = one.text.partition(" AS ")
            stages.append(Stage(name.strip(), expanded(image.strip(), arguments), ()))
        elif stages:
            stage = stages[-1]
            stages[-1] = Stage(stage.name, stage.image, (*stage.instructions, one))
        else:
            name, _, value = one.text.partition("=")
            arguments[name] = value
    return Dockerfile(arguments, tuple(stages))


def expanded(text: str, values: Mapping[str, str]) -> str:
    return _VARIABLE.sub(lambda found: values.get(found[1], found[0]), text)


def complaints(dockerfile: Dockerfile, services: set[str], members: set[str]) -> Iterator[str]:
    """`services`: those there are, and `cli`; `members`: folders of the workspace."""
    build, run = dockerfile.stages[0], dockerfile.stages[-1]
    if set(dockerfile.services) != services:
        yield f"Dockerfile: SERVICE may be {dockerfile.services}, there are {sorted(services)}"
    for stage in dockerfile.stages:
        if not _TAGGED.fullmatch(stage.image):
            yield f"Dockerfile: {stage.image} is not pinned to a version"
    yield from _not_locked(build)
    copied = {word.removesuffix("/pyproject.toml") for one in build.all("COPY") for word in one.words}
    for member in sorted(members - copied):
        yield f"Dockerfile: {member}/pyproject.toml is not copied before the first uv sync"
    if any("libs/devstack" in one.words for one in build.all("COPY")):
        yield "Dockerfile: libs/devstack is for development, it does not belong into an image"
    yield from _not_confined(run)


def _not_locked(build: Stage) -> Iterator[str]:
    syncs = [one.text for one in build.all("RUN") if "uv sync" in one.text]
    if not syncs:
        yield "Dockerfile: nothing is installed from the lock"
    for sync in syncs:
        if "--frozen" not in sync:
            yield "Dockerfile: a uv sync without --frozen may install what was not locked"
    environment = {word.split("=")[0]: word for one in build.all("ENV") for word in one.words}
    if environment.get("UV_NO_DEV") != "UV_NO_DEV=1" and any("--no-dev" not in sync for sync in syncs):
        yield "Dockerfile: development dependencies would be installed"


def _not_confined(run: Stage) -> Iterator[str]:
    user = run.last("USER")
    identity = user.text.split(":")[0] if user else "root"
    if not identity.isdecimal() or int(identity) == 0:
        yield "Dockerfile: USER is not a number above 0, so that Kubernetes cannot see that it is not root"
    if any(one.word in ("RUN", "COPY", "ADD") for one in _after_user(run)):
        yield "Dockerfile: the image is still changed after USER"
    for word in ("HEALTHCHECK", "ENTRYPOINT"):
        instruction = run.last(word)
        if instruction is None:
            yield f"Dockerfile: no {word}"
        elif command(instruction) is None:
            yield f"Dockerfile: {word} is run by a shell, which takes the signals"
    if run.all("RUN") or run.all("ADD"):
        yield "Dockerfile: the last stage only copies"


def is_sent(path: str, dockerignore: str) -> bool:
    """Whether a file gets into the build's context; the last pattern that fits decides."""
    sent = True
    parents = [path, *(str(parent) for parent in PurePosixPath(path).parents)]
    for line in dockerignore.splitlines():
        pattern = line.strip()
        if pattern and not pattern.startswith("#"):
            fits = any(_fits(parent, pattern.lstrip("!")) for parent in parents)
            sent = pattern.startswith("!") if fits else sent
    return sent


def _fits(path: str, pattern: str) -> bool:
    """As Docker reads them: `*` is one name, `**/` any depth."""
    written = re.escape(pattern).replace(r"\*\*/", "(.*/)?").replace(r"\*", "[^/]*")
    return re.fullmatch(written, path) is not None


def command(instruction: Instruction) -> list[str] | None:
    """The command of ENTRYPOINT or HEALTHCHECK; None unless written as a JSON list."""
    try:
        found = json.loads(instruction.text[instruction.text.index("[") :])
    except ValueError:
        return None
    return [str(word) for word in found]


def _after_user(stage: Stage) -> list[Instruction]:
    places = [place for place, one in enumerate(stage.instructions) if one.word == "USER"]
    return list(stage.instructions[places[0] :]) if places else []


def _instructions(text: str) -> Iterator[Instruction]:
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    for line in re.sub(r"\\\n\s*", "", "\n".join(lines)).splitlines():
        word, _, rest = line.strip().partition(" ")
        flags: dict[str, str] = {}
        while found := re.match(r"--(\w+)=(\S+)\s+", rest):
            flags[found[1]] = found[2]
            rest = rest[found.end() :]
        yield Instruction(word.upper(), flags, rest.strip())
