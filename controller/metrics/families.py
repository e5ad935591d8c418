"""Every figure there is: its name, what it tells, its labels. ``docs/monitoring.md`` is generated from this.

The name says where a figure comes from. ``hostfence_site_…`` is read from the database: every controller shows the same
value, so take the maximum. ``hostfence_controller_…`` is of the one process that shows it: add up what counts.
"""

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What Prometheus calls them."""

    GAUGE = "gauge"
    COUNTER = "counter"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True)
class Family:
    """One figure. ``buckets``: of a histogram, in seconds."""

    name: str
    kind: Kind
    help: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()

    @property
    def text(self) -> str:
        """The help as it is exposed: what the figure tells, and of whom."""
        whose = "the whole site, from the database" if self.of_site else "this process"
        return f"{self.help} ({whose})"

    @property
    def of_site(self) -> bool:
        """True for what every controller shows alike."""
        return self.name.startswith("hostfence_site_")


_SHORT = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 15.0, 30.0, 60.0)
_LONG = (30.0, 60.0, 90.0, 120.0, 150.0, 180.0, 240.0, 300.0, 420.0, 600.0, 900.0, 1800.0, 3600.0)
_HTTP = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)

SITE_HOSTS = Family("hostfence_site_hosts", Kind.GAUGE, "Hosts of a cluster", ("cluster",))
SITE_MARKED = Family(
    "hostfence_site_hosts_marked",
    Kind.GAUGE,
    "Hosts that are excluded, in maintenance, or fenced and not back yet",
    ("cluster", "mark"),
)
SITE_ENFORCED = Family(
    "hostfence_site_enforced", Kind.GAUGE, "1 where the cluster's mode is enforce, 0 where it is observe", ("cluster",)
)
SITE_INCIDENTS = Family("hostfence_site_incidents", Kind.GAUGE, "Open incidents by state", ("state",))
SITE_HELD = Family(
    "hostfence_site_held", Kind.GAUGE, "Held incidents by reason; one counts under each of its reasons", ("reason",)
)
SITE_HELD_FOR = Family("hostfence_site_held_seconds", Kind.GAUGE, "How long the longest hold has lasted, 0 for none")
SITE_LATE = Family(
    "hostfence_site_late_seconds",
    Kind.GAUGE,
    "How long the step that waits longest for a controller has been due, 0 for none",
)
SITE_LEASES = Family("hostfence_site_leases", Kind.GAUGE, "Incidents that some controller is working on now")
SITE_UNFINISHED = Family(
    "hostfence_site_power_commands_unfinished", Kind.GAUGE, "Power commands intended and without a result yet"
)
SITE_EFFECTS = Family(
    "hostfence_site_effects_waiting", Kind.GAUGE, "Quarantines and other side effects still to be done", ("kind",)
)
SITE_EFFECTS_FOR = Family(
    "hostfence_site_effects_waiting_seconds", Kind.GAUGE, "For how long the oldest of these has waited, 0 for none"
)
SITE_PENDING = Family("hostfence_site_messages_waiting", Kind.GAUGE, "Messages still to be delivered", ("channel",))
SITE_PENDING_FOR = Family(
    "hostfence_site_messages_waiting_seconds", Kind.GAUGE, "For how long the oldest of these has waited, 0 for none"
)
SITE_DEAD = Family(
    "hostfence_site_messages_dead", Kind.GAUGE, "Messages of the last three days that were given up", ("channel",)
)
SITE_CAP_USED = Family(
    "hostfence_site_cap_used", Kind.GAUGE, "Power-downs of the cluster within its time window", ("cluster",)
)
SITE_CAP = Family("hostfence_site_cap_limit", Kind.GAUGE, "Power-downs allowed in that window", ("cluster",))
SITE_GLOBAL_USED = Family("hostfence_site_global_cap_used", Kind.GAUGE, "Power-downs of all clusters in their window")
SITE_GLOBAL_CAP = Family("hostfence_site_global_cap_limit", Kind.GAUGE, "Power-downs allowed in that window")
SITE_PAUSES = Family(
    "hostfence_site_pauses",
    Kind.GAUGE,
    "Pauses that hold now; reason is hostfence's own code, or paused for a person's",
    ("level", "reason"),
)
SITE_STORMS = Family(
    "hostfence_site_storms", Kind.GAUGE, "Open incidents of a cluster that are part of a storm", ("cluster",)
)
SITE_CERTIFICATE = Family(
    "hostfence_site_certificate_ends_timestamp_seconds",
    Kind.GAUGE,
    "When the certificate of a host's agent ends, in seconds since 1970",
    ("cluster", "host"),
)
SITE_CONTROLLERS = Family(
    "hostfence_site_controllers", Kind.GAUGE, "Controllers that gave a sign of life within a minute"
)
SITE_CLOCK = Family(
    "hostfence_site_clock_corrections",
    Kind.GAUGE,
    "How often a step of the database's clock was taken back, ever",
)
SITE_CLOCK_BY = Family(
    "hostfence_site_clock_correction_seconds", Kind.GAUGE, "By how much hostfence time differs from that clock now"
)
SITE_CLOUD_PROBLEM = Family(
    "hostfence_site_cloud_problem", Kind.GAUGE, "1 when the cloud's inventory could not be read or believed last"
)
SITE_CLOUD_AGE = Family(
    "hostfence_site_cloud_inventory_age_seconds", Kind.GAUGE, "Since the cloud's inventory was last applied"
)
SITE_CLOUD_WARNINGS = Family("hostfence_site_cloud_warnings", Kind.GAUGE, "What the cloud is not fit or not set up for")

INFO = Family("hostfence_controller_info", Kind.GAUGE, "1; which process this is", ("version", "controller"))
DATABASE_UP = Family(
    "hostfence_controller_database_up",
    Kind.GAUGE,
    "1 while the database answers; all of hostfence_site is missing soon after it does not",
)
READY = Family("hostfence_controller_ready", Kind.GAUGE, "1 when /readyz would say so")
AILMENT = Family("hostfence_controller_ailment", Kind.GAUGE, "1 for each code that /readyz would name", ("code",))
ISOLATED = Family("hostfence_controller_isolated", Kind.GAUGE, "1 while no agent at all answers this controller")
LOOP_AGE = Family(
    "hostfence_controller_loop_age_seconds",
    Kind.GAUGE,
    "Since a loop last got through its work; a loop that rests between two beats is as old as its rest",
    ("loop",),
)
LOOP_BEATS = Family(
    "hostfence_controller_loop_beats_total", Kind.COUNTER, "Beats of a loop: well, or failed", ("loop", "result")
)
AGENTS = Family(
    "hostfence_controller_agents",
    Kind.GAUGE,
    "Hosts with an agent, by whether it answered this controller within 15 s: yes, or no",
    ("cluster", "answers"),
)
READINESS = Family(
    "hostfence_controller_hosts",
    Kind.GAUGE,
    "Could these hosts be fenced if they died now? ready, waits or blocked; see hostfence readiness",
    ("cluster", "readiness"),
)
AGAINST = Family(
    "hostfence_controller_hosts_against",
    Kind.GAUGE,
    "Hosts by what stands against fencing them now: a reason's code, or a gate's",
    ("cluster", "code"),
)
DEVICES = Family(
    "hostfence_controller_power_devices",
    Kind.GAUGE,
    "Hosts by how their power device stands: ready, or the code of what is wrong",
    ("cluster", "state"),
)
SLOWEST_OFF = Family(
    "hostfence_controller_slowest_off_seconds",
    Kind.GAUGE,
    "From silence to proven off at the latest, under today's settings, of the cluster's slowest host",
    ("cluster",),
)
OPENED = Family("hostfence_controller_incidents_opened_total", Kind.COUNTER, "Incidents opened, by whom", ("source",))
TRANSITIONS = Family(
    "hostfence_controller_transitions_total", Kind.COUNTER, "Incidents that changed state", ("from_state", "to_state")
)
HOLDS = Family(
    "hostfence_controller_holds_total", Kind.COUNTER, "Incidents that were put on hold, by each reason", ("reason",)
)
ROUNDS = Family("hostfence_controller_rounds_total", Kind.COUNTER, "Check rounds by verdict", ("verdict",))
TO_OFF = Family(
    "hostfence_controller_silence_to_off_seconds",
    Kind.HISTOGRAM,
    "From the disconnect to proven off; command says whether hostfence sent one, or found the power off",
    ("command",),
    _LONG,
)
TO_RELEASE = Family(
    "hostfence_controller_silence_to_release_seconds",
    Kind.HISTOGRAM,
    "From the disconnect to where the machines may start elsewhere",
    (),
    _LONG,
)
INTENTS = Family(
    "hostfence_controller_power_intents_total",
    Kind.COUNTER,
    "Power commands that were intended, by hostfence or by a person",
    ("action", "by"),
)
OUTCOMES = Family(
    "hostfence_controller_power_outcomes_total",
    Kind.COUNTER,
    "What the device said to a power command: yes, no, not_sent, unknown. It proves nothing",
    ("action", "by", "accepted"),
)
EFFECTS = Family(
    "hostfence_controller_effects_total",
    Kind.COUNTER,
    "Quarantines and other side effects that were done, or given up as failed",
    ("kind", "result"),
)
DELIVERIES = Family(
    "hostfence_controller_deliveries_total",
    Kind.COUNTER,
    "Messages that a channel took (sent), told as part of another (in_digest), or given up (dead)",
    ("channel", "result"),
)
STEPS = Family(
    "hostfence_controller_steps_total",
    Kind.COUNTER,
    "Steps of incidents: done, failed, or lease_lost",
    ("state", "result"),
)
STEP_TIME = Family(
    "hostfence_controller_step_seconds", Kind.HISTOGRAM, "How long a step took, waiting for others included", (), _SHORT
)
LATENESS = Family(
    "hostfence_controller_step_lateness_seconds", Kind.HISTOGRAM, "How long after it was due a step began", (), _SHORT
)
RUNNING = Family("hostfence_controller_steps_running", Kind.GAUGE, "Steps that are under way now")
POLLS = Family(
    "hostfence_controller_cloud_polls_total",
    Kind.COUNTER,
    "Polls of the cloud's hosts: it told, or said nothing",
    ("result",),
)
READINGS = Family(
    "hostfence_controller_cloud_readings_total",
    Kind.COUNTER,
    "Readings of the cloud's whole inventory: well, or failed",
    ("result",),
)
REQUESTS = Family(
    "hostfence_controller_http_requests_total",
    Kind.COUNTER,
    "Requests that were answered; route is the pattern, empty where none matched",
    ("method", "route", "status"),
)
REQUEST_TIME = Family(
    "hostfence_controller_http_request_seconds", Kind.HISTOGRAM, "How long an answer took", ("route",), _HTTP
)

FAMILIES: dict[str, Family] = {one.name: one for one in list(vars().values()) if isinstance(one, Family)}
"""By name, in the order above."""
