"""The report on the last reading of the cloud."""

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from controller.db.models import CloudReports
from controller.db.session import Repository
from controller.domain.cloud import CloudReport


class CloudRepository(Repository):
    """Part of :class:`controller.db.store.Tx`."""

    async def cloud_report(self) -> CloudReport | None:
        """See the port."""
        row = await self._session.first(select(CloudReports.body))
        return None if row is None else row["body"]

    async def save_cloud_report(self, report: CloudReport) -> None:
        """See the port."""
        statement = insert(CloudReports).values(one=1, body=report)
        changes = {"body": statement.excluded.body}
        await self._session.run(statement.on_conflict_do_update(index_elements=[CloudReports.one], set_=changes))
