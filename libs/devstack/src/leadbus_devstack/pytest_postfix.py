"""pytest fixtures: a real Postfix as receiver of mail, and the certificate authority that it is proven by."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from leadbus_devstack import private_servers
from leadbus_devstack.certificates import CertificateAuthority
from leadbus_devstack.postfix import NativePostfix
from leadbus_devstack.pytest_plugin import private


@pytest.fixture(scope="session")
def certificate_authority(tmp_path_factory: pytest.TempPathFactory) -> CertificateAuthority:
    """Issues certificates that only its `ca_file` proves."""
    return CertificateAuthority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="session")
def postfix_process(certificate_authority: CertificateAuthority) -> Iterator[NativePostfix]:
    """This worker's Postfix; use `postfix`, which empties it first."""
    with private(private_servers.private_postfix(certificate=certificate_authority.issue())) as server:
        yield server


@pytest.fixture
def postfix(postfix_process: NativePostfix) -> NativePostfix:
    """A real mail server as receiver, on 127.0.0.1, without mails; do not kill, freeze or stop it."""
    postfix_process.reset()
    return postfix_process


@pytest.fixture
def private_postfix(certificate_authority: CertificateAuthority) -> Iterator[NativePostfix]:
    """A Postfix of the test's own, to be killed and frozen (under a second)."""
    with private(private_servers.private_postfix(certificate=certificate_authority.issue())) as server:
        yield server
