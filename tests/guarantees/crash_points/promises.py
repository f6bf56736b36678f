"""What holds after every crash, wherever it was."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from tests.guarantees.crash_points.scene import PATIENCE_SECONDS, Scene
from tests.guarantees.system import eventually


@dataclass(frozen=True, slots=True)
class Doubts:
    """Leads whose delivery is marked as possibly sent without our knowing, and those mailed twice."""

    doubted: set[str]
    sent_twice: set[str]


async def settled(scene: Scene) -> Doubts:
    """Wait until all that was sent has its end, then each promise in turn."""
    await eventually("all delivered", scene.settled, within_seconds=PATIENCE_SECONDS)
    await scene.eventually("none in doubt any more", scene.under_way, 0)
    await scene.eventually("nothing left to publish", scene.unpublished, 0)
    # Whatever still waited in queues goes before this one.
    await scene.send(by_http=1, by_queue=0)
    await eventually("the lead after it delivered", scene.settled, within_seconds=PATIENCE_SECONDS)

    mails = scene.mails()
    lead_of = {provider_id: {lead for lead, _ in sent} for provider_id, sent in mails.items()}
    assert mails.keys() == set(scene.leads), "every accepted lead has a mail, and nothing else has"
    assert all(len(leads) == 1 for leads in lead_of.values()), "one lead for each accepted message"
    assert all(len({message_id for _, message_id in sent}) == 1 for sent in mails.values()), (
        "a repeated mail keeps its Message-ID"
    )
    ours = {lead for leads in lead_of.values() for lead in leads}
    deliveries = [
        one for one in scene.surface.every("adf-mailer", "/v1/deliveries") if one["subject_id"] in ours
    ]
    told = Counter(one["phase"] for one in deliveries)
    expected = Counter(delivered=len(ours), skipped=scene.sent_again + scene.unrouted) + scene.replaced
    assert told == expected, "one delivery for each lead"
    delivered = {one["subject_id"] for one in deliveries if one["phase"] == "delivered"}
    assert delivered == ours, "and each of another lead"
    doubted = {one["subject_id"] for one in deliveries if one["ambiguous"]}
    sent_twice = {sent[0][0] for sent in mails.values() if len(sent) > 1}
    assert sent_twice <= doubted, "what came twice is marked as possibly sent twice"
    return Doubts(doubted, sent_twice)
