"""What every test may use; each fixture lives with its counterpart in `tests/fixtures`."""

pytest_plugins = ["tests.fixtures.counterparts", "tests.fixtures.postgres"]
