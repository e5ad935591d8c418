"""The administrator's commands of ``hostfence-controller``, as words on a command line."""

import argparse
from typing import Any

from controller.admin import backup, keys, schema


def add_to(commands: Any) -> None:
    """Add ``db`` and ``key`` to the parser's commands."""
    db = commands.add_parser("db", help="the database").add_subparsers(required=True, metavar="ACTION")
    upgrade = db.add_parser("upgrade", help="bring the database to this version's schema")
    upgrade.add_argument("--plan", action="store_true", help="say what would be applied, and change nothing")
    upgrade.add_argument("--backup", metavar="FILE", help="make a backup before anything is applied")
    _even_so(upgrade)
    _programs(upgrade)
    upgrade.set_defaults(run=schema.upgrade)
    db.add_parser("check", help="say whether the database has this version's schema").set_defaults(run=schema.check)
    write = db.add_parser("backup", help="write the whole database into a file; the encryption key is not in it")
    write.add_argument("file", metavar="FILE", help="a new one")
    _programs(write)
    write.set_defaults(run=backup.backup)
    restore = db.add_parser("restore", help="put a backup back; everything open is held then")
    restore.add_argument("file", metavar="FILE")
    restore.add_argument("--replace", action="store_true", help="lose what is in the database now")
    _even_so(restore)
    _programs(restore)
    restore.set_defaults(run=backup.restore)
    key = commands.add_parser("key", help="the encryption key").add_subparsers(required=True, metavar="ACTION")
    key.add_parser("new", help="print a new key").set_defaults(run=keys.new, needs_config=False)
    key.add_parser("check", help="say which keys open what is stored").set_defaults(run=keys.check)
    key.add_parser("rotate", help="seal everything with the newest key").set_defaults(run=keys.rotate)


def _even_so(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--even-so", action="store_true", help="although controllers seem to be connected")


def _programs(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--programs", metavar="FOLDER", help="where pg_dump, pg_restore and psql lie")
