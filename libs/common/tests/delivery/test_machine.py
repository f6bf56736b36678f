"""MAC: what becomes of a delivery. Cases first, then a world that answers at random and is audited."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from leadbus.delivery import (
    Ambiguous,
    Delivered,
    Held,
    Outcome,
    Pace,
    Permanent,
    Phase,
    Schedule,
    Skipped,
    Suspended,
    Transient,
)
from leadbus.delivery.breaker import Signal
from leadbus.delivery.machine import (
    TERMINAL,
    Announcement,
    Answered,
    AnsweredLate,
    Bounced,
    CancelAsked,
    Claimed,
    DeadlinePassed,
    Decision,
    Event,
    LeaseExpired,
    NotActed,
    NotAllowed,
    RedriveAsked,
    State,
    decide,
)

SCHEDULE = Schedule(
    steps_seconds=(10, 30),
    then_every_seconds=60,
    give_up_after_seconds=100,
    paces={"slow": Pace(steps_seconds=(40,))},
)
"""Waits of 10, 30 and 60 seconds, 40 and 60 at the slow pace; the fourth failure gives up, or the third."""


DOWN = Transient("refused", destination_down=True)
HELD = Held("domain_busy", 5)


def run(*events: Event, state: State | None = None) -> Decision:
    decision = Decision(state or State())
    for event in events:
        decision = decide(decision.state, event, SCHEDULE)
    return decision


def tried(outcome: Outcome, times: int = 1) -> list[Event]:
    return [Claimed(), Answered(outcome)] * times


def test_mac1_delivered() -> None:
    decision = run(*tried(Delivered("250 ok")))
    assert decision.state.phase is Phase.DELIVERED
    assert decision.announce is Announcement.SUCCEEDED
    assert decision.signal is Signal.UP


def test_mac2_refused_fails_and_says_nothing_bad_of_the_host() -> None:
    decision = run(*tried(Permanent("mailbox_unknown")))
    assert (decision.state.phase, decision.outcome, decision.reason) == (
        Phase.FAILED,
        "refused",
        "mailbox_unknown",
    )
    assert decision.announce is Announcement.FAILED
    assert decision.signal is Signal.UP


def test_mac3_transient_waits_by_schedule_and_gives_up() -> None:
    waits = [run(*tried(Transient("busy"), n)).wait_seconds for n in (1, 2, 3)]
    assert waits == [10, 30, 60]
    given_up = run(*tried(Transient("busy"), 4))
    assert (given_up.state.phase, given_up.outcome, given_up.reason) == (Phase.FAILED, "gave_up", "busy")
    assert given_up.announce is Announcement.FAILED


def test_mac4_retry_after_is_honoured() -> None:
    assert run(*tried(Transient("slow_down", after_seconds=500))).wait_seconds == 500


def test_mac5_destination_down_burns_no_try() -> None:
    decision = run(*tried(Transient("refused", destination_down=True), 50))
    assert (decision.state.phase, decision.state.failures) == (Phase.WAITING, 0)
    assert decision.state.attempts == 50
    assert decision.signal is Signal.DOWN
    assert decision.wait_seconds == 30


@pytest.mark.parametrize(
    ("outcomes", "wait_seconds"),
    [
        pytest.param([DOWN], 10, id="MAC5d-first"),
        pytest.param([DOWN, DOWN], 30, id="MAC5e-second"),
        pytest.param([DOWN, DOWN, DOWN], 30, id="MAC5f-the-last-step-repeats"),
        pytest.param([DOWN, DOWN, Transient("busy"), DOWN], 10, id="MAC5g-in-a-row"),
        pytest.param([DOWN, DOWN, HELD, DOWN], 30, id="MAC5h-holds-are-no-answer"),
        pytest.param([DOWN, DOWN, Suspended("auth_refused")], 10, id="MAC5i-suspended-has-slow-probes"),
        pytest.param(
            [Transient("quota", after_seconds=500, destination_down=True)], 500, id="MAC5j-as-asked-for"
        ),
    ],
)
def test_a_destination_that_is_down_is_asked_ever_more_seldom(
    outcomes: list[Outcome], wait_seconds: float
) -> None:
    assert run(*(event for one in outcomes for event in tried(one))).wait_seconds == wait_seconds


def test_mac5b_suspended_burns_no_try() -> None:
    decision = run(*tried(Suspended("auth_refused", answer="535 no"), 50))
    assert (decision.state.phase, decision.state.failures) == (Phase.WAITING, 0)
    assert (decision.outcome, decision.reason) == ("suspended", "auth_refused")
    assert (decision.signal, decision.announce) == (Signal.SUSPEND, None)


def test_mac5c_what_ended_on_our_side_says_nothing_of_the_destination() -> None:
    decision = run(*tried(Transient("not_prepared", destination_heard=False)))
    assert (decision.outcome, decision.state.failures) == ("transient", 1)
    assert decision.signal is Signal.NOTHING


@pytest.mark.parametrize("event", [Answered(Ambiguous("no_answer")), LeaseExpired()])
def test_mac6_ambiguous_is_counted_and_tried_again(event: Event) -> None:
    decision = run(Claimed(), event)
    assert (decision.state.phase, decision.state.doubts) == (Phase.WAITING, 1)
    assert decision.outcome == "ambiguous"


def test_mac7_doubt_outlives_a_clear_no() -> None:
    """The second try was certainly not taken; the first one still may have been."""
    assert run(*tried(Ambiguous("no_answer")), *tried(Permanent("gone"))).state.doubts == 1


def test_mac8_skipped_at_the_moment_of_acting() -> None:
    decision = run(*tried(Skipped("consent")))
    assert (decision.state.phase, decision.reason) == (Phase.SKIPPED, "consent")
    assert decision.announce is Announcement.SKIPPED
    assert decision.signal is Signal.NOTHING


def test_mac9_recovered_is_delivered_after_an_announced_failure() -> None:
    decision = run(*tried(Permanent("full")), RedriveAsked(), *tried(Delivered()))
    assert decision.announce is Announcement.RECOVERED


def test_mac10_redrive_of_what_was_never_accepted_is_a_retry_now() -> None:
    decision = run(*tried(Transient("busy"), 4), RedriveAsked())
    assert (decision.state.phase, decision.state.repeat_number) == (Phase.WAITING, 0)
    assert decision.wait_seconds == 0
    assert decision.state.failures == 0, "with the whole schedule before it"


def test_mac11_redrive_of_what_was_accepted_is_a_repeat_that_says_so() -> None:
    once = run(*tried(Delivered()), RedriveAsked())
    assert (once.state.phase, once.state.repeat_number) == (Phase.WAITING, 1)
    assert run(*tried(Delivered()), RedriveAsked(), state=once.state).state.repeat_number == 2
    failed_repeat = run(*tried(Permanent("full")), RedriveAsked(), state=once.state)
    assert failed_repeat.state.repeat_number == 1, "this repeat was not accepted yet"


def test_mac12_redrive_while_waiting_is_now_and_keeps_the_count() -> None:
    decision = run(*tried(Transient("busy"), 2), RedriveAsked())
    assert (decision.wait_seconds, decision.state.failures) == (0, 2)


@pytest.mark.parametrize("event", [CancelAsked(), RedriveAsked(), Claimed(), DeadlinePassed()])
def test_mac13_nothing_touches_what_is_in_flight(event: Event) -> None:
    with pytest.raises(NotAllowed):
        run(Claimed(), event)


def test_mac14_cancelled_is_told_as_failed() -> None:
    decision = run(CancelAsked())
    assert (decision.state.phase, decision.outcome) == (Phase.CANCELLED, "cancelled")
    assert decision.announce is Announcement.FAILED


def test_mac15_deadline() -> None:
    decision = run(*tried(Transient("busy")), DeadlinePassed())
    assert (decision.state.phase, decision.outcome) == (Phase.FAILED, "deadline_passed")


def test_mac16_truth_that_comes_late_prevents_a_second_sending() -> None:
    decision = run(Claimed(), LeaseExpired(), AnsweredLate(Delivered()))
    assert decision.state.phase is Phase.DELIVERED
    assert decision.state.doubts == 1, "it was in doubt for a while, and that stays on record"


def test_mac17_late_bad_news_changes_nothing() -> None:
    waiting = run(Claimed(), LeaseExpired()).state
    assert run(AnsweredLate(Permanent("full")), state=waiting) == Decision(waiting)


def test_mac18_claim_nobody_acted_on_is_undone_without_doubt() -> None:
    decision = run(Claimed(), NotActed())
    assert (decision.state.phase, decision.state.doubts, decision.wait_seconds) == (Phase.WAITING, 0, 0)


def test_mac19_held_waits_and_burns_nothing_and_says_nothing() -> None:
    decision = run(*tried(HELD))
    assert (decision.state.phase, decision.state.failures, decision.state.attempts) == (Phase.QUEUED, 0, 1)
    assert run(*tried(Transient("busy")), *tried(HELD)).state.phase is Phase.WAITING
    assert (decision.outcome, decision.reason) == ("held", "domain_busy")
    assert (decision.signal, decision.announce, decision.joins) == (Signal.NOTHING, None, False)


@pytest.mark.parametrize(("luck", "wait_seconds"), [(0.0, 5.0), (0.5, 5.5), (0.999999, 6.0)])
def test_mac20_held_waits_at_least_as_long_as_told(luck: float, wait_seconds: float) -> None:
    decision = run(Claimed(), Answered(HELD, luck))
    assert decision.wait_seconds == pytest.approx(wait_seconds, abs=0.001)


def test_mac21_holds_in_a_row_are_one_try() -> None:
    decision = run(*tried(HELD, 50))
    assert (decision.state.attempts, decision.joins) == (1, True)
    after = run(*tried(Transient("busy")), state=decision.state)
    assert (after.state.attempts, after.state.failures, after.wait_seconds) == (2, 1, 10)
    again = run(*tried(HELD), state=after.state)
    assert (again.state.attempts, again.joins) == (3, False), "one that comes later is a try of its own"


def test_mac22_a_claim_nobody_acted_on_breaks_no_row_of_holds() -> None:
    decision = run(*tried(HELD), Claimed(), NotActed(), *tried(HELD))
    assert (decision.state.attempts, decision.joins) == (1, True)


def test_mac23_an_outcome_names_its_pace() -> None:
    decisions = [run(*tried(Transient("full", pace="slow"), n)) for n in (1, 2, 3)]
    assert [decision.wait_seconds for decision in decisions] == [40, 60, None]
    assert decisions[-1].outcome == "gave_up"


def test_mac24_a_pace_nobody_knows_is_the_default_one() -> None:
    assert run(*tried(Transient("full", pace="unknown"))).wait_seconds == 10


GONE = Bounced("bad_address", permanent=True)
LATER = Bounced("mailbox_full", permanent=False, after_seconds=900)


def test_mac25_what_was_taken_and_came_back_has_failed() -> None:
    decision = run(*tried(Delivered()), GONE)
    assert (decision.state.phase, decision.outcome, decision.reason) == (
        Phase.FAILED,
        "bounced",
        "bad_address",
    )
    assert (decision.announce, decision.state.announcements) == (Announcement.FAILED, 2)
    assert decision.signal is Signal.NOTHING
    assert decision.wait_seconds is None


def test_mac26_redrive_of_what_came_back_is_a_repeat() -> None:
    again = run(*tried(Delivered()), GONE, RedriveAsked())
    assert (again.state.phase, again.state.repeat_number, again.state.bounced) == (Phase.WAITING, 1, False)
    refused = run(*tried(Permanent("no")), RedriveAsked(), state=again.state)
    assert refused.state.repeat_number == 1, "this repeat was not accepted yet"
    assert run(*tried(Delivered()), state=again.state).announce is Announcement.RECOVERED


def test_mac27_what_may_be_mended_is_told_as_failed_and_repeated() -> None:
    decision = run(*tried(Ambiguous("lost")), *tried(Delivered()), LATER)
    state = decision.state
    assert (state.phase, state.repeat_number, state.doubts, state.failures) == (Phase.WAITING, 1, 0, 0)
    assert (decision.announce, decision.outcome, decision.wait_seconds) == (
        Announcement.FAILED,
        "bounced",
        900,
    )
    assert decision.told is not None
    assert (decision.told.repeat_number, decision.told.doubts) == (0, 1), "of the sending that came back"
    assert run(*tried(Delivered()), state=state).announce is Announcement.RECOVERED


def test_mac28_a_bounce_ends_the_doubt() -> None:
    assert run(*tried(Ambiguous("lost")), GONE).state.phase is Phase.FAILED
    for never_taken in ([], tried(Transient("busy"))):
        with pytest.raises(NotAllowed):
            run(*never_taken, GONE)


@pytest.mark.parametrize(
    "before",
    [
        [Claimed()],
        [*tried(Permanent("no"))],
        [*tried(Delivered()), GONE],
        [*tried(Delivered()), LATER],
        [CancelAsked()],
    ],
)
def test_mac29_nothing_else_can_come_back(before: list[Event]) -> None:
    state = run(*before).state
    with pytest.raises(NotAllowed):
        run(GONE, state=state)


def test_mac30_that_it_was_taken_does_not_unsay_that_it_came_back() -> None:
    bounced = run(Claimed(), LeaseExpired(), GONE).state
    assert run(AnsweredLate(Delivered()), state=bounced) == Decision(bounced)


class World(RuleBasedStateMachine):
    """One delivery, an outside that takes or does not take, and an auditor who sees both."""

    def __init__(self) -> None:
        super().__init__()
        self.state = State()
        self.accepted = 0
        self.doubtful = 0
        self.told: list[Announcement] = []
        self.history: list[State] = []
        self.came_back = 0

    def _happens(self, event: Event) -> Decision:
        before = self.state
        decision = decide(before, event, SCHEDULE)
        self.history.append(before)
        self.state = decision.state
        if decision.announce:
            self.told.append(decision.announce)
        if decision.state.repeat_number != before.repeat_number:
            self.accepted = self.doubtful = 0
        if decision.state.phase in (Phase.QUEUED, Phase.WAITING):
            assert decision.wait_seconds is not None, "who waits knows for how long"
        return decision

    @initialize()
    def planned(self) -> None:
        assert self.state == State()

    @precondition(lambda self: self.state.phase in (Phase.QUEUED, Phase.WAITING))
    @rule()
    def claimed(self) -> None:
        self._happens(Claimed())

    @precondition(lambda self: self.state.phase is Phase.SENDING)
    @rule()
    def taken(self) -> None:
        self.accepted += 1
        self._happens(Answered(Delivered()))

    @precondition(lambda self: self.state.phase is Phase.SENDING)
    @rule(
        outcome=st.sampled_from(
            [
                Transient("busy"),
                Transient("down", destination_down=True),
                Suspended("auth_refused"),
                Permanent("no"),
                Skipped("consent"),
                Held("domain_busy", 5),
            ]
        )
    )
    def not_taken(self, outcome: Outcome) -> None:
        self._happens(Answered(outcome))

    @precondition(lambda self: self.state.phase is Phase.SENDING)
    @rule(really=st.booleans(), event=st.sampled_from([Answered(Ambiguous("lost")), LeaseExpired()]))
    def nobody_knows(self, really: bool, event: Event) -> None:
        self.accepted += really
        self.doubtful += 1
        self._happens(event)

    @precondition(lambda self: self.state.phase is Phase.SENDING)
    @rule()
    def never_began(self) -> None:
        self._happens(NotActed())

    @precondition(lambda self: self.state.phase in (Phase.QUEUED, Phase.WAITING))
    @rule(event=st.sampled_from([CancelAsked(), DeadlinePassed()]))
    def ended_without_a_try(self, event: Event) -> None:
        self._happens(event)

    @precondition(lambda self: self.state.phase is not Phase.SENDING)
    @rule()
    def redriven(self) -> None:
        self._happens(RedriveAsked())

    @precondition(lambda self: self.state.phase is Phase.DELIVERED)
    @rule(event=st.sampled_from([GONE, LATER]))
    def came_back_after_all(self, event: Event) -> None:
        self.came_back += 1
        self._happens(event)

    @rule(
        event=st.sampled_from(
            [Claimed(), Answered(Delivered()), LeaseExpired(), CancelAsked(), DeadlinePassed(), NotActed()]
        )
    )
    def impossible_is_refused(self, event: Event) -> None:
        """Terminal stays terminal but for a redrive; what is in flight is nobody's but its holder's."""
        possible = {
            Phase.QUEUED: (Claimed, CancelAsked, DeadlinePassed),
            Phase.WAITING: (Claimed, CancelAsked, DeadlinePassed),
            Phase.SENDING: (Answered, LeaseExpired, NotActed),
        }.get(self.state.phase, ())
        if not isinstance(event, possible):
            with pytest.raises(NotAllowed):
                decide(self.state, event, SCHEDULE)

    @invariant()
    def never_twice_without_saying_so(self) -> None:
        assert self.accepted <= 1 + self.state.doubts
        assert self.doubtful == self.state.doubts

    @invariant()
    def delivered_means_accepted(self) -> None:
        if self.state.phase is Phase.DELIVERED:
            assert self.accepted >= 1

    @invariant()
    def counts_never_run_backwards(self) -> None:
        for before, now in pairwise([*self.history, self.state]):
            # What joins the hold before it was no try.
            joined = before.phase is Phase.SENDING and before.held and now.held
            assert now.attempts - before.attempts in ((-1,) if joined else (0, 1))
            assert (now.attempts > before.attempts) == (now.phase is Phase.SENDING)
            assert now.repeat_number - before.repeat_number in (0, 1)
            assert now.announcements - before.announcements in (0, 1)
            assert now.failures <= now.attempts

    @invariant()
    def every_end_is_told_once(self) -> None:
        assert self.state.announcements == len(self.told)
        ends = sum(
            now.phase in TERMINAL and before.phase not in TERMINAL
            for before, now in pairwise([*self.history, self.state])
        )
        assert len(self.told) == ends + self.came_back
        if self.told:
            assert self.state.announced is self.told[-1]

    @invariant()
    def recovered_only_after_failed(self) -> None:
        for before, now in pairwise(self.told):
            assert (now is Announcement.RECOVERED) <= (before is Announcement.FAILED)
        assert self.told[:1] != [Announcement.RECOVERED]


TestWorld = World.TestCase
TestWorld.settings = settings(
    max_examples=80, stateful_step_count=40, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
