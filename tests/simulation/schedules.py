"""A random schedule from a seed: a site, its settings, and mishaps aimed at the worst moments."""

import random
from dataclasses import replace
from typing import Any

from controller.domain.model import Level
from controller.domain.power import PowerAction, PowerState
from tests.simulation.aimed import MARKS, POINTS, WORST, aimed, at_a_point, restored
from tests.simulation.hardware import Fault, PoolState
from tests.simulation.plan import FAST, Mishap, Plan

WARM_S = 30.0
"""Until then controllers see every host and every BMC well."""

LAST_S = 170.0
SHORT_WARM_S = 20.0
SHORT_S = 135.0
SHORTER = 0.45
"""A small schedule's mishaps come that much closer to each other, so that its deaths are early enough to be fenced."""

SITES: tuple[dict[str, tuple[str, ...]], ...] = (
    {"c1": ("h1", "h2", "h3")},
    {"c1": ("h1", "h2", "h3", "h4")},
    {"c1": ("h1", "h2", "h3", "h4")},
    {"c1": ("h1", "h2", "h3", "h4", "h5")},
    {"c1": ("h1", "h2", "h3", "h4", "h5")},
    {"c1": ("h1", "h2", "h3"), "c2": ("k1", "k2", "k3")},
    {"c1": ("h1", "h2")},
)


def random_plan(seed: int) -> Plan:
    """The schedule of this seed; always the same one. Two in five are aimed (:mod:`tests.simulation.aimed`)."""
    number, kind = divmod(seed, 5)
    rng = random.Random(f"schedule-{seed}")  # noqa: S311 - a reproducible world
    if kind == 0:
        return replace(at_a_point(number, rng), seed=seed)
    if kind == 1:
        return replace(aimed(number, rng), seed=seed)
    return _Dice(seed, rng).plan()


def small_plan(seed: int) -> Plan:
    """A shorter one on a smaller site, for a store on which every call costs real time."""
    plan = random_plan(seed)
    mishaps = tuple(
        replace(m, at=SHORT_WARM_S + max(0.0, m.at - WARM_S) * SHORTER)
        for m in plan.mishaps
        if m.kind != "restore"  # the mirror would go on beside a database that was not restored
    )
    return replace(plan, guests=1, mishaps=mishaps, ends_at=SHORT_S, liveness=False)


class _Dice:
    def __init__(self, seed: int, rng: random.Random) -> None:
        self._seed = seed
        self._rng = rng
        self._hosts: dict[str, tuple[str, ...]] = {}

    def plan(self) -> Plan:
        rng = self._rng
        self._hosts = rng.choice(SITES)
        self._everybody = [h for hosts in self._hosts.values() for h in hosts]
        self._pools = rng.choice((1, 1, 2))
        mishaps: list[Mishap] = []
        for _ in range(rng.choice((1, 1, 1, 2, 2, 3))):
            mishaps += self._death(rng.uniform(WARM_S, LAST_S - 60))
        for _ in range(rng.randrange(0, 7)):
            mishaps += self._mishap(rng.uniform(WARM_S - 5, LAST_S))
        mishaps.sort(key=lambda m: m.at)
        plan = Plan(
            seed=self._seed,
            hosts=self._hosts,
            pools=self._pools,
            guests=rng.choice((1, 1, 2)),
            writers=rng.choice((0, 50, 100)),
            settings=self._settings(),
            cloud_opinions=rng.random() < 0.3,
            cloud_notices_after_s=rng.choice((40.0, 40.0, 90.0)),
            controllers=rng.choice((1, 1, 1, 2)),
            mishaps=tuple(mishaps),
            ends_at=LAST_S + rng.choice((30.0, 70.0)),
            liveness=rng.random() < 0.12,
        )
        plan = self._with_second_devices(plan) if rng.random() < 0.2 else plan
        return replace(plan, slow_release=rng.random() < 0.3)

    def _with_second_devices(self, plan: Plan) -> Plan:
        rng, mishaps = self._rng, []
        for host in self._everybody:
            if rng.random() < 0.3:
                mishaps.append(Mishap(rng.uniform(WARM_S, LAST_S), "bmc_unreachable", (host, self._lasts() * 3)))
            if rng.random() < 0.2:
                mishaps.append(Mishap(rng.uniform(WARM_S, LAST_S), "second_unreachable", (host, self._lasts() * 2)))
        return replace(plan, second_devices=True, mishaps=tuple(sorted((*plan.mishaps, *mishaps), key=lambda m: m.at)))

    def _settings(self) -> dict[str, Any]:
        rng = self._rng
        return FAST | {
            "action": rng.choice(("off", "off", "off", "off", "reboot", "reboot", "none", "blink")),
            "mode": rng.choice(("enforce",) * 11 + ("observe",)),
            "max_actions": rng.choice((1, 2, 3, 3, 3)),
            "global_max_actions": rng.choice((1, 10, 10, 10)),
            "max_unhealthy_percent": rng.choice((50, 50, 100, 100, 30)),
            "max_concurrent": rng.choice((1, 1, 3)),
            "additional_checks": rng.choice((0, 1, 2, 3)),
            "off_reads": rng.choice((2, 3)),
            "startup_quiet": rng.choice((10, 10, 10, 60)),
            "require_heartbeat": True,
        }

    # -- picking

    def _host(self) -> str:
        return self._rng.choice(self._everybody)

    def _lasts(self) -> float:
        return round(self._rng.choice((3.0, 8.0, 20.0, 60.0)) * self._rng.uniform(0.5, 1.5), 2)

    def _pool(self, host_id: str | None = None) -> str:
        cluster = next(c for c, hosts in self._hosts.items() if host_id is None or host_id in hosts)
        return f"{cluster}p{self._rng.randint(1, self._pools)}"

    # -- one host falls silent, and something happens to it at the worst moment

    def _death(self, at: float) -> list[Mishap]:
        rng, host = self._rng, self._host()
        kind = rng.choices(
            ("hang", "power_loss", "power_loss_with_bmc", "isolate", "unplug", "agent", "agent_and_beat", "upgrade"),
            (10, 4, 2, 5, 2, 2, 1, 1),
        )[0]
        match kind:
            case "isolate" | "unplug" | "power_loss_with_bmc":
                death = Mishap(at, kind, (host, round(rng.uniform(10, 120), 2)))
            case "agent_and_beat":
                death = Mishap(at, kind, (host, self._lasts() * 3))
            case "upgrade":
                death = Mishap(at, kind, (host, rng.choice((0.0, 30.0, 90.0))))
            case "agent":
                death = Mishap(at, "fault", (host, Fault.AGENT_DOWN, self._lasts()))
            case _:
                death = Mishap(at, kind, (host,))
        mishaps = [death, *self._worst_moment(host, at)]
        mishaps += [self._around(host, at + rng.uniform(-10, 110)) for _ in range(rng.choice((0, 1, 1, 2)))]
        if rng.random() < 0.08:
            mishaps += [
                Mishap(at + rng.uniform(0, 3), "hang", (other,)) for other in self._everybody if rng.random() < 0.7
            ]
        elif rng.random() < 0.15 and len(self._everybody) == 5:
            # A storm of two, and one more when it is no longer at once with them.
            late, other = rng.sample([h for h in self._everybody if h != host], 2)
            mishaps += [
                Mishap(at + 1, "setting", ("max_actions", 1)),
                Mishap(at + 2, "hang", (other,)),
                Mishap(at + 80, "hang", (late,)),
            ]
        return mishaps

    def _worst_moment(self, host: str, at: float) -> list[Mishap]:
        """Aimed at the few seconds between a decision and its deed."""
        rng = self._rng
        if rng.random() > 0.3:
            return []
        lies = Mishap(at, "bmc", (host, "lies_off", True, 300.0))
        ignores = Mishap(at, "bmc", (host, "ignores_off", True, 300.0))
        choices: tuple[list[Mishap], ...] = (
            [Mishap(at, "at_point", ("after to suspect", "cancel", host))],
            [Mishap(at, "at_point", ("after to fencing", "cancel", host))],
            [Mishap(at, "at_point", ("after to fencing", "everybody_slow", 15.0))],
            [Mishap(at, "at_point", ("after to fencing", "reconnect", host))],
            [ignores, Mishap(at, "at_later_point", ("after to fencing", 1, "reconnect", host))],
            [Mishap(at, "at_point", ("after to fencing", "device_of", host, "", 20.0))],
            [Mishap(at, "at_point", ("after to checking", "other_inode", f"{host}v0"))],
            [Mishap(at, "at_point", ("after to fencing", "pause", Level.GLOBAL, "", 30.0))],
            [Mishap(at, "at_point", ("after to fencing", "setting", "max_actions", 0))],
            [Mishap(at, "at_point", (rng.choice(POINTS), "pause_process", rng.uniform(3, 40)))],
            [Mishap(at, "at_point", (rng.choice(POINTS), "restart"))],
            [lies, Mishap(at, "at_point", (rng.choice(WORST), "rejoin", host))],
            [Mishap(at, "at_point", ("after to fencing", "rejoin", host))],
            [Mishap(at, "at_point", ("after intent", "pause_process", rng.uniform(3, 40)))],
            [Mishap(at, "at_point", ("act off", "pause_process", rng.uniform(3, 40)))],
            [Mishap(at, "at_point", ("before to releasing", "pause_process", rng.uniform(3, 40)))],
            [Mishap(at, "at_point", ("after effect", "pause_process", rng.uniform(3, 40)))],
            [lies, Mishap(at, "at_point", ("after to releasing", "rejoin", host))],
            [lies, Mishap(at, "at_point", ("acted off", "rejoin", host))],
            [Mishap(at, "at_point", ("after to releasing", "technician", host, True))],
            [Mishap(at, "at_point", ("act off", "manual", host, PowerAction.OFF, True))],
            [Mishap(at, "at_point", ("after to fencing", "manual", host, PowerAction.OFF, True))],
        )
        return rng.choice(choices)

    def _around(self, host: str, at: float) -> Mishap:
        """Aimed at the incident of one host: traps on the way, its BMC, its return, people."""
        rng = self._rng
        others = [h for h in self._everybody if h != host]
        neighbors = [h for h in next(hosts for hosts in self._hosts.values() if host in hosts) if h != host]
        at = max(WARM_S - 3, at)
        choices: list[tuple[int, Mishap]] = [
            (14, Mishap(at, "trap", (rng.choice(POINTS), rng.choice((0, 0, 0, 1, 3, 10))))),
            (3, Mishap(at, "bmc", (host, "lies_off", True, 300.0))),
            (3, Mishap(at, "bmc", (host, "ignores_off", True, self._lasts() * 3))),
            (2, Mishap(at, "bmc", (host, "rejects_off", True, self._lasts()))),
            (2, Mishap(at, "bmc", (host, "loses_answers", True, self._lasts()))),
            (2, Mishap(at, "bmc", (host, "busy", True, self._lasts()))),
            (2, Mishap(at, "bmc", (host, "off_delay_s", round(rng.uniform(1, 30), 1), 200.0))),
            (2, Mishap(at, "bmc", (host, "takes_s", round(rng.uniform(0.5, 6), 1), self._lasts()))),
            (1, Mishap(at, "bmc", (host, "answers_after_s", round(rng.uniform(1, 8), 1), self._lasts()))),
            (3, Mishap(at, "bmc_unreachable", (host, self._lasts()))),
            (2, Mishap(at, "bmc_reboots", (host, round(rng.uniform(2, 10), 1)))),
            (3, Mishap(at, "wrong_bmc", (host, rng.choice(others)))),
            (6, Mishap(at, "technician", (host, True))),
            (3, Mishap(at, "technician", (host, False))),
            (3, Mishap(at, "retry", (host,))),
            (2, Mishap(at, "cancel", (host,))),
            (3, Mishap(at, "acknowledge", (host, rng.random() < 0.8))),
            (2, Mishap(at, "manual", (host, rng.choice((PowerAction.OFF, PowerAction.ON)), rng.random() < 0.5))),
            (2, Mishap(at, "report", (host,))),
            (1, Mishap(at, "reconnect", (host,))),
            (1, Mishap(at, "rearm", (host,))),
            (1, Mishap(at, "placed_elsewhere", (f"{host}v0", rng.choice(neighbors)))),
            (2, Mishap(at, "started_elsewhere", (f"{host}v0", rng.choice(neighbors)))),
            (1, Mishap(at, "bmc", (host, "reads", PowerState.UNKNOWN, self._lasts()))),
            (3, Mishap(at, "mark_host", (host, rng.choice(MARKS), self._lasts()))),
            (3, Mishap(at, "device_of", (host, rng.choice((rng.choice(others), "")), self._lasts() * 2))),
            (1, Mishap(at, "address_refused", (host, self._lasts() * 2))),
            (1, Mishap(at, "driver_gone", (self._lasts(),))),
            (1, Mishap(at, "adapter_fails", (self._lasts(),))),
            (1, Mishap(at, "copied", (host, self._lasts()))),
            (2, Mishap(at, "cloud_mute", (self._lasts() * 2,))),
            (2, Mishap(at, "local_disk", (f"{host}v0", self._lasts() * 2))),
            (2, Mishap(at, "other_inode", (f"{host}v0",))),
            (1, Mishap(at, "everybody_slow", (self._lasts(),))),
            (2, Mishap(at, "upgrade", (rng.choice(neighbors), rng.choice((0.0, 20.0, 60.0))))),
        ]
        weights, mishaps = zip(*choices, strict=True)
        picked: Mishap = rng.choices(mishaps, weights)[0]
        return picked

    # -- anything, anywhere

    def _mishap(self, at: float) -> list[Mishap]:
        rng, host, lasts = self._rng, self._host(), self._lasts()
        other = rng.choice([h for h in self._everybody if h != host])
        fault = rng.choice((Fault.AGENT_DOWN, Fault.AGENT_SLOW, Fault.BEAT_DOWN, Fault.WITHDRAWN, Fault.SAMPLER_STUCK))
        pool_state = rng.choice((PoolState.HUNG, PoolState.FULL, PoolState.READ_ONLY))
        clock = rng.choice((-3600.0, -40.0, -5.0, 5.0, 40.0, 3600.0))
        choices: list[tuple[int, Mishap]] = [
            (6, Mishap(at, "trap", (rng.choice(POINTS), rng.choice((0, 5, 30))))),
            (3, Mishap(at, "kill")),
            (2, Mishap(at, "restart")),
            (2, Mishap(at, "second_controller")),
            (4, Mishap(at, "pause_process", (round(rng.uniform(2, 70), 2),))),
            (2, Mishap(at, "database_gone", (lasts, rng.random() < 0.5))),
            (3, Mishap(at, "database_slow", (rng.choice((0.2, 0.8, 2.5, 6.0)), lasts))),
            (5, Mishap(at, "clock_step", (clock,))),
            (4, Mishap(at, "fault", (host, fault, lasts))),
            (2, Mishap(at, "slow", (host, lasts))),
            (3, Mishap(at, "disorder", (host, lasts))),
            (2, Mishap(at, "pool_fails_over", (self._pool(host),))),
            (1, Mishap(at, "blackout", (rng.choice((20.0, 65.0, 80.0)), clock))),
            (3, Mishap(at, "partition", ("ctl", host, lasts))),
            (1, Mishap(at, "controller_cut_off", (lasts,))),
            (1, Mishap(at, "newcomer_cut_off", (lasts,))),
            (1, Mishap(at, "devices_cut_off", (lasts,))),
            (3, Mishap(at, "partition", (host, other, lasts))),
            (4, Mishap(at, "pool", (self._pool(host), pool_state, lasts))),
            (2, Mishap(at, "stuck_mount", (host, self._pool(host), lasts))),
            (2, Mishap(at, "server_clock", (self._pool(host), rng.choice((-3600.0, -20.0, 3600.0))))),
            (2, Mishap(at, "isolate", (host, lasts))),
            (2, Mishap(at, "guest_writes", (f"{host}v0", lasts))),
            (2, Mishap(at, "pause", (rng.choice((Level.GLOBAL, Level.CLUSTER)), "", lasts))),
            (2, Mishap(at, "setting", ("max_actions", rng.choice((0, 1))))),
            (1, Mishap(at, "lift_pauses")),
            (1, Mishap(at, "setting", ("mode", "observe"))),
            (2, Mishap(at, "cloud_gone", (lasts,))),
            (2, Mishap(at, "cloud_effects_fail", (lasts,))),
            (2, Mishap(at, "cloud_loses_answers", (lasts,))),
            (2, self._around(host, at)),
        ]
        weights, mishaps = zip(*choices, strict=True)
        if rng.random() < 0.02:
            return restored(at, rng)
        picked: Mishap = rng.choices(mishaps, weights)[0]
        if picked.kind == "pause" and picked.args[0] is Level.CLUSTER:
            picked = Mishap(at, "pause", (Level.CLUSTER, next(iter(self._hosts)), lasts))
        return [picked]
