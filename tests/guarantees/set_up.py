"""What people set before leads may come: a source, dealers, their locations, and where their leads go."""

from __future__ import annotations

from collections.abc import Mapping

import httpx2
from leadbus_devstack.stack import Stack

from tests.guarantees.fates import DELIVERED_DEALERS, REFUSED_ADDRESS, REFUSED_DEALER, UNROUTED_DEALER

_ADDRESSES = {dealer: f"leads@dealer-{dealer}.example" for dealer in DELIVERED_DEALERS}


def set_up(stack: Stack) -> None:
    """Settings of a stack that runs, and an API key for its source."""
    _put(stack, "ingest", "Source", "contactatonce", {})
    addresses = {**_ADDRESSES, REFUSED_DEALER: REFUSED_ADDRESS}
    for dealer in (*addresses, UNROUTED_DEALER):
        name = f"dealer-{dealer}"
        spec = {"name": f"Dealer {dealer}", "country": "US", "time_zone": "America/Chicago"}
        _put(stack, "normalizer", "Dealer", name, spec | {"phone": "+13125550100"})
        location = {"source": "contactatonce", "external_id": dealer, "dealer": name}
        _put(stack, "normalizer", "Location", f"cao-{dealer}", location)
        if dealer in addresses:
            _put(stack, "adf-mailer", "AdfRoute", name, {"dealer": name, "address": addresses[dealer]})
    stack.create_api_key()


def _put(stack: Stack, service: str, kind: str, name: str, spec: Mapping[str, object]) -> None:
    httpx2.put(
        f"{stack.services[service].url}/v1/settings/{kind}/{name}",
        json={"spec": spec},
        headers={"Authorization": f"Bearer {stack.token('admin')}"},
        timeout=10,
    ).raise_for_status()
