"""The migrations as files: one line from the first to the last, whoever adds one beside somebody else's."""

from alembic.script import ScriptDirectory

from controller.db import migrate


def test_they_are_one_line() -> None:
    scripts = ScriptDirectory.from_config(migrate._config())
    assert len(scripts.get_heads()) == 1, "two migrations after the same one: point the newer one to the other"
    assert len(scripts.get_bases()) == 1
