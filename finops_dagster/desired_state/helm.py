"""Helm in the index: releases shown with their effective values, and what plain charts make.

Charts nothing installs are shown as resources of their own, `Chart/FOLDER/NAME[@ENVIRONMENT]`,
with `:` for `/` in the folder. No template is edited, and none is rendered whose result is not
certain (templates.py).
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from finops_dagster.desired_state.charts import SECOND_DOCUMENT, Chart, Charts
from finops_dagster.desired_state.kustomize import Renderer
from finops_dagster.desired_state.nodes import Node, Scalar, mapping, sequence, text_of
from finops_dagster.desired_state.releases import ConfigMaps, Path, Release, releases_of
from finops_dagster.desired_state.selection import Resource
from finops_dagster.desired_state.templates import (
    MADE,
    NotPlainError,
    Scope,
    render_template,
    why_not_plain,
)
from finops_dagster.desired_state.values import Layer, merged

_TEMPLATED = re.compile(r"\{\{.*?\}\}")


_INLINE = re.compile(r"(?:spec\.source\.helm\.valuesObject|(?:spec\.)?values)(?=[.\[])")


def as_value(field: str) -> str:
    """The path at which a release's value is shown, from where a person may look for it."""
    return _INLINE.sub("spec.values", field, count=1) if _INLINE.match(field) else field


@dataclass(frozen=True)
class Installed:
    """One release as the index shows it."""

    resource: Resource
    """With the effective values in place of those it sets itself."""
    made: tuple[tuple[str, Resource], ...]
    """(namespace, object) that its charts make, where that is certain."""
    holders: frozenset[str]
    """Resources that hold some of its values as text."""


class Helm:
    """Releases and charts of one set of files. `install` is asked of every resource first."""

    def __init__(self, names: tuple[str, ...], renderer: Renderer) -> None:
        self._files = renderer.files
        self._renderer = renderer
        self.charts = Charts(names, renderer)
        self.own = frozenset(self._owned())
        """Files that only Helm reads: they are no manifests."""
        self.used: set[str] = set()
        """Files that went into what is shown."""
        self._installed: set[str] = set()
        self._not_rendered: dict[str, str] = {}
        self._plain: dict[str, str] = {}

    def _owned(self) -> Iterator[str]:
        for folder in self.charts.folders:
            yield self.charts.chart(folder).file
            yield from self.charts.templates(folder)
            yield from self.charts.values_files(folder)

    def install(self, resource: Resource, config_maps: ConfigMaps) -> Installed | None:
        """`resource` as a release; None where it is none."""
        releases = releases_of(resource, self.charts, self._files, config_maps)
        if not releases:
            return None
        tree = resource.tree
        made: list[tuple[str, Resource]] = []
        for release in releases:
            self.used |= release.used
            for path in release.moved:
                tree = _without(tree, path)
            if release.values:
                tree = _with(tree, release.place, release.values)
            if release.chart is not None:
                self._installed.add(release.chart)
                self.used.add(self.charts.chart(release.chart).file)
                made.extend((release.namespace, one) for one in self._make(release))
        holders = frozenset[str]().union(*(release.holders for release in releases))
        return Installed(resource.with_tree(tree), tuple(made), holders)

    def charts_alone(self, application_sets: Iterable[Node]) -> Iterator[Resource]:
        """Charts that nothing here installs, once with their defaults and once for each
        environment that has a values file.
        """
        patterns = list(_application_set_paths(application_sets))
        for folder in sorted(self.charts.folders - self._installed):
            if posixpath.basename(posixpath.dirname(folder)) == "charts" and (
                self.charts.owner(posixpath.dirname(folder) + "/x") is not None
            ):
                continue  # a chart within a chart: its values are among those of the outer one
            chart = self.charts.chart(folder)
            environments = self.charts.values_files(folder)
            defaults = self.charts.default_layers(folder)
            reasons = [
                f"{name} may set it for what it installs: its template is not followed"
                for name, pattern in patterns
                if pattern.fullmatch(folder)
            ]
            shown = {file: env for file, env in environments.items() if file not in self.used}
            for file, environment in sorted(shown.items()):
                own = file in self.charts.default_files(folder)
                layers = defaults if own else (*defaults, self.charts.layer(file))
                values: Node = merged([*layers, *(Layer(None, reason) for reason in reasons)])
                yield _alone(chart, "" if own else environment, file, mapping(values))
                self.used.add(file)
            self.used.add(chart.file)

    def refused(self) -> Iterator[tuple[str, int, str]]:
        """(file, document, reason) of values files and templates that are not shown."""
        for folder in self.charts.folders:
            for file in self.charts.templates(folder):
                if file not in self.used and file in self._files:
                    yield file, 0, self._why_not_rendered(folder, file)
            for file in self.charts.values_files(folder):
                if file not in self.used and not self._renderer.parse(file).error:
                    yield file, 0, "Helm values that no release in this repository uses"
        for file in sorted(self.used & self._files.keys()):
            for number in range(1, len(self._renderer.parse(file).documents)):
                if file not in self._templates():
                    yield file, number, SECOND_DOCUMENT

    def _templates(self) -> set[str]:
        return {file for folder in self.charts.folders for file in self.charts.templates(folder)}

    def _why_not_rendered(self, folder: str, file: str) -> str:
        own = self._why_not_plain(file)
        if own:
            return f"a Helm template, which is not rendered: {own}"
        if folder not in self._installed:
            return "a Helm template: nothing in this repository installs its chart"
        return f"a Helm template, which is not rendered: {self._not_rendered.get(folder, '')}"

    def _why_not_plain(self, file: str) -> str:
        if file not in self._plain:
            self._plain[file] = why_not_plain(self._files[file], file)
        return self._plain[file]

    def _make(self, release: Release) -> list[Resource]:
        """What the release's chart makes; empty where not every template is plain."""
        folder = release.chart or ""
        made: list[Resource] = []
        try:
            chart = self._plain_chart(release)
            scope = Scope(
                release.values,
                {"Name": release.name, "Namespace": release.namespace, "Service": "Helm"},
                {"Name": chart.name, "Version": chart.version, "AppVersion": chart.app_version},
            )
            rendered = list(self._rendered_templates(folder))
            for file in rendered:
                for number, tree in enumerate(render_template(self._files[file], file, scope)):
                    if mapping(tree):
                        made.append(Resource(_named_for_good(tree, file), file, number))
        except NotPlainError as error:
            self._not_rendered[folder] = str(error)
            return []
        self.used.update(rendered)
        return made

    def _plain_chart(self, release: Release) -> Chart:
        chart = self.charts.chart(release.chart or "")
        if not release.certain:
            raise NotPlainError("what its chart makes is changed after it is made")
        if chart.dependencies:
            raise NotPlainError("its chart has dependencies")
        return chart

    def _rendered_templates(self, folder: str) -> Iterator[str]:
        """Templates that make objects. Raises NotPlainError where one is not understood."""
        for file in self.charts.templates(folder):
            base = posixpath.basename(file)
            inside = posixpath.relpath(file, posixpath.join(folder, "templates"))
            if base.startswith("_") or base == "NOTES.txt" or inside.startswith("tests/"):
                continue
            why = self._why_not_plain(file) if file in self._files else "it is not read"
            if why:
                raise NotPlainError(f"{file}: {why}")
            yield file


def _named_for_good(tree: Node, file: str) -> Node:
    """`tree`. Raises NotPlainError where its name is put together from values: changing one of
    them would replace the object.
    """
    metadata = mapping(mapping(tree).get("metadata"))
    for key in ("name", "namespace"):
        named = metadata.get(key)
        if isinstance(named, Scalar) and named.reason == MADE:
            raise NotPlainError(f"{file}: it makes metadata.{key} of several values")
    return tree


def _alone(chart: Chart, environment: str, file: str, values: dict[str, Node]) -> Resource:
    def said(text: str) -> Scalar:
        return Scalar(text, "str", chart.file, 0, 0, 0, "it names the chart")

    name = f"{chart.name}@{environment}" if environment else chart.name
    tree: Node = {
        "kind": said("Chart"),
        "metadata": {"name": said(name), "namespace": said(chart.folder.replace("/", ":"))},
        "spec": {"values": values},
    }
    return Resource(tree, file, 0)


def _application_set_paths(found: Iterable[Node]) -> Iterator[tuple[str, re.Pattern[str]]]:
    """(name, pattern of chart folders) of the ApplicationSets whose template sets values."""
    for tree in found:
        name = text_of(mapping(mapping(tree).get("metadata")).get("name"))
        template = mapping(mapping(mapping(tree).get("spec")).get("template"))
        spec = mapping(template.get("spec"))
        for source in (spec.get("source"), *sequence(spec.get("sources"))):
            path = text_of(mapping(source).get("path"))
            if path is not None and "helm" in mapping(source):
                parts = [re.escape(part) for part in _TEMPLATED.split(path.strip("/"))]
                yield f"ApplicationSet {name}", re.compile(".*".join(parts))


def _with(node: Node, path: Path, value: Node) -> Node:
    if not path:
        return value
    step, rest = path[0], path[1:]
    if isinstance(step, int):
        items = sequence(node)
        return [_with(one, rest, value) if i == step else one for i, one in enumerate(items)]
    content = mapping(node)
    return {**content, step: _with(content.get(step, {}), rest, value)}


def _without(node: Node, path: Path) -> Node:
    step, rest = path[0], path[1:]
    if isinstance(step, int) and isinstance(node, list):
        return [_without(one, rest) if i == step else one for i, one in enumerate(node)]
    if isinstance(node, dict) and step in node:
        if rest:
            return {**node, str(step): _without(node[str(step)], rest)}
        return {key: value for key, value in node.items() if key != step}
    return node
