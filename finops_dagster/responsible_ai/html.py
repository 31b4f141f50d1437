"""Renders the pages in `templates`: one style, no scripts, no outside links, all escaped.

What a page says is told where its words are made.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jinja2 import Environment


def write_page(path: Path, template: str, **values: Any) -> Path:
    """Render the named file of `templates` and write it; returns `path`.

    Every value is escaped; a value the template names and is not given raises.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(_environment().get_template(template).render(**values), encoding="utf-8")
    return path


@cache
def _environment() -> Environment:
    """One for all pages: a template is compiled once, however many systems are shown by it."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    return Environment(
        autoescape=True,
        undefined=StrictUndefined,
        loader=PackageLoader("finops_dagster.responsible_ai"),
    )
