"""What only the words beside it tell: driver's licences, dates of birth, incomes. And bank accounts.

Every function takes a view (`sensitive_text`). All repetitions are bounded, so time grows with the text only.
Between word and number stand few words of a closed list: `DL and my phone is …` is not about the phone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from adf_mailer.domain.sensitive_numbers import Span

_NEAR = r"[^\w\0$€£]{0,4}"
_FLAGS = re.IGNORECASE

# Driver's licences

_LICENCE_WORDS = (
    r"(?<!\w)(?:(?:driver'?s?'?|driving|operator'?s?|commercial) lic(?:en[cs]e)?\b\.?|cdl\b"
    r"|(?<!dealer )(?<!plate )(?<!business )licen[cs]e(?= ?(?:no\b|nr\b|num|id\b|#))|d\.?l\b\.?"
    r"|f(?:ü|ue)hrerschein(?:nummer|nr)?\b\.?|licencia de (?:conducir|manejar)|permis de conduire)"
)
_LICENCE_BETWEEN = (
    rf"{_NEAR}(?:(?:no|nr|num|number|nummer|id|is|ist|my|state|(?-i:[A-Z]{{2}}))\b{_NEAR}){{0,4}}"
)
_LICENCE_NUMBER = (
    r"(?P<number>[a-z]{1,2}\d{2,4}(?: \d{1,4}){2,5}"
    r"|[a-z]{0,5}[ -]?\d[a-z0-9]{0,19}(?:-[a-z0-9]{1,12}){0,5})(?!\w)(?! ?(?:miles|mi|km|k)\b)"
)
_LICENCE = re.compile(_LICENCE_WORDS + _LICENCE_BETWEEN + _LICENCE_NUMBER, _FLAGS)
_LEAST_LICENCE_DIGITS, _MOST_LICENCE_CHARACTERS = 5, 20


def licences(view: str) -> Iterator[Span]:
    """Five to twenty letters and digits, five of them digits, behind the words for a driver's licence."""
    for found in _LICENCE.finditer(view):
        characters = [one for one in found["number"] if one.isalnum()]
        digits = sum(one.isdigit() for one in characters)
        if digits >= _LEAST_LICENCE_DIGITS and len(characters) <= _MOST_LICENCE_CHARACTERS:
            yield Span(*found.span("number"))


# Dates of birth

_MONTH = (
    r"(?:jan|feb|mar|mär|apr|may|mai|jun|jul|aug|sep|oct|okt|nov|dec|dez|ene|abr|ago|dic|fév|avr|juin|juil|aoû|déc)"
    r"\w{0,8}\.?"
)
_DATE = (
    r"(?P<number>\d{1,4}[-./ ]{1,2}\d{1,2}[-./ ]{1,2}\d{2,4}|\d{8}|\d{6}"
    rf"|{_MONTH} ?\d{{1,2}}(?:st|nd|rd|th)?,? ?\d{{4}}"
    rf"|\d{{1,2}}(?:st|nd|rd|th)?\.? ?(?:of |de )?{_MONTH},? ?(?:de )?\d{{2,4}})(?!\w)"
)
_BIRTH = re.compile(
    r"(?<!\w)(?:d\.?o\.?b\b\.?|date of birth|birth ?date|birth ?day|born|geb(?:\.|oren)|geburts(?:datum|tag)"
    rf"|fecha de nacimiento|date de naissance|née? le){_NEAR}"
    rf"(?:(?:is|was|on|am|ist|der)\b{_NEAR}){{0,2}}{_DATE}",
    _FLAGS,
)


def birth_dates(view: str) -> Iterator[Span]:
    """A whole date behind the words for a date of birth; a year alone is none."""
    for found in _BIRTH.finditer(view):
        yield Span(*found.span("number"))


# Incomes

_INCOME_NOUNS = (
    r"(?:\w{0,12}income|salary|wages?|take[ -]home(?: pay)?|net pay|gross pay|\w{0,12}einkommen"
    r"|\w{0,12}gehalt|\w{0,12}lohn|\w{0,12}verdienst|ingresos?|sueldo|salario)"
)
_INCOME_VERBS = r"(?:i (?:make|earn|bring home)|(?:ich )?verdiene)"
_BETWEEN_WORDS = (
    r"(?:(?:is|of|about|around|approx|approximately|roughly|ca|circa|etwa|von|per|pro|a|the|month|monthly|year"
    r"|annual|annually|yearly|mo|yr|im|monat|jahr|gross|net|brutto|netto|before taxe?s?|after taxe?s?|usd"
    r"|eur|ist|liegt bei|beträgt|between|from|zwischen)\b[^\w\0]{0,4})"
)
_FIGURE = r"(?:\d{1,3}(?:[,.']\d{3}){1,4}(?:[.,]\d{2})?|\d{3,9}(?:[.,]\d{1,2})?|\d{1,3}(?:[.,]\d)?(?= ?k\b))"
_SUM = rf"(?:[$€£] ?|usd ?|eur ?)?{_FIGURE}(?: ?k\b)?(?: ?(?:[$€£]|(?:usd|eur|euros?|dollars?)\b))?"
_PERIOD = (
    r"(?= ?(?:/ ?|a |per |pro |im |each |every )?"
    r"(?:month|mo\b|monat|year|yr\b|jahr|annum|annual|week|hour|hr\b))"
)
_INCOME = re.compile(
    rf"(?<!\w)(?:(?P<noun>{_INCOME_NOUNS})|{_INCOME_VERBS})(?!\w)"
    rf"(?P<between>[^\w\0$€£]{{0,4}}{_BETWEEN_WORDS}{{0,6}})"
    rf"(?P<number>{_SUM}(?: ?(?:-|to|bis|and|und) ?{_SUM})?)(?P<period>{_PERIOD})?(?![\w$])(?![-./]\d)",
    _FLAGS,
)
_PLAIN_YEAR = re.compile(r"(?:19|20)\d{2}")
_SAID_TO_BE = re.compile(r"[:=]|\b(?:is|ist|beträgt|liegt)\b", _FLAGS)


def incomes(view: str) -> Iterator[Span]:
    """A sum behind the words for an income. What may be a year or a count needs a currency or a period."""
    for found in _INCOME.finditer(view):
        number = found["number"]
        plain = number.isdigit()
        told = not plain or found["period"] is not None
        if not told and found["noun"] is None:
            continue
        if not told and _PLAIN_YEAR.fullmatch(number) and not _SAID_TO_BE.search(found["between"]):
            continue
        yield Span(*found.span("number"))


# Bank accounts

# Looked at without being consumed: an IBAN may begin within what looked like the beginning of another.
_IBAN = re.compile(r"(?<!\w)(?=([a-z]{2}\d{2}(?:[ \-.]?[a-z0-9]){11,30}))", _FLAGS)
_IBAN_LENGTHS = {
    country: length
    for length, countries in {
        15: "NO",
        16: "BE",
        18: "DK FI FO GL NL",
        19: "MK SI",
        20: "AT BA EE KZ LT LU XK",
        21: "CH HR LI LV",
        22: "BG BH CR DE GB GE IE ME RS",
        23: "AE GI IL IQ TL",
        24: "AD CZ ES MD PK RO SA SE SK TN VG",
        25: "PT ST",
        26: "IS TR",
        27: "FR GR IT MC MR SM",
        28: "AL AZ BY CY DO GT HU LB NI PL SV",
        29: "BR EG PS QA UA",
        30: "JO KW MU",
        31: "MT SC",
        32: "LC",
    }.items()
    for country in countries.split()
}


def bank_accounts(view: str) -> Iterator[Span]:
    """IBANs: length of their country and checksum (ISO 13616, ISO 7064 MOD 97-10)."""
    for found in _IBAN.finditer(view):
        length = _IBAN_LENGTHS.get(found[1][:2].upper())
        places = [place for place in range(*found.span(1)) if view[place].isalnum()][:length]
        written = "".join(view[place] for place in places).upper()
        if len(written) != length:
            continue
        end = places[-1] + 1
        if not view[end : end + 1].isalnum() and int(_as_digits(written[4:] + written[:4])) % 97 == 1:
            yield Span(found.start(), end, written[-4:])


def _as_digits(written: str) -> str:
    return "".join(str(int(one, 36)) for one in written)
