"""Whether a CloudStack is fit to be fenced for: rights of the key, its own Host HA, how soon its VM-HA would act."""

from dataclasses import replace

import pytest

from controller.cloud.base import CloudUnreadableError
from controller.cloud.cloudstack.rights import NEEDED
from controller.domain.cloud import CloudInventory
from controller.domain.model import VmKind
from tests.fixtures.a_cloud import ACloud, a_cloud, their


async def test_the_inventory_says_what_is_wrong_with_the_cloud_for_fencing() -> None:
    cloud = a_cloud()
    cloud.add("web")
    their(cloud, "kvm2").host_ha = True
    inventory = await cloud.adapter.inventory()
    assert inventory is not None
    assert {h.name for h in inventory.hosts} == {"kvm1", "kvm2", "kvm3"}
    assert [vm.kind for vm in inventory.vms] == [VmKind.USER]
    assert inventory.restarts_after_s == {"zone1": 90}
    assert any("VM-HA" in w for w in inventory.warnings)
    assert any("kvm2" in w and "Host HA" in w for w in inventory.warnings)


def may_call_all_but(cloud: ACloud, *commands: str) -> None:
    key = cloud.double.api.keys[cloud.double.key]
    rights = frozenset({need.command for need in NEEDED} - set(commands))
    cloud.double.api.keys[key.key] = replace(key, rights=rights)


async def read(cloud: ACloud) -> CloudInventory:
    inventory = await cloud.adapter.inventory()
    assert inventory is not None
    return inventory


async def refused(cloud: ACloud) -> str:
    with pytest.raises(CloudUnreadableError) as caught:
        await cloud.adapter.inventory()
    return str(caught.value)


# -- rights


async def test_a_key_that_cannot_even_read_the_inventory_is_told_of_all_it_lacks_at_once() -> None:
    cloud = a_cloud()
    may_call_all_but(cloud, "listVolumes", "listRouters", "updateHost", "listAlerts")
    said = await refused(cloud)
    for command in ("listVolumes", "listRouters", "updateHost"):
        assert f"The API key may not call {command}: needed for" in said
    assert "listAlerts" not in said, "what is only wished for is no reason"


async def test_a_role_that_was_mended_is_seen_at_the_next_reading() -> None:
    cloud = a_cloud()
    may_call_all_but(cloud, "listVolumes")
    assert "may not call listVolumes" in await refused(cloud)
    may_call_all_but(cloud)
    assert not any("may not call" in warning for warning in (await read(cloud)).warnings)


async def test_wishes_are_warnings() -> None:
    cloud = a_cloud()
    may_call_all_but(cloud, "listAlerts", "updateHost")
    said = [warning for warning in (await read(cloud)).warnings if "may not call" in warning]
    assert len(said) == 3  # updateHost is for the quarantine, and for the return
    assert "optional" in said[-1]


async def test_the_list_of_all_commands_is_asked_for_every_ten_minutes_only() -> None:
    cloud = a_cloud()
    for _ in range(20):
        await read(cloud)
        await cloud.adapter.poll()
        cloud.pass_time(60)
    assert cloud.double.count("listApis") == 2
    may_call_all_but(cloud, "updateHost")
    cloud.pass_time(601)
    assert any("may not call updateHost" in warning for warning in (await read(cloud)).warnings)


async def test_a_cloud_that_does_not_answer_is_said_with_its_own_words() -> None:
    cloud = a_cloud()
    cloud.double.trouble.error(503, "being repaired", times=None)
    assert "being repaired" in await refused(cloud)


# -- CloudStack's own restart of machines


@pytest.mark.parametrize(
    ("everywhere", "in_the_zone", "after"),
    [("true", None, 90), ("false", None, None), ("true", "false", None), ("false", "true", 90)],
)
async def test_what_a_zone_says_of_vm_ha_counts_before_what_is_said_of_all(
    everywhere: str, in_the_zone: str | None, after: float | None
) -> None:
    cloud = a_cloud()
    cloud.site.settings["vm.ha.enabled"] = everywhere
    if in_the_zone is not None:
        cloud.site.zone("zone1").settings["vm.ha.enabled"] = in_the_zone
    inventory = await read(cloud)
    assert inventory.restarts_after_s == {"zone1": after}
    [*warned] = [warning for warning in inventory.warnings if "VM-HA is on" in warning]
    assert bool(warned) is (after is not None)


async def test_zones_are_told_apart() -> None:
    cloud = a_cloud()
    cloud.site.build(["far1"], zone="zone2", cluster="cluster2", pool="primary2")
    cloud.site.zone("zone2").settings["vm.ha.enabled"] = "false"
    inventory = await read(cloud)
    assert inventory.restarts_after_s == {"zone1": 90, "zone2": None}
    assert [(c.zone, c.pod) for c in inventory.clusters] == [("zone1", "zone1-pod1"), ("zone2", "zone2-pod1")]
    assert any("VM-HA is on in zone1:" in warning for warning in inventory.warnings)


async def test_its_time_out_is_read_from_its_settings() -> None:
    cloud = a_cloud()
    cloud.site.settings |= {"ping.interval": "30", "ping.timeout": "4"}
    assert (await read(cloud)).restarts_after_s == {"zone1": 90.0}
    cloud.site.settings["ping.timeout"] = "3"
    assert (await read(cloud)).restarts_after_s == {"zone1": 90.0}, "as it was read, for ten minutes"
    cloud.pass_time(601)
    assert (await read(cloud)).restarts_after_s == {"zone1": 60.0}


@pytest.mark.parametrize("why", ["no right", "no answer", "no number"])
async def test_settings_that_cannot_be_read_are_taken_for_the_usual_ones(why: str) -> None:
    cloud = a_cloud()
    match why:
        case "no right":
            may_call_all_but(cloud, "listConfigurations")
        case "no answer":
            cloud.double.trouble.html(404, "listConfigurations", times=None)
        case _:
            cloud.site.settings |= {"ping.interval": "soon", "ping.timeout": ""}
    assert (await read(cloud)).restarts_after_s == {"zone1": 90.0}


async def test_settings_that_could_not_be_read_are_read_the_next_time() -> None:
    cloud = a_cloud()
    cloud.site.settings["vm.ha.enabled"] = "false"
    cloud.double.trouble.html(404, "listConfigurations")
    assert (await read(cloud)).restarts_after_s == {"zone1": 90.0}
    assert (await read(cloud)).restarts_after_s == {"zone1": None}


async def test_an_old_version_that_has_no_such_setting_restarts_by_itself() -> None:
    assert (await read(a_cloud("old"))).restarts_after_s == {"zone1": 90.0}
