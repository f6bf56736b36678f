"""A certificate authority that nobody trusts until its file is named."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from uuid import uuid4

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

_VALID_FOR = timedelta(days=2)
_AGO = timedelta(hours=1)
"""Clocks of two machines differ."""


@dataclass
class CertificateAuthority:
    """`ca_file` proves what it issues; all files are in `directory`, made on the first use."""

    directory: Path
    name: str = "Leadbus test authority"
    _key: ec.EllipticCurvePrivateKey = field(
        default_factory=lambda: ec.generate_private_key(ec.SECP256R1()), repr=False
    )

    @property
    def ca_file(self) -> Path:
        """PEM."""
        path = self.directory / "ca.pem"
        if not path.exists():
            self.directory.mkdir(parents=True, exist_ok=True)
            made = self._builder(self.name, self._key).add_extension(
                x509.BasicConstraints(ca=True, path_length=0), critical=True
            )
            path.write_bytes(self._signed(made))
        return path

    def issue(self, address: str = "127.0.0.1", *, valid_until: datetime | None = None) -> Path:
        """A server's PEM file for an IP address or a name: key first, then the chain, as Postfix wants it."""
        key = ec.generate_private_key(ec.SECP256R1())
        made = self._builder(address, key, valid_until).add_extension(
            x509.SubjectAlternativeName([_name(address)]), critical=False
        )
        path = self.directory / f"{address}-{uuid4().hex[:8]}.pem"
        authority = self.ca_file.read_bytes()
        path.touch(mode=0o600)
        path.write_bytes(_pem(key) + self._signed(made) + authority)
        return path

    def _builder(
        self, name: str, key: ec.EllipticCurvePrivateKey, valid_until: datetime | None = None
    ) -> x509.CertificateBuilder:
        now = datetime.now(UTC)
        until = valid_until or now + _VALID_FOR
        return (
            x509.CertificateBuilder()
            .subject_name(_common_name(name))
            .issuer_name(_common_name(self.name))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(min(now, until) - _AGO)
            .not_valid_after(until)
        )

    def _signed(self, made: x509.CertificateBuilder) -> bytes:
        return made.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def _common_name(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])


def _name(address: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(address))
    except ValueError:
        return x509.DNSName(address)


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
