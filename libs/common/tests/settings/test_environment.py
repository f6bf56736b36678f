"""Settings from the environment: frozen, complete, secrets never shown, misspelt names found."""

from __future__ import annotations

from pathlib import Path

import pytest
from leadbus.settings.environment import ServiceSettings, SettingsError
from leadbus.settings.reference import env_example, markdown_table, values_table
from pydantic import Field, ValidationError
from pydantic_settings import SettingsConfigDict

GIVEN = {
    "SHOP_AMQP_URL": "amqp://user:geheim@mq",
    "SHOP_DATABASE_URL": "postgresql://user:geheim@db/shop",
    "SHOP_TOKEN_KEY": "geheim-geheim-geheim-geheim-geheim",
}


class ShopSettings(ServiceSettings):
    model_config = SettingsConfigDict(env_prefix="SHOP_")

    smtp_timeout_seconds: float = Field(30, gt=0, description="Longest wait for an answer.")
    smtp_steps_seconds: tuple[float, ...] = Field((1, 2), description="Waits, as a JSON list.")


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name, value in GIVEN.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


def refused() -> str:
    with pytest.raises(SettingsError) as raised:
        ShopSettings.load()
    assert raised.value.__cause__ is None
    assert raised.value.__suppress_context__ or raised.value.__context__ is None
    said = str(raised.value)
    assert "geheim" not in said
    return said


def test_settings_are_read_once_and_frozen(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("SHOP_HTTP_PORT", "9000")
    settings = ShopSettings.load()
    assert settings.http_port == 9000
    assert settings.database_url.get_secret_value() == GIVEN["SHOP_DATABASE_URL"]
    with pytest.raises(ValidationError):
        settings.http_port = 1  # type: ignore[misc]


def test_a_list_that_is_no_json_is_named(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("SHOP_SMTP_STEPS_SECONDS", "geheim, 2")
    assert refused() == "SHOP_SMTP_STEPS_SECONDS has to be JSON"
    environment.setenv("SHOP_SMTP_STEPS_SECONDS", "[3]")
    assert ShopSettings.load().smtp_steps_seconds == (3,)


def test_a_secret_comes_from_a_file(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "key").write_text("k" * 40 + "\n")
    environment.delenv("SHOP_TOKEN_KEY")
    environment.setenv("SHOP_TOKEN_KEY_FILE", str(tmp_path / "key"))
    settings = ShopSettings.load()
    assert settings.token_key
    assert settings.token_key.get_secret_value() == "k" * 40


def test_a_secret_twice_or_nowhere_is_said(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    environment.setenv("SHOP_TOKEN_KEY_FILE", str(tmp_path / "key"))
    assert "SHOP_TOKEN_KEY and SHOP_TOKEN_KEY_FILE are both set" in refused()
    environment.delenv("SHOP_TOKEN_KEY")
    assert "SHOP_TOKEN_KEY_FILE names a file that cannot be read" in refused()


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("SHOP_HTTP_PROT", "did you mean SHOP_HTTP_PORT?"),
        ("SHOP_DATABASE_URI", "did you mean SHOP_DATABASE_URL?"),
        ("SHOP_HTTP_PORT_FILE", "SHOP_HTTP_PORT_FILE is not a setting"),
        ("SHOP_ZZZ", "SHOP_ZZZ is not a setting"),
    ],
)
def test_unknown_variables_are_errors(environment: pytest.MonkeyPatch, name: str, said: str) -> None:
    environment.setenv(name, "geheim")
    assert said in refused()


def test_other_services_variables_are_not_ours(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("SHOPPING_CART", "x")
    environment.setenv("INGEST_HTTP_PORT", "x")
    assert ShopSettings.load().http_port == 8080


def test_all_that_is_wrong_is_said_at_once(environment: pytest.MonkeyPatch) -> None:
    environment.delenv("SHOP_AMQP_URL")
    environment.setenv("SHOP_HTTP_PORT", "geheim")
    environment.setenv("SHOP_NOTHING", "geheim")
    said = refused()
    for name in ("SHOP_AMQP_URL is missing", "SHOP_HTTP_PORT:", "SHOP_NOTHING is not a setting"):
        assert name in said
    assert "\n" not in said


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"SHOP_TOKEN_KEY": ""}, "exactly one of"),
        ({"SHOP_TOKEN_KEY": "geheim"}, "32 bytes"),
        ({"SHOP_JWKS_URL": "https://issuer/keys"}, "exactly one of"),
        ({"SHOP_TOKEN_KEY": "", "SHOP_JWKS_URL": "https://issuer/keys"}, "TOKEN_ISSUER"),
        ({"SHOP_DRAIN_SECONDS": "45"}, "below"),
        ({"SHOP_SMTP_TIMEOUT_SECONDS": "0"}, "SHOP_SMTP_TIMEOUT_SECONDS"),
        ({"SHOP_JOB_LEASE_SECONDS": "29"}, "SHOP_JOB_LEASE_SECONDS"),
    ],
)
def test_settings_that_do_not_fit_together(
    environment: pytest.MonkeyPatch, given: dict[str, str], said: str
) -> None:
    for name, value in given.items():
        environment.setenv(name, value)
    assert said in refused()


def test_what_people_read_has_every_variable_and_no_secret() -> None:
    settings = ShopSettings.load()
    for text in (values_table(settings), markdown_table(ShopSettings), env_example(ShopSettings)):
        assert "geheim" not in text
        for name in ShopSettings.model_fields:
            assert f"SHOP_{name.upper()}" in text
    assert "geheim" not in repr(settings)
    assert "| `SHOP_SMTP_TIMEOUT_SECONDS` | `30` | Longest wait for an answer. |" in markdown_table(
        ShopSettings
    )
    assert "Or `SHOP_DATABASE_URL_FILE`." in markdown_table(ShopSettings)


def test_a_service_without_a_prefix_is_a_mistake() -> None:
    with pytest.raises(TypeError, match="env_prefix"):
        ServiceSettings.load()
