"""Breaks at the power devices themselves: what is read, whose turn it is, what a program is told."""

from tests.mutants.mutation import Change, Mutation, Tests

AGENTS = "controller/domain/fence_agents.py"
EXEC_RUN = "controller/power/drivers/exec_run.py"
TURNS = "controller/db/turns.py"
VERIFYING = "controller/engine/steps/verifying.py"

MUTATIONS = (
    Mutation(
        "an-on-between-two-off-is-overlooked",
        6,
        "of several reads in one step only the last one counts for the proof",
        (Change(VERIFYING, "groupby(reads, lambda read:", "groupby(reads[-1:], lambda read:"),),
        Tests(("tests/scenarios/test_reading_often.py",)),
    ),
    Mutation(
        "a-device-is-everybodys",
        4,
        "two controllers talk to one device at once",
        (Change(TURNS, "where=and_(_FREE, case(", "where=and_(_FREE.is_not(None), case("),),
        Tests(("tests/integration/db/test_turns.py",)),
    ),
    Mutation(
        "missing-is-off",
        3,
        "an agent may be told that what it can't find is off",
        (Change(AGENTS, 'if plain == "missing_as_off":', 'if plain == "":'),),
        Tests(("tests/unit/domain/test_fence_agents.py",)),
    ),
    Mutation(
        "agents-that-show-the-password",
        7,
        "an agent that runs snmpget or ipmitool with the password is taken",
        (Change(AGENTS, "return not _OF_PROGRAMS_WITH_PASSWORDS.isdisjoint(self.parameters)", "return False"),),
        Tests(("tests/unit/domain/test_fence_agents.py", "tests/unit/services/test_exec_settings.py")),
    ),
    Mutation(
        "half-a-password",
        7,
        "where an output was cut off, a part of the password is shown",
        (Change(EXEC_RUN, "self._kept[:-RAGGED_END] if self.cut else self._kept", "self._kept"),),
        Tests(("tests/integration/test_exec_runs.py",)),
    ),
)
