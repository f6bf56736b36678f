"""Leads and lists of leads from the bank, with a token that is fetched and replaced on the way."""

from __future__ import annotations

from datetime import datetime

import httpx2

from ingest.bdk import addresses, content
from ingest.bdk.asking import Answer, ask
from ingest.bdk.content import Page, Told, UnreadableContentError
from ingest.bdk.outcome import Outcome, Trouble, of_status
from ingest.bdk.setting import BdkConnection
from ingest.bdk.tokens import Token, Tokens

MOST_LEAD_BYTES = 8 * 1024 * 1024
"""Twice what is published: up to here a body is kept, beyond it is not even read."""
MOST_PAGE_BYTES = 16 * 1024 * 1024
_UNAUTHORIZED = 401


class BdkClient:
    """All that is said to the bank, but for the token's own endpoint. Raises Trouble and nothing else."""

    def __init__(self, http: httpx2.AsyncClient, tokens: Tokens) -> None:
        self._http = http
        self._tokens = tokens

    async def lead(self, connection: BdkConnection, lead_id: str) -> tuple[Answer, Told]:
        """The lead as it is told now. What comes instead of it is in the Trouble, to be kept."""
        answer = await self._get(connection, addresses.of_lead(connection, lead_id), MOST_LEAD_BYTES)
        try:
            told = content.told(answer.body)
        except UnreadableContentError as error:
            raise _unreadable(answer, str(error)) from None
        if told.lead_id != lead_id:
            raise _unreadable(answer, "another lead than was asked for")
        return answer, told

    async def page(
        self, connection: BdkConnection, partner_number: str, changed_since: datetime, number: int
    ) -> tuple[Answer, Page]:
        """One page of what changed, counted from 0."""
        url = addresses.of_page(connection, partner_number, changed_since, number)
        answer = await self._get(connection, url, MOST_PAGE_BYTES)
        try:
            return answer, content.page(answer.body)
        except UnreadableContentError as error:
            raise _unreadable(answer, str(error)) from None

    async def _get(self, connection: BdkConnection, url: str, limit_bytes: int) -> Answer:
        token = await self._tokens.get(connection)
        answer = await self._asked(url, token, limit_bytes)
        if answer.status == _UNAUTHORIZED:
            # Withdrawn before its time: once more with a fresh one, and no oftener.
            token = await self._tokens.get(connection, spurned=token)
            answer = await self._asked(url, token, limit_bytes)
        outcome = of_status(answer.status)
        if outcome is Outcome.UNAVAILABLE and answer.retry_after_seconds is not None:
            outcome = Outcome.THROTTLED
        if outcome is not Outcome.ANSWERED:
            raise Trouble(outcome, status=answer.status, retry_after_seconds=answer.retry_after_seconds)
        return answer

    async def _asked(self, url: str, token: Token, limit_bytes: int) -> Answer:
        headers = {"Accept": "application/json", "Authorization": f"Bearer {token.text.get_secret_value()}"}
        try:
            request = self._http.build_request("GET", url, headers=headers)
        except (httpx2.InvalidURL, ValueError):
            raise Trouble(Outcome.REJECTED, detail="the address cannot be asked") from None
        return await ask(self._http, request, limit_bytes=limit_bytes)


def _unreadable(answer: Answer, detail: str) -> Trouble:
    return Trouble(
        Outcome.UNREADABLE,
        status=answer.status,
        body=answer.body,
        content_type=answer.content_type,
        detail=detail,
    )
