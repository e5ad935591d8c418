"""What a service answers when it can't do what was asked: expected, coded, fit for people.

ServiceError
├── NotFound      404  what was named does not exist
├── BadInput      422  what was given can't be used
├── Forbidden     403  this caller may not
├── Refused       409  it was understood, and a rule stands against it
│   └── Ambiguous 409  the name fits more than one
└── Unavailable   503  something needed does not answer; nothing was done
"""

from collections.abc import Sequence
from typing import ClassVar

from controller.domain.reasons import Reason


class ServiceError(Exception):
    """``code`` is stable for programs; ``detail`` says what and what to do; ``field`` names the input at fault.

    ``reasons``: all refusals that stand, where safeguards refused. ``problems``: (field, detail) where several inputs
    are wrong.
    """

    status: ClassVar[int] = 500
    title: ClassVar[str] = "It did not work"

    def __init__(
        self,
        detail: str,
        *,
        code: str,
        field: str | None = None,
        reasons: Sequence[Reason] = (),
        problems: Sequence[tuple[str, str]] = (),
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.code = code
        self.field = field
        self.reasons = tuple(reasons)
        self.problems = tuple(problems)


class NotFound(ServiceError):  # noqa: N818 - the tree's names say what happened
    """What was named does not exist."""

    status = 404
    title = "Not found"


class BadInput(ServiceError):  # noqa: N818
    """What was given can't be used; the detail says what to give instead."""

    status = 422
    title = "That input can't be used"


class Forbidden(ServiceError):  # noqa: N818
    """This caller may not do that."""

    status = 403
    title = "Not allowed"


class Refused(ServiceError):  # noqa: N818
    """Understood, and a rule stands against it. An answer, not a failure."""

    status = 409
    title = "Refused"


class Ambiguous(Refused):
    """The name fits more than one."""

    title = "More than one has that name"


class Unavailable(ServiceError):  # noqa: N818
    """Something needed does not answer; nothing was done."""

    status = 503
    title = "Not available now"
