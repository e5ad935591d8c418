"""What hostfence promises of every answer beyond its description; loaded by schemathesis."""

import os
from typing import Any

import schemathesis
from schemathesis.checks import CheckContext
from schemathesis.core.transport import Response
from schemathesis.generation.case import Case

OWN_TOKEN = os.environ.get("HOSTFENCE_TEST_OWN_TOKEN", "")
"""The id of the token that the requests bring."""

BY_SHAPE = "bad_input"
"""The code of what FastAPI refuses: input that the description does not allow."""


@schemathesis.hook
def filter_case(context: schemathesis.HookContext, case: Case[Any]) -> bool:
    """It must not revoke its own token, whose id it reads in the list: from then on every answer would be 401."""
    del context
    return case.path_parameters.get("token_id") != OWN_TOKEN


@schemathesis.check
def well_formed_input_is_refused_by_rules_alone(ctx: CheckContext, response: Response, case: Case[Any]) -> None:
    """The description says all about the form of an input; what a rule refuses beyond it has a code of its own."""
    del ctx
    meta = case.meta
    if response.status_code == 422 and meta is not None and meta.generation.mode.is_positive:
        assert response.json()["code"] != BY_SHAPE, f"the description allows this: {response.json()['detail']}"


@schemathesis.check
def a_refusal_is_a_problem_with_a_code(ctx: CheckContext, response: Response, case: Case[Any]) -> None:
    """From 400 on every answer says in one form what happened and what to do (/readyz has a form of its own)."""
    del ctx
    if response.status_code < 400 or case.path == "/readyz":
        return
    told: dict[str, Any] = response.json()
    assert response.headers["content-type"] == ["application/problem+json"]
    assert told["status"] == response.status_code
    assert told["code"]
    assert told["detail"]
    assert told["type"] == f"urn:hostfence:problem:{told['code']}"


@schemathesis.check
def no_answer_shows_how_it_was_made(ctx: CheckContext, response: Response, case: Case[Any]) -> None:
    """No stack trace, no library's words, no SQL."""
    del ctx, case
    text = response.content.decode("utf-8", "replace")
    for word in ("Traceback", "sqlalchemy", "asyncpg", "pydantic", 'File "/', "SELECT ", "INSERT INTO"):
        assert word not in text, word
