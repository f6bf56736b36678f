"""Why a mail did not come: what the services say of it, and the last errors in their logs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2

from leadbus_devstack.stack import Stack

_LAST_ERRORS = 2


def diagnose(stack: Stack) -> list[str]:
    """Lines for a person, nothing personal in them. To be asked while the services still run."""
    return [*_quarantined(stack), *_deliveries(stack), *_errors(stack)]


def _quarantined(stack: Stack) -> Iterator[str]:
    for item in _items(stack, "normalizer", "/v1/quarantine"):
        yield f"in quarantine: {item.get('reason')} {item.get('field') or ''}".rstrip()


def _deliveries(stack: Stack) -> Iterator[str]:
    for item in _items(stack, "adf-mailer", "/v1/deliveries"):
        if item.get("phase") != "delivered":
            said = ", ".join(filter(None, (item.get("outcome"), item.get("reason"))))
            yield f"delivery by {item.get('route')}: {item.get('phase')} {said}".rstrip()


def _items(stack: Stack, service: str, path: str) -> list[dict[str, Any]]:
    try:
        answer = httpx2.get(
            f"{stack.services[service].url}{path}",
            headers={"Authorization": f"Bearer {stack.token('viewer')}"},
            timeout=10,
        )
        return list(answer.raise_for_status().json()["items"])
    except (httpx2.HTTPError, ValueError, KeyError) as error:
        return [{"reason": f"{service} does not answer {path}: {type(error).__name__}", "phase": "unknown"}]


def _errors(stack: Stack) -> Iterator[str]:
    for name, service in stack.services.items():
        for line in _error_lines(service.process.log)[-_LAST_ERRORS:]:
            yield f"{name}: {line}"


def _error_lines(log: Path) -> list[str]:
    found = []
    for line in log.read_text("utf-8", "replace").splitlines():
        try:
            said = json.loads(line)
        except ValueError:
            continue
        if isinstance(said, dict) and said.get("level") in ("error", "critical"):
            exception = said.get("exception") or {}
            detail = exception.get("detail") or exception.get("kind") if isinstance(exception, dict) else ""
            found.append(f"{said.get('event')}: {detail or ''}".rstrip(": "))
    return found
