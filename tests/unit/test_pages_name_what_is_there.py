"""Pages that claim something by naming code or a test: what they name is there."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
NAMED = re.compile(r"`((?:controller|probe_agent|shared|tests|docs|deploy|scripts)/[\w./-]+?)((?:::\w+)*)`")


def named() -> Iterator[tuple[str, str, str]]:
    for page in ("docs/security.md", "docs/monitoring.md"):
        for path, inside in NAMED.findall((REPOSITORY / page).read_text(encoding="utf-8")):
            yield page, path, inside


@pytest.mark.parametrize(("page", "path", "inside"), sorted(set(named())))
def test_what_a_page_names_is_there(page: str, path: str, inside: str) -> None:
    found = REPOSITORY / path
    assert found.exists(), f"{page} names {path}"
    for name in filter(None, inside.split("::")):
        assert re.search(rf"^\s*(?:async )?(?:def|class) {name}\b", found.read_text(), re.MULTILINE), f"{page}: {name}"


def test_the_page_on_security_shows_what_it_claims() -> None:
    pages = [page for page, path, _ in named() if path.startswith("tests/")]
    assert pages.count("docs/security.md") > 25
