"""Static secrets stand in settings as references: ``env:NAME`` or ``file:/path``, read when they are used."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr

MAX_SECRET_BYTES = 8192
_OWN_VARIABLES = "INGEST_"
_NEVER_BELOW = (Path("/proc"), Path("/sys"), Path("/dev"))
_FORM = re.compile(r"env:[A-Za-z_][A-Za-z0-9_]{0,127}|file:/[^\x00-\x1f\x7f]{1,500}")
_READABLE = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?")


class SecretUnreadableError(Exception):
    """What a reference names is not there, or is no secret of one line of ASCII. The text says which way."""


def _form(reference: str) -> str:
    if not _FORM.fullmatch(reference):
        raise ValueError("a secret is named as env:NAME or file:/path")
    scheme, _, name = reference.partition(":")
    # Whoever changes settings also says where a secret is sent: ours must not be within reach.
    if scheme == "env" and name.upper().startswith(_OWN_VARIABLES):
        raise ValueError(f"variables {_OWN_VARIABLES}… are the service's own")
    return reference


SecretReference = Annotated[
    str,
    AfterValidator(_form),
    Field(max_length=520, examples=["env:PARTNER_SECRET", "file:/run/secrets/partner"]),
]
"""A field of a setting that names a secret. The service's own variables cannot be named."""


def resolve(reference: str) -> SecretStr:
    """The secret as it is now, without blanks around it; raises SecretUnreadableError.

    Read at every use: a file that the platform replaces is a changed secret.
    """
    scheme, _, name = reference.partition(":")
    text = os.environ.get(name) if scheme == "env" else _content(Path(name))
    if text is None:
        raise SecretUnreadableError("the variable is not set in the service's environment")
    if not _READABLE.fullmatch(secret := text.strip()):
        raise SecretUnreadableError("it is empty, or not one line of printable ASCII")
    return SecretStr(secret)


def _content(path: Path) -> str:
    try:
        real = path.resolve(strict=True)
        if any(real.is_relative_to(forbidden) for forbidden in _NEVER_BELOW) or not real.is_file():
            raise SecretUnreadableError("it is no ordinary file")
        with real.open("rb") as file:
            content = file.read(MAX_SECRET_BYTES + 1)
        if len(content) > MAX_SECRET_BYTES:
            raise SecretUnreadableError(f"the file has more than {MAX_SECRET_BYTES} bytes")
        return content.decode("ascii")
    except (OSError, RuntimeError):
        raise SecretUnreadableError("the file cannot be read") from None
    except UnicodeDecodeError:
        raise SecretUnreadableError("the file is not one line of printable ASCII") from None
