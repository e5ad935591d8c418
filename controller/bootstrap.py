"""The composition root: the only place that names concrete drivers, channels, clouds and the database."""

import asyncio
import os
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import version

from sqlalchemy.ext.asyncio import AsyncEngine

from controller.cloud.base import Cloud
from controller.cloud.cloudstack.adapter import CloudStack
from controller.cloud.cloudstack.client import CloudStackClient
from controller.cloud.standalone import Hooks, Inventory, Standalone
from controller.config import Config, ConfigError, key_id, key_origin
from controller.db import migrate
from controller.db.clock import SqlClock
from controller.db.engine import make_engine
from controller.db.inspection import version_and_lead
from controller.db.keepsake import FileKeepsake
from controller.db.store import StoreError
from controller.db.turns import PostgresTurns
from controller.db.unit_of_work import PostgresStore
from controller.domain.addresses import refused_for_power_device
from controller.domain.enrolment import Authority
from controller.domain.exec_presets import proves
from controller.domain.figures import Written
from controller.domain.inheritance import channels_of
from controller.domain.model import Host, Pool, Vm
from controller.domain.vitals import NOTIFIER
from controller.engine.mailbag import LEASE
from controller.engine.notifier import Notifier
from controller.engine.supervisor import Loop, Supervisor
from controller.metrics.prometheus import PrometheusMeter
from controller.notifications.channels.apprise import AT_ONCE, Apprise
from controller.notifications.channels.cloudstack import CloudStackAlerts
from controller.notifications.channels.email import Email
from controller.notifications.channels.snmp import Snmp
from controller.notifications.channels.snmp_engine import SnmpPost
from controller.notifications.channels.snmp_identity import EngineIdentity
from controller.notifications.channels.webhook import Webhook
from controller.notifications.registry import ChannelMaker, ChannelRegistry, ChannelSource, Outlet
from controller.power.devices import GatedDevices
from controller.power.drivers.exec import ExecDriver
from controller.power.drivers.fence_agent import AgentShelf
from controller.power.drivers.ipmi import IpmiDriver
from controller.power.drivers.redfish import RedfishDriver
from controller.power.gate import Gate
from controller.power.names import look_up, place_refused
from controller.power.registry import PowerRegistry
from controller.probing.agents import HttpAgents
from controller.probing.tls import NoTrustError, ReadAuthority, SecureClients
from controller.services.chronicle import log_transitions
from controller.services.deployment import DatabaseFacts, Inspector, KeyFacts, ProcessFacts
from controller.services.device_rules import DeviceRules
from controller.services.explaining import Explainer
from controller.services.monitoring import ANSWERS_WITHIN_S, Monitoring, Sources
from controller.services.operator import Operator
from controller.services.world import World

NOTIFIER_EVERY_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """One controller process, put together; :meth:`aclose` gives everything back."""

    store: PostgresStore
    clock: SqlClock
    world: World
    operator: Operator
    supervisor: Supervisor
    meter: PrometheusMeter
    explainer: Explainer
    monitoring: Monitoring
    engines: tuple[AsyncEngine, ...]
    agents: HttpAgents
    cloud: Cloud
    registry: PowerRegistry
    turns: PostgresTurns | None
    device_rules: DeviceRules
    snmp: SnmpPost
    channels: ChannelSource
    link_base: str
    inspector: Inspector

    async def aclose(self) -> None:
        """Close what :func:`build` opened, the database last."""
        await self.registry.aclose()
        if self.turns is not None:
            await self.turns.aclose()
        await self.agents.aclose()
        await self.cloud.aclose()
        self.snmp.close()
        for engine in self.engines:
            await engine.dispose()


def build(config: Config, *, url: str, keys: Sequence[str]) -> House:
    """Put a controller together on the database at ``url``; nothing is contacted yet. The first key writes."""
    engine = make_engine(url)
    # Its own connection: the time is asked for inside transactions, which must not wait for each other's connections.
    clock_engine = make_engine(url, pool_size=1)
    health_engine = make_engine(url, pooled=False, statement_timeout_s=ANSWERS_WITHIN_S)
    meter = PrometheusMeter()

    def listener(written: Sequence[Written]) -> None:
        log_transitions(written)
        meter.written(written)

    store = PostgresStore(engine, keys=keys, listener=listener)
    clock = SqlClock(clock_engine)
    agents = HttpAgents(secure=SecureClients(_authority(store, clock)))
    cloud = _cloud(config, store, clock)
    fence_agents = AgentShelf()
    exec_driver = ExecDriver(allowed=config.exec_allowed, agents=fence_agents)
    registry = PowerRegistry(
        {
            "exec": exec_driver,
            "ipmi": IpmiDriver(),
            "redfish": RedfishDriver(allow_plain=config.lab_allow_loopback_bmc),
        }
    )
    rules = DeviceRules(
        drivers=frozenset(registry.names),
        allow_local=config.lab_allow_loopback_bmc,
        exec_allowed=config.exec_allowed,
        read_agent=fence_agents.agent,
        look_up=look_up,
    )
    controller_id = str(uuid.uuid4())
    # An embedded database is one controller's alone: there is nobody to take turns with.
    turns = PostgresTurns(engine, clock, holder=controller_id) if config.database_url is not None else None
    keepsake = FileKeepsake(config.data_dir)
    world = World(
        store=store,
        clock=clock,
        probing=agents,
        cloud=cloud,
        power=GatedDevices(registry, Gate(turns=turns), place_refused=None if rules.allow_local else place_refused),
        new_id=lambda: str(uuid.uuid4()),
        controller_id=controller_id,
        version=version("hostfence"),
        keepsake=keepsake,
        meter=meter,
        driver_proves=lambda device: device.driver in registry.names and proves(device),
        bmc_address_refused=lambda address: not rules.allow_local and bool(refused_for_power_device(address)),
    )
    link_base = str(config.public_url or "")
    snmp = SnmpPost(EngineIdentity(config.data_dir))
    channels = _channels(world, snmp, source=link_base or "urn:hostfence")
    notifier = Notifier(store, clock, channels, link_base=link_base)
    telling = Loop(NOTIFIER, NOTIFIER_EVERY_S, notifier.beat, stop=notifier.stop, may_take_s=2 * LEASE.total_seconds())
    explainer = Explainer(world)
    sources = Sources(
        database=lambda: migrate.look(health_engine), steady=lambda: clock.base, version=version("hostfence")
    )
    return House(
        store=store,
        clock=clock,
        world=world,
        operator=Operator(world),
        supervisor=Supervisor(world, extra=(telling,)),
        meter=meter,
        explainer=explainer,
        monitoring=Monitoring(world, explainer, meter, sources),
        engines=(engine, clock_engine, health_engine),
        agents=agents,
        cloud=cloud,
        registry=registry,
        turns=turns,
        device_rules=rules,
        snmp=snmp,
        channels=channels,
        link_base=link_base,
        inspector=Inspector(
            world=world,
            database=lambda: _database_facts(config, url, clock_engine),
            key=lambda: _key_facts(config, store, keys),
            process=lambda: _process_facts(config, keepsake),
        ),
    )


async def _database_facts(config: Config, url: str, engine: AsyncEngine) -> DatabaseFacts:
    server_version, ahead_s = await version_and_lead(engine)
    plan = await migrate.plan(url)
    embedded = config.database_url is None
    return DatabaseFacts(
        server_version=server_version, embedded=embedded, schema=plan.at, newest=plan.newest, ahead_s=ahead_s
    )


async def _key_facts(config: Config, store: PostgresStore, keys: Sequence[str]) -> KeyFacts:
    async with store.transaction() as tx:
        seals = await tx.seals()
    origin = key_origin(config)
    return KeyFacts(
        ids=tuple(map(key_id, keys)),
        source=origin.source,
        path=str(origin.path or ""),
        mode=origin.mode,
        secrets=seals.total,
        older=seals.older,
        lost=seals.lost,
    )


def _process_facts(config: Config, keepsake: FileKeepsake) -> ProcessFacts:
    return ProcessFacts(
        version=version("hostfence"),
        memory_path=str(keepsake.path),
        remembers=keepsake.lasts,
        lab=("HOSTFENCE_LAB_ALLOW_LOOPBACK_BMC",) if config.lab_allow_loopback_bmc else (),
        missing=tuple(str(one) for one in config.exec_allowed if not os.access(one, os.X_OK)),
    )


def _cloud(config: Config, store: PostgresStore, clock: SqlClock) -> Cloud:
    """Raises :class:`ConfigError` for an address that cannot be CloudStack's."""
    if not config.cloudstack_url or config.cloudstack_api_key is None or config.cloudstack_secret_key is None:
        return Standalone(_inventory(store), _hooks(config))
    try:
        client = CloudStackClient(
            config.cloudstack_url,
            key=config.cloudstack_api_key.get_secret_value(),
            secret=config.cloudstack_secret_key.get_secret_value(),
            verify=str(config.cloudstack_ca_file) if config.cloudstack_ca_file else True,
        )
    except ValueError as error:
        raise ConfigError(f"HOSTFENCE_CLOUDSTACK_*: {error}") from error
    return CloudStack(client, _inventory(store), boottime=clock.boottime)


def _inventory(store: PostgresStore) -> Inventory:
    async def read(host: Host) -> tuple[list[Vm], list[Pool]] | None:
        try:
            async with store.transaction() as tx:
                return await tx.vms_of(host.id), await tx.pools(cluster_id=host.cluster_id)
        except StoreError:
            return None

    return read


def _authority(store: PostgresStore, clock: SqlClock) -> ReadAuthority:
    async def read() -> tuple[Authority | None, datetime]:
        try:
            async with store.transaction() as tx:
                return await tx.authority(), await clock.now()
        except StoreError as error:
            raise NoTrustError(f"the certificate authority cannot be read: {error}") from error

    return read


def _hooks(config: Config) -> Hooks:
    commands = {
        "quarantine": config.standalone_quarantine,
        "unquarantine": config.standalone_unquarantine,
        "release": config.standalone_release,
    }
    return Hooks(
        commands={name: command for name, command in commands.items() if command},
        webhook=str(config.standalone_webhook or ""),
    )


def _channels(world: World, snmp: SnmpPost, *, source: str) -> ChannelSource:
    channels = ChannelRegistry(channel_makers(world.cloud, snmp, source=source))

    async def current() -> Mapping[str, Outlet]:
        async with world.store.transaction() as tx:
            return channels.current(channels_of(await tx.setting_rows(owners=("",))))

    return current


def channel_makers(cloud: Cloud, snmp: SnmpPost, *, source: str) -> dict[str, ChannelMaker]:
    """What makes a channel of each kind. ``source``: what webhooks say they come from."""
    workers = asyncio.Semaphore(AT_ONCE)
    return {
        "email": Email,
        "webhook": lambda settings: Webhook(settings, source=source),
        "snmp": lambda settings: Snmp(settings, snmp),
        "apprise": lambda settings: Apprise(settings, workers),
        "cloudstack": lambda _: CloudStackAlerts(cloud.alert if isinstance(cloud, CloudStack) else None),
    }
