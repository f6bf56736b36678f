"""A request, a prospect and a visit of an exhibitor's stand, in one document that is fetched."""

from __future__ import annotations

from leadbus_devstack.demo.lead import DemoLead
from leadbus_devstack.demo.prospect import saying
from leadbus_devstack.sandboxes.virtualexpo_documents import lead

PROVIDER = "VirtualExpo"
REQUEST, REQUEST_EMAIL = "VX-7001", "claire.legoff@legoff.example"
_CLAIRE = {"firstName": "Claire", "lastName": "Le Goff", "email": REQUEST_EMAIL}
_PIETER = {"firstName": "Pieter", "lastName": "de Vries", "email": "pieter@devries.example"}
_ANA = {"firstName": "Ana", "lastName": "Lima", "email": "ana.lima@transportes-lima.example"}


def leads() -> list[DemoLead]:
    """Who only looked is not mailed before a permission was noted."""
    return [
        _lead("request", REQUEST, "Documentation / Quote", _CLAIRE, "Un prix pour trois, s'il vous plaît."),
        _lead("prospect", "VX-7002", "Price options", _PIETER, ""),
        _lead("visit", "VX-7003", None, _ANA, "", permitted=False),
    ]


def _lead(
    category: str,
    id_: str,
    type_: str | None,
    buyer: dict[str, str],
    message: str,
    *,
    permitted: bool = True,
) -> DemoLead:
    written = lead(id_, category=category, type_=type_, buyer=buyer, message=message)
    return DemoLead(
        source="virtualexpo",
        kind=category,
        external_id=id_,
        way="fetched",
        media_type="application/xml",
        body=written.encode(),
        dealer="Autohaus Hoffmann",
        address="leads@autohaus-hoffmann.dealercrm.example",
        says=saying(
            provider=PROVIDER,
            id_=id_,
            name=f"{buyer['firstName']} {buyer['lastName']}",
            email=buyer["email"],
            words=("Refrigerated body KB 7", *filter(None, [message])),
        ),
        permitted=permitted,
    )
