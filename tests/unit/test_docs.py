"""What the documentation names exists: commands, variables, files, headings (`make docs` checks links within docs/)."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.main import get_command

from controller.__main__ import _parser
from controller.cli.main import app
from controller.config import _SECRET, FROM_FILE, Config
from probe_agent.__main__ import _parser as agent_parser
from probe_agent.config import _PARSERS as AGENT_SETTINGS

HOUSE = Path(__file__).parents[2]
PAGES = sorted((HOUSE / "docs").rglob("*.md"))
OUTSIDE = [HOUSE / name for name in ("README.md", "CHANGELOG.md", "deploy/README.md")]
"""Read on their own, so that Sphinx does not check their links."""
ALL = [*PAGES, *OUTSIDE]
OF_THE_CLI = {"HOSTFENCE_URL", "HOSTFENCE_TOKEN", "HOSTFENCE_TOKEN_FILE", "HOSTFENCE_CA_FILE"}
OF_COMPOSE = set(re.findall(r"\$\{(\w+)", (HOUSE / "docker-compose.yml").read_text()))


def named(path: Path) -> str:
    return str(path.relative_to(HOUSE))


def code(path: Path) -> Iterator[str]:
    """Whatever stands as code: blocks by line, and spans."""
    text = path.read_text()
    for block in re.findall(r"^```[a-z]*\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        yield from block.splitlines()
    yield from re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL))


def commands(path: Path, program: str) -> Iterator[list[str]]:
    """The words after the program's name: subcommands, as far as they are lower-case words."""
    for line in code(path):
        for rest in re.findall(rf"(?:^|[ /;&|(]){program} ((?:[a-z][a-z-]*(?: |$|;))*)", line + " "):
            words = rest.replace(";", " ").split()
            if words:
                yield words


@pytest.mark.parametrize("path", ALL, ids=named)
def test_every_command_of_hostfence_exists(path: Path) -> None:
    for words in commands(path, "hostfence"):
        where = get_command(app)
        for word in words:
            below = getattr(where, "commands", None)
            if below is None:
                break
            assert word in below, f"hostfence {' '.join(words)}"
            where = below[word]


@pytest.mark.parametrize("path", ALL, ids=named)
def test_every_command_of_the_two_services_exists(path: Path) -> None:
    for program, parser in (("hostfence-controller", _parser()), ("hostfence-agent", agent_parser())):
        for words in commands(path, program):
            where = parser
            for word in words:
                below = next((a.choices for a in where._actions if isinstance(a.choices, dict)), None)
                if below is None or word.startswith("hostfence"):  # names of units and images stand in rows
                    break
                assert word in below, f"{program} {' '.join(words)}"
                where = below[word]


@pytest.mark.parametrize("path", ALL, ids=named)
def test_every_variable_is_one_that_is_read(path: Path) -> None:
    known = {f"HOSTFENCE_{name.upper()}" for name in Config.model_fields} | OF_THE_CLI | OF_COMPOSE
    known |= {f"HOSTFENCE_{name.upper()}{FROM_FILE}" for name in _SECRET}
    known |= {f"HOSTFENCE_AGENT_{name}" for name in AGENT_SETTINGS} | {"HOSTFENCE_AGENT_NAME", "HOSTFENCE_MIB"}
    for name in set(re.findall(r"\bHOSTFENCE_[A-Z][A-Z_]*[A-Z]\b(?![_*…])", path.read_text())):
        assert name in known or name.startswith(("HOSTFENCE_TEST_", "HOSTFENCE_DEMO_")), name


@pytest.mark.parametrize("path", OUTSIDE, ids=named)
def test_links_outside_of_the_built_pages_lead_somewhere(path: Path) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", path.read_text()):
        if link.startswith(("http://", "https://")):
            continue
        place, _, heading = link.partition("#")
        target = (path.parent / place).resolve() if place else path
        assert target.exists(), link
        if heading:
            assert heading in headings(target), link


def headings(path: Path) -> set[str]:
    """As anchors: the way GitHub and MyST make them."""
    found = re.findall(r"^#+ (.+)$", path.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", one.lower()).strip().replace(" ", "-") for one in found}


def test_the_runbook_has_all_three_for_every_reason() -> None:
    sections = (HOUSE / "docs/runbook.md").read_text().split("\n## ")[1:]
    assert len(sections) > 60
    for section in sections:
        title, _, body = section.partition("\n")
        means, look, do = re.split(r"\*\*(?:Where to look|What to do):\*\* ", body)
        assert all(text.strip() for text in (means, look, do)), title
