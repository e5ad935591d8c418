"""Every coded reason hostfence can give. Codes are made here and in no other package (checked by a test).

A reason has one meaning wherever it shows: as a hold, as a refusal, beside a verdict. What each means to the person on
call, and what to do, stands in ``docs/runbook.md`` under the same code.
"""

from enum import StrEnum


class Reason(StrEnum):
    """Why something was concluded, refused or is waited for."""

    # signs of life
    AGENT_ANSWERS = "agent_answers"
    HEARTBEAT_MOVES = "heartbeat_moves"
    DISKS_MOVE = "disks_move"
    CLOUD_HEARTBEAT_MOVES = "cloud_heartbeat_moves"
    CLOUD_SAW_RETURN = "cloud_saw_return"
    AGENT_ONLY = "agent_only"
    DISK_MOVES_WITHOUT_HEARTBEAT = "disk_moves_without_heartbeat"
    # why a round is not conclusive
    KERNEL_ANSWERS = "kernel_answers"
    REACH_UNKNOWN = "reach_unknown"
    WITNESS_SILENT = "witness_silent"
    WITNESS_SUSPECTED = "witness_suspected"
    WITNESS_INCOMPATIBLE = "witness_incompatible"
    TOO_FEW_WITNESSES = "too_few_witnesses"
    STORAGE_UNREADABLE = "storage_unreadable"
    NO_BASELINE = "no_baseline"
    INODE_CHANGED = "inode_changed"
    NO_POSITIVE_CONTROL = "no_positive_control"
    NO_HEARTBEAT = "no_heartbeat"
    HEARTBEAT_WITHDRAWN = "heartbeat_withdrawn"
    HEARTBEAT_DISPUTED = "heartbeat_disputed"
    POOL_NOT_COVERED = "pool_not_covered"
    DISKS_UNKNOWN = "disks_unknown"
    UNCHECKABLE_DISKS = "uncheckable_disks"
    PLACED_ELSEWHERE = "placed_elsewhere"
    NOT_SILENT_LONG_ENOUGH = "not_silent_long_enough"
    # what the cloud says
    CLOUD_SAYS_UP = "cloud_says_up"
    CLOUD_UNREACHABLE = "cloud_unreachable"
    HOST_HA_ON = "host_ha_on"
    RELEASED_BY_CLOUD = "released_by_cloud"
    # safeguards
    OBSERVE_MODE = "observe_mode"
    PAUSED = "paused"
    EXCLUDED = "excluded"
    MAINTENANCE = "maintenance"
    CONTROLLERS_OWN_HOST = "controllers_own_host"
    NOT_CONFIGURED = "not_configured"
    DRIVER_CANNOT_PROVE = "driver_cannot_prove"
    BMC_SHARED = "bmc_shared"
    BMC_ADDRESS_REFUSED = "bmc_address_refused"
    BMC_UNPROVEN = "bmc_unproven"
    CAP_REACHED = "cap_reached"
    GLOBAL_CAP_REACHED = "global_cap_reached"
    STORM = "storm"
    STORM_COOLDOWN = "storm_cooldown"
    CLUSTER_UNHEALTHY = "cluster_unhealthy"
    STARTUP_QUIET = "startup_quiet"
    DATABASE_RESTORED = "database_restored"
    ISOLATED = "isolated"
    OPERATION_IN_FLIGHT = "operation_in_flight"
    CONCURRENCY = "concurrency"
    COMMAND_BUDGET = "command_budget"
    EVIDENCE_STALE = "evidence_stale"
    NOT_DEAD = "not_dead"
    LIFE_SINCE = "life_since"
    # after the decision
    BMC_UNREACHABLE = "bmc_unreachable"
    BMC_SETTLING = "bmc_settling"
    OFF_NOT_PROVEN = "off_not_proven"
    CONTRADICTION = "contradiction"
    OTHER_HOST_VANISHED = "other_host_vanished"
    RELEASE_FAILED = "release_failed"
    # what people and the world did
    NOTHING_TO_RELEASE = "nothing_to_release"
    ACTION_NONE = "action_none"
    ACTION_BLINK = "action_blink"
    HOST_DEAD = "host_dead"
    ALREADY_OFF = "already_off"
    PROVEN_OFF = "proven_off"
    ACKNOWLEDGED = "acknowledged"
    OPERATOR = "operator"
    STEP_FAILED = "step_failed"
    NOT_REARMED = "not_rearmed"


LIFE = frozenset(
    {
        Reason.AGENT_ANSWERS,
        Reason.HEARTBEAT_MOVES,
        Reason.DISKS_MOVE,
        Reason.CLOUD_HEARTBEAT_MOVES,
        Reason.CLOUD_SAW_RETURN,
    }
)
"""Signs of life: one of them outweighs any number of silences."""

NEEDS_A_PERSON = frozenset({Reason.STORM, Reason.CONTRADICTION, Reason.OTHER_HOST_VANISHED, Reason.DATABASE_RESTORED})
"""Holds that never end by themselves in an action: the host returns, or a person decides."""

WAITS = frozenset(
    {
        Reason.CONCURRENCY,
        Reason.OPERATION_IN_FLIGHT,
        Reason.STARTUP_QUIET,
        Reason.ISOLATED,
        Reason.CLOUD_SAYS_UP,
        Reason.EVIDENCE_STALE,
    }
)
"""Refusals that time cures: rounds go on in CHECKING meanwhile, within its limit."""
