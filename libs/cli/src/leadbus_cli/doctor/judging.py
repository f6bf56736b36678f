"""All rules over all that was seen. Pure."""

from __future__ import annotations

from leadbus_cli.doctor.broker_rules import judge_broker
from leadbus_cli.doctor.findings import Finding, Level
from leadbus_cli.doctor.seen import Seen
from leadbus_cli.doctor.service_rules import judge_services
from leadbus_cli.doctor.token_rules import judge_token


def judge(seen: Seen) -> list[Finding]:
    """The worst first; within a level in the order of the rules."""
    prefix = seen.broker.prefix if seen.broker else ""
    vhost = seen.broker.vhost if seen.broker else None
    found = [
        *judge_token(seen.token, seen.at),
        *judge_services(seen.services, prefix=prefix, vhost=vhost),
        *judge_broker(seen.broker, {service.name for service in seen.services}),
    ]
    return sorted(found, key=lambda finding: list(Level).index(finding.level))
