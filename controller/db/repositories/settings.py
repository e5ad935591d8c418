"""Settings, pauses, the controllers that are alive, and which database they are alive in."""

import json
from collections.abc import Collection
from typing import Any

from sqlalchemy import RowMapping, bindparam, delete, null, or_, select, text, update
from sqlalchemy.dialects.postgresql import Insert, insert

from controller.db.mapping import Mapping
from controller.db.models import Controllers, Pauses, Settings, TimeBase
from controller.db.session import Repository
from controller.domain.model import ControllerRow, Level, Pause, SettingRow
from controller.domain.restored import DatabaseIdentity

PAUSES = Mapping(Pause, Pauses)
CONTROLLERS = Mapping(ControllerRow, Controllers)

_KEY = (Settings.level, Settings.owner_id, Settings.field)


def _put(statement: Insert) -> Insert:
    written = {"value": statement.excluded.value, "sealed": statement.excluded.sealed}
    return statement.on_conflict_do_update(index_elements=_KEY, set_=written)


_PUT = _put(insert(Settings))
_PUT_SEALED = _put(insert(Settings).values(value=null()))
_ROWS = select(*_KEY, Settings.value, Settings.sealed)
_ROWS_OF = _ROWS.where(  # every level, for the index
    Settings.level.in_(bindparam("levels", expanding=True)), Settings.owner_id.in_(bindparam("owners", expanding=True))
)
_PLACE = """
    (SELECT system_identifier FROM pg_control_system())
    || '/' || (SELECT oid FROM pg_database WHERE datname = current_database())
    || '/' || 'database_identity'::regclass::oid
"""
"""The server by its initdb, database and table by their making: a dump loaded anywhere differs in one of them."""
_IDENTITY = text(
    f"SELECT here.place_now, known.id, known.place FROM (SELECT {_PLACE} AS place_now) AS here"  # noqa: S608 - ours
    " LEFT JOIN database_identity AS known ON true"
)
_SETTLE = text(
    f"INSERT INTO database_identity (one, id, place) VALUES (1, :id, {_PLACE})"  # noqa: S608 - ours
    " ON CONFLICT (one) DO UPDATE SET id = excluded.id, place = excluded.place"
)
_CONTROLLERS = CONTROLLERS.select().order_by(Controllers.alive_at.desc(), Controllers.id.desc())
_MARK = (
    update(TimeBase)
    .where(or_(TimeBase.high_water.is_(None), TimeBase.high_water < bindparam("mark")))
    .values(high_water=bindparam("mark"))
)
_PAUSES = PAUSES.select().where(Pauses.lifted_at.is_(None)).order_by(Pauses.created_at, Pauses.id)


class SettingRepository(Repository):
    """Part of :class:`controller.db.store.Tx`."""

    async def setting_rows(self, *, owners: Collection[str] | None = None) -> list[SettingRow]:
        """See the port."""
        rows = await (
            self._session.all(_ROWS)
            if owners is None
            else self._session.all(_ROWS_OF, {"levels": list(Level), "owners": list(owners)})
        )
        return sorted((self._setting(row) for row in rows), key=lambda r: (r.level, r.owner_id, r.field))

    def _setting(self, row: RowMapping) -> SettingRow:
        value = row["value"] if row["sealed"] is None else json.loads(self._vault.open(row["sealed"]))
        return SettingRow(level=row["level"], owner_id=row["owner_id"], field=row["field"], value=value)

    async def put_setting(self, row: SettingRow, *, secret: bool) -> None:
        """See the port."""
        values: dict[str, Any] = {"level": row.level, "owner_id": row.owner_id, "field": row.field}
        if secret:
            sealed = self._vault.seal(json.dumps(row.value))
            await self._session.run(_PUT_SEALED, values | {"sealed": sealed})
        else:
            await self._session.run(_PUT, values | {"value": row.value, "sealed": None})

    async def delete_setting(self, level: Level, owner_id: str, field: str) -> bool:
        """See the port."""
        which = (Settings.level == level, Settings.owner_id == owner_id, Settings.field == field)
        return await self._session.touched(delete(Settings).where(*which))

    async def pauses(self) -> list[Pause]:
        """See the port."""
        return [PAUSES.entity(row) for row in await self._session.all(_PAUSES)]

    async def save_pause(self, pause: Pause) -> None:
        """See the port."""
        await self._session.run(PAUSES.upserting, PAUSES.values(pause))

    async def controllers(self) -> list[ControllerRow]:
        """See the port."""
        return [CONTROLLERS.entity(row) for row in await self._session.all(_CONTROLLERS)]

    async def save_controller(self, row: ControllerRow) -> None:
        """See the port. Also notes the time: hostfence time never runs behind it again (:mod:`controller.db.clock`)."""
        await self._session.run(CONTROLLERS.upserting, CONTROLLERS.values(row))
        await self._session.run(_MARK, {"mark": row.alive_at})

    async def database_identity(self) -> DatabaseIdentity:
        """See the port."""
        row = (await self._session.all(_IDENTITY))[0]
        return DatabaseIdentity(id=row["id"] or "", place=row["place"] or "", place_now=row["place_now"])

    async def settle_database(self, database_id: str) -> None:
        """See the port."""
        await self._session.run(_SETTLE, {"id": database_id})
