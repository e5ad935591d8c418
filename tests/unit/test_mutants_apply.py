"""The mutants still mean something: each applies to the code as it is, and no rule has too few."""

import shutil
from collections import Counter
from pathlib import Path

import pytest

from tests.mutants.catalogue import LEAST, MUTATIONS, RULES
from tests.mutants.find import ROOT
from tests.mutants.mutation import Change, DoesNotApplyError, Mutation, Tests, apply


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda m: m.name)
def test_every_mutation_applies(mutation: Mutation, tmp_path: Path) -> None:
    for change in mutation.changes:
        (tmp_path / change.file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / change.file, tmp_path / change.file)
    apply(mutation, tmp_path)
    for change in mutation.changes:
        assert (tmp_path / change.file).read_text() != (ROOT / change.file).read_text()


def test_every_rule_has_enough_of_them() -> None:
    count = Counter(m.rule for m in MUTATIONS)
    assert set(count) == set(RULES)
    assert min(count.values()) >= LEAST


def test_names_are_unique_and_the_selected_tests_exist() -> None:
    assert len({m.name for m in MUTATIONS}) == len(MUTATIONS)
    named = {test for m in MUTATIONS if isinstance(m.finder, Tests) for test in m.finder.selection}
    assert all((ROOT / test.partition("::")[0]).is_file() for test in named)


@pytest.mark.parametrize("text", ["x = 2\n", "x = 1\nx = 1\n"])
def test_what_is_not_there_exactly_once_is_said(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.py").write_text(text)
    mutation = Mutation("m", 1, "nothing", (Change("a.py", "x = 1", "x = 3"),))
    with pytest.raises(DoesNotApplyError, match="must stand once"):
        apply(mutation, tmp_path)
    assert (tmp_path / "a.py").read_text() == text
