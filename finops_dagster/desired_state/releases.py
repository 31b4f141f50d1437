"""What Flux, Argo CD and Kustomize install by Helm: which chart, under which values, in what order.

Charts and their files are known in charts.py; how layers are merged, in values.py.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from finops_dagster.desired_state.charts import Charts
from finops_dagster.desired_state.kinds import group_of
from finops_dagster.desired_state.nodes import (
    Node,
    Scalar,
    UnreadableError,
    mapping,
    parse_embedded,
    sequence,
    text_of,
)
from finops_dagster.desired_state.selection import Resource
from finops_dagster.desired_state.values import Layer, Parameter, merged, with_parameter

ConfigMaps = Callable[[str, str], Node | None]
"""(namespace, name) -> the ConfigMap as declared beside the release, if it is."""

Path = tuple[str | int, ...]


@dataclass(frozen=True)
class Release:
    """One chart that one resource installs."""

    values: dict[str, Node]
    """The effective ones, as far as the repository tells."""
    place: Path
    """Where in the resource the effective values are shown."""
    moved: tuple[Path, ...]
    """Where the resource itself sets some: shown at `place` instead."""
    used: frozenset[str]
    """Files that went into the values."""
    holders: frozenset[str]
    """ConfigMaps that hold some of the values, as the index names them."""
    chart: str | None
    """Folder of the chart, where it is in the repository."""
    name: str
    namespace: str
    certain: bool
    """Whether what the chart makes reaches the cluster unchanged."""


def releases_of(
    resource: Resource, charts: Charts, files: Mapping[str, bytes], config_maps: ConfigMaps
) -> list[Release]:
    """The charts that `resource` installs; none where it is no release."""
    kind, group = resource.identity[0], group_of(resource.tree)
    if kind == "HelmRelease" and group == "helm.toolkit.fluxcd.io":
        return [_flux(resource, charts, files, config_maps)]
    if kind == "Application" and group == "argoproj.io":
        return list(_argo(resource, charts, files))
    return []


def _flux(
    resource: Resource, charts: Charts, files: Mapping[str, bytes], config_maps: ConfigMaps
) -> Release:
    """Chart's values < valuesFiles < valuesFrom in order < values (fluxcd.io, HelmRelease)."""
    _, namespace, name = resource.identity
    spec = mapping(mapping(resource.tree).get("spec"))
    chart_spec = mapping(mapping(spec.get("chart")).get("spec"))
    source = text_of(mapping(chart_spec.get("sourceRef")).get("kind"))
    folder = _folder("", text_of(chart_spec.get("chart")) or ".")
    local = source in ("GitRepository", "Bucket") and folder in charts.folders
    layers: list[Layer] = []
    used: set[str] = set()
    listed = [text_of(item) or "" for item in sequence(chart_spec.get("valuesFiles"))]
    if local and listed:
        paths = [_folder("", one) for one in listed]
        layers += [charts.layer(path) for path in paths]
        used |= {path for path in paths if path in files}
    elif local:
        layers += charts.default_layers(folder)
        used |= charts.default_files(folder)
    values = merged(layers)
    holders: set[str] = set()
    for item in sequence(spec.get("valuesFrom")):
        reference = mapping(item)
        held = _referred(reference, namespace, config_maps)
        values = _with_reference(values, reference, held, charts, files)
        if held is not None:
            holders.add(f"ConfigMap/{namespace}/{text_of(reference.get('name'))}")
            used |= {held.file} if _is_whole_file(held, files) else set()
    target = text_of(spec.get("targetNamespace"))
    return Release(
        values=merged([Layer(values), Layer(mapping(spec.get("values")))]),
        place=("spec", "values"),
        moved=(),
        used=frozenset(used),
        holders=frozenset(holders),
        chart=folder if local else None,
        name=text_of(spec.get("releaseName")) or (f"{target}-{name}" if target else name),
        namespace=target or namespace,
        certain=not (sequence(spec.get("postRenderers")) or text_of(spec.get("suspend")) == "true"),
    )


def _referred(reference: dict[str, Node], namespace: str, config_maps: ConfigMaps) -> Scalar | None:
    """What one entry of valuesFrom refers to; None where it is not declared beside the release."""
    if text_of(reference.get("kind")) != "ConfigMap":
        return None
    key = text_of(reference.get("valuesKey")) or "values.yaml"
    found = config_maps(namespace, text_of(reference.get("name")) or "")
    held = mapping(mapping(found).get("data")).get(key)
    return held if isinstance(held, Scalar) else None


def _with_reference(
    values: dict[str, Node],
    reference: dict[str, Node],
    held: Scalar | None,
    charts: Charts,
    files: Mapping[str, bytes],
) -> dict[str, Node]:
    """`values` below one entry of valuesFrom."""
    if held is None:
        kind, name = text_of(reference.get("kind")), text_of(reference.get("name"))
        why = f"valuesFrom {kind} {name} is not declared beside it, and may override it"
        return merged([Layer(values), Layer(None, why)])
    target = text_of(reference.get("targetPath"))
    if target is not None:
        literal = text_of(reference.get("literal")) == "true"
        return with_parameter(values, Parameter(target, held, as_text=literal))
    if _is_whole_file(held, files):
        return merged([Layer(values), charts.layer(held.file)])
    return merged([Layer(values), _held(held, files)])


def _is_whole_file(held: Scalar, files: Mapping[str, bytes]) -> bool:
    return not held.text and 0 < held.end == len(files.get(held.file, b""))


def _held(held: Scalar, files: Mapping[str, bytes]) -> Layer:
    """Values written as text inside another manifest."""
    try:
        documents = parse_embedded(held, files[held.file])
    except (UnreadableError, KeyError) as error:
        return Layer(None, f"values in {held.file} may override it, and cannot be read: {error}")
    return Layer(mapping(documents[0] if documents else None))


def _argo(resource: Resource, charts: Charts, files: Mapping[str, bytes]) -> Iterator[Release]:
    spec = mapping(mapping(resource.tree).get("spec"))
    listed = sequence(spec.get("sources"))
    places: list[Path] = [("spec", "sources", number) for number in range(len(listed))]
    sources = [mapping(item) for item in listed] or [mapping(spec.get("source"))]
    installed = [
        (place, source)
        for place, source in zip(places or [("spec", "source")], sources, strict=True)
        if _installs(source, charts)
    ]
    for place, source in installed:
        shown: Path = ("spec", "values") if len(installed) == 1 else (*place, "values")
        yield _argo_source(resource, source, place, shown, charts, files)


def _installs(source: dict[str, Node], charts: Charts) -> bool:
    path = text_of(source.get("path"))
    local = path is not None and _folder("", path) in charts.folders
    return "chart" in source or local or "helm" in source


def _argo_source(
    resource: Resource,
    source: dict[str, Node],
    place: Path,
    shown: Path,
    charts: Charts,
    files: Mapping[str, bytes],
) -> Release:
    """Chart's values < valueFiles in order < values or valuesObject < parameters
    (argo-cd.readthedocs.io, Helm, values precedence).
    """
    spec = mapping(mapping(resource.tree).get("spec"))
    own_name = resource.identity[2]
    helm = mapping(source.get("helm"))
    path = text_of(source.get("path"))
    folder = None if path is None else _folder("", path)
    local = folder is not None and folder in charts.folders
    layers: list[Layer] = []
    used: set[str] = set()
    if local and folder is not None:
        layers += charts.default_layers(folder)
        used |= charts.default_files(folder)
    optional = text_of(helm.get("ignoreMissingValueFiles")) == "true"
    for item in sequence(helm.get("valueFiles")):
        file = _value_file(text_of(item) or "", folder)
        if file in files:
            used.add(file)
        elif optional and local and "://" not in file:
            continue
        layers.append(charts.layer(file))
    if "valuesObject" in helm:
        layers.append(Layer(mapping(helm["valuesObject"])))
    elif isinstance(held := helm.get("values"), Scalar):
        layers.append(_held(held, files))
    values = merged(layers)
    for item in sequence(helm.get("parameters")):
        entry = mapping(item)
        value, name = entry.get("value"), text_of(entry.get("name"))
        if isinstance(value, Scalar) and name:
            as_text = text_of(entry.get("forceString")) == "true"
            values = with_parameter(values, Parameter(name, value, as_text))
    for reason in _overriding(helm, folder, own_name, files):
        values = merged([Layer(values), Layer(None, reason)])
    return Release(
        values=values,
        place=shown,
        moved=tuple((*place, "helm", key) for key in ("values", "valuesObject", "parameters")),
        used=frozenset(used),
        holders=frozenset(),
        chart=folder if local else None,
        name=text_of(helm.get("releaseName")) or own_name,
        namespace=text_of(mapping(spec.get("destination")).get("namespace")) or "default",
        certain="plugin" not in source,
    )


def _overriding(
    helm: dict[str, Node], folder: str | None, name: str, files: Mapping[str, bytes]
) -> Iterator[str]:
    """What may override every value of an Application and is not followed."""
    if sequence(helm.get("fileParameters")):
        yield "fileParameters of its Application may override it: not read"
    for base in (".argocd-source.yaml", f".argocd-source-{name}.yaml"):
        file = posixpath.join(folder or "", base)
        if file in files:
            yield f"{file} may override it: not read"


def _value_file(name: str, folder: str | None) -> str:
    """Path in the repository of a values file as an Application names it.

    `$REF/...` starts at the root of another source; where that is this repository it is a file
    of it, and else no file is found.
    """
    if name.startswith("$"):
        return _folder("", name.partition("/")[2])
    if "://" in name:
        return name
    return _folder("" if name.startswith("/") else folder or "", name.lstrip("/"))


def _folder(base: str, path: str) -> str:
    normal = posixpath.normpath(posixpath.join(base, path.lstrip("/") or "."))
    return "" if normal == "." else normal
