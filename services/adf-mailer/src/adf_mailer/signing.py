"""DKIM (RFC 6376): our domain vouches for the exact bytes that go out. Needs the extra `dkim`."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

from pydantic import SecretStr

from adf_mailer.domain.address import domain as domain_of

LEAST_KEY_BITS = 2048
SIGNED_HEADERS = (
    *(b"from", b"to", b"subject", b"date", b"message-id", b"references"),
    *(b"mime-version", b"content-type", b"content-transfer-encoding", b"auto-submitted"),
)
"""Those a mail of ours may have. One that is named more often than it stands cannot be added on the way."""
_OVERSIGNED = (b"from",)
_LABELS = re.compile(r"(?=.{1,253}\Z)[a-z0-9_](?:[a-z0-9_-]{0,62})(?:\.[a-z0-9_][a-z0-9_-]{0,62})*")


def is_aligned(address: str, domain: str) -> bool:
    """Whether a signature of `domain` counts for mail from `address`: the same domain or one above it.

    Narrower than DMARC's relaxed alignment (RFC 7489, 3.1.1), which needs a list of public suffixes.
    """
    sender, signer = domain_of(address).lower(), domain.lower()
    return sender == signer or sender.endswith(f".{signer}")


class DkimSigner:
    """rsa-sha256, relaxed/relaxed, no `l=`, `t=` from the mail's own date. Raises ValueError at once for
    a domain, a selector or a key that cannot sign, and without the library."""

    def __init__(self, domain: str, selector: str, key: SecretStr) -> None:
        self._dkim = _library()
        self._mail = _dated(self._dkim)
        self._domain, self._selector = _name("DKIM_DOMAIN", domain), _name("DKIM_SELECTOR", selector)
        if "." not in domain:
            raise ValueError("DKIM_DOMAIN has no dot")
        # The library wants bare line feeds.
        self._key = key.get_secret_value().encode().replace(b"\r\n", b"\n").strip()
        bits = self._key_bits()
        if bits < LEAST_KEY_BITS:
            raise ValueError(f"DKIM_KEY has {bits} bits, receivers want {LEAST_KEY_BITS} or more")

    def sign(self, raw: bytes, *, date: datetime) -> bytes:
        """The mail with a `DKIM-Signature` before it."""
        mail = self._mail(raw)
        mail.moment = date
        present = {name.lower() for name, _ in mail.headers}
        signed = [name for name in SIGNED_HEADERS if name in present]
        header: bytes = mail.sign(
            self._selector,
            self._domain,
            self._key,
            canonicalize=(b"relaxed", b"relaxed"),
            include_headers=[*signed, *_OVERSIGNED],
        )
        return header + raw

    def _key_bits(self) -> int:
        crypto = self._dkim.crypto
        try:
            modulus: int = crypto.parse_pem_private_key(self._key)["modulus"]
        except (crypto.UnparsableKeyError, ValueError, IndexError, TypeError):
            raise ValueError(
                "DKIM_KEY is no RSA private key in PEM (PKCS#1 or PKCS#8, not encrypted)"
            ) from None
        return modulus.bit_length()


def _dated(dkim: Any) -> Any:
    """Mails that are signed as of their `moment`; by itself the library takes the clock's time."""

    class Dated(dkim.DKIM):  # type: ignore[misc]
        moment: datetime

        def gen_header(self, fields: Any, *arguments: Any, **options: Any) -> Any:
            moment = str(int(self.moment.timestamp())).encode()
            as_of = [(name, moment if name == b"t" else value) for name, value in fields]
            return super().gen_header(as_of, *arguments, **options)

    return Dated


def _library() -> Any:
    try:
        import dkim  # type: ignore[import-untyped]
    except ImportError:
        raise ValueError("DKIM_DOMAIN needs the extra `dkim`: install adf-mailer[dkim]") from None
    return dkim


def _name(what: str, value: str) -> bytes:
    if not _LABELS.fullmatch(value.lower()):
        raise ValueError(f"{what} is no name that DNS can carry")
    return value.lower().encode("ascii")
