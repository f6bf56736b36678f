"""VirtualExpo as it comes in: a lead is taken only where the subscription that fetched it selected it."""

from __future__ import annotations

from leadbus.contracts.virtualexpo import read_categories, read_category

from normalizer.domain.draft import Draft
from normalizer.domain.rejection import Rejection
from normalizer.domain.way import Way
from normalizer.sources import virtualexpo


def read(body: bytes, content_type: str | None, way: Way) -> Draft:
    """The draft that one `<lead>` tells; raises Rejection and nothing else.

    A category that the exhibitor did not select is not his to use, whoever gave it to him: VX-6 and VX-9.
    Where nothing was said of a selection, as of leads that are pushed, there is none to keep to.
    """
    draft = virtualexpo.read(body, content_type)
    category = read_category(draft.source_type.partition("/")[0])
    if way.categories is not None and category not in read_categories(way.categories):
        raise Rejection("category_not_selected", "not selected by its subscription", field="@category")
    return draft
