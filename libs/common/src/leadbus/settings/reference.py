"""Settings as people read them: the table of the docs, and the values in force."""

from __future__ import annotations

from leadbus.settings.environment import Described, ServiceSettings


def markdown_table(settings: type[ServiceSettings]) -> str:
    """Every variable with default and meaning, for a service's README."""
    lines = ["| variable | default | meaning |", "|---|---|---|"]
    lines += [f"| `{item.variable}` | {_default(item)} | {_help(item)} |" for item in settings.reference()]
    return "\n".join(lines) + "\n"


def env_example(settings: type[ServiceSettings]) -> str:
    """The variables as a commented `.env` file."""
    blocks = []
    for item in settings.reference():
        value = "" if item.required else item.default or ""
        assignment = f"{item.variable}={value}"
        blocks.append(f"# {_help(item)}\n{assignment if item.required else '#' + assignment}\n")
    return "\n".join(blocks)


def values_table(settings: ServiceSettings) -> str:
    """The values in force, secrets redacted, one `VARIABLE=value` a line."""
    return "".join(f"{item.variable}={item.value or ''}\n" for item in settings.describe())


def _default(item: Described) -> str:
    if item.required:
        return "required"
    return f"`{item.default}`" if item.default is not None else ""


def _help(item: Described) -> str:
    return f"{item.help} Or `{item.variable}_FILE`." if item.secret else item.help
