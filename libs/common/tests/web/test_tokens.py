"""Tokens: every way one can be wrong, against the real verifier; keys of a provider over real HTTP shapes."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from typing import Any

import httpx2
import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey, RSAKey
from leadbus.web import Problem, Role, TokenVerifier, sign_token
from leadbus.web.jwks import RemoteKeys
from leadbus.web.tokens import Actor, Claims, StaticKey
from pydantic import SecretStr

KEY = SecretStr("0123456789abcdef0123456789abcdef")
OTHER_KEY = SecretStr("another key that is as long as 32")
NOW = 1_800_000_000
CLAIMS = {"iss": "leadbus", "aud": "leadbus", "sub": "anna", "role": "viewer", "exp": NOW + 600}


def verifier(now: float = NOW) -> TokenVerifier:
    return TokenVerifier(StaticKey(KEY), now=lambda: now)


def signed(claims: dict[str, Any], *, key: SecretStr = KEY, header: dict[str, Any] | None = None) -> str:
    return jwt.encode(header or {"alg": "HS256"}, claims, OctKey.import_key(key.get_secret_value()))


def assembled(header: dict[str, Any], claims: dict[str, Any], signature: str = "") -> str:
    parts = [
        base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in (header, claims)
    ]
    return ".".join([*parts, signature])


async def test_a_signed_token_names_its_actor() -> None:
    token = sign_token(KEY, "anna", "operator", ["north", "south"], 60, now=lambda: NOW)
    actor = await verifier().verify(token)
    assert (actor.subject, actor.role, actor.dealers) == (
        "anna",
        Role.OPERATOR,
        frozenset({"north", "south"}),
    )
    assert actor.may_see("north")
    assert not actor.may_see("west")
    assert not actor.may_see(None)


async def test_a_token_without_dealers_is_not_limited() -> None:
    actor = await verifier().verify(sign_token(KEY, "anna", Role.ADMIN, None, 60, now=lambda: NOW))
    assert actor.dealers is None
    assert actor.may_see(None)


async def test_an_empty_list_of_dealers_sees_nothing() -> None:
    actor = await verifier().verify(signed({**CLAIMS, "dealers": []}))
    assert not actor.may_see("north")


def without(*names: str) -> dict[str, Any]:
    return {name: value for name, value in CLAIMS.items() if name not in names}


REFUSED = {
    "other_key": signed(CLAIMS, key=OTHER_KEY),
    "changed_claims": signed(CLAIMS).rsplit(".", 1)[0][:-2] + "xx." + signed(CLAIMS).rsplit(".", 1)[1],
    "no_signature": assembled({"alg": "HS256"}, CLAIMS),
    "none": assembled({"alg": "none"}, CLAIMS),
    "None": assembled({"alg": "None"}, CLAIMS),
    "no_alg": assembled({}, CLAIMS),
    "hs512": assembled({"alg": "HS512"}, CLAIMS, "AA"),
    "rs256_header": assembled({"alg": "RS256"}, CLAIMS, "AA"),
    "crit": assembled({"alg": "HS256", "crit": ["b64"], "b64": False}, CLAIMS, "AA"),
    "no_exp": signed(without("exp")),
    "exp_text": signed({**CLAIMS, "exp": "tomorrow"}),
    "exp_true": signed({**CLAIMS, "exp": True}),
    "exp_infinite": signed({**CLAIMS, "exp": 1e400}),
    "expired": signed({**CLAIMS, "exp": NOW - 61}),
    "not_yet": signed({**CLAIMS, "nbf": NOW + 61}),
    "issued_tomorrow": signed({**CLAIMS, "iat": NOW + 86400}),
    "no_issuer": signed(without("iss")),
    "other_issuer": signed({**CLAIMS, "iss": "elsewhere"}),
    "no_audience": signed(without("aud")),
    "other_audience": signed({**CLAIMS, "aud": ["other"]}),
    "no_subject": signed(without("sub")),
    "empty_subject": signed({**CLAIMS, "sub": ""}),
    "subject_number": signed({**CLAIMS, "sub": 5}),
    "dealers_text": signed({**CLAIMS, "dealers": "north"}),
    "dealers_numbers": signed({**CLAIMS, "dealers": [1]}),
    "empty": "",
    "one_part": "abc",
    "two_parts": "a.b",
    "many_parts": ".".join("abcdefg"),
    "not_base64": "***.***.***",
    "header_not_json": "AAAA.AAAA.AAAA",
    "header_list": assembled([], CLAIMS, "AA"),  # type: ignore[arg-type]
    "not_ascii": "ä.ö.ü",
    "huge": "a" * 9000,
}


@pytest.mark.parametrize("case", REFUSED)
async def test_refused_without_saying_why(case: str) -> None:
    with pytest.raises(Problem) as raised:
        await verifier().verify(REFUSED[case])
    assert raised.value.kind.slug == "unauthenticated"
    assert raised.value.detail is None
    assert raised.value.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize("skew", [{"exp": NOW - 59}, {"nbf": NOW + 59}, {"iat": NOW + 59}])
async def test_clocks_may_differ_by_a_minute(skew: dict[str, int]) -> None:
    assert (await verifier().verify(signed({**CLAIMS, **skew}))).subject == "anna"


@pytest.mark.parametrize("role", [None, "root", [], 5, {"role": "admin"}])
async def test_a_token_without_a_role_of_ours_is_forbidden(role: Any) -> None:
    with pytest.raises(Problem) as raised:
        await verifier().verify(signed({**CLAIMS, "role": role}))
    assert raised.value.kind.slug == "forbidden"


def test_short_keys_and_dead_tokens_are_not_made() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        StaticKey(SecretStr("short"))
    with pytest.raises(ValueError, match="32 bytes"):
        sign_token(SecretStr("short"), "a", "viewer")
    with pytest.raises(ValueError, match="no time"):
        sign_token(KEY, "a", "viewer", None, 0)
    with pytest.raises(ValueError, match="root"):
        sign_token(KEY, "a", "root")


class Provider:
    """An OIDC provider: its key document, and how often it was asked."""

    def __init__(self, *keys: RSAKey | ECKey) -> None:
        self.keys: list[Any] = list(keys)
        self.asked = 0
        self.answer: Callable[[], httpx2.Response] = self._document

    def _document(self) -> httpx2.Response:
        public = [key if isinstance(key, dict) else key.as_dict(private=False) for key in self.keys]
        return httpx2.Response(200, json={"keys": public})

    def handle(self, request: httpx2.Request) -> httpx2.Response:
        self.asked += 1
        return self.answer()

    def source(self, now: Callable[[], float]) -> RemoteKeys:
        client = httpx2.AsyncClient(transport=httpx2.MockTransport(self.handle))
        return RemoteKeys("https://issuer.test/keys", client=client, now=now)


class Watch:
    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


RSA_KEY = RSAKey.generate_key(2048, {"kid": "first"})
NEXT_KEY = RSAKey.generate_key(2048, {"kid": "second"})
CURVE_KEY = ECKey.generate_key("P-256", {"kid": "curve"})
OIDC = Claims(issuer="https://issuer.test", audience="leadbus", role="realm.roles")
OIDC_CLAIMS = {
    "iss": "https://issuer.test",
    "aud": ["account", "leadbus"],
    "sub": "0b9c",
    "exp": time.time() + 600,
    "realm": {"roles": ["offline", "viewer", "operator"]},
}


def issued(key: RSAKey | ECKey, algorithm: str = "RS256") -> str:
    return jwt.encode({"alg": algorithm, "kid": key.kid}, OIDC_CLAIMS, key, algorithms=[algorithm])


async def test_a_providers_token_has_the_highest_of_its_roles() -> None:
    provider = Provider(RSA_KEY, CURVE_KEY)
    checked = TokenVerifier(provider.source(Watch()), OIDC)
    assert (await checked.verify(issued(RSA_KEY))).role is Role.OPERATOR
    assert (await checked.verify(issued(CURVE_KEY, "ES256"))).subject == "0b9c"
    assert provider.asked == 1


async def test_a_public_key_is_no_shared_secret() -> None:
    """The provider's public key as HMAC secret: the classic confusion of algorithms."""
    checked = TokenVerifier(Provider(RSA_KEY).source(Watch()), OIDC)
    for secret in (RSA_KEY.as_pem(private=False), json.dumps(RSA_KEY.as_dict(private=False)).encode()):
        body = assembled({"alg": "HS256", "kid": "first"}, OIDC_CLAIMS).rsplit(".", 1)[0]
        mac = hmac.new(secret, body.encode(), hashlib.sha256).digest()
        forged = f"{body}.{base64.urlsafe_b64encode(mac).decode().rstrip('=')}"
        with pytest.raises(Problem) as raised:
            await checked.verify(forged)
        assert raised.value.kind.slug == "unauthenticated"


async def test_a_shared_secret_in_a_key_document_is_not_taken() -> None:
    provider = Provider(RSA_KEY)
    provider.keys.append({"kty": "oct", "kid": "oct", "k": "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0"})
    keys = await provider.source(Watch()).keys("first")
    assert [key.kid for key in keys] == ["first"]


async def test_a_new_key_is_fetched_when_a_token_names_it() -> None:
    provider, watch = Provider(RSA_KEY), Watch()
    checked = TokenVerifier(provider.source(watch), OIDC)
    await checked.verify(issued(RSA_KEY))
    provider.keys = [NEXT_KEY]
    watch.seconds += 31
    assert (await checked.verify(issued(NEXT_KEY))).subject == "0b9c"
    with pytest.raises(Problem):
        await checked.verify(issued(RSA_KEY))
    assert provider.asked == 2


async def test_unknown_keys_do_not_hammer_the_provider() -> None:
    provider, watch = Provider(RSA_KEY), Watch()
    checked = TokenVerifier(provider.source(watch), OIDC)
    for _ in range(20):
        watch.seconds += 1
        with pytest.raises(Problem):
            await checked.verify(issued(NEXT_KEY))
    assert provider.asked == 1


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(lambda: httpx2.Response(500), id="500"),
        pytest.param(lambda: httpx2.Response(200, text="<html>"), id="not_json"),
        pytest.param(lambda: httpx2.Response(200, json={"keys": [{"kty": "RSA"}]}), id="broken_key"),
        pytest.param(lambda: httpx2.Response(200, json=[]), id="no_document"),
        pytest.param(lambda: httpx2.Response(302, headers={"location": "http://evil.test"}), id="redirect"),
        pytest.param(lambda: httpx2.Response(200, json={"keys": [], "x": "y" * 300_000}), id="huge"),
    ],
)
async def test_known_keys_serve_on_while_the_provider_is_ill(answer: Callable[[], httpx2.Response]) -> None:
    provider, watch = Provider(RSA_KEY), Watch()
    checked = TokenVerifier(provider.source(watch), OIDC)
    await checked.verify(issued(RSA_KEY))
    provider.answer = answer
    watch.seconds += 1000
    assert (await checked.verify(issued(RSA_KEY))).subject == "0b9c"
    assert provider.asked == 2


async def test_without_any_keys_nobody_is_refused_for_good() -> None:
    provider, watch = Provider(RSA_KEY), Watch()
    provider.answer = lambda: httpx2.Response(503)
    checked = TokenVerifier(provider.source(watch), OIDC)
    with pytest.raises(Problem) as raised:
        await checked.verify(issued(RSA_KEY))
    assert raised.value.kind.slug == "unavailable"
    provider.answer = provider._document
    watch.seconds += 31
    assert (await checked.verify(issued(RSA_KEY))).subject == "0b9c"


def test_what_belongs_to_no_dealer_is_for_tokens_without_any() -> None:
    Actor("olga", Role.VIEWER).must_be_unlimited("sees no destinations")
    with pytest.raises(Problem) as raised:
        Actor("olga", Role.ADMIN, frozenset({"prairie"})).must_be_unlimited("sees no destinations")
    assert (raised.value.kind.slug, raised.value.detail) == (
        "forbidden",
        "a token limited to dealers sees no destinations",
    )
