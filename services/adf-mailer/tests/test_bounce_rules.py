"""BN1–BN99: return paths, xtext, what a bounce says and what it means. Table: rules/bounces.md."""

from __future__ import annotations

import re
from pathlib import Path
from uuid import UUID

import pytest
from adf_mailer.domain import xtext
from adf_mailer.domain.bounces.judging import Role, Verdict, judge
from adf_mailer.domain.bounces.matching import By, Candidate, candidates, fits
from adf_mailer.domain.bounces.message import MOST_BOUNDARIES, READ_BYTES
from adf_mailer.domain.bounces.reading import read
from adf_mailer.domain.bounces.report import DIAGNOSTIC_CHARS, Action, Kind, Report, Reported
from adf_mailer.domain.bounces.status import REASON_CODES, found_in, reason_of
from adf_mailer.domain.return_path import ReturnPath, message_uuid, token_of
from hypothesis import given, settings
from hypothesis import strategies as st

KEY, OLD_KEY = b"a-bounce-key-of-tests-of-32-bytes-or-more", b"k" * 32
PATH = ReturnPath("bounces@mail.leadbus.example", (KEY,))
MESSAGE = UUID("340b55c1-0559-5b0b-b869-c4a33f2e5715")
TOKEN = "gqfvlqiflfnqxodjysrt6lsxcwmcidqsra"
ADDRESSEE = "leads@prairie.dealercrm.example"
SAMPLES = Path(__file__).parent / "bounces"


def sample(name: str) -> bytes:
    return (SAMPLES / f"{name}.eml").read_bytes()


ADDRESSED = [
    pytest.param(f"bounces+{TOKEN}@mail.leadbus.example", id="BN1"),
    pytest.param(f"Bounces+{TOKEN.upper()}@MAIL.Leadbus.Example", id="BN2"),
    pytest.param(f"bounces={TOKEN}@mail.leadbus.example", id="BN3"),
    pytest.param(f"prvs=7123ABCDEF=bounces+{TOKEN}@mail.leadbus.example", id="BN4"),
    pytest.param(f"prvs=bounces+{TOKEN}/7123abcdef@mail.leadbus.example", id="BN4 older"),
    pytest.param(f"msprvs1=17403VzQx1=bounces+{TOKEN}@mail.leadbus.example", id="BN5"),
    pytest.param(f"btv1==001abc123def==bounces+{TOKEN}@mail.leadbus.example", id="BN5 another"),
    pytest.param(f"SRS0=hHhH=tT=mail.leadbus.example=bounces+{TOKEN}@mail.leadbus.example", id="BN6"),
    pytest.param(
        f"SRS1=xXxX=relay.example==hHhH=tT=mail.leadbus.example=bounces+{TOKEN}@mail.leadbus.example",
        id="BN7",
    ),
    pytest.param(f'<"bounces+{TOKEN}"@mail.leadbus.example.>', id="BN8"),
]


@pytest.mark.parametrize("address", ADDRESSED)
def test_a_return_path_is_known_however_it_was_rewritten(address: str) -> None:
    assert PATH.addressed(address) == MESSAGE


@pytest.mark.parametrize(
    "address",
    [
        pytest.param("bounces@mail.leadbus.example", id="BN9"),
        pytest.param(f"bounces+{TOKEN[:-1]}@mail.leadbus.example", id="BN10 short"),
        pytest.param(f"bounces+{TOKEN[:-1]}b@mail.leadbus.example", id="BN10 spare bits"),
        pytest.param(f"bounces+{'a' * 26}{TOKEN[26:]}@mail.leadbus.example", id="BN11 another mail"),
        pytest.param(f"bounces+{TOKEN[:26]}{'a' * 8}@mail.leadbus.example", id="BN11 no checksum"),
        pytest.param(f"bounces+{TOKEN}@other.example", id="BN12"),
        pytest.param(f"others+{TOKEN}@mail.leadbus.example", id="BN13"),
        pytest.param(f"xbounces+{TOKEN}@mail.leadbus.example", id="BN13 longer"),
        pytest.param("", id="BN13 nothing"),
    ],
)
def test_what_is_no_return_path_of_ours(address: str) -> None:
    assert PATH.addressed(address) is None


def test_bn14_a_key_that_was_changed_is_known_for_what_it_made() -> None:
    old = ReturnPath(PATH.address, (OLD_KEY,))
    both = ReturnPath(PATH.address, (KEY, OLD_KEY))
    assert PATH.addressed(old.sender(MESSAGE)) is None
    assert both.addressed(old.sender(MESSAGE)) == MESSAGE
    assert both.sender(MESSAGE) == PATH.sender(MESSAGE)
    assert "key" not in repr(PATH)


@given(st.uuids())
def test_bn15_every_mail_has_a_return_path_that_fits_an_envelope(message: UUID) -> None:
    sender = PATH.sender(message)
    assert PATH.addressed(sender) == message
    assert len(sender.partition("@")[0]) <= 64
    assert token_of(sender, PATH.address) == PATH.token(message)
    assert PATH.proven(PATH.token(message)) == message
    assert message_uuid(f"<{message}@leadbus.example>") == message


@pytest.mark.parametrize(
    ("sender", "return_path"),
    [
        ("leads@leadbus.example", PATH.address),
        (f"bounces+{TOKEN}@other.example", PATH.address),
        (PATH.sender(MESSAGE), None),
    ],
)
def test_bn16_other_senders_have_no_token(sender: str, return_path: str | None) -> None:
    assert token_of(sender, return_path) is None


@pytest.mark.parametrize("address", ["a" * 30 + "@mail.example", "boun+ces@mail.example", "Bo@mail.example"])
def test_bn17_addresses_that_cannot_be_return_paths(address: str) -> None:
    with pytest.raises(ValueError, match="before the @"):
        ReturnPath(address, (KEY,))


@pytest.mark.parametrize(
    ("plain", "written"),
    [
        pytest.param("leads@prairie.example", "leads@prairie.example", id="BN18"),
        pytest.param("a+b=c@x.example", "a+2Bb+3Dc@x.example", id="BN18 marks"),
        pytest.param("a b\t~", "a+20b+09~", id="BN18 blanks"),
        pytest.param("ü", "+C3+BC", id="BN18 UTF-8"),
    ],
)
def test_bn18_xtext(plain: str, written: str) -> None:
    assert xtext.encoded(plain) == written
    assert xtext.decoded(written) == plain


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_bn19_xtext_of_anything_is_one_word_and_comes_back(value: str) -> None:
    written = xtext.encoded(value)
    assert all("!" <= one <= "~" and one != "=" for one in written)
    assert xtext.decoded(written) == value


def test_bn19_what_is_no_xtext_stays() -> None:
    assert xtext.decoded("a+b@x.example") == "a+b@x.example"


# What a mail to the return path says: kind, what it means, why, who it is about, status.
READ: dict[str, tuple[str, Kind, Verdict, str | None, Role, str | None]] = {
    "BN20": (
        "postfix_unknown_user",
        Kind.DELIVERY_STATUS,
        Verdict.PERMANENT,
        "bad_address",
        Role.ADDRESSEE,
        "5.1.1",
    ),
    "BN21": (
        "postfix_delayed",
        Kind.DELIVERY_STATUS,
        Verdict.DELAYED,
        "unreachable",
        Role.ADDRESSEE,
        "4.4.1",
    ),
    "BN22": (
        "postfix_expired",
        Kind.DELIVERY_STATUS,
        Verdict.TRANSIENT,
        "unreachable",
        Role.ADDRESSEE,
        "4.4.1",
    ),
    "BN23": ("postfix_delivered", Kind.DELIVERY_STATUS, Verdict.CONFIRMED, None, Role.ADDRESSEE, "2.1.5"),
    "BN24": (
        "several_recipients",
        Kind.DELIVERY_STATUS,
        Verdict.TRANSIENT,
        "mailbox_full",
        Role.ADDRESSEE,
        "5.2.2",
    ),
    "BN25": (
        "forwarded",
        Kind.DELIVERY_STATUS,
        Verdict.PERMANENT,
        "bad_address",
        Role.FORWARDED,
        "5.1.1",
    ),
    "BN26": (
        "exim_report",
        Kind.DELIVERY_STATUS,
        Verdict.PERMANENT,
        "bad_address",
        Role.ADDRESSEE,
        "5.0.0",
    ),
    "BN27": (
        "exchange_report",
        Kind.DELIVERY_STATUS,
        Verdict.PERMANENT,
        "bad_address",
        Role.ADDRESSEE,
        "5.1.10",
    ),
    "BN28": (
        "gmail_report",
        Kind.DELIVERY_STATUS,
        Verdict.TRANSIENT,
        "mailbox_full",
        Role.ADDRESSEE,
        "5.2.2",
    ),
    "BN29": ("sendmail", Kind.DELIVERY_STATUS, Verdict.PERMANENT, "too_large", Role.ADDRESSEE, "5.0.0"),
    "BN30": (
        "utf8_report",
        Kind.DELIVERY_STATUS,
        Verdict.PERMANENT,
        "content_refused",
        Role.ADDRESSEE,
        "5.6.0",
    ),
    "BN31": ("exim_text", Kind.FREE_TEXT, Verdict.PERMANENT, "bad_address", Role.ADDRESSEE, "5.1.1"),
    "BN32": ("exim_warning", Kind.FREE_TEXT, Verdict.DELAYED, None, Role.ADDRESSEE, None),
    "BN33": ("exchange_text", Kind.FREE_TEXT, Verdict.PERMANENT, "bad_address", Role.ADDRESSEE, "5.1.1"),
    "BN34": ("gmail_text", Kind.FREE_TEXT, Verdict.PERMANENT, "policy", Role.ADDRESSEE, "5.7.1"),
    "BN35": ("qmail", Kind.FREE_TEXT, Verdict.PERMANENT, "bad_address", Role.ADDRESSEE, "5.1.1"),
    "BN36": (
        "report_without_recipients",
        Kind.FREE_TEXT,
        Verdict.PERMANENT,
        "policy",
        Role.ADDRESSEE,
        "5.7.1",
    ),
    "BN37": ("adf_parts", Kind.ADF, Verdict.PERMANENT, "content_refused", Role.UNNAMED, None),
    "BN38": ("adf_own_head", Kind.ADF, Verdict.PERMANENT, "content_refused", Role.ADDRESSEE, None),
    "BN39": ("adf_attached_mail", Kind.ADF, Verdict.PERMANENT, "content_refused", Role.ADDRESSEE, None),
    "BN40": ("complaint", Kind.COMPLAINT, Verdict.COMPLAINT, "abuse", Role.ADDRESSEE, None),
    "BN41": ("out_of_office", Kind.AUTO_REPLY, Verdict.NONE, None, Role.UNNAMED, None),
    "BN42": ("vacation", Kind.AUTO_REPLY, Verdict.NONE, None, Role.UNNAMED, None),
    "BN43": ("bulk_precedence", Kind.AUTO_REPLY, Verdict.NONE, None, Role.UNNAMED, None),
    "BN44": ("read_receipt", Kind.AUTO_REPLY, Verdict.NONE, None, Role.UNNAMED, None),
    "BN45": ("our_own", Kind.LOOP, Verdict.NONE, None, Role.UNNAMED, None),
    "BN46": ("letter", Kind.UNKNOWN, Verdict.NONE, None, Role.UNNAMED, None),
}


@pytest.mark.parametrize("case", READ)
def test_what_a_mail_to_the_return_path_says(case: str) -> None:
    name, kind, verdict, reason, role, status = READ[case]
    report = read(sample(name))
    judged = judge(report, ADDRESSEE)
    assert (report.kind, judged.verdict, judged.reason, judged.role) == (kind, verdict, reason, role)
    assert (judged.said.status if judged.said else None) == status


# Reports that a Postfix made of our mails, as `test_adf_postfix_reports.py` took them.
MADE: dict[str, tuple[str, Verdict, str | None, str]] = {
    "BN130": ("postfix-no-such-mailbox", Verdict.PERMANENT, "bad_address", "5.1.1"),
    "BN131": ("postfix-over-quota", Verdict.TRANSIENT, "mailbox_full", "5.2.2"),
    "BN132": ("postfix-delayed", Verdict.DELAYED, "mailbox_busy", "4.2.1"),
    "BN133": ("postfix-expired", Verdict.TRANSIENT, "mailbox_busy", "4.2.1"),
    "BN134": ("postfix-unreachable", Verdict.TRANSIENT, "unreachable", "4.4.1"),
    "BN135": ("postfix-envelope-id", Verdict.PERMANENT, "bad_address", "5.1.1"),
    "BN136": ("postfix-delivered", Verdict.CONFIRMED, None, "2.0.0"),
}


@pytest.mark.parametrize("case", MADE)
def test_what_a_real_report_says(case: str) -> None:
    name, verdict, reason, status = MADE[case]
    raw = sample(name)
    (addressee,) = re.findall(r"^Final-Recipient: rfc822; (\S+)\r?$", raw.decode(), re.MULTILINE)
    judged = judge(read(raw), addressee)
    assert (judged.verdict, judged.reason, judged.role) == (verdict, reason, Role.ADDRESSEE)
    assert judged.said is not None
    assert judged.said.status == status


def test_every_sample_is_in_a_table() -> None:
    named = {one[0] for one in READ.values()} | {one[0] for one in MADE.values()}
    assert named == {path.stem for path in SAMPLES.glob("*.eml")}


def test_bn47_the_servers_are_named_and_their_words_kept_on_one_line() -> None:
    report = read(sample("postfix_unknown_user"))
    assert report.reporting_mta == "mx.relay.example"
    (recipient,) = report.recipients
    assert recipient.diagnostic.startswith(
        "smtp; 550 5.1.1 <leads@prairie.dealercrm.example>: Recipient addr"
    )
    assert "\n" not in recipient.diagnostic
    words = read(sample("qmail")).recipients[0].diagnostic
    assert "Sorry, no mailbox here by that name." in words
    assert "CAO-88120977" not in words, "what came back is not what the server says"


def test_bn48_words_are_cut() -> None:
    raw = sample("postfix_unknown_user").replace(b"User unknown", b"Ach " * 2000)
    assert len(read(raw).recipients[0].diagnostic) == DIAGNOSTIC_CHARS


# What a status or a server's words mean.
@pytest.mark.parametrize(
    ("status", "words", "reason"),
    [
        pytest.param("5.1.1", "", "bad_address", id="BN50"),
        pytest.param("5.1.10", "", "bad_address", id="BN50 Exchange"),
        pytest.param("5.2.1", "", "bad_address", id="BN51"),
        pytest.param("4.2.1", "", "mailbox_busy", id="BN137"),
        pytest.param("5.1.8", "", "sender_refused", id="BN52"),
        pytest.param("5.2.2", "", "mailbox_full", id="BN53"),
        pytest.param("5.3.4", "", "too_large", id="BN54"),
        pytest.param("5.2.3", "", "too_large", id="BN54 mailbox"),
        pytest.param("5.4.7", "", "expired", id="BN55"),
        pytest.param("5.4.300", "", "expired", id="BN55 Exchange"),
        pytest.param("5.4.4", "", "unreachable", id="BN56"),
        pytest.param("5.6.1", "", "content_refused", id="BN57"),
        pytest.param("5.7.26", "", "policy", id="BN58"),
        pytest.param("5.3.0", "", "system", id="BN59"),
        pytest.param("5.0.0", "552 over quota", "mailbox_full", id="BN60"),
        pytest.param(None, "the user unknown here", "bad_address", id="BN61"),
        pytest.param("5.0.0", "550 blocked using dnsbl", "policy", id="BN62"),
        pytest.param(None, "retry timeout exceeded", "expired", id="BN63"),
        pytest.param("5.0.0", "all relevant MX records point to nowhere", "undeliverable", id="BN64"),
        pytest.param("5.1.1", "mailbox is full", "bad_address", id="BN65"),
    ],
)
def test_why(status: str | None, words: str, reason: str) -> None:
    assert reason_of(status, words) == reason
    assert reason in REASON_CODES


@pytest.mark.parametrize(
    ("words", "status"),
    [
        pytest.param("smtp; 550 5.1.1 no such user", "5.1.1", id="BN66"),
        pytest.param("smtp; 550-5.7.26 unauthenticated", "5.7.26", id="BN66 first of several lines"),
        pytest.param("(#5.1.1)", "5.1.1", id="BN67"),
        pytest.param("host mx [5.1.1.9] said: 550 no", "5.0.0", id="BN68"),
        pytest.param("connect to 198.51.100.7:25: timed out", None, id="BN69"),
        pytest.param("running Exim 4.96.1, 5.1.1.", "5.1.1", id="BN70"),
        pytest.param("said: 452 try later", "4.0.0", id="BN71"),
    ],
)
def test_a_status_in_words(words: str, status: str | None) -> None:
    assert found_in(words) == status


def failed(*, status: str | None = None, said: str = "", to: str = ADDRESSEE) -> Reported:
    return Reported(Action.FAILED, status, said, (to,))


def taken(action: Action, to: str = ADDRESSEE) -> Reported:
    return Reported(action, "2.0.0", "", (to,))


@pytest.mark.parametrize(
    ("recipients", "verdict", "role"),
    [
        pytest.param([failed(status="5.1.1")], Verdict.PERMANENT, Role.ADDRESSEE, id="BN72"),
        pytest.param([failed(status="4.4.1")], Verdict.TRANSIENT, Role.ADDRESSEE, id="BN73"),
        pytest.param([failed(status="5.2.2")], Verdict.TRANSIENT, Role.ADDRESSEE, id="BN74"),
        pytest.param(
            [failed(status="5.0.0", said="451 4.7.1 later")], Verdict.TRANSIENT, Role.ADDRESSEE, id="BN75"
        ),
        pytest.param([failed(said="no idea")], Verdict.PERMANENT, Role.ADDRESSEE, id="BN76"),
        pytest.param(
            [taken(Action.EXPANDED), failed(status="5.1.1")], Verdict.PERMANENT, Role.ADDRESSEE, id="BN77"
        ),
        pytest.param(
            [taken(Action.DELIVERED), failed(status="5.1.1", to="other@x.example")],
            Verdict.CONFIRMED,
            Role.ADDRESSEE,
            id="BN78",
        ),
        pytest.param(
            [failed(status="5.1.1", to="other@x.example")], Verdict.PERMANENT, Role.FORWARDED, id="BN79"
        ),
        pytest.param(
            [failed(to="LEADS@Prairie.dealercrm.example")], Verdict.PERMANENT, Role.ADDRESSEE, id="BN80"
        ),
        pytest.param(
            [failed(to="leads+40prairie.dealercrm.example")], Verdict.PERMANENT, Role.ADDRESSEE, id="BN81"
        ),
        pytest.param([], Verdict.NONE, Role.UNNAMED, id="BN82"),
    ],
)
def test_what_it_means(recipients: list[Reported], verdict: Verdict, role: Role) -> None:
    judged = judge(Report(Kind.DELIVERY_STATUS, tuple(recipients)), ADDRESSEE)
    assert (judged.verdict, judged.role) == (verdict, role)


OTHER = UUID("b116e554-b08d-52df-9052-00c744404d47")


def report(**fields: str) -> Report:
    return Report(Kind.DELIVERY_STATUS, (failed(),), **fields)


def test_bn83_the_envelope_id_comes_first() -> None:
    found = candidates(report(envelope_id=PATH.token(OTHER)), MESSAGE, PATH)
    assert found == [Candidate(OTHER, By.ENVELOPE_ID), Candidate(MESSAGE, By.RETURN_PATH)]
    assert candidates(report(envelope_id=TOKEN.upper()), MESSAGE, PATH) == [
        Candidate(MESSAGE, By.ENVELOPE_ID)
    ]


def test_bn84_an_envelope_id_without_our_checksum_is_nothing() -> None:
    forged = ReturnPath(PATH.address, (OLD_KEY,)).token(OTHER)
    assert candidates(report(envelope_id=forged), MESSAGE, PATH) == [Candidate(MESSAGE, By.RETURN_PATH)]


def test_bn85_a_message_id_counts_last_and_only_for_an_address_that_is_named() -> None:
    told = report(message_id=f"<{OTHER}@leadbus.example>")
    *_, last = candidates(told, MESSAGE, PATH)
    assert last == Candidate(OTHER, By.MESSAGE_ID)
    assert fits(last, told, ADDRESSEE)
    assert not fits(last, told, "somebody@else.example")
    assert fits(Candidate(MESSAGE, By.RETURN_PATH), told, "somebody@else.example")


PIECES = [path.read_bytes() for path in sorted(SAMPLES.glob("*.eml"))]
LINES = sorted({line for piece in PIECES for line in piece.splitlines(keepends=True)})


@settings(max_examples=150, deadline=None)
@given(st.lists(st.sampled_from(LINES) | st.binary(max_size=40), max_size=40).map(b"".join))
def test_bn90_anything_can_come(raw: bytes) -> None:
    found = read(raw)
    judged = judge(found, ADDRESSEE)
    assert found.kind in Kind
    assert judged.verdict in Verdict
    for one in found.recipients:
        assert len(one.diagnostic) <= DIAGNOSTIC_CHARS
        one.diagnostic.encode("utf-8")
        assert "\x00" not in one.diagnostic
    candidates(found, MESSAGE, PATH)


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(PIECES), st.data())
def test_bn91_damaged_reports_are_read_as_far_as_they_go(raw: bytes, data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(raw)))
    noise = data.draw(st.binary(max_size=8))
    judge(read(raw[:cut] + noise + raw[cut + data.draw(st.integers(0, 40)) :]), ADDRESSEE)


def test_bn92_depth_and_size_are_bounded() -> None:
    nested = b"".join(
        b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n) for n in range(2_000)
    )
    assert read(nested).kind is Kind.UNKNOWN
    mails = b"Content-Type: message/rfc822\r\n\r\n" * 5_000
    assert read(mails).kind is Kind.UNKNOWN
    # What comes after the part that is read is not looked at.
    late = b"Subject: x\r\n\r\n" + b"y\r\n" * READ_BYTES + sample("qmail")
    assert read(late).kind is Kind.UNKNOWN
    assert MOST_BOUNDARIES < 2_000


def test_bn138_parameters_without_end_are_not_read() -> None:
    plain = sample("postfix_unknown_user")
    assert read(plain).kind is Kind.DELIVERY_STATUS
    longer = plain.replace(b"multipart/report;", b'multipart/report; x="' + b";" * 1_000 + b'";', 1)
    assert longer != plain
    assert read(longer).kind is not Kind.DELIVERY_STATUS
    assert read(b'Content-Type: text/plain; "' + b";" * READ_BYTES).kind is Kind.UNKNOWN
