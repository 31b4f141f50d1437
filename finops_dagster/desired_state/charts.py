"""Helm charts that lie in the repository: their folders, their values files and their defaults.

What installs them is not known here, and templates are read in templates.py.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping
from dataclasses import dataclass

from finops_dagster.desired_state.kustomize import Renderer
from finops_dagster.desired_state.nodes import Node, blocked, mapping, sequence, text_of
from finops_dagster.desired_state.values import Layer, merged

CHART_FILE = "Chart.yaml"

_VALUES_FILE = re.compile(
    r"(?:values(?:[-_.](?P<after>.+))?|(?P<before>.+)[-_.]values)\.(?:ya?ml|json)\Z", re.IGNORECASE
)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*\Z")

SECOND_DOCUMENT = "Helm reads only the first document of a values file"


@dataclass(frozen=True)
class Chart:
    """One folder with a Chart.yaml."""

    folder: str
    name: str
    version: str
    app_version: str
    aliases: Mapping[str, str]
    """Name of a dependency -> the key its values have in this chart's."""
    dependencies: bool

    @property
    def file(self) -> str:
        return posixpath.join(self.folder, CHART_FILE)


class Charts:
    """The charts of one set of files; the innermost one owns a file."""

    def __init__(self, names: tuple[str, ...], renderer: Renderer) -> None:
        self._renderer = renderer
        self.folders = frozenset(
            posixpath.dirname(name) for name in names if posixpath.basename(name) == CHART_FILE
        )
        self._files: dict[str, list[str]] = {folder: [] for folder in self.folders}
        for name in names if self.folders else ():
            owner = self.owner(name)
            if owner is not None:
                self._files[owner].append(name)

    def owner(self, file: str) -> str | None:
        """Folder of the innermost chart that `file` lies in."""
        folder = posixpath.dirname(file)
        while True:
            if folder in self.folders:
                return folder
            if not folder:
                return None
            folder = posixpath.dirname(folder)

    def chart(self, folder: str) -> Chart:
        """What the Chart.yaml in `folder` says."""
        content = self._content(posixpath.join(folder, CHART_FILE))
        name = text_of(content.get("name")) or ""
        dependencies = [mapping(item) for item in sequence(content.get("dependencies"))]
        return Chart(
            folder=folder,
            name=name if _NAME.match(name) else posixpath.basename(folder) or "chart",
            version=text_of(content.get("version")) or "",
            app_version=text_of(content.get("appVersion")) or "",
            aliases={
                name: text_of(item.get("alias")) or name
                for item in dependencies
                if (name := text_of(item.get("name")) or "")
            },
            dependencies=bool(dependencies) or bool(self._nested(folder)),
        )

    def templates(self, folder: str) -> tuple[str, ...]:
        """Files of the chart's templates folder."""
        below = posixpath.join(folder, "templates") + "/"
        return tuple(name for name in self._files[folder] if name.startswith(below))

    def values_files(self, folder: str) -> dict[str, str]:
        """File -> environment (empty for values.yaml) of the chart's values files."""
        found: dict[str, str] = {}
        for name in self._files[folder]:
            inside = posixpath.relpath(name, folder or ".")
            match = _VALUES_FILE.match(posixpath.basename(inside))
            if inside.startswith(("templates/", "ci/")) or name not in self._renderer.files:
                continue
            if match is not None:
                parent = posixpath.basename(posixpath.dirname(inside))
                found[name] = match["after"] or match["before"] or parent
            elif posixpath.dirname(inside) == "values":
                found[name] = posixpath.splitext(posixpath.basename(inside))[0]
        return found

    def layer(self, file: str) -> Layer:
        """A values file of the repository as a layer."""
        if file not in self._renderer.files:
            return Layer(None, f"values file {file} is not in this repository, and may override it")
        parsed = self._renderer.parse(file)
        if parsed.error:
            return Layer(None, f"values file {file} may override it, and is {parsed.error}")
        tree: Node = parsed.documents[0] if parsed.documents else {}
        if not isinstance(tree, dict):
            return Layer(None)
        if "sops" in tree:
            tree = blocked(tree, "its file is encrypted by SOPS")
        return Layer(tree)

    def default_layers(self, folder: str) -> tuple[Layer, ...]:
        """What a chart sets by itself: the defaults of charts within it, then its values.yaml."""
        chart = self.chart(folder)
        layers: list[Layer] = []
        for below in self._nested(folder):
            name = self.chart(below).name
            key = chart.aliases.get(name, name)
            layers.append(Layer({key: merged(self.default_layers(below))}))
        own = posixpath.join(folder, "values.yaml")
        return (*layers, self.layer(own)) if own in self._renderer.files else tuple(layers)

    def default_files(self, folder: str) -> frozenset[str]:
        """The files that `default_layers` reads."""
        own = posixpath.join(folder, "values.yaml")
        found = frozenset({own} if own in self._renderer.files else ())
        return found.union(*(self.default_files(below) for below in self._nested(folder)))

    def _nested(self, folder: str) -> list[str]:
        parent = posixpath.join(folder, "charts")
        return sorted(one for one in self.folders if posixpath.dirname(one) == parent)

    def _content(self, file: str) -> dict[str, Node]:
        if file not in self._renderer.files:
            return {}
        documents = self._renderer.parse(file).documents
        return mapping(documents[0]) if documents else {}
