"""What `kustomize build` makes of a folder, each value still tied to the bytes that own it.

Which folders are deployed, and what the results are called, is not decided here. Names that other
objects refer to are not rewritten when a prefix renames their target: no cost hangs on them.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial

from finops_dagster.desired_state.generators import config_map, merged_map, named_files
from finops_dagster.desired_state.kinds import group_of, is_cluster_scoped
from finops_dagster.desired_state.nodes import (
    Node,
    ParsedFile,
    Scalar,
    UnreadableError,
    blocked,
    mapping,
    parse_embedded,
    parse_file,
    sequence,
    text_of,
)
from finops_dagster.desired_state.patches import PatchFailedError
from finops_dagster.desired_state.selection import (
    Resource,
    by_patch,
    by_target,
    known_from_patch,
    patched,
)
from finops_dagster.desired_state.transformers import (
    add_affixes,
    add_annotations,
    add_labels,
    set_images,
    set_namespace,
    set_replicas,
)

FILE_NAMES = ("kustomization.yaml", "kustomization.yml", "Kustomization")

_HAZARDS = ("replacements", "vars", "transformers", "configurations")
"""Fields that may change any value of any resource, and are not followed."""

_ADDERS = ("secretGenerator", "helmCharts", "helmChartInflationGenerator", "generators")
"""Fields that only add resources, which are generated and so have no bytes to edit."""

_REMOTE = re.compile(r"://|^git@|^github\.com/|\?ref=|^[^/]+\.[a-z]{2,}[:/].*//")


@dataclass(frozen=True)
class Rendered:
    """What one folder renders to, and what could not be read on the way."""

    resources: tuple[Resource, ...] = ()
    problems: tuple[tuple[str, str], ...] = ()
    """(file, reason)."""
    used: frozenset[str] = frozenset()
    """Files whose bytes went into it."""
    incomplete: bool = False
    """Some of its resources could not be read: patches may have nothing to apply to."""


@dataclass
class _Build:
    """What one folder has gathered so far."""

    resources: list[Resource] = field(default_factory=list)
    problems: list[tuple[str, str]] = field(default_factory=list)
    used: set[str] = field(default_factory=set)
    incomplete: bool = False

    def done(self) -> Rendered:
        return Rendered(
            tuple(self.resources), tuple(self.problems), frozenset(self.used), self.incomplete
        )


class Renderer:
    """Renders folders of one set of files; parses each file once, renders each folder once."""

    def __init__(self, files: Mapping[str, bytes], earlier: Renderer | None = None) -> None:
        """`earlier`: what it parsed and rendered from files that did not change is taken over."""
        self.files = files
        self._parsed: dict[str, ParsedFile] = {}
        self._rendered: dict[str, Rendered] = {}
        self._referred: dict[str, tuple[frozenset[str], frozenset[str]]] = {}
        if earlier is not None:
            changed = {
                name for name, data in files.items() if earlier.files.get(name) is not data
            } | (earlier.files.keys() - files.keys())
            self._parsed = {k: v for k, v in earlier._parsed.items() if k not in changed}
            self._rendered = {k: v for k, v in earlier._rendered.items() if not v.used & changed}
            if files.keys() == earlier.files.keys():
                kept = earlier._referred.items()
                self._referred = {k: v for k, v in kept if earlier.folders[k] not in changed}
        self.folders: dict[str, str] = {}
        """Folder -> its kustomization file."""
        for name in files:
            folder, base = posixpath.split(name)
            if base not in FILE_NAMES or not self._is_kustomization(name):
                continue
            first = posixpath.basename(self.folders.setdefault(folder, name))
            if FILE_NAMES.index(base) < FILE_NAMES.index(first):
                self.folders[folder] = name
        self.kustomizations = frozenset(self.folders.values())
        self.cluster_scoped = dict(self._declared_scopes())

    def parse(self, file: str) -> ParsedFile:
        """The file's documents, parsed once."""
        if file not in self._parsed:
            self._parsed[file] = parse_file(self.files[file], file)
        return self._parsed[file]

    def kustomization(self, folder: str) -> dict[str, Node]:
        """Content of a folder's kustomization file; empty if it cannot be read."""
        documents = self.parse(self.folders[folder]).documents
        return mapping(documents[0]) if documents else {}

    def references(self, folder: str) -> tuple[frozenset[str], frozenset[str]]:
        """(folders, files) that a folder's kustomization names."""
        if folder not in self._referred:
            self._referred[folder] = self._references(folder)
        return self._referred[folder]

    def _references(self, folder: str) -> tuple[frozenset[str], frozenset[str]]:
        folders: set[str] = set()
        files: set[str] = set()
        content = self.kustomization(folder)
        names: list[str | None] = []
        for key in ("resources", "bases", "components", "patchesStrategicMerge", "transformers",
                    "generators", "configurations", "crds"):  # fmt: skip
            names.extend(text_of(item) for item in sequence(content.get(key)))
        for key in ("patches", "patchesJson6902", "replacements"):
            names.extend(text_of(mapping(item).get("path")) for item in sequence(content.get(key)))
        files |= named_files(content, folder) & self.files.keys()
        for name in names:
            path = _local(folder, name or "")
            if path in self.folders:
                folders.add(path)
            elif path in self.files:
                files.add(path)
        return frozenset(folders), frozenset(files)

    def render(self, folder: str, above: tuple[str, ...] = ()) -> Rendered:
        """What the folder's kustomization builds."""
        if folder not in self._rendered:
            build = _Build()
            if folder in above:
                build.problems.append((self.folders[folder], "its kustomizations form a circle"))
                return build.done()
            self._into(build, folder, (*above, folder))
            self._rendered[folder] = build.done()
        return self._rendered[folder]

    def apply(self, content: dict[str, Node], file: str, rendered: Rendered) -> Rendered:
        """`rendered` with the transformations of a kustomization-like mapping in `file`."""
        build = _Build(
            list(rendered.resources), list(rendered.problems), set(rendered.used) | {file},
            rendered.incomplete,
        )  # fmt: skip
        self._transform(build, content, file)
        return build.done()

    def load(self, file: str) -> Iterator[Resource]:
        """The objects in one file, `List` objects taken apart."""
        for number, document in enumerate(self.parse(file).documents):
            content = mapping(document)
            if (text_of(content.get("kind")) or "").endswith("List") and "items" in content:
                for item in sequence(content["items"]):
                    yield Resource(item, file, number)
            elif content:
                yield Resource(document, file, number)

    def _is_kustomization(self, file: str) -> bool:
        documents = self.parse(file).documents
        content = mapping(documents[0]) if documents else {}
        group = group_of(content)
        return not group or group == "kustomize.config.k8s.io"

    def _declared_scopes(self) -> Iterator[tuple[tuple[str, str], bool]]:
        for file, data in self.files.items():
            if b"CustomResourceDefinition" not in data:
                continue
            for document in self.parse(file).documents:
                content = mapping(document)
                spec = mapping(content.get("spec"))
                kind = text_of(mapping(spec.get("names")).get("kind"))
                if text_of(content.get("kind")) == "CustomResourceDefinition" and kind:
                    group = text_of(spec.get("group")) or ""
                    yield (group, kind), text_of(spec.get("scope")) == "Cluster"

    def _into(self, build: _Build, folder: str, above: tuple[str, ...]) -> None:
        file = self.folders[folder]
        build.used.add(file)
        parsed = self.parse(file)
        if parsed.error:
            build.problems.append((file, parsed.error))
            build.incomplete = True
        content = self.kustomization(folder)
        for item in (*sequence(content.get("resources")), *sequence(content.get("bases"))):
            self._add(build, file, folder, text_of(item) or "", above)
        for item in sequence(content.get("components")):
            path = _local(folder, text_of(item) or "")
            if path in self.folders and path not in above:
                self._into(build, path, (*above, path))
            else:
                build.problems.append((file, f"component {text_of(item)!r} is not here"))
                build.incomplete = True
        self._generate(build, content, file)
        self._transform(build, content, file)

    def _generate(self, build: _Build, content: dict[str, Node], file: str) -> None:
        build.used |= named_files(content, posixpath.dirname(file)) & self.files.keys()
        for item in sequence(content.get("configMapGenerator")):
            entry = mapping(item)
            made = config_map(entry, file, self.files)
            if made is None:
                build.problems.append((file, "a configMapGenerator has no name"))
                continue
            name = text_of(entry.get("name"))
            behavior = text_of(entry.get("behavior")) or "create"
            same = [
                number
                for number, one in enumerate(build.resources)
                if any(k == "ConfigMap" and n == name for k, _, n in (one.identity, *one.past))
            ]
            if behavior in ("merge", "replace") and same:
                below = build.resources[same[0]]
                tree = merged_map(below.tree, made) if behavior == "merge" else made
                build.resources[same[0]] = below.with_tree(tree)
            else:
                build.resources.append(Resource(made, file, 0))
        for key in _ADDERS:
            if sequence(content.get(key)):
                build.problems.append((file, f"what its {key} generates is not listed"))

    def _add(
        self, build: _Build, file: str, folder: str, name: str, above: tuple[str, ...]
    ) -> None:
        path = _local(folder, name)
        if path in self.folders:
            below = self.render(path, above)
            build.resources.extend(below.resources)
            build.problems.extend(below.problems)
            build.used |= below.used
            build.incomplete |= below.incomplete
        elif path in self.files:
            build.used.add(path)
            parsed = self.parse(path)
            if parsed.error:
                build.problems.append((path, parsed.error))
                build.incomplete = True
            build.resources.extend(self.load(path))
        else:
            why = "is remote and is not fetched" if _REMOTE.search(name) else "is not here"
            build.problems.append((file, f"resource {name!r} {why}"))
            build.incomplete = True

    def _transform(self, build: _Build, content: dict[str, Node], file: str) -> None:
        """In kustomize's own order (api/internal/target/kusttarget_configplugin.go)."""
        for item in sequence(content.get("patchesStrategicMerge")):
            text = text_of(item) or ""
            inline = "\n" in text or text.lstrip().startswith("{")
            patch: dict[str, Node] = {"patch" if inline else "path": item}
            self._patch(build, patch, file)
        for item in sequence(content.get("patches")):
            self._patch(build, mapping(item), file)
        namespace = content.get("namespace")
        if isinstance(namespace, Scalar) and text_of(namespace):
            self._each(build, lambda tree: set_namespace(
                tree, namespace, is_cluster_scoped(tree, self.cluster_scoped)))  # fmt: skip
        prefix, suffix = text_of(content.get("namePrefix")), text_of(content.get("nameSuffix"))
        if prefix or suffix:
            self._each(build, lambda tree: add_affixes(tree, prefix or "", suffix or "", file))
        self._label(build, content)
        for item in sequence(content.get("patchesJson6902")):
            self._patch(build, mapping(item), file)
        for item in sequence(content.get("replicas")):
            name, count = text_of(mapping(item).get("name")), mapping(item).get("count")
            if isinstance(count, Scalar) and name:
                build.resources = [
                    resource.with_tree(set_replicas(resource.tree, count))
                    if name in {identity[2] for identity in (resource.identity, *resource.past)}
                    else resource
                    for resource in build.resources
                ]
        images = [mapping(item) for item in sequence(content.get("images"))]
        if images:
            self._each(build, lambda tree: set_images(tree, images, file))
        for key in _HAZARDS:
            if sequence(content.get(key)) or (key == "vars" and mapping(content.get(key))):
                reason = f"{file} uses {key}, which may set it: not yet"
                self._each(build, partial(blocked, reason=reason))

    def _label(self, build: _Build, content: dict[str, Node]) -> None:
        common = mapping(content.get("commonLabels"))
        if common:
            self._each(build, partial(add_labels, pairs=common, selectors=True, templates=True))
        for item in sequence(content.get("labels")):
            entry = mapping(item)
            selectors = text_of(entry.get("includeSelectors")) == "true"
            templates = selectors or text_of(entry.get("includeTemplates")) == "true"
            pairs = mapping(entry.get("pairs"))
            self._each(
                build,
                partial(add_labels, pairs=pairs, selectors=selectors, templates=templates),
            )
        annotations = mapping(content.get("commonAnnotations"))
        if annotations:
            self._each(build, lambda tree: add_annotations(tree, annotations))

    @staticmethod
    def _each(build: _Build, change: Callable[[Node], Node]) -> None:
        build.resources = [
            resource.with_tree(change(resource.tree)) for resource in build.resources
        ]

    def _patch(self, build: _Build, entry: dict[str, Node], file: str) -> None:
        source, documents = self._patch_documents(build, entry, file)
        target = mapping(entry.get("target"))
        for document in documents:
            try:
                self._patch_one(build, document, target, source)
            except PatchFailedError as error:
                build.problems.append((source, f"a patch does not apply: {error}"))
                build.incomplete = True

    def _patch_documents(
        self, build: _Build, entry: dict[str, Node], file: str
    ) -> tuple[str, tuple[Node, ...]]:
        inline, path = entry.get("patch"), text_of(entry.get("path"))
        if isinstance(inline, Scalar):
            try:
                return file, parse_embedded(inline, self.files[inline.file])
            except UnreadableError as error:
                build.problems.append((file, f"an inline patch is not valid YAML: {error}"))
                return file, ()
        name = _local(posixpath.dirname(file), path or "")
        if path is None or name not in self.files:
            build.problems.append((file, f"patch {path!r} is not here"))
            return file, ()
        build.used.add(name)
        parsed = self.parse(name)
        if parsed.error:
            build.problems.append((name, parsed.error))
        return name, parsed.documents

    def _patch_one(self, build: _Build, patch: Node, target: dict[str, Node], source: str) -> None:
        selects = by_target(target) if target else by_patch(patch)
        kept: list[Resource] = []
        hits = 0
        for resource in build.resources:
            if not any(selects(resource, one) for one in (resource.identity, *resource.past)):
                kept.append(resource)
                continue
            hits += 1
            tree = patched(resource.tree, patch, create=resource.partial)
            if tree is not None:
                kept.append(resource.with_tree(tree))
        build.resources = kept
        if hits:
            return
        if not build.incomplete:
            build.problems.append((source, "a patch has no resource to apply to"))
            return
        ghost = known_from_patch(patch, target, source)
        if ghost is not None:
            build.resources.append(ghost)


def _local(folder: str, name: str) -> str:
    """Path inside the repository that `name` in `folder` means; `..` beyond the root finds
    nothing, because no file's name starts so.
    """
    if not name or name.startswith("/") or _REMOTE.search(name):
        return "\0"
    path = posixpath.normpath(posixpath.join(folder, name))
    return "" if path == "." else path
