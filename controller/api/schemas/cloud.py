"""The cloud on the wire."""

from datetime import datetime

from pydantic import Field

from controller.api.schemas.base import Answer


class CloudOut(Answer):
    """The last reading of the cloud; every text is a plain sentence.

    `problem`: what kept it from being read or believed. `warnings`: what the cloud is not fit or not set up for.
    `unmapped`: what can't be checked, taken over or imported, and why. `counts`: how many of each were read.
    `restarts_after_s`: the soonest after a host's death that the cloud starts its machines elsewhere by itself;
    `restarts_after_s_by_zone`: null where it never does.
    """

    problem: str = ""
    warnings: list[str] = Field(default_factory=list)
    unmapped: list[str] = Field(default_factory=list)
    counts: dict[str, int] = Field(default_factory=dict)
    restarts_after_s: float | None = None
    restarts_after_s_by_zone: dict[str, float | None] = Field(default_factory=dict)
    at: datetime | None = None
    read_at: datetime | None = None
