"""Business settings: documents of a kind with a name and a spec, changed over HTTP or from files in Git.

A service declares each kind with its model, keeps documents in a DocumentStore and serves `router(store)`:

    class RouteSpec(Spec):
        dealer: str = Field(title="Dealer", description="Whose leads go this way.")
        address: str = Field(title="XML Lead Address")

    ROUTE = Kind("AdfRoute", RouteSpec, references={"dealer": "Dealer"})
    store = DocumentStore(database, [DEALER, ROUTE])
"""

from leadbus.settings.documents.api import router
from leadbus.settings.documents.document import Change, Difference, Document, Revision
from leadbus.settings.documents.kind import InvalidSpec, Kind, Notice, Spec
from leadbus.settings.documents.store import DocumentStore
from leadbus.settings.tables import DDL_V1, metadata

__all__ = [
    "DDL_V1",
    "Change",
    "Difference",
    "Document",
    "DocumentStore",
    "InvalidSpec",
    "Kind",
    "Notice",
    "Revision",
    "Spec",
    "metadata",
    "router",
]
