"""The certificate of the mail listener, read again when its files are replaced."""

from __future__ import annotations

import ssl
from pathlib import Path

from leadbus.log import logger
from leadbus.settings.environment import SettingsError

_log = logger("mail")


class Certificate:
    """Raises SettingsError where its files cannot be read at first; later the one in use stays.

    ``variables`` are what its error calls them.
    """

    def __init__(self, certificate: Path, key: Path, variables: str) -> None:
        self._files = (certificate, key)
        try:
            self._seen, self._context = self._stamp(), self._load()
        except (OSError, ssl.SSLError):
            raise SettingsError(f"{variables} do not name a certificate and its key") from None

    def context(self) -> ssl.SSLContext:
        """For a new connection."""
        try:
            stamp = self._stamp()
            if stamp != self._seen:
                # Remembered first: files that cannot be used are told once, not at each connection.
                self._seen = stamp
                self._context = self._load()
                _log.info("mail.certificate_renewed")
        except (OSError, ssl.SSLError) as error:
            _log.warning("mail.certificate_unreadable", reason=type(error).__name__)
        return self._context

    def _stamp(self) -> tuple[tuple[int, int], ...]:
        return tuple((stat.st_mtime_ns, stat.st_size) for stat in (file.stat() for file in self._files))

    def _load(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        certificate, key = self._files
        # The password of a key would be asked for at a terminal, and wait there for ever.
        context.load_cert_chain(certificate, key, password="")
        return context
