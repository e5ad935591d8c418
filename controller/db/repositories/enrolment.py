"""The agents' certificate authority and the join tokens."""

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert

from controller.db.mapping import Mapping
from controller.db.models import Authorities, JoinTokens
from controller.db.session import Repository
from controller.domain.enrolment import Authority, JoinToken

JOIN_TOKENS = Mapping(JoinToken, JoinTokens, key="host_id")


class EnrolmentRepository(Repository):
    """Part of :class:`controller.db.store.Tx`."""

    async def authority(self) -> Authority | None:
        """See the port."""
        row = await self._session.first(select(Authorities.certificate, Authorities.key))
        return None if row is None else Authority(certificate=row["certificate"], key=self._vault.open(row["key"]))

    async def settle_authority(self, authority: Authority) -> None:
        """See the port."""
        values = {"one": 1, "certificate": authority.certificate, "key": self._vault.seal(authority.key)}
        await self._session.run(insert(Authorities).values(values))

    async def join_token(self, host_id: str) -> JoinToken | None:
        """See the port."""
        row = await self._session.first(JOIN_TOKENS.select().where(JoinTokens.host_id == host_id))
        return None if row is None else JOIN_TOKENS.entity(row)

    async def save_join_token(self, token: JoinToken) -> None:
        """See the port."""
        await self._session.run(JOIN_TOKENS.upserting, JOIN_TOKENS.values(token))

    async def delete_join_token(self, host_id: str) -> bool:
        """See the port."""
        return await self._session.touched(delete(JoinTokens).where(JoinTokens.host_id == host_id))
