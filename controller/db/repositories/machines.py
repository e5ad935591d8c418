"""Virtual machines with their disks."""

from collections.abc import Collection

from sqlalchemy import ColumnElement, delete, select
from sqlalchemy.dialects.postgresql import insert

from controller.db.mapping import Mapping
from controller.db.models import Disks, Hosts, Vms
from controller.db.session import Repository
from controller.domain.model import Disk, Vm

VMS = Mapping(Vm, Vms, without=("disks",))
DISKS = Mapping(Disk, Disks)


class MachineRepository(Repository):
    """Part of :class:`controller.db.store.Tx`."""

    async def vms_of(self, host_id: str) -> list[Vm]:
        """See the port."""
        return await self._vms(Vms.host_id == host_id)

    async def vms_in(self, cluster_id: str) -> list[Vm]:
        """See the port."""
        return await self._vms(Vms.host_id.in_(select(Hosts.id).where(Hosts.cluster_id == cluster_id)))

    async def vms_known_as(self, external_ids: Collection[str]) -> list[Vm]:
        """See the port."""
        return await self._vms(Vms.external_id.in_(external_ids))

    async def _vms(self, which: ColumnElement[bool]) -> list[Vm]:
        vms = await self._session.all(VMS.select().where(which))
        statement = DISKS.select().join(Vms, Vms.id == Disks.vm_id).where(which)
        disks: dict[str, list[Disk]] = {row["id"]: [] for row in vms}
        for row in await self._session.all(statement.order_by(Disks.position)):
            if row["vm_id"] in disks:  # not one of a machine added between the two reads
                disks[row["vm_id"]].append(DISKS.entity(row))
        found = [VMS.entity(row, disks=tuple(disks[row["id"]])) for row in vms]
        return sorted(found, key=lambda v: (v.name, v.id))

    async def save_vm(self, vm: Vm) -> None:
        """See the port. A disk moves to the machine saved last: it was attached there since."""
        await self._session.run(VMS.upserting, VMS.values(vm))
        await self._session.run(delete(Disks).where(Disks.vm_id == vm.id))
        if not vm.disks:
            return
        rows = [DISKS.values(disk, vm_id=vm.id, position=place) for place, disk in enumerate(vm.disks)]
        statement = insert(Disks).values(rows)
        changes = {name: statement.excluded[name] for name in ("vm_id", "pool_id", "path", "position")}
        await self._session.run(statement.on_conflict_do_update(index_elements=[Disks.id], set_=changes))

    async def delete_vm(self, vm_id: str) -> bool:
        """See the port."""
        return await self._session.touched(delete(Vms).where(Vms.id == vm_id))
