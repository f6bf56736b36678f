"""One grammar for every list: filters as query parameters, `sort`, `limit`, opaque `cursor`.

    LEADS = Listing(
        key=Lead.lead_id,
        sorts={"received_at": Lead.received_at},
        default_sort="-received_at",
        filters={"source": Filter(str, Lead.source), "since": Filter(AwareDatetime, Lead.received_at, ">=")},
    )

    @router.get("/v1/leads")
    async def leads(query: Annotated[ListQuery, Depends(LEADS)], actor: ...) -> Page[LeadSummary]:
        async with database.session() as session:
            return await query.page(session, select(Lead), LeadSummary.of)

Pages are cut by the value of the sort column and the key, so that rows that come or go while a caller pages
make no other row appear twice or never.
"""

from __future__ import annotations

import base64
import inspect
import json
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Generic, Literal, TypeVar

from fastapi import Query, Request
from pydantic import BaseModel, Field, StringConstraints, TypeAdapter, ValidationError
from pydantic_core import to_jsonable_python
from sqlalchemy import BigInteger, ColumnElement, Integer, Select, SmallInteger, literal, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from leadbus.web.problems import INVALID, INVALID_CURSOR, UNKNOWN_PARAMETER, FieldError, Problem

T = TypeVar("T")

DEFAULT_LIMIT = 50
MAX_LIMIT = 500
# Postgres takes no NUL in text; a pattern says so in the OpenAPI document too.
Word = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00]*$")]
_GRAMMAR = frozenset({"sort", "limit", "cursor"})
_COMPARISONS: Mapping[str, Callable[[Any, Any], Any]] = {
    "==": operator.eq,
    "!=": operator.ne,
    ">=": operator.ge,
    ">": operator.gt,
    "<=": operator.le,
    "<": operator.lt,
}


class Page(BaseModel, Generic[T]):
    """A page of a list; `next_cursor` is null on the last."""

    items: list[T]
    next_cursor: str | None = Field(None, description="Give as `cursor` for the next page; null on the last.")


@dataclass(frozen=True, slots=True)
class Filter:
    """A query parameter of type `kind` compared with `column`.

    `column` None leaves the comparison to the route, which finds the value in `query.filters`.
    """

    kind: Any
    column: Any = None
    comparison: Literal["==", "!=", ">=", ">", "<=", "<"] = "=="
    description: str | None = None


class Listing:
    """What a list can be filtered and sorted by; a FastAPI dependency that yields a ListQuery.

    `key` is a unique column; sort columns must not be nullable (raises TypeError), as NULL has no place in
    an order that pages can be cut from.
    """

    def __init__(
        self,
        *,
        key: Any,
        sorts: Mapping[str, Any],
        default_sort: str,
        filters: Mapping[str, Filter] | None = None,
    ) -> None:
        self.key = key
        self.sorts = dict(sorts)
        self.filters = dict(filters or {})
        self.default_sort = default_sort
        if clash := _GRAMMAR & self.filters.keys():
            raise TypeError(f"{', '.join(clash)} belong to the list grammar")
        for column in (key, *self.sorts.values()):
            if _column(column).nullable:
                raise TypeError(f"{_column(column).name} is nullable, a list cannot be sorted by it")
        if default_sort.removeprefix("-") not in self.sorts:
            raise TypeError(f"{default_sort} is no sort of this list")
        self.__signature__ = self._signature()

    def __call__(self, request: Request, **given: Any) -> ListQuery:
        unknown = request.query_params.keys() - self.filters.keys() - _GRAMMAR
        if unknown:
            known = sorted(self.filters.keys() | _GRAMMAR)
            raise Problem(UNKNOWN_PARAMETER, f"known parameters: {', '.join(known)}", parameters=known)
        filters = {name: given[name] for name in self.filters if given.get(name) is not None}
        return self.query(filters=filters, sort=given["sort"], limit=given["limit"], cursor=given["cursor"])

    def query(
        self,
        *,
        filters: Mapping[str, Any] | None = None,
        sort: str | None = None,
        limit: int = DEFAULT_LIMIT,
        cursor: str | None = None,
    ) -> ListQuery:
        """The query outside of HTTP. Raises Problem invalid-cursor, and invalid for an empty range."""
        self._check_ranges(filters or {})
        chosen = sort or self.default_sort
        query = ListQuery(self, dict(filters or {}), chosen, limit)
        query.after = query.decode(cursor) if cursor is not None else None
        return query

    def _check_ranges(self, given: Mapping[str, Any]) -> None:
        lower = {
            id(_column(one.column)): name
            for name, one in self.filters.items()
            if one.comparison in (">=", ">")
        }
        for name, one in self.filters.items():
            start = lower.get(id(_column(one.column))) if one.comparison in ("<", "<=") else None
            if start and name in given and start in given and given[name] <= given[start]:
                error = FieldError(f"not after `{start}`: nothing lies between", "range", parameter=name)
                raise Problem(INVALID, errors=[error])

    def _signature(self) -> inspect.Signature:
        orders = [order for name in self.sorts for order in (name, f"-{name}")]
        parameters = [_parameter("request", Request, inspect.Parameter.empty)]
        for name, filter_ in self.filters.items():
            kind: Any = Word if filter_.kind is str else filter_.kind
            annotation: Any = Annotated[kind | None, Query(description=filter_.description)]
            parameters.append(_parameter(name, annotation, None))
        words: Any = Literal[tuple(orders)]
        order: Any = Annotated[words, Query(description="Column to sort by, `-` for descending.")]
        parameters.append(_parameter("sort", order, self.default_sort))
        parameters.append(_parameter("limit", Annotated[int, Query(ge=1, le=MAX_LIMIT)], DEFAULT_LIMIT))
        cursor: Any = Annotated[
            str | None, Query(max_length=1000, description="`next_cursor` of the page before.")
        ]
        parameters.append(_parameter("cursor", cursor, None))
        return inspect.Signature(parameters)


@dataclass(slots=True)
class ListQuery:
    """A list as asked for: `filters` as given, `sort`, `limit`, and where the page before ended."""

    listing: Listing
    filters: dict[str, Any]
    sort: str
    limit: int
    after: tuple[Any, Any] | None = field(default=None, init=False)

    async def page(self, session: AsyncSession, statement: Any, item: Callable[[Any], T]) -> Page[T]:
        """Run `statement` filtered, sorted and cut; `item` turns its entity (or row) into a list item."""
        return self.paged((await session.execute(self.apply(statement))).all(), item)

    def apply(self, statement: Any) -> Select[Any]:
        """`statement` with filters, order, cut and limit; two columns are added for the cursor."""
        for name, value in self.filters.items():
            filter_ = self.listing.filters[name]
            if filter_.column is not None:
                statement = statement.where(_COMPARISONS[filter_.comparison](filter_.column, value))
        column, key = self._columns()
        if self.after is not None:
            edge = tuple_(
                *(_bound(side, value) for side, value in zip((column, key), self.after, strict=True))
            )
            place = tuple_(column, key)
            statement = statement.where(place < edge if self._descending else place > edge)
        order = (column.desc(), key.desc()) if self._descending else (column.asc(), key.asc())
        selected: Select[Any] = statement.add_columns(column.label("sorted_by"), key.label("cut_by"))
        return selected.order_by(*order).limit(self.limit + 1)

    def paged(self, rows: Any, item: Callable[[Any], T]) -> Page[T]:
        """The page of rows that `apply` selected."""
        kept = rows[: self.limit]
        items = [item(row[0] if len(row) == 3 else row) for row in kept]
        more = len(rows) > self.limit
        return Page(items=items, next_cursor=self.encode(kept[-1][-2], kept[-1][-1]) if more else None)

    def encode(self, sorted_by: Any, key: Any) -> str:
        """The cursor behind the row with these values."""
        return to_cursor([self.sort, *to_jsonable_python([sorted_by, key])])

    def decode(self, cursor: str) -> tuple[Any, Any]:
        """Raises Problem invalid-cursor for anything `encode` did not say for this sort."""
        try:
            sort, *values = of_cursor(cursor)
            if sort != self.sort or len(values) != 2:
                raise Problem(INVALID_CURSOR)
            column, key = self._columns()
            return _adapter(column).validate_python(values[0]), _adapter(key).validate_python(values[1])
        except (ValueError, TypeError, ValidationError):
            raise Problem(INVALID_CURSOR) from None

    @property
    def _descending(self) -> bool:
        return self.sort.startswith("-")

    def _columns(self) -> tuple[Any, Any]:
        return self.listing.sorts[self.sort.removeprefix("-")], self.listing.key


def to_cursor(said: Any) -> str:
    """JSON as clients are given it for a place in a list; they are not meant to read it."""
    written = json.dumps(said, separators=(",", ":"))
    return base64.urlsafe_b64encode(written.encode()).decode().rstrip("=")


def of_cursor(cursor: str) -> Any:
    """What `to_cursor` was given, if it was that. Raises Problem invalid-cursor for what is no JSON."""
    try:
        return json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (ValueError, RecursionError):
        raise Problem(INVALID_CURSOR) from None


def _parameter(name: str, annotation: Any, default: Any) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=annotation, default=default)


def _column(attribute: Any) -> Any:
    return attribute.property.columns[0] if hasattr(attribute, "property") else attribute


def _bound(column: Any, value: Any) -> ColumnElement[Any]:
    return literal(value, _column(column).type)


def _adapter(column: Any) -> TypeAdapter[Any]:
    type_ = _column(column).type
    if isinstance(type_, BigInteger):
        return TypeAdapter(Annotated[int, Field(ge=-(2**63), lt=2**63)])
    if isinstance(type_, SmallInteger | Integer):
        return TypeAdapter(Annotated[int, Field(ge=-(2**31), lt=2**31)])
    if type_.python_type is str:
        return TypeAdapter(Annotated[str, StringConstraints(pattern=r"^[^\x00]*$")])
    return TypeAdapter(type_.python_type)
