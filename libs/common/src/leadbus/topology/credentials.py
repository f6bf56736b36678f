"""Passwords of broker users: given by files, or generated into them. Nothing here prints or logs one."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

_GENERATED_BYTES = 24
_MAX_CHARACTERS = 255
_MAX_FILE_BYTES = 64 * 1024
_SALT_BYTES = 4
_HASHES = {
    "rabbit_password_hashing_sha256": hashlib.sha256,
    "rabbit_password_hashing_sha512": hashlib.sha512,
}


class CredentialsError(Exception):
    """A password cannot be had or kept; the message says where and why, never what."""


class Credentials(Protocol):
    """Where passwords come from, by the declared name of a user. Everything raises CredentialsError."""

    @property
    def generates(self) -> bool:
        """Whether `stage` may be called."""
        ...

    def given(self, user: str) -> str | None: ...

    def staged(self, user: str) -> str | None:
        """What was staged by a run that did not come to settle it."""
        ...

    def stage(self, user: str) -> str:
        """A new password, kept before the broker has it, so that it cannot get lost in between."""
        ...

    def settle(self, user: str) -> None:
        """The staged password is the broker's: from now on it is the given one."""
        ...


class NoCredentials:
    """For runs that change no password."""

    generates = False

    def given(self, user: str) -> str | None:
        return None

    def staged(self, user: str) -> str | None:
        return None

    def stage(self, user: str) -> str:
        raise CredentialsError(f"there is no place to keep a password of {user}")

    def settle(self, user: str) -> None: ...


class GivenCredentials(NoCredentials):
    """Passwords by user, in memory or from one file of lines `user=password`."""

    def __init__(self, passwords: Mapping[str, str]) -> None:
        for user, password in passwords.items():
            _check(password, f"the password of {user}")
        self._passwords = dict(passwords)

    @classmethod
    def from_file(cls, path: Path) -> GivenCredentials:
        """Empty lines and lines that begin with # say nothing."""
        passwords: dict[str, str] = {}
        for number, line in enumerate(_read(path).splitlines(), 1):
            if not line.strip() or line.lstrip().startswith("#"):
                continue
            user, equals, password = line.partition("=")
            if not equals or not user.strip() or not password:
                raise CredentialsError(f"{path}, line {number}: not user=password")
            if user.strip() in passwords:
                raise CredentialsError(f"{path}, line {number}: {user.strip()} has a password already")
            passwords[user.strip()] = password
        return cls(passwords)

    def given(self, user: str) -> str | None:
        return self._passwords.get(user)


class CredentialsDirectory:
    """A directory with a file for each user, as Kubernetes mounts a secret.

    With `generate`, files that are missing are written into it, readable by their owner alone.
    """

    def __init__(self, path: Path, *, generate: bool = False) -> None:
        self.generates = generate
        self._path = path
        if generate:
            _private_directory(path)
        elif not path.is_dir():
            raise CredentialsError(f"{path} is no directory")

    def given(self, user: str) -> str | None:
        return self._password(self._path / user)

    def staged(self, user: str) -> str | None:
        return self._password(self._staging(user))

    def stage(self, user: str) -> str:
        password = generated()
        target = self._staging(user)
        unfinished = target.with_name(f"{target.name}.part")
        try:
            with contextlib.suppress(FileNotFoundError):
                unfinished.unlink()
            with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
                file.write(f"{password}\n")
                file.flush()
                os.fsync(file.fileno())
            unfinished.replace(target)
        except OSError as error:
            raise CredentialsError(f"{target} cannot be written: {error.strerror}") from None
        return password

    def settle(self, user: str) -> None:
        try:
            self._staging(user).replace(self._path / user)
        except OSError as error:
            raise CredentialsError(
                f"{self._path / user} cannot be written: {error.strerror};"
                f" the password in force is in {self._staging(user)}"
            ) from None

    def _staging(self, user: str) -> Path:
        return self._path / f".{user}.new"

    def _password(self, path: Path) -> str | None:
        if not path.exists():
            return None
        password = _read(path).removesuffix("\n").removesuffix("\r")
        _check(password, str(path))
        return password


def credentials_at(path: Path | None, *, generate: bool = False) -> Credentials:
    """From a file or a directory; none for None. Raises CredentialsError."""
    if path is None:
        if generate:
            raise CredentialsError("say where generated passwords are to be kept")
        return NoCredentials()
    if path.is_dir() or generate:
        return CredentialsDirectory(path, generate=generate)
    return GivenCredentials.from_file(path)


def generated() -> str:
    """A password of 192 random bits that needs no quoting in a URL."""
    return secrets.token_urlsafe(_GENERATED_BYTES)


def has_password(user: Mapping[str, object], password: str) -> bool | None:
    """Whether a user, as the management API shows it, has this password; None when that cannot be told."""
    algorithm = _HASHES.get(str(user.get("hashing_algorithm")))
    if algorithm is None:
        return None
    try:
        kept = base64.b64decode(str(user.get("password_hash") or ""), validate=True)
    except ValueError:
        return None
    salt, digest = kept[:_SALT_BYTES], kept[_SALT_BYTES:]
    return hmac.compare_digest(algorithm(salt + password.encode()).digest(), digest)


def _private_directory(path: Path) -> None:
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        mode = path.stat().st_mode
    except OSError as error:
        raise CredentialsError(f"{path} cannot hold passwords: {error.strerror}") from None
    if mode & 0o022:
        raise CredentialsError(f"{path} cannot hold passwords: others may write there (chmod go-w)")


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_FILE_BYTES + 1)
        if len(content) > _MAX_FILE_BYTES:
            raise CredentialsError(f"{path} is too large to hold passwords")
        return content.decode("utf-8")
    except OSError as error:
        raise CredentialsError(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise CredentialsError(f"{path} is not text") from None


def _check(password: str, where: str) -> None:
    if not password:
        raise CredentialsError(f"{where} is empty")
    if len(password) > _MAX_CHARACTERS or not password.isprintable():
        raise CredentialsError(f"{where} is not one line of at most {_MAX_CHARACTERS} characters")
