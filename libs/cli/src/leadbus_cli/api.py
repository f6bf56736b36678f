"""A service's HTTP API: JSON in, JSON out, and one sentence for everything that goes wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any, TypeVar
from urllib.parse import quote

import httpx2

from leadbus_cli.errors import Away, CliError

TIMEOUT_SECONDS = 30.0
_PAGE = 500
_AWAY = frozenset(
    {
        httpx2.codes.BAD_GATEWAY,
        httpx2.codes.SERVICE_UNAVAILABLE,
        httpx2.codes.GATEWAY_TIMEOUT,
    }
)
"""A service whose database is away answers so, and so does whatever stands before one that is."""

T = TypeVar("T")


class ApiProblem(CliError):  # noqa: N818 - the name RFC 9457 gives it
    """A service said no: ``status``, ``slug`` of the problem type, ``errors`` by field."""

    def __init__(self, service: str, status: int, document: Mapping[str, Any]) -> None:
        self.service = service
        self.status = status
        self.document = document
        self.slug = str(document.get("type", "")).rpartition("/")[2]
        self.errors: Sequence[Mapping[str, Any]] = document.get("errors") or ()
        super().__init__(self._sentence())

    def _sentence(self) -> str:
        said = str(self.document.get("title") or f"HTTP {self.status}")
        if detail := self.document.get("detail"):
            said += f": {detail}"
        for error in self.errors:
            where = error.get("pointer") or error.get("parameter") or ""
            said += f"; {where}: {error.get('detail')}" if where else f"; {error.get('detail')}"
        if self.status == httpx2.codes.UNAUTHORIZED:
            said += " (LEADBUS_TOKEN; `leadbus token create` makes one)"
        return f"{self.service}: {said}"


class ServiceApi:
    """One service. Raises Away when it does not answer or cannot just now, and ApiProblem when it refuses."""

    def __init__(self, name: str, url: str, token: str | None) -> None:
        self.name = name
        self.url = url.rstrip("/")
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}

    def get(self, *path: str, **query: Any) -> Any:
        """The answer to GET. Parts of the path are quoted, parameters that are None left out."""
        return self._json(self.request("GET", *path, query=query))

    def find(self, *path: str, **query: Any) -> Any | None:
        """The same, None when there is no such thing."""
        try:
            return self.get(*path, **query)
        except ApiProblem as problem:
            if problem.status == httpx2.codes.NOT_FOUND:
                return None
            raise

    def post(self, *path: str, body: Any = None) -> Any:
        """The answer to POST."""
        return self._json(self.request("POST", *path, body=body))

    def items(self, *path: str, limit: int, **query: Any) -> Iterator[dict[str, Any]]:
        """Items of a list, page after page, at most ``limit``."""
        return self._pages(limit, lambda page: self.get(*path, **query, **page))

    def found(self, *path: str, limit: int, body: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """The same of a search, whose filters stand in the body; those that are None are left out."""
        asked = {name: value for name, value in body.items() if value is not None}
        return self._pages(limit, lambda page: self.post(*path, body={**asked, **page}))

    def _pages(self, limit: int, ask: Callable[[dict[str, Any]], Any]) -> Iterator[dict[str, Any]]:
        cursor: dict[str, str] = {}
        while limit > 0:
            page = ask({"limit": min(limit, _PAGE), **cursor})
            if not isinstance(page, Mapping) or not isinstance(page.get("items"), list):
                raise CliError(f"{self.name} at {self.url} did not answer with a list: is that the service?")
            yield from page["items"]
            limit -= len(page["items"])
            if page.get("next_cursor") is None:
                return
            cursor = {"cursor": page["next_cursor"]}

    def request(
        self,
        method: str,
        *path: str,
        query: Mapping[str, Any] | None = None,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx2.Response:
        """The answer of a success."""
        parameters = {name: _written(value) for name, value in (query or {}).items() if value is not None}
        address = "/".join([self.url, *(quote(part, safe="") for part in path)])
        try:
            response = _client().request(
                method, address, params=parameters, json=body, headers={**self._headers, **(headers or {})}
            )
        except (httpx2.HTTPError, httpx2.InvalidURL, ValueError) as error:
            raise Away(f"{self.name} at {self.url} does not answer ({type(error).__name__})") from None
        if response.is_success:
            return response
        problem = ApiProblem(self.name, response.status_code, _problem(response))
        if response.status_code in _AWAY:
            raise Away(*problem.lines)
        raise problem

    def _json(self, response: httpx2.Response) -> Any:
        try:
            return response.json()
        except ValueError:
            raise CliError(
                f"{self.name} at {self.url} did not answer with JSON: is that the service?"
            ) from None


def of_each(
    services: Iterable[ServiceApi], ask: Callable[[ServiceApi], Iterable[T]]
) -> tuple[list[T], list[str]]:
    """What they say one after the other, and a line for each that is away: it hides no other."""
    found: list[T] = []
    missing: list[str] = []
    for service in services:
        try:
            found += ask(service)
        except Away as error:
            missing += error.lines
    return found, missing


@cache
def _client() -> httpx2.Client:
    """One for the whole run: each new one reads the certificates of the machine."""
    return httpx2.Client(timeout=TIMEOUT_SECONDS)


def _written(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _problem(response: httpx2.Response) -> Mapping[str, Any]:
    try:
        document = response.json()
    except ValueError:
        return {}
    return document if isinstance(document, Mapping) else {}
