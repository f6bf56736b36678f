"""BDK Leadservice: `POST /oauth/token`, `GET /leads/{id}`, `GET /leads?partnerNumber=…`, and notifications.

The bank's own paths are not public, and these are ours. The secret is the client's (`leadbus-crm`), and that
of notifications. `POST /_sandbox/leads` puts leads there, and where `PUT /_sandbox/notifying` said where to,
tells of them; `POST /_sandbox/notify` tells of them once more, doubled or in another order.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import random
import secrets
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal
from urllib.parse import parse_qs, unquote

import httpx2
from fastapi import FastAPI, Query, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from leadbus_devstack.sandboxes.sandbox import Faults, Sandbox

CLIENT_ID = "leadbus-crm"
_TYPE, _MISSPELT = "bdkLeadTypeId", "bdkLeadTypeld"
_PAGE = b"<!DOCTYPE html>\n<html><body>Wartungsarbeiten</body></html>\n"
_NEVER_SECONDS = 3600.0
_NOTIFY_SECONDS = 30.0


class BdkFaults(Faults):
    """How the bank misbehaves. `times` counts answers about leads and lists that showed one."""

    status: int | None = Field(None, ge=300, le=599, description="Answered to leads and lists: 429, 500 …")
    retry_after: str | None = Field(None, description="Header of the answer with that status.")
    answer: Literal["html", "empty", "truncated", "other_lead", "no_partner"] | None = Field(
        None, description="What is said with status 200 in place of a lead or a list."
    )
    misspelt: bool = Field(False, description="The type's attribute is written with a small L.")
    hang: bool = Field(False, description="Nothing is answered.")
    delay_seconds: float = Field(0.0, ge=0, description="Waited before the answer.")
    cut: bool = Field(False, description="The connection ends in the middle of the body.")
    forbidden_partners: list[str] = Field([], description="403 for their leads and lists.")
    early: int = Field(0, ge=0, description="So many times each lead is 404 before it can be read.")
    revoke_after: int | None = Field(
        None, ge=0, description="After so many answers all tokens are withdrawn, once: 401 in the middle."
    )
    token_status: int | None = Field(None, ge=300, le=599, description="Answered by the token endpoint.")
    token_life_seconds: int = Field(300, description="What `expires_in` says.")
    token_delay_seconds: float = Field(0.0, ge=0, description="Waited before a token is given.")
    endless_pages: bool = Field(False, description="Lists know no pages: each is the first one.")


class Notifying(BaseModel):
    """Where notifications go, and how they are proven."""

    model_config = ConfigDict(extra="forbid")

    url: str | None = None
    kind: Literal["thin", "fat"] = "thin"
    proof: Literal["header", "hmac_sha256"] = "header"
    header: str = "X-Leadservice-Secret"


class Order(BaseModel):
    """Which leads to tell of."""

    model_config = ConfigDict(extra="forbid")

    lead_ids: list[str]
    copies: int = Field(1, ge=1, description="How often each is told of.")
    shuffled: bool = Field(False, description="Not in the order given.")


class Bdk(Sandbox[BdkFaults]):
    """The bank's server. `leads` by id, each with the moment of its last change."""

    def __init__(self, secret: str) -> None:
        super().__init__("bdk", BdkFaults, secret)
        self.leads: dict[str, tuple[datetime, dict[str, Any]]] = {}
        self.tokens: dict[str, datetime] = {}
        self.notifying = Notifying()
        self.answered = 0
        self.asked: dict[str, int] = {}
        _add_routes(self.app, self)
        _add_control(self)

    def reset(self) -> None:
        super().reset()
        self.leads.clear()
        self.tokens.clear()
        self.asked.clear()
        self.notifying = Notifying()
        self.answered = 0

    def apply(self, faults: BdkFaults) -> None:
        super().apply(faults)
        self.answered = 0

    def status(self) -> dict[str, Any]:
        return {**super().status(), "leads": len(self.leads), "tokens": len(self.tokens)}

    def give_token(self) -> dict[str, Any]:
        token, life = secrets.token_urlsafe(24), self.faults.token_life_seconds
        self.tokens[token] = datetime.now(UTC) + timedelta(seconds=life)
        return {"access_token": token, "token_type": "Bearer", "expires_in": life, "scope": "crm"}

    def knows(self, client_id: str, secret: str) -> bool:
        told = f"{client_id}:{secret}".encode()
        return hmac.compare_digest(told, f"{CLIENT_ID}:{self.secret}".encode())

    def lets_in(self, authorization: str) -> bool:
        if self.faults.revoke_after is not None and self.answered >= self.faults.revoke_after:
            self.tokens.clear()
            self.faults = self.faults.model_copy(update={"revoke_after": None})
        self.answered += 1
        expires_at = self.tokens.get(authorization.removeprefix("Bearer "))
        return expires_at is not None and expires_at > datetime.now(UTC)

    def changed(self, since: datetime, partner: str | None) -> list[dict[str, Any]]:
        """What a list says of the leads that changed, the oldest change first."""
        found = sorted(
            (changed_at, lead_id, lead.get("partnerNumber"))
            for lead_id, (changed_at, lead) in self.leads.items()
            if changed_at >= since and partner in (None, lead.get("partnerNumber"))
        )
        return [
            {"leadId": lead_id, "partnerNumber": number, "changedAt": changed_at.isoformat()}
            for changed_at, lead_id, number in found
        ]

    async def tell(self, lead_id: str) -> int:
        """The status that the notification was answered with; 0 without an answer."""
        told = self.notifying
        assert told.url is not None
        body = json.dumps(self._notification(lead_id), ensure_ascii=False).encode()
        proof = self.secret
        if told.proof == "hmac_sha256":
            proof = "sha256=" + hmac.new(self.secret.encode(), body, hashlib.sha256).hexdigest()
        headers = {"Content-Type": "application/json", told.header: proof}
        try:
            async with httpx2.AsyncClient(timeout=_NOTIFY_SECONDS) as http:
                return (await http.post(told.url, content=body, headers=headers)).status_code
        except httpx2.HTTPError:
            return 0

    def _notification(self, lead_id: str) -> dict[str, Any]:
        _, lead = self.leads.get(lead_id, (datetime.now(UTC), {"leadId": lead_id}))
        if self.notifying.kind == "fat":
            return lead
        thin = {name: lead[name] for name in ("leadId", "partnerNumber", _TYPE) if name in lead}
        return {**thin, "occurredAt": datetime.now(UTC).isoformat(timespec="seconds")}


def build(secret: str) -> Bdk:
    """The sandbox; `secret` is the technical client's, and that of notifications."""
    return Bdk(secret)


def _add_control(sandbox: Bdk) -> None:
    @sandbox.control.post("/leads")
    async def add_leads(leads: list[dict[str, Any]], quietly: bool = False) -> list[int]:
        """Statuses of the notifications; none where nobody is told."""
        for lead in leads:
            sandbox.leads[str(lead["leadId"])] = (datetime.now(UTC), lead)
        if sandbox.notifying.url is None or quietly:
            return []
        return [await sandbox.tell(str(lead["leadId"])) for lead in leads]

    @sandbox.control.put("/notifying")
    async def set_notifying(notifying: Notifying) -> Notifying:
        sandbox.notifying = notifying
        return notifying

    @sandbox.control.post("/notify")
    async def notify(order: Order) -> list[int]:
        told = order.lead_ids * order.copies
        if order.shuffled:
            random.shuffle(told)
        return list(await asyncio.gather(*(sandbox.tell(lead_id) for lead_id in told)))

    @sandbox.control.delete("/tokens", status_code=204)
    async def revoke() -> Response:
        sandbox.tokens.clear()
        return Response(status_code=204)


def _add_routes(app: FastAPI, sandbox: Bdk) -> None:
    @app.post("/oauth/token")
    async def token(request: Request) -> Response:
        form = {name: values[0] for name, values in parse_qs((await request.body()).decode()).items()}
        return await _token(sandbox, form, request.headers.get("authorization", ""))

    @app.get("/leads/{lead_id}")
    async def lead(lead_id: str, request: Request) -> Response:
        return await _refused(sandbox, request) or _lead(sandbox, lead_id)

    @app.get("/leads")
    async def leads(
        request: Request,
        changed_since: Annotated[datetime, Query(alias="changedSince")],
        partner: Annotated[str | None, Query(alias="partnerNumber")] = None,
        page: int = 0,
        size: int = 100,
    ) -> Response:
        refused = await _refused(sandbox, request)
        if refused is not None:
            return refused
        found = sandbox.changed(changed_since, partner)
        if partner in sandbox.faults.forbidden_partners:
            return JSONResponse({"error": "forbidden"}, 403)
        if sandbox.faults.endless_pages:
            return _answered(sandbox, {"leads": found[:size]})
        first = page * size
        return _answered(sandbox, {"leads": found[first : first + size], "last": first + size >= len(found)})


async def _token(sandbox: Bdk, form: dict[str, str], authorization: str) -> Response:
    await asyncio.sleep(sandbox.faults.token_delay_seconds)
    if sandbox.faults.token_status is not None:
        return JSONResponse({"error": "server_error"}, sandbox.faults.token_status)
    if not sandbox.knows(*_client(form, authorization)):
        return JSONResponse({"error": "invalid_client"}, 401)
    if form.get("grant_type") != "client_credentials":
        return JSONResponse({"error": "unsupported_grant_type"}, 400)
    return JSONResponse(sandbox.give_token())


def _lead(sandbox: Bdk, lead_id: str) -> Response:
    sandbox.asked[lead_id] = sandbox.asked.get(lead_id, 0) + 1
    _, told = sandbox.leads.get(lead_id, (None, None))
    if told is None or sandbox.asked[lead_id] <= sandbox.faults.early:
        return JSONResponse({"error": "not found"}, 404)
    if told.get("partnerNumber") in sandbox.faults.forbidden_partners:
        return JSONResponse({"error": "forbidden"}, 403)
    return _answered(sandbox, told)


async def _refused(sandbox: Bdk, request: Request) -> Response | None:
    faults = sandbox.faults
    if not sandbox.lets_in(request.headers.get("authorization", "")):
        return JSONResponse({"error": "invalid_token"}, 401)
    if faults.hang:
        sandbox.shown()
        await asyncio.sleep(_NEVER_SECONDS)
    await asyncio.sleep(faults.delay_seconds)
    if faults.status is None:
        return None
    sandbox.shown()
    headers = {"Retry-After": faults.retry_after} if faults.retry_after else None
    return Response(_PAGE, faults.status, headers, "text/html")


def _answered(sandbox: Bdk, told: dict[str, Any]) -> Response:
    faults = sandbox.faults
    if faults.misspelt and _TYPE in told:
        told = {_MISSPELT if name == _TYPE else name: value for name, value in told.items()}
    body = json.dumps(told, ensure_ascii=False).encode()
    if faults.answer is not None or faults.cut:
        sandbox.shown()
    if faults.cut:
        return Response(body[: len(body) // 2], headers={"Content-Length": str(len(body))})
    match faults.answer:
        case "html":
            return Response(_PAGE, media_type="text/html")
        case "empty":
            return Response(b"", media_type="application/json")
        case "truncated":
            return Response(body[: len(body) * 2 // 3], media_type="application/json")
        case "other_lead":
            return JSONResponse({**told, "leadId": f"{told.get('leadId')}-other"})
        case "no_partner":
            return JSONResponse({name: value for name, value in told.items() if name != "partnerNumber"})
        case None:
            return Response(body, media_type="application/json")


def _client(form: dict[str, str], authorization: str) -> tuple[str, str]:
    if not authorization.startswith("Basic "):
        return form.get("client_id", ""), form.get("client_secret", "")
    client_id, _, secret = base64.b64decode(authorization.removeprefix("Basic ")).decode().partition(":")
    return unquote(client_id), unquote(secret)
