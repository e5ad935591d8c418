"""A deployment on the wire."""

from datetime import datetime

from pydantic import Field

from controller.api.schemas.base import Answer


class DatabaseOut(Answer):
    """The database. `schema_at` differs from `schema_newest` where another version migrated it since the start."""

    server_version: str
    embedded: bool = Field(description="hostfence's own, for one controller")
    schema_at: str = Field(validation_alias="schema")
    schema_newest: str = Field(validation_alias="newest")
    ahead_s: float = Field(description="seconds that its clock is ahead of the controller's machine")


class KeyOut(Answer):
    """The encryption key: letters to tell it by, where it comes from, and what it opens; never the key itself."""

    ids: list[str]
    source: str
    path: str
    mode: int | None
    secrets: int
    older: int = Field(description="secrets that only an older key opens: `hostfence-controller key rotate`")
    lost: int = Field(description="secrets that none of the keys opens")


class ControllerOut(Answer):
    """A controller process that has ever worked on this database."""

    id: str
    version: str
    started_at: datetime
    alive_at: datetime


class AgentOut(Answer):
    """What an agent last told this controller of itself."""

    host_id: str
    version: str
    seen_at: datetime


class ProcessOut(Answer):
    """The process that answers. `remembers`: it can keep its signs of life outside of the database."""

    version: str
    memory_path: str
    remembers: bool
    lab: list[str] = Field(description="settings of its environment that are for laboratories only")
    missing: list[str] = Field(description="programs it may run that are not there")


class DeploymentOut(Answer):
    """What a controller can say of the deployment that it is a part of."""

    at: datetime
    controller_id: str
    process: ProcessOut
    database: DatabaseOut
    key: KeyOut
    controllers: list[ControllerOut]
    agents: list[AgentOut]
