"""What each source's raw messages hold, as far as it is written down here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from types import MappingProxyType
from typing import Any

from leadbus.contracts.alfatrack import AlfaTrackKnowledge, AlfaTrackLead
from leadbus.contracts.bdk import BdkLead
from leadbus.contracts.contactatonce import ContactAtOnceLead
from leadbus.contracts.examples import CONTACTATONCE, CONTACTATONCE_XML
from leadbus.contracts.examples.alfatrack import ALFATRACK_KNOWLEDGE, ALFATRACK_LEADS
from leadbus.contracts.examples.bdk import BDK
from leadbus.contracts.examples.virtualexpo import VIRTUALEXPO_XML
from leadbus.contracts.wire import WireModel

_JSON, _XML = "application/json", "application/xml"
_KNOWLEDGE = "Knowledge"


@dataclass(frozen=True, slots=True)
class RawPayload:
    """``models`` by published name: a body is one of them. ``xml_schema`` is published beside them.

    ``examples`` are bodies as JSON values by name, ``xml_examples`` as they come.
    """

    note: str
    content_type: str = "application/octet-stream"
    models: Mapping[str, type[WireModel]] = field(default_factory=dict)
    examples: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    xml_schema: str | None = None
    xml_examples: Mapping[str, str] = field(default_factory=dict)


def xml_schema_path(source: str) -> str:
    """Where the XML schema of a source is published, in the contracts folder."""
    return f"schemas/raw.{source}.v1.xsd"


def _virtualexpo_schema() -> str:
    return files("leadbus.contracts").joinpath("virtualexpo.xsd").read_text("utf-8")


RAW: Mapping[str, RawPayload] = MappingProxyType(
    {
        "contactatonce": RawPayload(
            "One lead as JSON, or as XML with the same names as elements under `<lead>`.",
            _JSON,
            models={"raw.contactatonce.v1": ContactAtOnceLead},
            examples=CONTACTATONCE,
            xml_examples={"Chat": CONTACTATONCE_XML},
        ),
        "virtualexpo": RawPayload(
            "One `<lead>` of a VirtualExpo lead document as fetched, in its namespace. The example "
            "is a whole document.",
            _XML,
            xml_schema=_virtualexpo_schema(),
            xml_examples={"leads": VIRTUALEXPO_XML},
        ),
        "bdk": RawPayload(
            "A BDK Leadservice lead, as pushed or fetched; or the mail that told of it (`message/rfc822`).",
            _JSON,
            models={"raw.bdk.v1": BdkLead},
            examples=BDK,
        ),
        "alfatrack": RawPayload(
            "An Alfa-Track lead, or what was learnt about one later, as pushed.",
            _JSON,
            models={"raw.alfatrack.v1": AlfaTrackLead, "raw.alfatrack.knowledge.v1": AlfaTrackKnowledge},
            examples={**ALFATRACK_LEADS, _KNOWLEDGE: ALFATRACK_KNOWLEDGE},
        ),
        "adf": RawPayload(
            "An ADF document, alone or inside the mail it came with (`message/rfc822`). Each prospect is a "
            "lead.",
            _XML,
        ),
        "dms": RawPayload("A chunk of a dealer management system's vehicle file."),
    }
)
