"""The person in a BDK lead."""

from __future__ import annotations

from leadbus.contracts.bdk import BdkAddress, BdkCustomer
from leadbus.contracts.lead import Address, Company, Email, Name, Phone

from normalizer.domain.countries import read_country
from normalizer.domain.emails import read_email
from normalizer.domain.names import read_name
from normalizer.domain.text import told_line
from normalizer.sources.bdk_findings import Findings


def name_of(customer: BdkCustomer, findings: Findings) -> Name:
    """Name in parts; one that was told whole is split where that can be done.

    A part that was told beside a whole name from which another was read stays in the extras.
    """
    first, last = told_line(customer.first_name), told_line(customer.last_name)
    reading = read_name(first, last, told_line(customer.name))
    for part, written, read in (("firstName", first, reading.first), ("lastName", last, reading.last)):
        if written != read:
            findings.keep(f"customer.{part}", written)
    findings.warn(reading.warning, "customer.name")
    salutation = told_line(customer.salutation) or reading.salutation
    return reading.name.model_copy(update={"salutation": salutation})


def company_of(customer: BdkCustomer) -> Company | None:
    """The business that the person speaks for."""
    name = told_line(customer.company)
    return Company(name=name) if name else None


def emails_of(customer: BdkCustomer, findings: Findings) -> tuple[Email, ...]:
    """The address, checked by its form."""
    if told_line(customer.email) is None:
        return ()
    reading = read_email(customer.email or "")
    findings.warn(reading.warning, "customer.emails.0")
    return (Email(address=reading.address, raw=reading.raw),)


def phones_of(customer: BdkCustomer) -> tuple[Phone, ...]:
    """Numbers as written; one that is told as mobile too is a mobile."""
    phone, mobile = told_line(customer.phone), told_line(customer.mobile)
    found = [Phone(raw=mobile, type="cellphone")] if mobile else []
    return (*([Phone(raw=phone)] if phone and phone != mobile else []), *found)


def addresses_of(told: BdkAddress | None, findings: Findings) -> tuple[Address, ...]:
    """The postal address; a country that is no code as written too."""
    if told is None:
        return ()
    written = told_line(told.country)
    country = read_country(written) if written else None
    if written != country:
        findings.keep("customer.address.country", written)
    if written and country is None:
        findings.warn("country_unknown", "customer.addresses.0.country")
    street = told_line(told.street)
    address = Address(
        street=(street,) if street else (),
        postal_code=told_line(told.postal_code),
        city=told_line(told.city),
        country=country,
    )
    return (address,) if address != Address() else ()
