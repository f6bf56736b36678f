"""The demo from nothing to nothing: everything it starts, it stops and removes."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from leadbus_devstack import partners
from leadbus_devstack import stack as stacks
from leadbus_devstack.data import demo_data_directory
from leadbus_devstack.demo import adf, alfatrack, later, leads, play, report
from leadbus_devstack.demo.diagnosis import diagnose
from leadbus_devstack.demo.lead import Way
from leadbus_devstack.examples import apply_examples
from leadbus_devstack.layout import Layout
from leadbus_devstack.progress import Steps
from leadbus_devstack.providers import Place
from leadbus_devstack.sandboxes import SANDBOXES
from leadbus_devstack.servers import Servers, start_servers
from leadbus_devstack.stack import PUSHING, Stack

_ARRIVAL_SECONDS = 60.0
_GIVEN: Mapping[Way, str] = {
    "HTTP": "accepted by HTTP",
    "queue": "confirmed by the queue",
    "mail": "taken as mail",
    "notified": "told of by a notification",
    "fetched": "lies ready to be fetched",
}


def demo(layout: Layout, out: Console) -> int:
    """0 when every mail arrived, is ADF and says what its lead said; else 1. Raises DevstackError."""
    steps = Steps(out)
    shutil.rmtree(layout.demo, ignore_errors=True)
    layout.demo_result.unlink(missing_ok=True)
    with _running_stack(layout, steps) as stack:
        steps(f"examples/ applied: {apply_examples(layout.examples, stack.endpoints())}")
        for source in PUSHING:
            stack.create_api_key(source)
        sender = play.Sender(stack, layout.example_publisher, layout.demo / "sent")
        arrivals = _play(stack, sender, layout.demo / "partners", steps)
        why = [] if all(arrival.mail for arrival in arrivals) else diagnose(stack)
    report.write(layout.demo_result, arrivals, layout.root)
    steps("every process and server stopped and removed")
    out.print(report.table(arrivals, layout.root))
    problems = [f"{arrival.lead.name}: {problem}" for arrival in arrivals for problem in arrival.problems]
    for problem in problems:
        out.print(f"[red]✗[/red] {problem}", highlight=False, soft_wrap=True)
    for line in why:
        out.print(f"  {line}", highlight=False, markup=False, soft_wrap=True)
    if problems:
        out.print(f"Logs: {(layout.demo / 'logs').relative_to(layout.root)}", highlight=False)
    return 1 if problems else 0


def _play(stack: Stack, sender: play.Sender, partners_dir: Path, steps: Steps) -> list[report.Arrival]:
    every = leads.leads(datetime.now(UTC).astimezone())
    sender.offer(every)
    partners.introduce(stack, partners_dir)
    steps("partners' sandboxes connected")
    later.learn(sender, alfatrack.KNOWN_FIRST, alfatrack.KNOWN_FIRST_OF)
    steps(f"alfatrack knows something of {alfatrack.KNOWN_FIRST_OF}, which has not come yet")
    sent = []
    for lead in every:
        sent.append(sender.send(lead))
        steps(f"{lead.name} {lead.external_id} {_GIVEN[lead.way]} ({lead.media_type})")
    for lead in every:
        if not lead.permitted:
            later.permit(stack, lead)
            steps(f"{lead.name} {lead.external_id} was held back; a permission is noted now")
    mails = play.wait_for_mails(
        sent,
        stack.smtp.messages,
        timeout_seconds=_ARRIVAL_SECONDS,
        arrived=lambda each, mail: steps(f"{each.lead.name} arrived at {', '.join(mail.rcpt_to)}"),
    )
    arrivals = [report.judge(each, mails.get(each.lead.external_id)) for each in sent]
    if all(one.lead_id for one in arrivals):
        _look_closer(stack, sender, {one.lead.external_id: str(one.lead_id) for one in arrivals}, steps)
    return arrivals


def _look_closer(stack: Stack, sender: play.Sender, lead_ids: Mapping[str, str], steps: Steps) -> None:
    later.learn(sender, alfatrack.KNOWLEDGE, alfatrack.KNOWN_OF)
    for known_of in (alfatrack.KNOWN_OF, alfatrack.KNOWN_FIRST_OF):
        steps(later.enriched(stack, known_of, lead_ids[known_of]))
    steps(later.linked(stack, lead_ids, adf.TWIN, adf.TWIN_OF))


@contextmanager
def _running_stack(layout: Layout, steps: Steps) -> Iterator[Stack]:
    """Fresh data: the demo shows the same whatever was here before."""
    name = f"demo{secrets.token_hex(3)}"
    data = demo_data_directory(layout)
    servers: Servers | None = None
    stack: Stack | None = None

    def migrate(postgres_url: str) -> None:
        stacks.migrate(postgres_url, name)
        steps("Postgres runs, three schemas migrated")

    try:
        place = Place(data, layout.demo / "logs", compose=(layout.compose, f"leadbus-{name}"))
        servers = start_servers(place, durable=True, on_database=migrate)
        steps(f"servers run: {servers.description}")
        stack = Stack(
            servers,
            layout.demo / "logs",
            layout.demo / "mail",
            name=name,
            pushing=PUSHING,
            takes_mail=True,
            partners=SANDBOXES,
        )
        with stacks.running(stack, steps):
            yield stack
    finally:
        _remove(data, servers, stack)


def _remove(data: Path, servers: Servers | None, stack: Stack | None) -> None:
    if servers is not None:
        # Servers of our own go whole; on somebody else's we leave nothing behind.
        if stack is not None and not servers.own:
            stack.remove()
        servers.stop()
    shutil.rmtree(data, ignore_errors=True)
