"""The senders' door, and what became of a message."""

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import JSONResponse
from leadbus.db import is_out_of_reach
from leadbus.log import Wide, wide
from leadbus.web import Actor, FieldError, Problem, Role, download, problem_responses, require, straight
from leadbus.web.problems import NOT_FOUND

from ingest import metrics
from ingest.api import body as request_body
from ingest.api import credentials
from ingest.api import documentation as doc
from ingest.api.credentials import Presented, is_key, key_of
from ingest.api.models import PayloadCheck, PayloadFinding, RawAccepted, RawStatus, Rehearsal
from ingest.api.problems import problem_of
from ingest.domain import body as body_check
from ingest.domain import idempotency_key, media_type
from ingest.domain.media_type import MediaType
from ingest.domain.raw import Offer, Receipt
from ingest.domain.refusal import Reason, Refusal
from ingest.domain.repetition import Judgement, Verdict
from ingest.door import Admitted, Door
from ingest.settings import IngestSettings
from ingest.sources import CONTRACTS, MENDED
from ingest.sources.setting import PUSHED

_TRACEPARENT = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")

RawId = Annotated[UUID, Path(alias="name", description="The `raw_id` that the door answered.")]


def router(door: Door, settings: IngestSettings) -> APIRouter:
    """`/v1/raw`. Both operations share one path template, as OpenAPI wants of equal paths."""
    router = APIRouter(tags=["raw messages"])

    async def bring(
        request: Request,
        presented: Presented,
        source: Annotated[str, Path(alias="name", description=f"The source: {', '.join(PUSHED)}.")],
        validate: Annotated[
            bool, Query(description="Check everything, take nothing; the answer is 200.")
        ] = False,
        test: Annotated[
            bool, Query(description="A test message: flows the whole way, marked everywhere.")
        ] = False,
    ) -> Response:
        with _watched(source) as line:
            line["test"], line["rehearsal"] = test, validate
            return await _Request(door, settings, request, line).bring(source, presented, validate, test)

    async def bring_plainly(request: Request) -> Response:
        presented = await credentials.presented(request)
        return await bring(request, presented, request.path_params["name"])

    router.add_api_route(
        "/v1/raw/{name}",
        bring,
        methods=["POST"],
        status_code=202,
        summary="Bring a raw message",
        description=doc.POST,
        response_model=RawAccepted,
        responses={200: doc.REHEARSED, 202: doc.ACCEPTED, **problem_responses(408, 409)},
        openapi_extra=doc.POST_EXTRA,
        route_class_override=straight(bring_plainly),
    )

    @router.get(
        "/v1/raw/{name}",
        summary="What became of a message",
        description=doc.GET,
        openapi_extra={"security": [{"HTTPBearer": []}]},
    )
    async def what_became(request: Request, presented: Presented, raw_id: RawId) -> RawStatus:
        try:
            receipt = await _visible(door, request, presented, raw_id)
        except Refusal as refusal:
            raise problem_of(refusal) from None
        failed_attempts, last_error = await door.publication(receipt)
        return RawStatus.of(receipt, failed_attempts, last_error)

    @router.get(
        "/v1/raw/{name}/body",
        summary="The body of a message, byte for byte",
        description=doc.BODY,
        response_class=Response,
        responses={200: {"description": "The bytes.", "content": {"application/octet-stream": {}}}},
    )
    async def body(raw_id: RawId, actor: Annotated[Actor, require(Role.OPERATOR)]) -> Response:
        actor.must_see(None)
        content = await door.reveal(raw_id, actor)
        if content is None:
            raise Problem(NOT_FOUND)
        return download(content, f"{raw_id}.raw")

    return router


class _Request:
    """One sender's request, from its head to its answer."""

    def __init__(self, door: Door, settings: IngestSettings, request: Request, line: Wide) -> None:
        self._door = door
        self._settings = settings
        self._request = request
        self._line = line

    async def bring(self, source: str, presented: str | None, validate: bool, test: bool) -> Response:
        started = time.perf_counter()
        if source not in PUSHED:
            raise Refusal(Reason.UNKNOWN_SOURCE, f"Sources that push are {', '.join(PUSHED)}.")
        admitted = await self._door.admit(key_of(presented), source, test=test)
        self._line.update(key_id=admitted.key.key_id, account=admitted.key.account)
        media = self._media_type(source)
        offer = await self._offer(admitted, media, test)
        self._line.update(size_bytes=len(offer.body), digest=offer.digest.hex())
        body_check.check(offer.body, media)
        if validate:
            return await self._rehearse(offer, admitted, media)
        judgement = await self._door.take(offer, admitted.setting)
        if not test:
            metrics.ACCEPT_SECONDS.labels(source=source).observe(time.perf_counter() - started)
        return self._taken(judgement)

    def _media_type(self, source: str) -> MediaType:
        if self._request.headers.get("content-encoding", "identity").lower() != "identity":
            raise Refusal(Reason.UNSUPPORTED_TYPE, "Compressed bodies are not taken.")
        return media_type.read(self._request.headers.get("content-type"), mended=source in MENDED)

    async def _offer(self, admitted: Admitted, media: MediaType, test: bool) -> Offer:
        headers = self._request.headers
        key = idempotency_key.read(headers.getlist("idempotency-key"))
        traceparent = headers.get("traceparent", "")
        content = await request_body.read(
            self._request,
            limit_bytes=admitted.setting.max_body_bytes or self._settings.raw_body_limit_bytes,
            timeout_seconds=self._settings.raw_body_timeout_seconds,
        )
        return Offer(
            source=admitted.key.source,
            account=admitted.key.account,
            key_id=admitted.key.key_id,
            content_type=media.text,
            body=content,
            test=test,
            idempotency_key=key,
            correlation_id=self._request.state.correlation_id,
            traceparent=traceparent if _TRACEPARENT.fullmatch(traceparent) else None,
        )

    def _taken(self, judgement: Judgement) -> Response:
        receipt = judgement.first
        assert receipt is not None
        self._line["raw_id"] = str(receipt.raw_id)
        if judgement.verdict is Verdict.NEW:
            self._line.outcome = "accepted"
        else:
            self._line.outcome = "duplicate"
        _count_taken(judgement, receipt)
        answer = RawAccepted.of(judgement)
        headers = {"Location": answer.links.self}
        return Response(answer.model_dump_json(), 202, headers, JSONResponse.media_type)

    async def _rehearse(self, offer: Offer, admitted: Admitted, media: MediaType) -> Response:
        judgement = await self._door.rehearse(offer, admitted.setting)
        self._line.outcome = "rehearsed"
        answer = Rehearsal.of(judgement, offer=offer, form=media.form, payload=_payload(offer, media))
        return JSONResponse(answer.model_dump(mode="json"))


@contextmanager
def _watched(source: str) -> Iterator[Wide]:
    """One line and the counters of a request; a refusal leaves as the problem it becomes."""
    known = source if source in PUSHED else metrics.NO_SOURCE
    with wide("raw.brought", source=known) as line:
        try:
            yield line
        except Refusal as refusal:
            line.outcome, line["reason"] = "refused", refusal.reason.value
            if line.get("test"):
                metrics.TESTS.labels(source=known, outcome="refused").inc()
            else:
                metrics.REFUSED.labels(source=known, reason=refusal.reason).inc()
            problem = problem_of(refusal)
        except Exception as error:
            if is_out_of_reach(error):
                line.outcome = "unavailable"
                if line.get("test"):
                    metrics.TESTS.labels(source=known, outcome="unavailable").inc()
                else:
                    metrics.UNAVAILABLE.labels(source=known).inc()
            raise
        else:
            return
    raise problem


def _count_taken(judgement: Judgement, receipt: Receipt) -> None:
    new = judgement.verdict is Verdict.NEW
    if receipt.test:
        metrics.TESTS.labels(source=receipt.source, outcome="accepted" if new else "duplicate").inc()
    elif new:
        metrics.ACCEPTED.labels(source=receipt.source).inc()
        metrics.ACCEPTED_BYTES.labels(source=receipt.source).inc(receipt.size_bytes)
    else:
        metrics.DUPLICATES.labels(source=receipt.source, by=judgement.verdict).inc()


def _payload(offer: Offer, media: MediaType) -> PayloadCheck | None:
    check = CONTRACTS.get(offer.source)
    if check is None:
        return None
    findings = check(offer.body, media)
    return PayloadCheck(
        contract=offer.source, faults=_told(findings.faults), warnings=_told(findings.warnings)
    )


def _told(findings: list[FieldError]) -> list[PayloadFinding]:
    return [PayloadFinding(pointer=one.pointer or "", code=one.code, detail=one.detail) for one in findings]


async def _visible(door: Door, request: Request, presented: str | None, raw_id: UUID) -> Receipt:
    """The message, if the caller may know of it: a sender of its own, an operator of all."""
    if presented and not is_key(presented):
        actor: Any = await request.app.state.verifier.verify(presented)
        request.state.actor = actor
        actor.must_see(None)
        receipt = await door.receipt(raw_id)
    else:
        key = await door.identify(key_of(presented))
        receipt = await door.receipt(raw_id)
        if receipt is not None and (receipt.source, receipt.account) != (key.source, key.account):
            receipt = None
    if receipt is None:
        raise Problem(NOT_FOUND)
    return receipt
