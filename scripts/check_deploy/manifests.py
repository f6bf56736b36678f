"""The Kubernetes manifests, built by kustomize: schemas, and what they say against the code."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import kubernetes_validate  # type: ignore[import-untyped]
import yaml

from scripts.check_deploy.code import SERVICES, Program, complaints, probe_paths, service_folders

Object = Mapping[str, Any]
OLDEST, NEWEST = "1.30", "1.37"
"""Of Kubernetes. 1.30 is the first with `preStop.sleep` switched on."""
STEPS = ("base", "migrate", "topology", "sinks", "normalizer", "ingest")
"""Of a rollout, in this order; each object says by the label which is its own."""
STEP = "leadbus.dev/step"
_PROBES = {"startupProbe": "/livez", "livenessProbe": "/livez", "readinessProbe": "/readyz"}


@dataclass(frozen=True, slots=True)
class Pod:
    """A pod template, and the object that has it."""

    owner: Object
    template: Object

    @property
    def where(self) -> str:
        return named(self.owner)

    @property
    def spec(self) -> Object:
        spec: Object = self.template["spec"]
        return spec

    @property
    def labels(self) -> Mapping[str, str]:
        labels: Mapping[str, str] = self.template["metadata"]["labels"]
        return labels

    @property
    def containers(self) -> list[Object]:
        return [*self.spec.get("initContainers", ()), *self.spec["containers"]]


def built(folder: Path) -> list[Object]:
    """What `kubectl kustomize` makes of a folder. Raises RuntimeError with what it says."""
    done = subprocess.run(
        ["kubectl", "kustomize", str(folder)], capture_output=True, text=True, check=False, timeout=60
    )
    if done.returncode:
        raise RuntimeError(done.stderr.strip())
    return [one for one in yaml.safe_load_all(done.stdout) if one]


def written(folder: Path) -> list[Object]:
    """The objects as they stand in the files under a folder, before any overlay."""
    return [
        one
        for file in sorted(folder.rglob("*.yaml"))
        for one in yaml.safe_load_all(file.read_text("utf-8"))
        if one and one["kind"] not in ("Kustomization", "Component")
    ]


def named(one: Object) -> str:
    return f"{one['kind']} {one['metadata']['name']}"


def schema_complaints(objects: Iterable[Object]) -> Iterator[str]:
    """Of the oldest and the newest Kubernetes; what a schema does not know is wrong, as a typo would be."""
    for one in objects:
        for version in (OLDEST, NEWEST):
            try:
                kubernetes_validate.validate(dict(one), version, strict=True)
            except kubernetes_validate.ValidationError as error:
                yield f"{named(one)}: {'.'.join(map(str, error.path))}: {error.message} ({version})"
            except (kubernetes_validate.SchemaNotFoundError, kubernetes_validate.InvalidSchemaError):
                yield f"{named(one)}: Kubernetes {version} has no {one['apiVersion']} {one['kind']}"


def installation_complaints(objects: list[Object], user: str) -> Iterator[str]:
    """Of a whole overlay. `user` is the image's, `uid:gid`."""
    pods = list(_pods(objects))
    deployed = {one["metadata"]["name"] for one in objects if one["kind"] == "Deployment"}
    for missing in sorted(service_folders() - deployed):
        yield f"there is no Deployment {missing}"
    for one in objects:
        step = one["metadata"].get("labels", {}).get(STEP)
        if step not in STEPS:
            yield f"{named(one)}: the label {STEP} is {step}, not one of {', '.join(STEPS)}"
    for pod in pods:
        yield from _image_complaints(pod)
        yield from _confinement_complaints(pod, user)
        yield from _reference_complaints(pod, objects)
        for container in pod.containers:
            program = program_of(pod, container, objects)
            yield from complaints(program)
            if program.runs:
                yield from _serving_complaints(pod, container, program)
    yield from _selector_complaints(objects, pods)


def program_of(pod: Pod, container: Object, objects: Iterable[Object], *, complete: bool = True) -> Program:
    environment: dict[str, str] = {}
    for source in container.get("envFrom", ()):
        data = _data(objects, "ConfigMap", source.get("configMapRef", {}).get("name"))
        environment |= {name: str(value) for name, value in data.items()}
    for variable in container.get("env", ()):
        environment[variable["name"]] = str(variable.get("value", "from-a-secret"))
    return Program(
        where=pod.where,
        name=_image(container)[0],
        arguments=tuple(container.get("args", ())),
        environment=environment,
        files=tuple(mount["mountPath"] for mount in container.get("volumeMounts", ())),
        complete=complete,
    )


def _image(container: Object) -> tuple[str, str]:
    """Last part of the name, and tag."""
    name, _, tag = str(container["image"]).rpartition("/")[2].partition(":")
    return name, tag


def _pods(objects: Iterable[Object]) -> Iterator[Pod]:
    for one in objects:
        if one["kind"] in ("Deployment", "Job"):
            yield Pod(one, one["spec"]["template"])


def _image_complaints(pod: Pod) -> Iterator[str]:
    for container in pod.containers:
        _, tag = _image(container)
        if not tag or tag == "latest":
            yield f"{pod.where}: {container['image']} names no version"


def _serving_complaints(pod: Pod, container: Object, program: Program) -> Iterator[str]:
    ports = {port["name"]: port["containerPort"] for port in container.get("ports", ())}
    if ports.get("http") != program.port:
        yield f"{pod.where}: port http is {ports.get('http')}, the service listens on {program.port}"
    for probe, path in _PROBES.items():
        asked = container.get(probe, {}).get("httpGet", {})
        if asked.get("path") != path or path not in probe_paths():
            yield f"{pod.where}: {probe} asks {asked.get('path')}, it is to ask {path}"
        if asked.get("port") != "http":
            yield f"{pod.where}: {probe} asks port {asked.get('port')}"
    sleep = container.get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
    grace = pod.spec.get("terminationGracePeriodSeconds", 30)
    if grace <= sleep + program.grace_seconds:
        yield (
            f"{pod.where}: killed {grace} s after it is told to end, and may need"
            f" {sleep + program.grace_seconds:g} s (preStop and GRACE_SECONDS)"
        )


def _confinement_complaints(pod: Pod, user: str) -> Iterator[str]:
    security = pod.spec.get("securityContext", {})
    wanted = {"runAsNonRoot": True, "runAsUser": int(user.split(":")[0])}
    for name, value in wanted.items():
        if security.get(name) != value:
            yield f"{pod.where}: {name} is {security.get(name)}, not {value}"
    if security.get("seccompProfile", {}).get("type") != "RuntimeDefault":
        yield f"{pod.where}: no seccomp profile"
    if pod.spec.get("automountServiceAccountToken") is not False:
        yield f"{pod.where}: a token of the cluster's API is mounted"
    for container in pod.containers:
        own = container.get("securityContext", {})
        confined = (
            own.get("readOnlyRootFilesystem") is True
            and own.get("allowPrivilegeEscalation") is False
            and own.get("capabilities", {}).get("drop") == ["ALL"]
        )
        if not confined:
            yield f"{pod.where}: {container['name']} may write its root, gain rights or keeps capabilities"
        if "memory" not in container.get("resources", {}).get("limits", {}):
            yield f"{pod.where}: {container['name']} has no memory limit"


def _reference_complaints(pod: Pod, objects: list[Object]) -> Iterator[str]:
    account = pod.spec.get("serviceAccountName")
    if ("ServiceAccount", account) not in {(one["kind"], one["metadata"]["name"]) for one in objects}:
        yield f"{pod.where}: there is no ServiceAccount {account}"
    volumes = {volume["name"] for volume in pod.spec.get("volumes", ())}
    for container in pod.containers:
        for mount in container.get("volumeMounts", ()):
            if mount["name"] not in volumes:
                yield f"{pod.where}: {container['name']} mounts {mount['name']}, which is no volume"
        for source in container.get("envFrom", ()):
            name = source.get("configMapRef", {}).get("name")
            if not _data(objects, "ConfigMap", name):
                yield f"{pod.where}: there is no ConfigMap {name}"


def _data(objects: Iterable[Object], kind: str, name: str | None) -> Mapping[str, Any]:
    for one in objects:
        if one["kind"] == kind and one["metadata"]["name"] == name:
            data: Mapping[str, Any] = one.get("data", {})
            return data
    return {}


def _selector_complaints(objects: Iterable[Object], pods: list[Pod]) -> Iterator[str]:
    for one in objects:
        selector = _selector(one)
        if selector is None:
            continue
        chosen = [pod for pod in pods if _chooses(selector, pod.labels)]
        if not chosen:
            yield f"{named(one)}: selects no pod"
        for port in one["spec"].get("ports", ()) if one["kind"] == "Service" else ():
            known = {
                named_port["name"] for pod in chosen for named_port in pod.containers[0].get("ports", ())
            }
            if port["targetPort"] not in known:
                yield f"{named(one)}: port {port['targetPort']} is none of its pods'"
    yield from _unknown_services(objects)


def _unknown_services(objects: Iterable[Object]) -> Iterator[str]:
    """Backends of an Ingress."""
    services = {one["metadata"]["name"] for one in objects if one["kind"] == "Service"}
    for one in objects:
        for rule in one["spec"].get("rules", ()) if one["kind"] == "Ingress" else ():
            for path in rule["http"]["paths"]:
                name = path["backend"]["service"]["name"]
                if name not in services or name not in SERVICES:
                    yield f"{named(one)}: there is no Service {name}"


def _selector(one: Object) -> Object | None:
    spec = one.get("spec", {})
    match one["kind"]:
        case "Service":
            return {"matchLabels": spec["selector"]}
        case "Deployment" | "PodDisruptionBudget":
            selector: Object = spec["selector"]
            return selector
        case "NetworkPolicy":
            pods: Object = spec["podSelector"]
            return pods
    return None


def _chooses(selector: Object, labels: Mapping[str, str]) -> bool:
    wanted = selector.get("matchLabels", {})
    expressions = selector.get("matchExpressions", ())
    return all(labels.get(name) == value for name, value in wanted.items()) and all(
        labels.get(one["key"]) in one["values"] for one in expressions
    )
