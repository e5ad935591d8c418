"""API tokens and the audit trail."""

from datetime import datetime

from controller.db.mapping import Mapping
from controller.db.models import ApiTokens, Audit
from controller.db.session import Repository
from controller.domain.model import ApiToken, AuditRow

TOKENS = Mapping(ApiToken, ApiTokens)
AUDIT = Mapping(AuditRow, Audit)


class AccessRepository(Repository):
    """Part of :class:`controller.db.store.Tx`."""

    async def tokens(self) -> list[ApiToken]:
        """See the port."""
        statement = TOKENS.select().order_by(ApiTokens.created_at, ApiTokens.id)
        return [TOKENS.entity(row) for row in await self._session.all(statement)]

    async def token_by_digest(self, digest: str) -> ApiToken | None:
        """See the port."""
        row = await self._session.first(TOKENS.select().where(ApiTokens.digest == digest))
        return None if row is None else TOKENS.entity(row)

    async def save_token(self, token: ApiToken) -> None:
        """See the port."""
        await self._session.run(TOKENS.upserting, TOKENS.values(token))

    async def add_audit(self, row: AuditRow) -> None:
        """See the port."""
        await self._session.run(AUDIT.inserting, AUDIT.values(row))

    async def audit(self, *, before: datetime | None = None, limit: int = 100) -> list[AuditRow]:
        """See the port."""
        statement = AUDIT.select().order_by(Audit.at.desc(), Audit.id.desc()).limit(limit)
        if before is not None:
            statement = statement.where(Audit.at < before)
        return [AUDIT.entity(row) for row in await self._session.all(statement)]
