"""Leads to render, read from `golden/`, and small changes to them."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from adf_mailer.domain.route import AdfRoute, Route
from leadbus.contracts import Lead

GOLDEN = Path(__file__).parent / "golden"


@pytest.fixture
def golden_lead() -> Callable[..., Lead]:
    """`golden_lead("chat", test=True)`: the lead of `golden/chat.json`, top-level fields replaced."""

    def read(kind: str = "chat", **changes: Any) -> Lead:
        return Lead.model_validate(json.loads((GOLDEN / f"{kind}.json").read_text()) | changes)

    return read


@pytest.fixture
def make_route() -> Callable[..., Route]:
    """`make_route("main", updates="ignore")`: a route of the golden leads' dealer."""

    def make(name: str = "main", **spec: Any) -> Route:
        defaults = {"dealer": "prairie-motors", "address": "leads@prairie.dealercrm.example"}
        return Route(name, AdfRoute.model_validate(defaults | spec))

    return make


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A self-signed certificate of 127.0.0.1 and its key, as PEM files."""
    folder = tmp_path_factory.mktemp("tls")
    pem, key = folder / "cert.pem", folder / "key.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
            *("-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"),
            *("-keyout", str(key), "-out", str(pem)),
        ],
        check=True,
        capture_output=True,
    )
    return pem, key
