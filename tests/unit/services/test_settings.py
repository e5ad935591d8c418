from datetime import timedelta
from typing import Any

import pytest

from controller.db.store import Store
from controller.domain.inheritance import Origin
from controller.domain.model import Level
from controller.domain.policy import Mode
from controller.services.device_rules import DeviceRules
from controller.services.errors import BadInput, NotFound, Refused
from controller.services.policies import Policies
from controller.services.settings import Scope, effective_settings, set_mode, write_settings, written_settings
from tests.fakes.clock import FakeClock
from tests.fixtures import builders
from tests.simulation.memory_store import MemoryStore

CLOCK = FakeClock()
RULES = DeviceRules(drivers=frozenset({"ipmi", "exec"}))
GLOBAL, CLUSTER = Scope(level=Level.GLOBAL), Scope(level=Level.CLUSTER, ref="c1")
HOST, OTHER = Scope(level=Level.HOST, ref="h1"), Scope(level=Level.HOST, ref="h2")


@pytest.fixture
async def store() -> Store:
    store = MemoryStore()
    async with store.transaction() as tx:
        await tx.save_cluster(builders.cluster())
        await tx.save_host(builders.host("h1"))
        await tx.save_host(builders.host("h2"))
    return store


async def write(
    store: Store, scope: Scope, *, replace: bool = False, rules: DeviceRules = RULES, **changes: Any
) -> dict[str, Any]:
    CLOCK.advance(timedelta(seconds=1))
    named = {name.replace("__", "."): value for name, value in changes.items()}
    return await write_settings(store, CLOCK, scope, named, replace=replace, rules=rules, actor="ada")


async def stored(store: Store) -> dict[str, Any]:
    async with store.transaction() as tx:
        return {row.field: row.value for row in await tx.setting_rows()}


async def test_written_inherited_and_unset_again(store: Store) -> None:
    assert await write(store, GLOBAL, off_reads=4) == {"off_reads": 4}
    assert await write(store, HOST, off_reads=5, ipmi__port=9623) == {"off_reads": 5, "ipmi.port": 9623}
    found = (await effective_settings(store, HOST))["off_reads"]
    assert (found.value, found.source) == (5, Origin.HOST)
    assert await write(store, HOST, off_reads=None) == {"ipmi.port": 9623}
    found = (await effective_settings(store, HOST))["off_reads"]
    assert (found.value, found.source) == (4, Origin.GLOBAL)
    assert await written_settings(store, HOST) == {"ipmi.port": 9623}


async def test_witnesses_follow_the_members_of_the_cluster(store: Store) -> None:
    assert (await effective_settings(store, HOST))["witnesses_required"].value == 1
    async with store.transaction() as tx:
        await tx.save_host(builders.host("h3"))
    assert (await effective_settings(store, CLUSTER))["witnesses_required"].value == 2


async def test_a_retired_host_is_no_member_of_its_cluster(store: Store) -> None:
    hosts = [builders.host("h1"), builders.host("h2"), builders.host("h3", retired=True)]
    async with store.transaction() as tx:
        await tx.save_host(hosts[2])
    assert (await effective_settings(store, CLUSTER))["witnesses_required"].value == 1
    assert Policies([], (), hosts).of_host(hosts[0]).witnesses_required == 1


async def test_replacing_keeps_secrets_that_nobody_can_send_back(store: Store) -> None:
    await write(store, CLUSTER, ipmi__username="u", ipmi__password="s3cret", check_interval=20)
    told = await write(store, CLUSTER, replace=True, check_interval=30)
    assert told == {"check_interval": 30, "ipmi.password": {"set": True}}
    assert await stored(store) == {"check_interval": 30, "ipmi.password": "s3cret"}
    await write(store, CLUSTER, replace=True, ipmi__password=None)
    assert await stored(store) == {}


async def test_replacing_settings_never_arms_a_host(store: Store) -> None:
    await write(store, HOST, mode="observe", off_reads=4)
    assert await write(store, HOST, replace=True, off_reads=5) == {"mode": "observe", "off_reads": 5}
    assert await write(store, HOST, replace=True, mode=None) == {}


async def test_everything_wrong_is_told_at_once_and_nothing_is_written(store: Store) -> None:
    with pytest.raises(BadInput) as caught:
        await write(store, HOST, check_interval=15, off_reads=1, colour="red", ipmi__username="u")
    assert [field for field, _ in caught.value.problems] == ["check_interval", "off_reads", "colour"]
    assert await stored(store) == {}


async def test_a_global_value_that_breaks_a_cluster_names_the_cluster(store: Store) -> None:
    await write(store, CLUSTER, watch_timeout=15)
    with pytest.raises(BadInput, match="cluster cluster c1") as caught:
        await write(store, GLOBAL, heartbeat_interval=6, vanish_window=60)
    assert caught.value.field == "watch_timeout"


async def test_what_was_broken_before_may_be_mended_step_by_step(store: Store) -> None:
    async with store.transaction() as tx:
        await tx.put_setting(builders.setting("heartbeat_interval", 10), secret=False)
    await write(store, GLOBAL, watch_timeout=60)
    await write(store, GLOBAL, vanish_window=60)


async def test_two_hosts_never_share_a_power_device(store: Store) -> None:
    await write(store, HOST, ipmi__host="10.0.0.7")
    with pytest.raises(Refused, match="host h1 and host h2 would have the same power device") as caught:
        await write(store, OTHER, ipmi__host="10.0.0.7")
    assert caught.value.code == "bmc_shared"
    with pytest.raises(Refused):  # the first one's outlet is not named: it may be this one
        await write(store, OTHER, ipmi__host="10.0.0.7", ipmi__plug="2")
    with pytest.raises(Refused):
        await write(store, OTHER, second__host="10.0.0.7", ipmi__host="10.0.0.8")
    await write(store, HOST, ipmi__plug="1")
    await write(store, OTHER, ipmi__host="10.0.0.7", ipmi__plug="2")
    with pytest.raises(Refused):
        await write(store, OTHER, ipmi__plug=None)
    await write(store, OTHER, ipmi__host="")
    await write(store, OTHER, ipmi__plug=None)


@pytest.mark.parametrize("address", ["127.0.1.5", "localhost", "169.254.0.3", "::1"])
async def test_a_device_on_this_machine_is_for_labs_only(store: Store, address: str) -> None:
    with pytest.raises(BadInput) as caught:
        await write(store, HOST, ipmi__host=address)
    assert (caught.value.code, caught.value.field) == ("bmc_address_refused", "ipmi.host")
    lab = DeviceRules(drivers=RULES.drivers, allow_local=True)
    assert await write(store, HOST, ipmi__host=address, rules=lab) == {"ipmi.host": address}


class Dns:
    """What names lead to; asked for each, and counted."""

    def __init__(self, **known: str) -> None:
        self.known = {name.replace("_", "-"): frozenset(addresses.split()) for name, addresses in known.items()}
        self.asked: list[str] = []

    async def __call__(self, name: str) -> frozenset[str]:
        self.asked.append(name)
        return self.known.get(name, frozenset())


async def test_a_name_that_leads_to_another_hosts_device_is_that_device(store: Store) -> None:
    dns = Dns(bmc_1="10.0.0.7", alias="10.0.0.7 fd00::7", bmc_2="10.0.0.8")
    rules = DeviceRules(drivers=RULES.drivers, look_up=dns)
    await write(store, HOST, ipmi__host="10.0.0.7", rules=rules)
    with pytest.raises(Refused, match="would have the same power device") as caught:
        await write(store, OTHER, ipmi__host="bmc-1", rules=rules)
    assert (caught.value.code, caught.value.field) == ("bmc_shared", "ipmi.host")
    await write(store, HOST, ipmi__host="bmc-1", rules=rules)
    for the_same in ("alias", "10.0.0.7"):
        with pytest.raises(Refused):
            await write(store, OTHER, ipmi__host=the_same, rules=rules)
    await write(store, OTHER, ipmi__host="bmc-2", rules=rules)
    await write(store, OTHER, ipmi__host="unheard-of", rules=rules)


async def test_a_name_that_leads_to_this_machine_is_for_labs_only(store: Store) -> None:
    dns = Dns(bmc_1="127.0.1.1", bmc_2="169.254.3.4")
    rules = DeviceRules(drivers=RULES.drivers, look_up=dns)
    for name, address in (("bmc-1", "127.0.1.1"), ("bmc-2", "169.254.3.4")):
        with pytest.raises(BadInput, match=f"ipmi.host: {name} resolves to {address}, which is") as caught:
            await write(store, HOST, ipmi__host=name, rules=rules)
        assert (caught.value.code, caught.value.field) == ("bmc_address_refused", "ipmi.host")
    lab = DeviceRules(drivers=RULES.drivers, allow_local=True, look_up=dns)
    await write(store, HOST, ipmi__host="bmc-1", rules=lab)


async def test_names_are_asked_for_only_where_a_device_is_named(store: Store) -> None:
    dns = Dns()
    rules = DeviceRules(drivers=RULES.drivers, look_up=dns)
    await write(store, HOST, ipmi__host="bmc-1", rules=rules)
    assert dns.asked == ["bmc-1"]
    await write(store, HOST, ipmi__username="fencer", rules=rules)
    await write(store, HOST, ipmi__host=None, rules=rules)
    assert dns.asked == ["bmc-1"]


async def test_the_driver_must_exist(store: Store) -> None:
    with pytest.raises(BadInput, match="this controller has exec, ipmi"):
        await write(store, CLUSTER, ipmi__driver="telepathy")


async def test_the_audit_says_what_changed_and_no_secret(store: Store) -> None:
    await write(store, CLUSTER, ipmi__password="s3cret", check_interval=20)
    await write(store, CLUSTER, ipmi__password="0ther", check_interval=20)
    async with store.transaction() as tx:
        newest, oldest = await tx.audit()
    assert newest.data["changed"] == {"ipmi.password": {"set": True}}
    assert oldest.data["changed"] == {"ipmi.password": {"set": True}, "check_interval": 20}
    assert "s3cret" not in str((newest, oldest))
    assert "0ther" not in str((newest, oldest))


async def test_a_channel_keeps_its_password(store: Store) -> None:
    mail = {
        "name": "on call",
        "kind": "email",
        "host": "mail.example.org",
        "sender": "hostfence@example.org",
        "recipients": ["a@example.org"],
    }
    await write(store, GLOBAL, channels=[{**mail, "password": "s3cret"}])
    told = await write(store, GLOBAL, channels=[{**mail, "recipients": ["b@example.org"]}])
    assert told["channels"][0]["password_set"] is True
    assert "s3cret" not in str(told)
    [channel] = (await stored(store))["channels"]
    assert (channel["password"], channel["recipients"]) == ("s3cret", ["b@example.org"])


async def test_a_channel_is_bound_to_clusters_by_id(store: Store) -> None:
    mail = {"name": "a", "kind": "email", "host": "m", "sender": "h@example.org", "recipients": ["a@example.org"]}
    async with store.transaction() as tx:
        await tx.save_cluster(builders.cluster("c1", name="rack one"))
    told = await write(store, GLOBAL, channels=[{**mail, "clusters": ["rack one", "c1"]}])
    assert told["channels"][0]["clusters"] == ["c1"]
    with pytest.raises(BadInput, match=r"channel a: clusters: .*rack two") as caught:
        await write(store, GLOBAL, channels=[{**mail, "clusters": ["rack two"]}])
    assert (caught.value.code, caught.value.field) == ("bad_setting", "channels")


async def test_arming_needs_a_reason_and_says_what_holds(store: Store) -> None:
    with pytest.raises(BadInput, match="say why"):
        await set_mode(store, CLOCK, GLOBAL, Mode.ENFORCE, reason=" ", rules=RULES, actor="ada")
    found = await set_mode(store, CLOCK, CLUSTER, Mode.ENFORCE, reason="ready", rules=RULES, actor="ada")
    assert (found.value, found.source) == ("observe", Origin.DEFAULT)
    found = await set_mode(store, CLOCK, GLOBAL, Mode.ENFORCE, reason="ready", rules=RULES, actor="ada")
    assert (found.value, found.source) == ("enforce", Origin.GLOBAL)
    CLOCK.advance(timedelta(seconds=1))
    await set_mode(store, CLOCK, GLOBAL, None, reason="not yet", rules=RULES, actor="ada")
    assert (await effective_settings(store, CLUSTER))["mode"].value == "observe"
    async with store.transaction() as tx:
        assert (await tx.audit())[0].data["reason"] == "not yet"


async def test_unknown_owners_are_said(store: Store) -> None:
    with pytest.raises(NotFound, match="no cluster 'c9'"):
        await write(store, Scope(level=Level.CLUSTER, ref="c9"), check_interval=15)
    with pytest.raises(BadInput, match="leave owner out"):
        await written_settings(store, Scope(level=Level.GLOBAL, ref="c1"))


async def test_the_devices_of_all_hosts_by_identity() -> None:
    hosts = [builders.host(name) for name in ("h1", "h2", "h3")]
    rows = [
        builders.setting("ipmi.host", value, level=Level.HOST, owner_id=owner)
        for owner, value in (("h1", "10.0.0.7"), ("h2", "10.0.0.7"), ("h3", ""))
    ]
    policies = Policies(rows, [builders.cluster()], hosts)
    assert policies.shared_devices() == {"ipmi://10.0.0.7:623/": frozenset(hosts[:2])}
