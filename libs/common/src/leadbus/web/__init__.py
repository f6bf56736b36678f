"""HTTP as every service speaks it: problem documents, signed tokens, one list grammar, ETags."""

from leadbus.web.app import create_app
from leadbus.web.audit import record as audit
from leadbus.web.download import download
from leadbus.web.etag import Condition, if_match, set_etag
from leadbus.web.lists import Filter, Listing, ListQuery, Page
from leadbus.web.problems import FieldError, Problem, ProblemType, problem_responses, problem_type
from leadbus.web.straight import straight
from leadbus.web.tokens import Actor, Role, TokenVerifier, require, sign_token

__all__ = [
    "Actor",
    "Condition",
    "FieldError",
    "Filter",
    "ListQuery",
    "Listing",
    "Page",
    "Problem",
    "ProblemType",
    "Role",
    "TokenVerifier",
    "audit",
    "create_app",
    "download",
    "if_match",
    "problem_responses",
    "problem_type",
    "require",
    "set_etag",
    "sign_token",
    "straight",
]
