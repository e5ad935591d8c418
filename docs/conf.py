"""Sphinx: `make docs` builds these pages. A warning is an error, so a link to nothing is one too."""

from importlib.metadata import version as version_of
from typing import Any

from pygments.lexers.special import TextLexer
from sphinx.application import Sphinx

project = "hostfence"
author = "the hostfence authors"
project_copyright = "Apache-2.0"
release = version = version_of("hostfence")

extensions = ["myst_parser"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["_build"]
# Links like runbook.md#storm are checked against the headings down to this depth.
myst_heading_anchors = 4

html_theme = "furo"
html_title = f"hostfence {release}"
# Nothing is fetched from elsewhere: the pages are read on machines without a way out, too.
html_show_sphinx = False
html_copy_source = False


def setup(app: Sphinx) -> dict[str, Any]:
    """Diagrams are shown as their text: what draws them would have to be fetched, and a table says the same."""
    app.add_lexer("mermaid", TextLexer)
    return {"parallel_read_safe": True}
