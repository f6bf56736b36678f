"""The bodies of ingest's answers and requests."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from ingest.domain.api_key import ApiKey, KeyState
from ingest.domain.media_type import Form
from ingest.domain.raw import Offer, Receipt
from ingest.domain.repetition import Judgement, Verdict
from ingest.sources.setting import AccountName

EXAMPLE_ID = "6f3c2f1e-9d0a-4c53-8a44-0d6a2f0f0001"
EXAMPLE_DIGEST = "sha256:2f1b9c0e5a7d4c3b8e6f0a1d2c3b4a59687f6e5d4c3b2a19080706050403020f"

Digest = Annotated[
    str, Field(pattern=r"^sha256:[0-9a-f]{64}$", description="SHA-256 of the body as received.")
]
Repeats = Literal["idempotency_key", "content"]


class Links(BaseModel):
    self: str = Field(description="Where to ask what became of the message.")


class RawAccepted(BaseModel):
    """The message is stored and will be published, whatever fails from here on."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "raw_id": EXAMPLE_ID,
                    "status": "accepted",
                    "duplicate": False,
                    "duplicate_by": None,
                    "source": "contactatonce",
                    "account": "main",
                    "test": False,
                    "accepted_at": "2026-11-21T12:00:00Z",
                    "digest": EXAMPLE_DIGEST,
                    "size_bytes": 512,
                    "links": {"self": f"/v1/raw/{EXAMPLE_ID}"},
                }
            ]
        }
    )

    raw_id: UUID = Field(description="Our id of the message; of a duplicate, the first one's.")
    status: Literal["accepted"] = "accepted"
    duplicate: bool = Field(description="True: the message was taken before, this request added nothing.")
    duplicate_by: Repeats | None = Field(description="What gave a duplicate away.")
    source: str
    account: str = Field(description="The account that the API key stands for.")
    test: bool
    accepted_at: datetime = Field(description="When the message was taken; of a duplicate, the first time.")
    digest: Digest
    size_bytes: int
    links: Links

    @classmethod
    def of(cls, judgement: Judgement) -> "RawAccepted":
        receipt = judgement.first
        assert receipt is not None
        return cls(
            raw_id=receipt.raw_id,
            duplicate=judgement.verdict is not Verdict.NEW,
            duplicate_by=_repeats(judgement.verdict),
            source=receipt.source,
            account=receipt.account,
            test=receipt.test,
            accepted_at=receipt.accepted_at,
            digest=written(receipt.digest),
            size_bytes=receipt.size_bytes,
            links=Links(self=f"/v1/raw/{receipt.raw_id}"),
        )


class PayloadFinding(BaseModel):
    """One way in which a body is not what the source's published contract says."""

    pointer: str = Field(description="Where: JSON pointer, also for XML.", examples=["/dealer/id"])
    code: str = Field(description="What, as a word.", examples=["missing"])
    detail: str = Field(description="What, for people. Never repeats a value of the body.")


class PayloadCheck(BaseModel):
    """The body against the source's published contract."""

    contract: str = Field(description="Name of the contract.", examples=["contactatonce"])
    faults: list[PayloadFinding] = Field(
        description="Not empty: the message would be accepted, and quarantined behind the door. Empty: it "
        "would become a lead; whether the dealer is known, only the normalizer can tell."
    )
    warnings: list[PayloadFinding] = Field(
        description="Values that would not reach their field: the lead has them as text, in its extras."
    )


class Rehearsal(BaseModel):
    """What the same request without `?validate=true` would have met. Nothing was stored."""

    would: Literal["accept", "repeat"] = Field(description="Take the message, or find it taken already.")
    duplicate_of: UUID | None = Field(description="The message it would repeat.")
    duplicate_by: Repeats | None
    source: str
    account: str
    form: Form
    digest: Digest
    size_bytes: int
    payload: PayloadCheck | None = Field(description="Null where the source has no published contract.")

    @classmethod
    def of(
        cls, judgement: Judgement, *, offer: Offer, form: Form, payload: PayloadCheck | None
    ) -> "Rehearsal":
        return cls(
            would="accept" if judgement.verdict is Verdict.NEW else "repeat",
            duplicate_of=judgement.first.raw_id if judgement.first else None,
            duplicate_by=_repeats(judgement.verdict),
            source=offer.source,
            account=offer.account,
            form=form,
            digest=written(offer.digest),
            size_bytes=len(offer.body),
            payload=payload,
        )


class Publication(BaseModel):
    """How far the way into RabbitMQ is."""

    failed_attempts: int = Field(description="Times publishing failed since the message was taken.")
    last_error: str | None = Field(description="Code of the last failure.")


class RawStatus(BaseModel):
    """What became of a message at the door. What was made of it, the normalizer tells by the same id."""

    raw_id: UUID
    status: Literal["accepted", "published"] = Field(
        description="accepted: stored, not confirmed by RabbitMQ yet. published: confirmed."
    )
    source: str
    account: str
    test: bool
    content_type: str
    digest: Digest
    size_bytes: int
    accepted_at: datetime
    published_at: datetime | None
    publication: Publication
    links: Links

    @classmethod
    def of(cls, receipt: Receipt, failed_attempts: int, last_error: str | None) -> "RawStatus":
        return cls(
            raw_id=receipt.raw_id,
            status="accepted" if receipt.published_at is None else "published",
            source=receipt.source,
            account=receipt.account,
            test=receipt.test,
            content_type=receipt.content_type,
            digest=written(receipt.digest),
            size_bytes=receipt.size_bytes,
            accepted_at=receipt.accepted_at,
            published_at=receipt.published_at,
            publication=Publication(failed_attempts=failed_attempts, last_error=last_error),
            links=Links(self=f"/v1/raw/{receipt.raw_id}"),
        )


class KeyRequest(BaseModel):
    model_config = ConfigDict(extra="forbid")

    account: AccountName = Field("default", description="Account the key stands for.", examples=["main"])
    label: str = Field(
        "", max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$", description="For people: who holds the key."
    )


class Rotation(BaseModel):
    model_config = ConfigDict(extra="forbid")

    grace_seconds: int = Field(
        86_400, ge=0, le=30 * 86_400, description="How long the old key stays valid beside the new one."
    )


class Key(BaseModel):
    """An API key without its secret, which is said once, when the key is made."""

    key_id: str = Field(description="The public part of the key, after `lbk_`.")
    source: str
    account: str
    label: str
    state: KeyState
    created_at: datetime
    created_by: str
    expires_at: datetime | None = Field(description="End of the grace period after a rotation.")
    revoked_at: datetime | None
    last_used_at: datetime | None = Field(description="Exact to a minute.")
    rotated_to: str | None = Field(description="Id of the key that replaces this one.")

    @classmethod
    def of(cls, key: ApiKey, now: datetime) -> "Key":
        return cls(
            key_id=key.key_id,
            source=key.source,
            account=key.account,
            label=key.label,
            state=key.state(now),
            created_at=key.created_at,
            created_by=key.created_by,
            expires_at=key.expires_at,
            revoked_at=key.revoked_at,
            last_used_at=key.last_used_at,
            rotated_to=key.rotated_to,
        )


class NewKey(Key):
    """A key just made. `key` is said here and never again."""

    key: str = Field(description="The whole key, to be sent with every request.", examples=["lbk_..."])
    replaces: Key | None = Field(None, description="After a rotation: the old key and when it ends.")


def written(digest: bytes) -> str:
    """A digest as it is written in answers."""
    return f"sha256:{digest.hex()}"


def _repeats(verdict: Verdict) -> Repeats | None:
    if verdict is Verdict.SAME_KEY:
        return "idempotency_key"
    return "content" if verdict is Verdict.SAME_CONTENT else None
