"""Builds and runs an image's contents without a Docker engine: the Dockerfile's own steps on this machine.

    python scripts/rehearse_image.py build ingest FOLDER
    python scripts/rehearse_image.py run FOLDER -e INGEST_HTTP_PORT=8080 … [-- run]

The base image is this machine's root, over which each stage gets a writable layer in memory (overlayfs in a
mount namespace of its own), so nothing outside of FOLDER changes. `run` is as strict as the manifests: root
read-only, an empty /tmp, the Dockerfile's USER, no capabilities, no new privileges. What it cannot show: the
base image itself. Needs root and Linux.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from scripts.check_deploy import dockerfile  # noqa: E402

_INSIDE = "LEADBUS_REHEARSAL_SCRATCH"
_BASE_ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "LANG": "C.UTF-8",
}
# How this machine reaches the package index; an engine is told that in its own way.
_INDEX = ("PIP_", "UV_", "SSL_", "HTTP", "http", "NO_PROXY", "no_proxy")
_FROM_CACHE = {"UV_CACHE_DIR": "/var/cache/uv"}


def sh(*command: str | Path) -> None:
    subprocess.run(list(map(str, command)), check=True)


class Layer:
    """A root over this machine's, whose changes are in memory.

    Nothing in it may be removed by walking through it: /dev and /proc are this machine's. It ends with the
    namespace.
    """

    def __init__(self, place: Path) -> None:
        upper, work, self.root = place / "upper", place / "work", place / "root"
        for folder in (upper, work, self.root):
            folder.mkdir(parents=True)
        layers = f"lowerdir=/,upperdir={upper},workdir={work}"
        sh(*("mount", "-t", "overlay", "overlay", "-o", layers), self.root)
        for shared in ("proc", "dev"):
            sh("mount", "--bind", f"/{shared}", self.root / shared)

    def inside(self, path: str) -> Path:
        return self.root / path.lstrip("/")

    def bind(self, source: Path, target: str) -> None:
        self.inside(target).mkdir(parents=True, exist_ok=True)
        sh("mount", "--bind", source, self.inside(target))

    def run(self, script: str, environment: Mapping[str, str], folder: str) -> None:
        done = subprocess.run(
            ["chroot", self.root, "/bin/sh", "-c", f"cd '{folder}' && {script}"],
            env=dict(environment),
            check=False,
        )
        if done.returncode:
            sys.exit(f"this step failed: {script}")


class Build:
    """One stage under way: its layer, its environment, its folder."""

    def __init__(self, stage: dockerfile.Stage, place: Path, arguments: Mapping[str, str]) -> None:
        self.stage = stage
        self.layer = Layer(place)
        self.folder = "/"
        self.environment = dict(_BASE_ENVIRONMENT)
        self._given = arguments
        self._arguments: dict[str, str] = {}

    def carry_out(self, context: Path, built: Mapping[str, Build]) -> None:
        for one in self.stage.instructions:
            match one.word:
                case "ARG":
                    name, _, default = one.text.partition("=")
                    self._arguments[name] = self._given.get(name, default)
                case "ENV":
                    self._env(one)
                case "WORKDIR":
                    self.folder = one.text
                    self.layer.inside(one.text).mkdir(parents=True, exist_ok=True)
                case "RUN":
                    self._run(one)
                case "COPY":
                    self._copy(one, built[one.flags["from"]].layer.root if "from" in one.flags else context)

    @property
    def _values(self) -> dict[str, str]:
        return self._arguments | self.environment

    def _env(self, one: dockerfile.Instruction) -> None:
        for word in one.words:
            name, _, value = word.partition("=")
            self.environment[name] = dockerfile.expanded(value, self._values)

    def _run(self, one: dockerfile.Instruction) -> None:
        print(f"[{self.stage.name}] RUN {one.text[:100]}", flush=True)
        index = {name: value for name, value in os.environ.items() if name.startswith(_INDEX)}
        self.layer.run(one.text, index | self._values | _FROM_CACHE, self.folder)

    def _copy(self, one: dockerfile.Instruction, base: Path) -> None:
        *sources, target = one.words
        into = self.layer.inside(target if target.startswith("/") else f"{self.folder}/{target}")
        for source in sources:
            found = base / source.lstrip("/")
            if found.is_dir():
                shutil.copytree(found, into, symlinks=True, dirs_exist_ok=True)
            else:
                place = into / found.name if target.endswith("/") else into
                place.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(found, place)


def build(service: str, target: Path, scratch: Path) -> None:
    """Leaves `target/opt/leadbus` and `target/image.json`."""
    if target.exists():
        sys.exit(f"{target} is there already")
    read = dockerfile.read(ROOT / "Dockerfile")
    context = _context(scratch / "context")
    built: dict[str, Build] = {}
    for stage in read.stages:
        one = Build(stage, scratch / stage.name, {**read.arguments, "SERVICE": service})
        one.layer.bind(_cache(), "/var/cache/uv")
        one.carry_out(context, built)
        built[stage.name] = one
    last = built[read.stages[-1].name]
    shutil.copytree(last.layer.inside("/opt/leadbus"), target / "opt" / "leadbus", symlinks=True)
    (target / "image.json").write_text(json.dumps(_configuration(last)))
    print(f"{service}: built as the Dockerfile says, in {target}")


def run(target: Path, variables: Sequence[str], arguments: Sequence[str], scratch: Path) -> None:
    """Becomes the container's process."""
    image = json.loads((target / "image.json").read_text())
    layer = Layer(scratch / "run")
    layer.bind(target.resolve() / "opt" / "leadbus", "/opt/leadbus")
    for mount in (layer.inside("/opt/leadbus"), layer.root):
        sh("mount", "-o", "remount,ro,bind", mount)
    sh("mount", "-t", "tmpfs", "-o", "mode=1777", "none", layer.inside("/tmp"))
    user, _, group = image["user"].partition(":")
    os.chroot(layer.root)
    os.chdir(image["folder"])
    confined = ["setpriv", f"--reuid={user}", f"--regid={group or user}", "--clear-groups", "--no-new-privs"]
    confined += ["--bounding-set=-all", "--inh-caps=-all"]
    environment = image["environment"] | dict(one.split("=", 1) for one in variables)
    os.execvpe("setpriv", [*confined, *image["entrypoint"], *arguments], environment)


def _configuration(last: Build) -> dict[str, object]:
    user, entrypoint = last.stage.last("USER"), last.stage.last("ENTRYPOINT")
    assert user is not None
    assert entrypoint is not None
    return {
        "user": user.text,
        "folder": last.folder,
        "environment": last.environment,
        "entrypoint": dockerfile.command(entrypoint),
    }


def _context(folder: Path) -> Path:
    """What the engine would be sent: the files that .dockerignore lets through."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    ignored = (ROOT / ".dockerignore").read_text("utf-8")
    for name in listed:
        if (ROOT / name).is_file() and dockerfile.is_sent(name, ignored):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    return folder


def _cache() -> Path:
    cache = Path(os.environ.get("UV_CACHE_DIR") or Path.home() / ".cache" / "uv")
    cache.mkdir(parents=True, exist_ok=True)
    return cache


def _in_a_namespace() -> int:
    """The same command where its mounts are its own; what was mounted is gone when it ends."""
    scratch = tempfile.mkdtemp(prefix="leadbus-rehearsal-")
    command = ["unshare", "--mount", "--propagation=private", sys.executable, *sys.argv]
    process = subprocess.Popen(command, env=os.environ | {_INSIDE: scratch})
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, _: process.send_signal(number))
    try:
        return process.wait()
    finally:
        # Empty: what it held was in a mount. Were it not, this must fail, and nothing may be removed.
        Path(scratch).rmdir()


def _parted(arguments: Sequence[str]) -> tuple[Sequence[str], Sequence[str]]:
    """What is before `--`, and what is behind it."""
    if "--" not in arguments:
        return arguments, ()
    place = arguments.index("--")
    return arguments[:place], arguments[place + 1 :]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    commands = parser.add_subparsers(dest="command", required=True)
    for_build = commands.add_parser("build")
    for_build.add_argument("service")
    for_build.add_argument("folder", type=Path)
    for_run = commands.add_parser("run")
    for_run.add_argument("folder", type=Path)
    for_run.add_argument("-e", dest="variables", action="append", default=[], metavar="NAME=VALUE")
    ours, theirs = _parted(sys.argv[1:])
    given = parser.parse_args(ours)
    if os.geteuid() != 0 or not sys.platform.startswith("linux"):
        sys.exit("a rehearsal needs root on Linux: it mounts")
    scratch = os.environ.pop(_INSIDE, None)
    if scratch is None:
        sys.exit(_in_a_namespace())
    sh("mount", "-t", "tmpfs", "none", scratch)
    if given.command == "build":
        build(given.service, given.folder.resolve(), Path(scratch))
    else:
        run(given.folder.resolve(), given.variables, theirs, Path(scratch))


if __name__ == "__main__":
    main()
