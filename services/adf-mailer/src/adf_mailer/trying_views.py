"""What trying a route out asks and answers over HTTP."""

import base64
from typing import Annotated, Any, Literal
from uuid import UUID

from leadbus.contracts import Lead
from leadbus.settings.documents import Notice
from leadbus.settings.documents.kind import NAME_PATTERN
from pydantic import BaseModel, ConfigDict, Field

from adf_mailer.domain.document import Status
from adf_mailer.domain.example_lead import ExampleVehicle
from adf_mailer.domain.preview import Preview
from adf_mailer.domain.recipients import Role, recipients
from adf_mailer.domain.route import Route, Words
from adf_mailer.domain.routing import Decision, Deliver
from adf_mailer.trying import Options


class TestOptions(BaseModel):
    """How a test lead is to look."""

    __test__ = False
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    source_type: Words | None = Field(
        None, description="Lead type, such as `Chat`; without it that of the dealer's latest lead."
    )
    vehicle: ExampleVehicle | None = Field(
        None, description="What it is about; without it `new`, or what the route's conditions name."
    )

    def read(self) -> Options:
        return Options(self.source_type, self.vehicle)


class TestLeadView(BaseModel):
    """A test lead on its way."""

    __test__ = False

    lead_id: UUID
    route: str
    delivery_ids: list[UUID] = Field(
        description="One for each recipient; `GET /v1/deliveries/{id}` tells on."
    )


class Trial(BaseModel):
    """A route that need not be stored, and the lead to try it with."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    lead_id: UUID | None = Field(None, description="Without it: the test lead that the options say.")
    name: Annotated[str, Field(pattern=NAME_PATTERN)] = Field(
        "preview", description="The route's name, or that of the one the document is to replace."
    )
    spec: dict[str, Any] = Field(description="As of `PUT /v1/settings/AdfRoute/{name}`.")
    status: Status | None = Field(None, description="Without it: what the mail would say.")
    to: Annotated[str, Field(max_length=320)] | None = Field(
        None, description="One of the route's addresses; without it the first."
    )
    test: TestOptions = Field(default_factory=TestOptions, description="Only without lead_id.")


class DecisionView(BaseModel):
    """What would be decided, were the lead told of now for the first time since its last mail."""

    action: Literal["deliver", "skip"]
    status: Status | None = None
    recipient: str | None = None
    reason: str | None = Field(None, description="Code of the skip.")

    @classmethod
    def of(cls, one: Decision) -> "DecisionView":
        if isinstance(one, Deliver):
            return cls(action="deliver", status=one.status, recipient=one.recipient.address)
        return cls(action="skip", reason=one.reason)


class RecipientView(BaseModel):
    """An address, and in which role a route writes to it."""

    address: str
    role: Role


class WarningView(BaseModel):
    """Something odd that was met while writing."""

    code: str
    field: str = Field(description="Place in the document.")


class ProblemView(BaseModel):
    """What is wrong with a document in the mail; never a value."""

    rule: str
    where: str


class PreviewView(BaseModel):
    """The mail that a route would send, and whether it would."""

    lead_id: UUID
    revision: int
    test: bool
    route: str
    decisions: list[DecisionView]
    status: Status = Field(description="What the mail shown says.")
    sender: str
    recipient: RecipientView = Field(description="Whom the mail shown is for.")
    recipients: list[RecipientView] = Field(description="Everyone the route writes to.")
    message_id: str
    warnings: list[WarningView]
    problems: list[ProblemView] = Field(description="Of the ADF in the mail; empty when it is valid.")
    notices: list[Notice] = Field(description="What is odd about a route that is not stored.")
    size_bytes: int
    sha256: str
    content_base64: str = Field(description="The exact bytes. Date is the moment of asking.")

    @classmethod
    def of(cls, shown: Preview, route: Route, lead: Lead, notices: list[Notice]) -> "PreviewView":
        mail = shown.written.mail
        return cls(
            lead_id=lead.lead_id,
            revision=lead.revision,
            test=lead.test,
            route=route.name,
            decisions=[DecisionView.of(one) for one in shown.decisions],
            status=shown.written.status,
            sender=shown.written.sender,
            recipient=RecipientView(address=shown.written.recipient, role=shown.written.role),
            recipients=[RecipientView(address=one.address, role=one.role) for one in recipients(route.spec)],
            message_id=mail.message_id,
            warnings=[WarningView(code=one.code, field=one.field) for one in shown.written.warnings],
            problems=[ProblemView(rule=one.rule, where=one.where) for one in shown.problems],
            notices=notices,
            size_bytes=len(mail.raw),
            sha256=mail.sha256,
            content_base64=base64.b64encode(mail.raw).decode(),
        )
