"""Renders the pages in `templates`: one style, no scripts, no outside links, all escaped.

What a page says is told where its words are made.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any


def write_page(path: Path, template: str, **values: Any) -> Path:
    """Render the named file of `templates` and write it; returns `path`.

    Every value is escaped; a value the template names and is not given raises.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        loader=PackageLoader("finops_dagster.responsible_ai"),
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(environment.get_template(template).render(**values), encoding="utf-8")
    return path
