"""Who asks: signed bearer tokens with a role and, optionally, the dealers they are limited to."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, Protocol

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet, OctKey
from pydantic import SecretStr

from leadbus.settings.environment import MIN_TOKEN_KEY_BYTES, ServiceSettings
from leadbus.web.problems import FORBIDDEN, NOT_FOUND, UNAUTHENTICATED, Problem

ISSUER = "leadbus"
AUDIENCE = "leadbus"
CLOCK_SKEW_SECONDS = 60
MAX_TOKEN_BYTES = 8192
SYMMETRIC = ("HS256",)
ASYMMETRIC = (
    "RS256",
    "RS384",
    "RS512",
    "PS256",
    "PS384",
    "PS512",
    "ES256",
    "ES384",
    "ES512",
    "EdDSA",
    "Ed25519",
)


class Role(StrEnum):
    """What a token may do; each includes the one before."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    ADMIN = "admin"

    @property
    def rank(self) -> int:
        return list(Role).index(self)


@dataclass(frozen=True, slots=True)
class Actor:
    """Whoever a token speaks for. `dealers` None: not limited."""

    subject: str
    role: Role
    dealers: frozenset[str] | None = None

    def may_see(self, dealer: str | None) -> bool:
        """Whether things of `dealer` (None: of no dealer) are visible to this actor."""
        return self.dealers is None or (dealer is not None and dealer in self.dealers)

    def must_see(self, dealer: str | None) -> None:
        """Raises Problem not-found, as if the thing were not there."""
        if not self.may_see(dealer):
            raise Problem(NOT_FOUND)

    def must_be_unlimited(self, what: str) -> None:
        """For what belongs to no dealer, or to all.

        Raises Problem forbidden; `what` says what a token limited to dealers does not do.
        """
        if self.dealers is not None:
            raise Problem(FORBIDDEN, f"a token limited to dealers {what}")


class KeySource(Protocol):
    """Where verification keys come from."""

    @property
    def algorithms(self) -> tuple[str, ...]: ...

    async def keys(self, key_id: str | None) -> KeySet | OctKey: ...


class StaticKey:
    """One shared secret (HS256): development and small installs."""

    algorithms = SYMMETRIC

    def __init__(self, key: SecretStr) -> None:
        self._key = _octets(key)

    async def keys(self, key_id: str | None) -> OctKey:
        return self._key


@dataclass(frozen=True, slots=True)
class Claims:
    """Where a token keeps what we read. Dots in a name go into nested objects."""

    issuer: str = ISSUER
    audience: str = AUDIENCE
    role: str = "role"
    dealers: str = "dealers"


class TokenVerifier:
    """Turns a bearer token into an Actor.

    The algorithms a token may use follow from where the keys come from, never from the token: a public key
    can not be used as an HMAC secret, and `none` is no algorithm.
    """

    def __init__(
        self, source: KeySource, claims: Claims | None = None, *, now: Callable[[], float] = time.time
    ) -> None:
        self._source = source
        self._claims = claims or Claims()
        self._now = now

    @classmethod
    def from_settings(cls, settings: ServiceSettings) -> TokenVerifier:
        """The verifier the settings ask for: static key or JWKS."""
        claims = Claims(
            issuer=settings.token_issuer or ISSUER,
            audience=settings.token_audience or AUDIENCE,
            role=settings.token_role_claim,
            dealers=settings.token_dealers_claim,
        )
        if settings.token_key is not None:
            return cls(StaticKey(settings.token_key), claims)
        from leadbus.web.jwks import RemoteKeys

        assert settings.jwks_url is not None
        return cls(RemoteKeys(settings.jwks_url), claims)

    async def verify(self, token: str) -> Actor:
        """Raises Problem unauthenticated (why is for the log, not for the caller) or, when the issuer's
        keys cannot be had, unavailable."""
        if len(token) > MAX_TOKEN_BYTES or not token.isascii():
            raise _refused("malformed")
        header = _header_of(token)
        algorithm, key_id = header.get("alg"), header.get("kid")
        if algorithm not in self._source.algorithms:
            raise _refused("algorithm")
        keys = await self._source.keys(key_id if isinstance(key_id, str) else None)
        try:
            claims = jwt.decode(token, keys, algorithms=list(self._source.algorithms)).claims
        except (JoseError, ValueError, TypeError, KeyError):
            raise _refused("signature") from None
        self._check(claims)
        return self._actor(claims)

    def _check(self, claims: Mapping[str, Any]) -> None:
        now = self._now()
        if not _is_time(claims.get("exp")):
            raise _refused("no expiry")
        if claims["exp"] + CLOCK_SKEW_SECONDS < now:
            raise _refused("expired")
        for start in ("nbf", "iat"):
            if start in claims and (not _is_time(claims[start]) or claims[start] - CLOCK_SKEW_SECONDS > now):
                raise _refused("not yet valid")
        if claims.get("iss") != self._claims.issuer:
            raise _refused("issuer")
        audience = claims.get("aud")
        if self._claims.audience not in (audience if isinstance(audience, list) else [audience]):
            raise _refused("audience")

    def _actor(self, claims: Mapping[str, Any]) -> Actor:
        subject = claims.get("sub")
        if not isinstance(subject, str) or not subject or len(subject) > 255:
            raise _refused("subject")
        role = _role(_claim(claims, self._claims.role))
        if role is None:
            raise Problem(FORBIDDEN, "the token carries no role of this system")
        dealers = _claim(claims, self._claims.dealers)
        if dealers is None:
            return Actor(subject, role)
        if not isinstance(dealers, list) or not all(isinstance(dealer, str) for dealer in dealers):
            raise _refused("dealers")
        return Actor(subject, role, frozenset(dealers))


def sign_token(
    key: SecretStr,
    subject: str,
    role: Role | str,
    dealers: Collection[str] | None = None,
    ttl: float = 3600,
    *,
    now: Callable[[], float] = time.time,
) -> str:
    """An HS256 token for development and small installs, valid `ttl` seconds. Raises ValueError."""
    if ttl <= 0:
        raise ValueError("a token lives longer than no time")
    issued = int(now())
    claims: dict[str, Any] = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": subject,
        "role": Role(role).value,
        "iat": issued,
        "exp": issued + int(ttl),
    }
    if dealers is not None:
        claims["dealers"] = sorted(dealers)
    return jwt.encode({"alg": "HS256"}, claims, _octets(key))


_bearer = HTTPBearer(auto_error=False, bearerFormat="JWT", description="Signed token with a role.")


def require(role: Role | str = Role.VIEWER) -> Any:
    """Dependency: `actor: Annotated[Actor, require("operator")]`, or in `dependencies=[require("viewer")]`.

    Raises Problem unauthenticated without a valid token and forbidden when its role is below `role`.
    """
    needed = Role(role)

    async def authenticated(
        request: Request, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]
    ) -> Actor:
        if credentials is None:
            raise _refused("no token")
        actor = await request.app.state.verifier.verify(credentials.credentials)
        request.state.actor = actor
        if actor.role.rank < needed.rank:
            raise Problem(FORBIDDEN, f"the role {needed.value} is needed")
        return actor  # type: ignore[no-any-return]

    return Depends(authenticated)


def _octets(key: SecretStr) -> OctKey:
    octets = key.get_secret_value().encode()
    if len(octets) < MIN_TOKEN_KEY_BYTES:
        raise ValueError(f"the token key has less than {MIN_TOKEN_KEY_BYTES} bytes")
    return OctKey.import_key(octets)


def _refused(why: str) -> Problem:
    problem = Problem(UNAUTHENTICATED, headers={"WWW-Authenticate": "Bearer"})
    problem.add_note(why)
    return problem


def _header_of(token: str) -> Mapping[str, Any]:
    try:
        encoded = token.split(".", 1)[0]
        header = json.loads(base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)))
    except (ValueError, RecursionError):
        raise _refused("malformed") from None
    if not isinstance(header, dict) or "crit" in header:
        raise _refused("malformed")
    return header


def _is_time(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e12


def _claim(claims: Mapping[str, Any], name: str) -> Any:
    found: Any = claims
    for part in name.split("."):
        if not isinstance(found, Mapping):
            return None
        found = found.get(part)
    return found


def _role(claimed: Any) -> Role | None:
    named: Sequence[Any] = claimed if isinstance(claimed, list) else [claimed]
    known = [role for role in Role if role.value in named]
    return max(known, key=lambda role: role.rank, default=None)
