"""DEP: what is deployed agrees with the code, and each check finds the mistake it is there for."""

from __future__ import annotations

import copy
import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from scripts.check_deploy import code, compose, dockerfile, manifests

EXAMPLE = code.ROOT / "deploy" / "k8s" / "overlays" / "example"
USER = "65532:65532"
Change = Callable[[Any], None]

needs_kubectl = pytest.mark.skipif(
    shutil.which("kubectl") is None, reason="kubectl is not there: manifests cannot be built"
)


@cache
def _built() -> list[Any]:
    return [dict(one) for one in manifests.built(EXAMPLE)]


@pytest.fixture
def objects() -> list[Any]:
    return copy.deepcopy(_built())


def the(objects: list[Any], kind: str, name: str) -> Any:
    """The object whose name begins so: ConfigMaps carry a hash."""
    (found,) = [one for one in objects if one["kind"] == kind and one["metadata"]["name"].startswith(name)]
    return found


def container(objects: list[Any], name: str, kind: str = "Deployment") -> Any:
    return the(objects, kind, name)["spec"]["template"]["spec"]["containers"][0]


def pod(objects: list[Any], name: str) -> Any:
    return the(objects, "Deployment", name)["spec"]["template"]["spec"]


def data(objects: list[Any], name: str) -> Any:
    return the(objects, "ConfigMap", name)["data"]


@needs_kubectl
def test_dep1_the_example_is_right(objects: list[Any]) -> None:
    assert list(manifests.schema_complaints(objects)) == []
    assert list(manifests.installation_complaints(objects, USER)) == []


MISTAKES: list[Any] = [
    pytest.param(
        lambda o: data(o, "ingest").update(INGEST_RAW_RETENTION_DAY="3"), "did you mean", id="misspelt-name"
    ),
    pytest.param(lambda o: data(o, "ingest").update(INGEST_HTTP_PORT="9000"), "listens on 9000", id="port"),
    pytest.param(lambda o: data(o, "ingest").pop("INGEST_HTTP_HOST"), "loopback only", id="loopback"),
    pytest.param(
        lambda o: data(o, "adf-mailer").pop("ADF_MAILER_SMTP_HOST"),
        "ADF_MAILER_SMTP_HOST is missing",
        id="missing-name",
    ),
    pytest.param(
        lambda o: data(o, "normalizer").update(NORMALIZER_DRAIN_SECONDS="50"),
        "DRAIN_SECONDS must be below",
        id="times-do-not-nest",
    ),
    pytest.param(
        lambda o: data(o, "adf-mailer").update(ADF_MAILER_SMTP_TLS="off"),
        "no password goes out",
        id="tls-off",
    ),
    pytest.param(
        lambda o: data(o, "ingest").update(INGEST_AMQP_URL_FILE="/etc/amqp"), "nothing is mounted", id="file"
    ),
    pytest.param(
        lambda o: pod(o, "adf-mailer").update(terminationGracePeriodSeconds=60), "may need 95 s", id="grace"
    ),
    pytest.param(
        lambda o: container(o, "ingest")["readinessProbe"]["httpGet"].update(path="/ready"),
        "readinessProbe asks /ready",
        id="probe-path",
    ),
    pytest.param(
        lambda o: container(o, "ingest").pop("livenessProbe"), "livenessProbe asks None", id="no-probe"
    ),
    pytest.param(
        lambda o: container(o, "ingest").update(image="x/leadbus/ingest:latest"), "no version", id="latest"
    ),
    pytest.param(
        lambda o: container(o, "ingest").update(image="x/leadbus/ingestor:1"),
        "no service ingestor",
        id="image",
    ),
    pytest.param(
        lambda o: container(o, "ingest").update(args=["serve"]), "serve is no command", id="command"
    ),
    pytest.param(
        lambda o: container(o, "topology", "Job").update(args=["topology", "aply"]), "has no aply", id="cli"
    ),
    pytest.param(
        lambda o: container(o, "topology", "Job")["args"].append("--force"),
        "there is no --force",
        id="option",
    ),
    pytest.param(
        lambda o: container(o, "topology", "Job")["env"][0].update(name="LEADBUS_BROKER_URL"),
        "LEADBUS_BROKER_URL is no variable",
        id="cli-variable",
    ),
    pytest.param(
        lambda o: container(o, "ingest")["securityContext"].pop("readOnlyRootFilesystem"),
        "may write its root",
        id="writable-root",
    ),
    pytest.param(
        lambda o: pod(o, "ingest")["securityContext"].update(runAsUser=0), "runAsUser is 0", id="root"
    ),
    pytest.param(
        lambda o: pod(o, "ingest").pop("automountServiceAccountToken"), "token of the cluster", id="token"
    ),
    pytest.param(
        lambda o: pod(o, "ingest").update(serviceAccountName="nobody"),
        "no ServiceAccount nobody",
        id="account",
    ),
    pytest.param(
        lambda o: the(o, "Service", "ingest")["spec"]["selector"].update({"app.kubernetes.io/name": "x"}),
        "selects no pod",
        id="service-selector",
    ),
    pytest.param(
        lambda o: the(o, "Service", "ingest")["spec"]["ports"][0].update(targetPort="web"),
        "port web is none",
        id="service-port",
    ),
    pytest.param(
        lambda o: the(o, "NetworkPolicy", "smart-host")["spec"]["podSelector"]["matchLabels"].update(
            {"app.kubernetes.io/name": "mailer"}
        ),
        "selects no pod",
        id="policy-selector",
    ),
    pytest.param(
        lambda o: the(o, "Job", "migrate-ingest")["metadata"]["labels"].pop("leadbus.dev/step"),
        "label leadbus.dev/step is None",
        id="step",
    ),
    pytest.param(
        lambda o: o.remove(the(o, "Deployment", "normalizer")), "no Deployment normalizer", id="service-gone"
    ),
]


@needs_kubectl
@pytest.mark.parametrize(("change", "said"), MISTAKES)
def test_dep2_a_mistake_in_a_manifest_is_found(objects: list[Any], change: Change, said: str) -> None:
    change(objects)
    found = list(manifests.installation_complaints(objects, USER))
    assert any(said in complaint for complaint in found), found


@needs_kubectl
@pytest.mark.parametrize(
    "change",
    [
        lambda o: container(o, "ingest").update(readynessProbe={}),
        lambda o: pod(o, "ingest").update(terminationGracePeriodSeconds="sixty"),
        lambda o: the(o, "Job", "topology").update(apiVersion="batch/v1beta1"),
    ],
    ids=["misspelt-field", "wrong-type", "version-gone"],
)
def test_dep3_what_kubernetes_would_not_know_is_found(objects: list[Any], change: Change) -> None:
    change(objects)
    assert list(manifests.schema_complaints(objects))


def test_dep4_compose_is_right() -> None:
    file = code.ROOT / "docker-compose.yml"
    assert list(compose.all_complaints(compose.read(file))) == []
    assert list(compose.missing_names(file, code.ROOT / ".env.example")) == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        pytest.param(
            lambda s: s["ingest"]["environment"].update(INGEST_SMTP_HOST="x"),
            "is not a setting",
            id="unknown",
        ),
        pytest.param(
            lambda s: s["adf-mailer"]["environment"].pop("ADF_MAILER_FROM_ADDRESS"),
            "is missing",
            id="missing",
        ),
        pytest.param(
            lambda s: s["adf-mailer"].update(stop_grace_period="30s"), "may need 90 s", id="killed-too-early"
        ),
        pytest.param(lambda s: s["ingest"].update(ports=["8081:80"]), "is not published", id="port"),
        pytest.param(
            lambda s: s["ingest"]["build"]["args"].update(SERVICE="cli"), "another image", id="image"
        ),
        pytest.param(lambda s: s["ingest"].pop("read_only"), "may write its root", id="writable-root"),
        pytest.param(lambda s: s["ingest"]["depends_on"].update(gone={}), "waits for gone", id="depends"),
        pytest.param(lambda s: s.pop("normalizer"), "there is no normalizer", id="service-gone"),
    ],
)
def test_dep5_a_mistake_in_compose_is_found(change: Change, said: str) -> None:
    read: Any = copy.deepcopy(dict(compose.read(code.ROOT / "docker-compose.yml")))
    # Anchors share what they name: one service's change must not be all of theirs.
    read["services"] = {name: copy.deepcopy(service) for name, service in read["services"].items()}
    change(read["services"])
    found = list(compose.all_complaints(read))
    assert any(said in complaint for complaint in found), found


def test_dep6_a_variable_that_nobody_is_told_of_is_found(tmp_path: Path) -> None:
    file = tmp_path / "docker-compose.yml"
    file.write_text("a: ${KNOWN:?}\nb: ${OPTIONAL:-1}\nc: ${HIDDEN:?}\n")
    example = tmp_path / ".env.example"
    example.write_text("KNOWN=\n")
    (complaint,) = compose.missing_names(file, example)
    assert "HIDDEN" in complaint


def _dockerfile_complaints(path: Path) -> list[str]:
    services = code.service_folders() | {code.CLI}
    return list(dockerfile.complaints(dockerfile.read(path), services, code.members()))


def test_dep7_the_dockerfile_is_right() -> None:
    assert _dockerfile_complaints(code.ROOT / "Dockerfile") == []


@pytest.mark.parametrize(
    ("there", "instead", "said"),
    [
        ("USER 65532:65532", "", "USER is not a number"),
        ("USER 65532:65532", "USER leadbus", "USER is not a number"),
        ("USER 65532:65532", "USER 0", "USER is not a number"),
        ("sync --frozen --no-editable", "sync --no-editable", "without --frozen"),
        ("UV_NO_DEV=1", "UV_NO_DEV=0", "development dependencies"),
        ("python:3.13.9-slim-bookworm", "python", "not pinned"),
        ("ingest|normalizer|", "ingest|", "SERVICE may be"),
        ("COPY services/ingest/pyproject.toml services/ingest/\n", "", "services/ingest/pyproject.toml"),
        ("COPY libs/cli libs/cli", "COPY libs/devstack libs/devstack", "for development"),
        ('ENTRYPOINT ["/opt/leadbus/bin/service"]', "ENTRYPOINT service", "run by a shell"),
        ("STOPSIGNAL SIGTERM", "RUN touch /x", "changed after USER"),
        ("HEALTHCHECK", "#", "no HEALTHCHECK"),
    ],
)
def test_dep8_a_mistake_in_the_dockerfile_is_found(
    tmp_path: Path, there: str, instead: str, said: str
) -> None:
    text = (code.ROOT / "Dockerfile").read_text("utf-8")
    assert there in text
    path = tmp_path / "Dockerfile"
    path.write_text(text.replace(there, instead))
    found = _dockerfile_complaints(path)
    assert any(said in complaint for complaint in found), found


@pytest.mark.parametrize(
    ("path", "sent"),
    [
        ("uv.lock", True),
        ("libs/common/src/leadbus/clock.py", True),
        ("libs/common/tests/web/test_lists.py", False),
        ("libs/devstack/pyproject.toml", True),
        ("libs/devstack/src/leadbus_devstack/main.py", False),
        ("services/ingest/src/ingest/app.py", True),
        ("services/ingest/src/ingest/__pycache__/app.cpython-311.pyc", False),
        (".env", False),
        (".git/config", False),
        ("deploy/image/alive", True),
        ("deploy/compose/new_env.py", False),
    ],
)
def test_dep9_only_what_is_built_is_sent_to_the_engine(path: str, sent: bool) -> None:
    assert dockerfile.is_sent(path, (code.ROOT / ".dockerignore").read_text("utf-8")) == sent
