"""YAML without its traps: only true and false are booleans (``action: off`` is a word), and no name stands twice."""

import re
import sys
from pathlib import Path
from typing import Any

import yaml

from controller.cli.errors import CliError, Exit

_BOOL = "tag:yaml.org,2002:bool"
_TIME = "tag:yaml.org,2002:timestamp"


class _Loader(yaml.SafeLoader):
    yaml_implicit_resolvers = {  # noqa: RUF012 - PyYAML's own way to say it
        first: [(tag, pattern) for tag, pattern in several if tag not in (_BOOL, _TIME)]
        for first, several in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


def _mapping(loader: _Loader, node: yaml.MappingNode) -> dict[Any, Any]:
    names = [loader.construct_object(key) for key, _ in node.value]
    for name in names:
        if not isinstance(name, str) or names.count(name) > 1:
            raise yaml.constructor.ConstructorError(
                None, None, f"{name!r} stands twice, or is no name", node.start_mark
            )
    return loader.construct_mapping(node, deep=True)


def _plain_bool(loader: _Loader, node: yaml.ScalarNode) -> bool:
    return loader.construct_scalar(node) == "true"


_Loader.add_constructor("tag:yaml.org,2002:map", _mapping)
_Loader.add_constructor(_BOOL, _plain_bool)
_Loader.add_implicit_resolver(_BOOL, re.compile("^(?:true|false)$"), list("tf"))


def read_yaml(path: Path) -> Any:
    """What a file holds; raises :class:`CliError` naming the place of a mistake. ``-``: standard input."""
    try:
        text = sys.stdin.read() if str(path) == "-" else path.read_text()
        return yaml.load(text, Loader=_Loader)  # noqa: S506 - a subclass of the safe one
    except yaml.YAMLError as error:
        raise CliError(f"{path} is no YAML that can be used: {error}", code=Exit.USAGE) from error
    except (OSError, UnicodeDecodeError) as error:
        raise CliError(f"{path} cannot be read: {error}", code=Exit.USAGE) from error


def write_yaml(document: Any) -> str:
    """As text; what :func:`read_yaml` reads is the same again (the writer quotes words like off)."""
    return yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=100)
