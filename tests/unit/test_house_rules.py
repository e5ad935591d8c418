"""Rules of the house that no linter knows: where reasons are made, and what the decision core may touch."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from controller.domain.evidence import Verdict
from controller.domain.reasons import Reason

HOUSE = Path(__file__).parents[2]
DOMAIN = HOUSE / "controller" / "domain"
CORE = sorted(DOMAIN.glob("*.py"))
ELSEWHERE = sorted(
    path
    for room in ("controller", "probe_agent", "shared")
    for path in (HOUSE / room).rglob("*.py")
    if DOMAIN not in path.parents
)

PURE = {
    "collections",
    "collections.abc",
    "dataclasses",
    "datetime",
    "enum",
    "functools",
    "ipaddress",
    "itertools",
    "json",
    "math",
    "pathlib.PurePath",
    "re",
    "shlex",
    "typing",
    "uuid",
    "xml.etree.ElementTree",
}
"""What the core may use of Python. Nothing in it reads a clock by itself, waits, or talks to anything."""

FROM_OUTSIDE = {"shared.enums"}
"""The words that both programs use: all that the core may know of other packages."""

CLOCKS = {"now", "utcnow", "today", "time", "monotonic", "boottime", "perf_counter"}


def named(path: Path) -> str:
    return str(path.relative_to(HOUSE))


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def imported(path: Path) -> Iterator[str]:
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            # Of pathlib the core may have the half that never looks at a disk.
            yield from [f"pathlib.{a.name}" for a in node.names] if node.module == "pathlib" else [node.module or ""]


@pytest.mark.parametrize("path", CORE, ids=named)
def test_the_core_imports_only_what_is_pure(path: Path) -> None:
    foreign = {name for name in imported(path) if not name.startswith("controller.domain.")}
    assert foreign <= PURE | FROM_OUTSIDE


@pytest.mark.parametrize("path", CORE, ids=named)
def test_the_core_reads_no_clock_and_waits_for_nothing(path: Path) -> None:
    for node in ast.walk(tree(path)):
        assert not isinstance(node, ast.AsyncFunctionDef | ast.Await | ast.AsyncWith | ast.AsyncFor)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and not node.args:
            on_a_class = isinstance(node.func.value, ast.Name) and node.func.value.id in {"datetime", "date", "time"}
            assert not (on_a_class and node.func.attr in CLOCKS), f"{named(path)}:{node.lineno}"


@pytest.mark.parametrize("path", CORE, ids=named)
def test_the_core_opens_nothing_prints_nothing_and_rolls_no_dice(path: Path) -> None:
    calls = [n.func for n in ast.walk(tree(path)) if isinstance(n, ast.Call)]
    called = {c.id for c in calls if isinstance(c, ast.Name)} | {c.attr for c in calls if isinstance(c, ast.Attribute)}
    assert not called & {"open", "print", "input", "eval", "exec", "__import__", "uuid1", "uuid4"}


def makes_one_of(path: Path, names: set[str]) -> Iterator[int]:
    """Lines that make a member out of a text: ``Reason(...)``, ``Reason[...]``."""
    for node in ast.walk(tree(path)):
        made = node.func if isinstance(node, ast.Call) else node.value if isinstance(node, ast.Subscript) else None
        last = made.attr if isinstance(made, ast.Attribute) else made.id if isinstance(made, ast.Name) else ""
        if last in names and isinstance(node, ast.Call | ast.Subscript):
            yield node.lineno


@pytest.mark.parametrize("path", ELSEWHERE, ids=named)
def test_reasons_and_verdicts_are_made_in_the_core_and_nowhere_else(path: Path) -> None:
    assert list(makes_one_of(path, {"Reason", "Verdict"})) == []


@pytest.mark.parametrize("path", ELSEWHERE, ids=named)
def test_no_other_package_has_reasons_of_its_own(path: Path) -> None:
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.ClassDef):
            bases = {base.id if isinstance(base, ast.Name) else getattr(base, "attr", "") for base in node.bases}
            assert not bases & {"Reason", "Verdict"}
            if "StrEnum" in bases:
                assert not node.name.endswith(("Reason", "Refusal", "Verdict", "Hold")), node.name


REASONS_IN = {"reasons", "why", "refused", "sticky", "told"}
"""Names of arguments that carry reasons."""


@pytest.mark.parametrize("path", ELSEWHERE, ids=named)
def test_no_other_package_gives_a_bare_text_for_a_reason(path: Path) -> None:
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.keyword) and node.arg in REASONS_IN and isinstance(node.value, ast.Tuple | ast.List):
            texts = [e.value for e in node.value.elts if isinstance(e, ast.Constant) and isinstance(e.value, str)]
            assert not texts, f"{named(path)}:{node.value.lineno}: {texts}"


def test_a_verdict_is_never_also_a_reason() -> None:
    assert not {v.value for v in Verdict} & {r.value for r in Reason}
