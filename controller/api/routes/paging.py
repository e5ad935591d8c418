"""Query and path parameters that several routes share."""

from typing import Annotated

from fastapi import Path, Query

Limit = Annotated[int, Query(ge=1, le=200)]
Cursor = Annotated[str | None, Query(max_length=200, description="next_cursor of the page before")]
IncidentId = Annotated[str, Path(pattern=r"^[A-Za-z0-9-]{1,64}$")]
MaybeIncidentId = Annotated[str | None, Query(pattern=r"^[A-Za-z0-9-]{1,64}$")]
