"""What can go wrong around the controllers: each a method that changes the truth at one moment."""

from functools import partial

from controller.domain.power import PowerState
from tests.simulation.hardware import Fault, Mark, PoolState
from tests.simulation.mishap_base import MishapBase
from tests.simulation.mishaps_controllers import ControllerMishaps
from tests.simulation.mishaps_people import PeopleMishaps


class Mishaps(ControllerMishaps, PeopleMishaps, MishapBase):
    """All of them."""

    # -- hosts

    def hang(self, host_id: str) -> None:
        """The kernel stops: power on, nothing else."""
        self._u.hosts[host_id].break_(Fault.HUNG, self._u.now())

    def power_loss(self, host_id: str) -> None:
        """Off by itself, and not by any command."""
        self._u.hosts[host_id].machine.switch(on=False, at=self._u.now())

    def power_loss_with_bmc(self, host_id: str, lasts: float) -> None:
        """The whole rack loses power: the BMC goes with the host."""
        self.power_loss(host_id)
        self._u.bmcs[host_id].unplug(at=self._u.now(), until=self._u.now() + lasts)

    def fault(self, host_id: str, fault: Fault, lasts: float) -> None:
        metal = self._u.hosts[host_id]
        metal.break_(fault, self._u.now())
        self._later(lasts, metal.mend, fault)

    def isolate(self, host_id: str, lasts: float) -> None:
        """Network and storage are cut: it lives, and nobody can see it. Then it is back."""
        self._u.hosts[host_id].storage_cut = True
        self._u.cut_off.add(host_id)
        self._later(lasts, self.rejoin, host_id)

    def rejoin(self, host_id: str) -> None:
        self._u.note("world", "is back", host_id)
        self._u.hosts[host_id].storage_cut = False
        self._u.cut_off.discard(host_id)

    def unplug(self, host_id: str, lasts: float) -> None:
        """The network alone is cut: its heartbeat goes on."""
        self._u.cut_off.add(host_id)
        self._later(lasts, self._u.cut_off.discard, host_id)

    def technician(self, host_id: str, on: bool) -> None:  # noqa: FBT001 - written down in plans
        """Somebody presses the button."""
        self._u.hosts[host_id].machine.switch(on=on, at=self._u.now())

    def guest_writes(self, guest_id: str, lasts: float) -> None:
        guest = self._u.guests[guest_id]
        guest.writes = True
        self._later(lasts, setattr, guest, "writes", False)

    def slow(self, host_id: str, lasts: float) -> None:
        """Half of the agent's answers come too late."""
        self._u.slow_answers.add(host_id)
        self._later(lasts, self._u.slow_answers.discard, host_id)

    def disorder(self, host_id: str, lasts: float) -> None:
        """The agent's answers come in any order, some of them twice."""
        self._u.disordered.add(host_id)
        self._later(lasts, self._u.disordered.discard, host_id)

    def everybody_slow(self, lasts: float) -> None:
        """Half of all agents' answers come too late."""
        for host_id in self._u.hosts:
            self.slow(host_id, lasts)

    def watches_slow(self, lasts: float) -> None:
        """All agents are late to tell what they watch, and answer questions in time."""
        self._u.watches_slow = True
        self._later(lasts, setattr, self._u, "watches_slow", False)

    def upgrade(self, host_id: str, foreign_for: float) -> None:
        """The agent stops in order (its heartbeat is withdrawn), and comes back as a version of another protocol."""
        self.fault(host_id, Fault.WITHDRAWN, 6.0)
        self.fault(host_id, Fault.AGENT_DOWN, 5.0)
        if foreign_for:
            self.fault(host_id, Fault.INCOMPATIBLE, 5.0 + foreign_for)

    def agent_and_beat(self, host_id: str, lasts: float) -> None:
        """Both of hostfence's processes on the host die, and its guests live on."""
        self.fault(host_id, Fault.AGENT_DOWN, lasts)
        self.fault(host_id, Fault.BEAT_DOWN, lasts)

    def copied(self, host_id: str, lasts: float) -> None:
        """A copy of the host's system disk starts somewhere: its agent claims the same id for a while."""
        self._copy_beats(host_id, 1, until=self._u.now() + lasts)

    def _copy_beats(self, host_id: str, counter: int, *, until: float) -> None:
        for pool in self._u.pools.values():
            if pool.cluster_id == self._u.hosts[host_id].cluster_id and pool.state.writable:
                pool.beat(host_id, Mark(f"boot-of-a-copy-of-{host_id}", counter), at=self._u.now())
        if self._u.now() < until:
            self._u.loop.call_later(
                self._u.heartbeat_s * 1.3, partial(self._copy_beats, host_id, counter + 1, until=until)
            )

    # -- storage

    def pool(self, pool_id: str, state: PoolState, lasts: float) -> None:
        pool = self._u.pools[pool_id]
        pool.state = state
        self._later(lasts, setattr, pool, "state", PoolState.OK)

    def stuck_mount(self, host_id: str, pool_id: str, lasts: float) -> None:
        mounts = self._u.hosts[host_id].stuck_mounts
        mounts.add(pool_id)
        self._later(lasts, mounts.discard, pool_id)

    def server_clock(self, pool_id: str, by: float) -> None:
        """The storage server's clock steps: every later mtime is off."""
        self._u.pools[pool_id].clock_offset_s += by

    def pool_fails_over(self, pool_id: str) -> None:
        """Another server takes the pool over: every file's times jump, and nobody wrote."""
        self._u.pools[pool_id].fail_over()

    def other_inode(self, guest_id: str) -> None:
        """The disk's file is replaced by another one under the same name."""
        guest = self._u.guests[guest_id]
        self._u.pools[guest.pool_id].files[guest.path].inode += 1000

    # -- power devices

    def bmc(self, host_id: str, name: str, value: object, lasts: float) -> None:
        """One bad habit of a BMC for a while: an attribute of :class:`tests.fakes.power.FakeBmc`."""
        bmc = self._u.bmcs[host_id]
        before = getattr(bmc, name)
        if name == "lies_off":
            self._u.broken_assumptions[host_id] = "the BMC said off of a host that was on"
        setattr(bmc, name, value)
        self._later(lasts, setattr, bmc, name, before)

    def bmc_unreachable(self, host_id: str, lasts: float) -> None:
        self._u.bmcs[host_id].unplug(at=self._u.now(), until=self._u.now() + lasts)

    def second_unreachable(self, host_id: str, lasts: float) -> None:
        """Nothing where there is no second device."""
        if host_id in self._u.seconds:
            self._u.seconds[host_id].unplug(at=self._u.now(), until=self._u.now() + lasts)

    def bmc_reboots(self, host_id: str, lasts: float) -> None:
        """Out of reach for a while, and then it says *off* for some seconds whatever is true."""
        bmc, now = self._u.bmcs[host_id], self._u.now()
        bmc.unplug(at=now, until=now + lasts)
        self._later(lasts, setattr, bmc, "reads", PowerState.OFF)
        self._later(lasts + 6.0, setattr, bmc, "reads", None)

    def wrong_bmc(self, host_id: str, other: str) -> None:
        """From now on the device of one host is wired to another."""
        self._u.bmcs[host_id].machine = self._u.hosts[other].machine

    def wrong_second(self, host_id: str, other: str) -> None:
        """From now on the second device of one host is wired to another."""
        self._u.seconds[host_id].machine = self._u.hosts[other].machine

    # -- cloud

    def cloud_gone(self, lasts: float) -> None:
        self._switch("unreachable", lasts)

    def cloud_effects_fail(self, lasts: float) -> None:
        self._switch("effects_fail", lasts)

    def cloud_loses_answers(self, lasts: float) -> None:
        self._switch("loses_answers", lasts)

    def _switch(self, name: str, lasts: float) -> None:
        setattr(self._u.cloud, name, True)
        self._later(lasts, setattr, self._u.cloud, name, False)

    def cloud_mute(self, lasts: float) -> None:
        self._switch("mute", lasts)

    def adapter_fails(self, lasts: float) -> None:
        """A bug: the adapter raises what it never should."""
        self._switch("adapter_fails", lasts)

    def no_guests(self, host_id: str) -> None:
        """Their owners stop all guests of a host."""
        for guest_id in [g.id for g in self._u.guests.values() if host_id in (g.host_id, g.placed_on)]:
            del self._u.guests[guest_id]

    def local_disk(self, guest_id: str, lasts: float) -> None:
        """The guest has a disk on its host's own storage for a while."""
        guest = self._u.guests[guest_id]
        guest.local = True
        self._later(lasts, setattr, guest, "local", False)

    def placed_elsewhere(self, guest_id: str, host_id: str) -> None:
        """The cloud says that a guest is somewhere else; it does not run there yet."""
        self._u.guests[guest_id].placed_on = host_id

    def started_elsewhere(self, guest_id: str, host_id: str) -> None:
        """The cloud starts a guest somewhere else by itself, and it writes to its disk there.

        It starts nothing of a host that was taken out of its scheduling.
        """
        guest, there, now = self._u.guests[guest_id], self._u.hosts[host_id], self._u.now()
        if guest.placed_on not in (host_id, *self._u.cloud.quarantined) and there.agent_up(now):
            guest.left = guest.placed_on
            guest.host_id, guest.boot, guest.placed_on, guest.writes = host_id, there.boot(now), host_id, True


def kinds() -> list[str]:
    """Every kind of mishap there is."""
    return sorted(name for name in dir(Mishaps) if not name.startswith("_") and name not in _NO_KINDS)


_NO_KINDS = ("happen", "own_device", "unmark_host")
