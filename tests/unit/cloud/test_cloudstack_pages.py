"""Pages that say what they said last time are not taken apart again; only what is read of an entry is kept."""

import gc
import json
from typing import Any

import pytest
from typing_extensions import override

from controller.cloud.cloudstack.fields import Row
from controller.cloud.cloudstack.mapping import (
    CLUSTER_FIELDS,
    HOST_FIELDS,
    MACHINE_FIELDS,
    clusters_from,
    hosts_from,
    machines_from,
)
from controller.cloud.cloudstack.pages import Pages
from controller.cloud.cloudstack.storage import POOL_FIELDS, VOLUME_FIELDS, disks_from, pools_from
from controller.domain.model import VmKind
from controller.domain.remarks import Remarks

FIELDS = frozenset({"id", "name"})


class Reader:
    """Reads pages of one request, and counts how many were taken apart."""

    def __init__(self) -> None:
        self.pages = Pages()
        self.taken_apart = 0

    def read(self, payload: Any, which: object = ("listThings", 1), fields: frozenset[str] = FIELDS) -> Any:
        data = json.dumps(payload).encode()

        def take_apart() -> Any:
            self.taken_apart += 1
            return json.loads(data)

        return self.pages.read(which, data, fields=fields, take_apart=take_apart)


def page(**changes: object) -> dict[str, Any]:
    return {"count": 1, "thing": [{"id": "1", "name": "one", "size": 8, **changes}]}


def test_only_the_fields_that_are_read_are_kept() -> None:
    assert Reader().read(page(tags=["a"])) == {"count": 1, "thing": [{"id": "1", "name": "one"}]}
    assert Reader().read({"count": 1, "thing": [{"id": "1"}]}) == {"count": 1, "thing": [{"id": "1"}]}


def test_the_same_bytes_are_taken_apart_once() -> None:
    reader = Reader()
    assert reader.read(page()) is reader.read(page())
    assert reader.taken_apart == 1


def test_other_bytes_are_taken_apart_and_so_are_the_first_when_they_come_back() -> None:
    reader = Reader()
    names = [reader.read(page(name=name))["thing"][0]["name"] for name in ("one", "two", "one")]
    assert names == ["one", "two", "one"]
    assert reader.taken_apart == 3


@pytest.mark.parametrize("other", [{"which": ("listThings", 2)}, {"fields": frozenset({"id"})}])
def test_another_page_and_other_fields_are_others(other: dict[str, Any]) -> None:
    reader = Reader()
    reader.read(page())
    reader.read(page(), **other)
    assert reader.taken_apart == 2
    assert reader.read(page())["thing"] == [{"id": "1", "name": "one"}]


@pytest.mark.parametrize("odd", [{}, {"thing": "none"}, {"thing": [1, None, "two"]}, {"thing": {"id": "1"}}])
def test_what_is_no_list_of_objects_is_left_to_whoever_reads_it(odd: dict[str, Any]) -> None:
    assert Reader().read(odd) == odd


def test_what_cannot_be_taken_apart_is_not_remembered() -> None:
    pages, tries = Pages(), []

    def fails() -> Any:
        tries.append(gc.isenabled())
        raise ValueError("no JSON")

    for _ in range(2):
        with pytest.raises(ValueError, match="no JSON"):
            pages.read("a page", b"{", fields=FIELDS, take_apart=fails)
    assert tries == [False, False]
    assert gc.isenabled()


def test_garbage_collection_stays_off_where_it_was_off() -> None:
    gc.disable()
    try:
        Reader().read(page())
        assert not gc.isenabled()
    finally:
        gc.enable()


# -- what is read of each entry ----------------------------------------------------------------------------------------


class Watched(dict[str, Any]):
    """An entry that notes what was read of it."""

    def __init__(self, read: set[str], **fields: Any) -> None:
        super().__init__(fields)
        self._read = read

    @override
    def get(self, name: str, otherwise: Any = None) -> Any:
        self._read.add(name)
        return super().get(name, otherwise)


def entries(read: set[str], *some: Row) -> list[Row]:
    """Each with everything and once with nothing: what is read second is read too."""
    return [Watched(read, **one) for one in (*some, {})]


def test_every_field_that_is_read_is_kept_and_no_other() -> None:
    seen: dict[str, set[str]] = {name: set() for name in ("cluster", "host", "pool", "volume", "machine")}
    notes = Remarks()
    zoned = clusters_from(entries(seen["cluster"], {"id": "c1", "zoneid": "z1"}), notes)
    host = {"id": "h1", "clusterid": "c1", "ipaddress": "10.0.0.1"}
    hosts = hosts_from(entries(seen["host"], host), notes)
    pools = pools_from(
        entries(
            seen["pool"],
            {"id": "p1", "clusterid": "c1", "type": "NetworkFilesystem"},
            {"id": "p2", "scope": "HOST", "ipaddress": "10.0.0.1"},
            {"id": "p3", "zoneid": "z1", "type": "RBD", "path": "rbd"},
        ),
        zoned,
        hosts,
        notes,
    )
    disks = disks_from(
        entries(
            seen["volume"],
            {"id": "v1", "virtualmachineid": "m1", "storageid": "p1", "path": "a"},
            {"id": "v2", "virtualmachineid": "m1", "storageid": "p9", "path": "a"},
        ),
        pools,
        notes,
    )
    for kind in VmKind:
        machines_from(kind, entries(seen["machine"], {"id": "m1", "hostid": "h1"}, {"id": "m2"}), disks, notes)
    assert seen == {
        "cluster": CLUSTER_FIELDS,
        "host": HOST_FIELDS,
        "pool": POOL_FIELDS,
        "volume": VOLUME_FIELDS,
        "machine": MACHINE_FIELDS,
    }
