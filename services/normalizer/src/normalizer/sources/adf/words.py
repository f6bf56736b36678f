"""Values that say nothing: blanks in words, and templates that nobody filled in."""

from __future__ import annotations

import re

_PLACEHOLDERS = frozenset(
    {
        *("not provided", "notprovided", "not available", "not specified", "unspecified", "not given"),
        *("na", "n/a", "n.a.", "n.a", "none", "null", "nil", "undefined", "unknown", "(unknown)", "(none)"),
        *("no preference", "tbd", "not applicable", "not selected", "(null)", "[null]", "none provided"),
    }
)
_MARKS_ALONE = re.compile(r"[-–—_.?*/\\>|\s]+")
_TEMPLATE = re.compile(
    r"""
    \{\{.*\}\} | \{%.*%\} | \$\{.*\} | \#\{.*\} | <%.*%> | %%[^%]+%% | \[\[.*\]\] | \{[A-Za-z_][\w .:-]*\}
    | \[[A-Za-z_][\w .:-]*\] | %[A-Za-z_][\w.]*% | @Model\.\w.* | \$[a-z]+_[a-z_]+ | \#\#[^\#]+\#\#
    """,
    re.VERBOSE | re.DOTALL,
)
_LONGEST_CHARS = 200


def is_placeholder(value: str) -> bool:
    """Whether it is a word for nothing, or marks without any letter or digit."""
    return value.casefold() in _PLACEHOLDERS or _MARKS_ALONE.fullmatch(value) is not None


def is_template(value: str) -> bool:
    """Whether it is a variable of a template that was sent instead of its value."""
    return len(value) <= _LONGEST_CHARS and _TEMPLATE.fullmatch(value) is not None


def squeezed(value: str | None) -> str:
    """For comparing words that people join as they like: lower case, letters and digits only."""
    return re.sub(r"[\W_]", "", (value or "").casefold())
