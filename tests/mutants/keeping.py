"""Mutations of what is kept and told: rules 7 (secrets) and 11 (deadlines, ways out, holds that are told)."""

from tests.mutants.mutation import STORIES, Change, Mutation, Tests

DECISION = "controller/domain/decision.py"
FENCING = "controller/engine/steps/fencing.py"
LOGS = "controller/logs.py"
POWER = "controller/domain/power.py"
SCHEDULE = "controller/domain/schedule.py"
SETTINGS = "controller/db/repositories/settings.py"
TRANSITION = "controller/services/transition.py"
VALUES = "controller/domain/setting_values.py"
VAULT = "controller/db/secrecy.py"
VERIFYING = "controller/engine/steps/verifying.py"

IN_THE_DATABASE = Tests(("tests/integration/db/test_postgres_store.py",))

MUTATIONS = (
    Mutation(
        "the-password-in-an-event",
        7,
        "the timeline says how the device was reached",
        (
            Change(
                FENCING,
                'text=f"power off through {scene.policy.bmc.identity}",',
                'text=f"power off through {scene.policy.bmc.identity} {scene.policy.bmc.password}",',
            ),
        ),
    ),
    Mutation(
        "the-password-in-a-repr",
        7,
        "whoever prints a target prints its password",
        (Change(POWER, "password: str = field(repr=False)", "password: str = field(repr=True)"),),
        Tests(("tests/unit/domain/test_power.py",)),
    ),
    Mutation(
        "secrets-in-logs",
        7,
        "values under secret names are written to the log",
        (Change(LOGS, "if isinstance(name, str) and _SECRET_NAME.search(name):", "if isinstance(name, int):"),),
        Tests(("tests/unit/test_logs.py",)),
    ),
    Mutation(
        "secrets-over-the-api",
        7,
        "whoever may read settings reads passwords",
        (Change(VALUES, '        return {"set": bool(raw)}', "        return raw"),),
        Tests(("tests/integration/api/test_settings.py",)),
    ),
    Mutation(
        "plain-secrets-in-the-database",
        7,
        "sealing encrypts nothing",
        (Change(VAULT, 'return self._fernet.encrypt(text.encode("utf-8", "surrogatepass"))', "return text.encode()"),),
        IN_THE_DATABASE,
    ),
    Mutation(
        "holds-are-not-told",
        11,
        "an incident is held and nobody hears of it",
        (
            Change(
                TRANSITION, "        if to is State.HELD:\n            moved = await self.hold(moved, reasons)\n", ""
            ),
        ),
    ),
    Mutation(
        "holds-are-never-looked-at-again",
        11,
        "a held incident has no next step",
        (Change(SCHEDULE, "return now + held_interval(incident, policy, now=now)", "return None"),),
    ),
    Mutation(
        "checking-has-no-end",
        11,
        "rounds that tell nothing go on for ever and nobody is told",
        (
            Change(
                DECISION,
                'has lasted ``checking_limit``."""\n    return _checking_for(incident, now) >=',
                'has lasted ``checking_limit``."""\n    return incident.rounds < 0 and _checking_for(incident, now) >=',
            ),
        ),
        STORIES,
    ),
    Mutation(
        "verifying-has-no-end",
        11,
        "a device that never says off is read for ever",
        (Change(VERIFYING, "if now < _deadline(incident, policy):", "if now:"),),
        STORIES,
    ),
    Mutation(
        "closing-leaves-the-quarantine",
        11,
        "a host that recovered stays out of scheduling and nobody undoes it",
        (Change(TRANSITION, "if incident.quarantined and not fenced:", "if incident.quarantined and fenced:"),),
        STORIES,
    ),
)
