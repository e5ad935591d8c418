"""Mutations at the edges: what devices and agents answer is translated (3, 6, 7), who works when cut off (9, 11)."""

from tests.mutants.mutation import Change, Mutation, Tests

AGENTS = "controller/probing/agents.py"
EXEC = "controller/power/drivers/exec.py"
EXEC_RULES = "controller/domain/exec_rules.py"
EXEC_STATES = "controller/domain/exec_states.py"
READINESS = "controller/engine/readiness.py"
REDFISH = "controller/power/drivers/redfish_system.py"
SAFEGUARDS = "controller/domain/safeguards.py"
STEP = "controller/engine/step.py"
WATCHER = "controller/engine/watcher.py"
WORKER = "controller/engine/worker.py"

_AGENTS = Tests(("tests/integration/test_agents_client.py",))
_TLS = Tests(("tests/integration/test_agents_tls.py",))
_STATES = Tests(("tests/unit/domain/test_exec_states.py",))
_CUT_OFF = Tests(("tests/simulation/test_clusters_in_trouble.py",))

MUTATIONS = (
    Mutation(
        "a-handshake-that-hangs-is-silence",
        3,
        "an enrolled host that takes the connection and says nothing is one that does not answer",
        (Change(AGENTS, "if host.agent_tls and progress.accepted:", "if host.agent_tls and not progress:"),),
        _TLS,
    ),
    Mutation(
        "a-kernel-that-refuses-is-silence",
        3,
        "a TCP refusal, which takes a living kernel, is no answer",
        (
            Change(
                AGENTS,
                "errno.ECONNRESET):\n            return AgentFault(Reach.KERNEL_ANSWERS",
                "errno.ECONNRESET):\n            return AgentFault(Reach.NO_ANSWER",
            ),
        ),
        _AGENTS,
    ),
    Mutation(
        "anybody-may-answer-for-a-witness",
        3,
        "the signature of an answer is not looked at",
        (
            Change(
                AGENTS, "if not verify(host.agent_token,", "if not host.agent_token and not verify(host.agent_token,"
            ),
        ),
        _AGENTS,
    ),
    Mutation(
        "two-hosts-may-share-a-device",
        4,
        "a device that another host is set to have, too, is used",
        (Change(SAFEGUARDS, "if any(h != facts.host.id for h in same):", "if not same:"),),
        Tests(("tests/unit/domain/test_safeguards.py",)),
    ),
    Mutation(
        "an-answer-of-two-minds-is-off",
        6,
        "of a command that prints both on and off the one that proves more is taken",
        (
            Change(
                EXEC_STATES,
                "return states.pop() if len(states) == 1 else PowerState.UNKNOWN",
                "return PowerState.OFF if PowerState.OFF in states else PowerState.UNKNOWN",
            ),
        ),
        _STATES,
    ),
    Mutation(
        "a-command-that-failed-tells-the-state",
        6,
        "what stands in the output of a command that ended in error is believed",
        (Change(EXEC_STATES, "if printed.exit_code != 0 and not by_code:", "if printed.cut and not by_code:"),),
        _STATES,
    ),
    Mutation(
        "on-its-way-off-is-off",
        6,
        "a Redfish system that is powering off counts as off",
        (
            Change(
                REDFISH,
                '_STATES = {"On": PowerState.ON, "Off": PowerState.OFF}',
                '_STATES = {"On": PowerState.ON, "Off": PowerState.OFF, "PoweringOff": PowerState.OFF}',
            ),
        ),
        Tests(("tests/integration/test_redfish.py",)),
    ),
    Mutation(
        "the-password-in-a-command-line",
        7,
        "neither what is saved nor the driver refuses a template that shows it",
        (
            Change(EXEC_RULES, "    if command.may_show_password:\n", "    if command:\n"),
            Change(EXEC, "        if not command.may_show_password:\n", "        if not command:\n"),
        ),
        Tests(("tests/unit/domain/test_exec_rules.py", "tests/integration/test_exec_secrecy.py")),
    ),
    Mutation(
        "an-old-lease-of-an-old-backup-holds",
        9,
        "an intent is stored in a database that lost what was committed, under a lease from the backup",
        (Change(STEP, "if await is_lost(tx, self.world):", "if scene is None:"),),
        Tests(("tests/scenarios/test_restored.py",)),
    ),
    Mutation(
        "who-is-cut-off-goes-first",
        11,
        "a controller without a way to the hosts takes the work from one that has it, and nothing is ever fenced",
        (Change(WORKER, "since=now - HEAD_START) if deaf_to else None", "since=now) if deaf_to else None"),),
        _CUT_OFF,
    ),
    Mutation(
        "who-is-cut-off-looks-at-the-devices",
        11,
        "a controller that hears no host takes the looks at power devices that teach it nothing",
        (Change(READINESS, "return not world.sights.polled or (", "return bool(world.sights) or ("),),
        _CUT_OFF,
    ),
    Mutation(
        "who-is-cut-off-from-a-cluster-suspects-all-of-it",
        11,
        "hosts that another controller hears are suspected together: a storm",
        (Change(WATCHER, "return deaf and seen_at is not None and", "return not deaf and seen_at is not None and"),),
        _CUT_OFF,
    ),
)
