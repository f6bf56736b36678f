"""`<price>` and `<finance>`: sums, what they are, and how the customer means to pay."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal

from leadbus.contracts.lead import Finance, Option, Price

from adf_mailer.domain import text
from adf_mailer.domain.carried import Carried
from adf_mailer.domain.element import Draft, Node
from adf_mailer.domain.iso_codes import CURRENCIES

METHODS = {"cash": "cash", "financing": "finance", "leasing": "lease"}
_DELTAS = frozenset({"relative", "percentage"})
_RELATIVE_TO = frozenset({"msrp", "invoice"})
_LIMITS = frozenset({"minimum", "exact"})
_BALANCES = frozenset({"finance", "residual"})
_SUMS = frozenset({"downpayment", "monthly", "total"})
_KINDS = frozenset({"quote", "offer", "msrp", "invoice", "call", "appraisal", "asking"})
_AMOUNT = re.compile(r"[0-9]{1,15}(\.[0-9]{1,6})?")
_SIGNED = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,6})?")
_DECIMALS_OF_A_GROUP = 3


def amount_text(amount: Decimal | None) -> str | None:
    """The plain decimal, or None where there is none or it is no sum of money."""
    if amount is None or amount.adjusted() > 20:
        return None
    plain = format(amount, "f")
    if not _AMOUNT.fullmatch(plain):
        return None
    # 27.995 is what half of the world writes for 27995, and receivers read it so.
    return f"{plain}0" if len(plain.partition(".")[2]) == _DECIMALS_OF_A_GROUP else plain


def add_prices(
    document: Draft, parent: Node, prices: tuple[Price, ...], options: tuple[Option, ...], told: Carried
) -> None:
    """The first price ADF has a name for becomes `<price>`; the others go to `<pricecomments>`."""
    first = next((price for price in prices if _has_place(price)), None)
    lines: list[str] = []
    if first:
        _add_price(document, parent, first, told.get("price@source"))
    elif not _add_difference(document, parent, told.below("price")):
        _note_difference(document, lines, told.below("price"))
        document.add_line(lines, document.say("price_source"), told.get("price@source"))
    lines += filter(None, (_price_line(document, price) for price in prices if price is not first))
    _note_others(document, lines, told)
    for option in options:
        if option.price and not _has_place(option.price):
            document.add_line(
                lines, document.say("price_of", option=text.line(option.name)), _sum(option.price)
            )
    lines.append(text.block(told.get("pricecomments") or ""))
    document.free_text(parent, "pricecomments", "\n".join(filter(None, lines)))


def add_option_price(document: Draft, parent: Node, price: Price | None) -> None:
    """Of an option ADF can tell one price; one without a name for it is told with those of the vehicle."""
    if price and _has_place(price):
        _add_price(document, parent, price, None)


def add_finance(document: Draft, parent: Node, finance: Finance, told: Carried) -> None:
    """How the wanted vehicle shall be paid. ADF wants a method and a sum; what has not both is noted.

    A credit check is never passed on.
    """
    method = METHODS.get(finance.product or "")
    sums = _sums(finance)
    if method and sums:
        _add_finance(document, parent, finance, method, sums, told)
    else:
        note_payment(document, finance)
        document.note("balance", told.get("finance.balance"))
    document.note("payment", told.get("finance.method"))
    _note_terms(document, finance)


def note_finance(document: Draft, finance: Finance) -> None:
    """All of it as words, where no vehicle is wanted that it could belong to."""
    note_payment(document, finance)
    _note_terms(document, finance)


def note_payment(document: Draft, finance: Finance) -> None:
    """Method and sums as words."""
    if method := METHODS.get(finance.product or ""):
        document.note("payment", document.say(f"method_{method}"))
    for kind, plain in _sums(finance).items():
        document.note(f"payment_{kind}", f"{plain} {finance.currency or ''}")


def add_carried_finance(document: Draft, parent: Node, lines: list[str], told: Carried) -> None:
    """How another vehicle than the wanted one is paid for: the loan on a car that is traded in."""
    if not told.extras:
        return
    method = told.word("method", frozenset(METHODS.values()))
    sums = [one for one in told.each("amount") if _AMOUNT.fullmatch(one.get("") or "")]
    if method and sums:
        element = document.branch(parent, "finance")
        document.leaf(element, "method", method)
        for one in sums:
            kind = one.word("@type", _SUMS)
            document.leaf(
                element,
                "amount",
                one.get(""),
                {
                    "type": kind,
                    "limit": one.word("@limit", _LIMITS),
                    "currency": _currency(document, one.get("@currency")),
                },
            )
        _add_balance(document, element, lines, told)
        return
    document.add_line(lines, document.say("payment"), told.get("method"))
    for one in told.each("amount"):
        document.add_line(lines, document.say("payment_total"), one.get(""))
    document.add_line(lines, document.say("balance"), told.get("balance"))


def _has_place(price: Price) -> bool:
    return price.kind != "unknown" and amount_text(price.amount) is not None


def _add_price(document: Draft, parent: Node, price: Price, source: str | None) -> None:
    currency = _currency(document, price.currency)
    attributes = {"type": price.kind, "currency": currency, "source": source}
    document.leaf(parent, "price", amount_text(price.amount), attributes)


def _price_line(document: Draft, price: Price) -> str:
    if price.amount is None:
        return document.say("price_on_request") if price.kind == "call" else ""
    if price.kind == "unknown":
        return f"{document.say('price')}: {_sum(price)}"
    kind = document.say(f"price_{price.kind}")
    return f"{document.say('price_of_kind', kind=kind)}: {_sum(price)}"


def _sum(price: Price) -> str:
    return "" if price.amount is None else f"{price.amount} {price.currency or ''}".strip()


def _add_difference(document: Draft, parent: Node, told: Carried) -> bool:
    """A price told by its difference to another one, where the document tells no other price."""
    delta, relative_to = told.word("@delta", _DELTAS), told.word("@relativeto", _RELATIVE_TO)
    if not (delta and relative_to and _SIGNED.fullmatch(told.get("") or "")):
        return False
    attributes = {
        "type": told.word("@type", _KINDS),
        "currency": _currency(document, told.get("@currency")),
        "delta": delta,
        "relativeto": relative_to,
        "source": told.get("@source"),
    }
    document.leaf(parent, "price", told.get(""), attributes)
    return True


def _note_others(document: Draft, lines: list[str], told: Carried) -> None:
    """Of several prices it cannot be said which one a value belonged to."""
    if not told.extras:
        return
    for one in told.each("price"):
        if one.at != told.below("price").at:
            _note_difference(document, lines, one)
    numbered = (f"price.{number}@source" for number in range(10))
    for path in numbered:
        document.add_line(lines, document.say("price_source"), told.get(path))


def _note_difference(document: Draft, lines: list[str], told: Carried) -> None:
    if told.get("@delta"):
        to = ", ".join(filter(None, (told.get("@delta"), told.get("@relativeto"))))
        document.add_line(lines, document.say("price_difference", to=text.line(to)), told.get(""))


def _sums(finance: Finance) -> dict[str, str]:
    told = {
        "downpayment": finance.down_payment,
        "monthly": finance.monthly,
        "total": finance.total,
    }
    return {kind: plain for kind, amount in told.items() if (plain := amount_text(amount)) is not None}


def _add_finance(
    document: Draft, parent: Node, finance: Finance, method: str, sums: Mapping[str, str], told: Carried
) -> None:
    element = document.branch(parent, "finance")
    document.leaf(element, "method", method)
    currency = _currency(document, finance.currency)
    limit = told.word("finance.amount@limit", _LIMITS) if len(sums) == 1 else None
    for kind, plain in sums.items():
        document.leaf(element, "amount", plain, {"type": kind, "limit": limit, "currency": currency})
    for number in range(len(_SUMS)) if told.extras else ():
        document.note("amount_limit", told.get(f"finance.amount.{number}@limit"))
    _add_balance(document, element, document.notes, told.below("finance"))


def _add_balance(document: Draft, element: Node, lines: list[str], told: Carried) -> None:
    balance = told.get("balance") or ""
    if _AMOUNT.fullmatch(balance):
        currency = _currency(document, told.get("balance@currency"))
        attributes = {"type": told.word("balance@type", _BALANCES), "currency": currency}
        document.leaf(element, "balance", balance, attributes)
    else:
        document.add_line(lines, document.say("balance"), balance)


def _note_terms(document: Draft, finance: Finance) -> None:
    if finance.term_months is not None:
        document.note("payment_term", document.say("months", number=finance.term_months))
    if distance := finance.distance_per_year:
        units = "" if distance.units == "unknown" else f" {distance.units}"
        document.note("distance_per_year", f"{distance.value}{units}")


def _currency(document: Draft, told: str | None) -> str | None:
    """The code, where ISO 4217 has it; what was told else is noted."""
    code = (told or "").strip().upper()
    if not code or code in CURRENCIES:
        return code or None
    line = f"{document.say('as_given', what=document.say('currency'))}: {text.line(told or '')}"
    if line not in document.notes:
        document.notes.append(line)
    return None
