"""The index of a repository at a commit: every declared resource, and who owns each value.

What roots there are and what they render is the business of `roots`; here they are compared.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping

from finops_dagster.desired_state import classify
from finops_dagster.desired_state.declaration import (
    Infrastructure,
    resource_name,
)
from finops_dagster.desired_state.declared import of_declaration, of_object
from finops_dagster.desired_state.helm import as_value
from finops_dagster.desired_state.infrastructure import read_infrastructure, same_files
from finops_dagster.desired_state.kinds import (
    untouchable,
)
from finops_dagster.desired_state.kustomize import Renderer
from finops_dagster.desired_state.nodes import Node, Scalar, Traced, mapping, plain
from finops_dagster.desired_state.ownership import TagKeys
from finops_dagster.desired_state.paths import leaves, resolve
from finops_dagster.desired_state.roots import Rendering, Roots
from finops_dagster.desired_state.tree import Tree
from finops_dagster.domain.decisions import DeclaredResource, ValueLocation

_SHARED = "shared by "
_NAMING = frozenset({"apiVersion", "kind", "metadata.name", "metadata.namespace"})


class RepositoryIndex:
    """`DesiredState` over a tree of files; in memory, immutable."""

    def __init__(
        self,
        tree: Tree,
        earlier: RepositoryIndex | None = None,
        keys: TagKeys | None = None,
    ) -> None:
        """`earlier`: an index whose unchanged files need not be read again.

        `keys`: which tags say whose a resource is.
        """
        self.commit = tree.commit
        self._tree = tree
        self._keys: TagKeys = keys or (earlier._keys if earlier else TagKeys())
        self._infrastructure: Infrastructure = (
            earlier._infrastructure
            if earlier and same_files(tree, earlier._tree, earlier._infrastructure)
            else read_infrastructure(tree)
        )
        self._renderer: Renderer = Renderer(tree.files, earlier._renderer if earlier else None)
        roots = Roots(tree, self._renderer, self._infrastructure)
        self._refused, self._used = roots.refused, roots.used
        self._renderings, self._bindings = roots.renderings, roots.bindings
        # What was worked out of a tree holds as long as the tree is the very same object.
        self._flat: dict[int, tuple[Node, dict[str, Scalar]]] = (
            dict(earlier._flat) if earlier else {}
        )
        self._known: dict[tuple[str, int, int], tuple[Node, Node | None, DeclaredResource]] = (
            dict(earlier._known) if earlier else {}
        )
        self._leaves = {
            resource: self._all_leaves(renderings)
            for resource, renderings in self._renderings.items()
        }
        self._feeds: dict[tuple[str, int], set[tuple[str, str]]] = defaultdict(set)
        self._others: dict[str, dict[str, tuple[str, Scalar]]] = {}
        self._base: RepositoryIndex | None = None
        """Where most is as it was: the index whose `_feeds` hold, but for `_recounted`."""
        self._recounted: set[str] = set()
        self._compare(earlier)
        self._resources: dict[str, DeclaredResource] | None = None

    def resources(self) -> Mapping[str, DeclaredResource]:
        """Every declared resource by KIND/NAMESPACE/NAME, sorted."""
        if self._resources is None:
            self._resources = {
                name: self._declared(name, self._renderings[name][0])
                for name in sorted(self._renderings)
            }
        return self._resources

    def find(self, resource: str) -> str | None:
        """The declared resource that `resource` means; None if none or several could be meant.

        `KIND/NAME`, `KIND//NAME` and `KIND/default/NAME` find a resource of another namespace if
        there is one such kind and name; so does Terraform's `TYPE.NAME`. A folder may be written
        with its slashes.
        """
        if resource in self._renderings:
            return resource
        parts = resource.split("/")
        if len(parts) == 1:
            parts = list(resource.partition(".")[::2])
        if len(parts) > 3:
            folder = resource_name(parts[0], "/".join(parts[1:-1]), parts[-1])
            return folder if folder in self._renderings else None
        if len(parts) == 2:
            parts.insert(1, "")
        if len(parts) != 3 or parts[1] not in ("", "default"):
            return None
        found = [
            name
            for name in self._renderings
            if (split := name.split("/"))[0] == parts[0] and split[2] == parts[2]
        ]
        return found[0] if len(found) == 1 else None

    def locate(self, resource: str, field: str) -> ValueLocation | None:
        """Where the value lives; None if the resource or the field is not declared."""
        name = self.find(resource)
        if name is None:
            return None
        if field in self._leaves[name]:
            return self._location(name, field)
        for rendering in self._renderings[name]:
            tree = rendering.resource.tree
            path = resolve(tree, field) or resolve(tree, as_value(field))
            if path is None and rendering.declaration is not None:
                # A block that comes once may be written as a list's first, as plans print it.
                path = resolve(tree, field.replace("[0]", ""))
                path = path or resolve(tree, f"Properties.{field}")
            if path is not None:
                return self._location(name, path)
        return None

    def locations(self) -> Iterator[ValueLocation]:
        """Every scalar of every resource, then one entry (no resource, no field) for each file
        or document that is refused as a whole, with the reason, and for each file that was used
        and yet owns no value.
        """
        owners: set[str] = set()
        for name in sorted(self._leaves):
            for path, scalar in self._leaves[name].items():
                owners.add(scalar.file)
                yield self._location(name, path)
        for (file, document), reason in sorted(self._refused.items()):
            owners.add(file)
            yield _without_value(file, document, reason)
        for file in sorted(self._used - owners):
            yield _without_value(file, 0, "it says how others are built, and owns no value itself")

    def values(self, resource: str) -> Mapping[str, Scalar]:
        """Canonical path -> value of a declared resource. Raises KeyError if there is none."""
        return self._leaves[resource]

    def makes(self, resource: str) -> frozenset[str]:
        """Resources that a release makes or is given its values by; none of what is no release."""
        return frozenset(self._bindings.changing_with(resource))

    def refused(self) -> Mapping[str, str]:
        """File -> why some of it is not indexed."""
        return {file: reason for (file, _), reason in sorted(self._refused.items())}

    def read(self, file: str) -> bytes:
        """Bytes of a file at the commit. Raises KeyError if it is not there or was not read."""
        return self._tree.files[file]

    def overlay(self, resource: str) -> tuple[str, str]:
        """(the kustomization file that alone builds a resource, why nothing may be added to it).

        The file is empty, and the reason told, where none or several build it.
        """
        found = {one.kustomization for one in self._renderings.get(resource, [])}
        if len(found) != 1 or found == {""}:
            what = "several roots build it" if len(found) > 1 else "no kustomization builds it"
            return "", f"{what}, so no patch of its own can be added"
        (file,) = found
        return file, classify.by_head(self._tree.files[file])

    def is_free(self, file: str) -> bool:
        """Whether a new file of that name would stand in nobody's way, read or not."""
        beneath = f"{file}/"
        return file not in self._tree.names and not any(
            name.startswith(beneath) for name in self._tree.names
        )

    def with_changes(self, changes: Mapping[str, bytes]) -> RepositoryIndex:
        """The index as it would be with some files' bytes replaced; nothing is written."""
        return RepositoryIndex(self._tree.with_changes(changes), earlier=self)

    def _all_leaves(self, renderings: list[Rendering]) -> dict[str, Scalar]:
        """Values as the first root renders them, then those that only other roots set."""
        first = self._flattened(renderings[0].resource.tree)
        if len(renderings) == 1:
            return first
        found = dict(first)
        for rendering in renderings[1:]:
            for path, scalar in self._flattened(rendering.resource.tree).items():
                found.setdefault(path, scalar)
        return found

    def _variants(self, name: str) -> tuple[str, ...]:
        """Manifests of a resource as other roots render it, where they make it anew."""
        first, *more = self._renderings[name]
        return tuple(
            json.dumps(plain(one.resource.tree), ensure_ascii=False, sort_keys=True)
            for one in more
            if one.resource.tree is not first.resource.tree
        )

    def _flattened(self, tree: Node) -> dict[str, Scalar]:
        if id(tree) not in self._flat:
            self._flat[id(tree)] = (tree, dict(leaves(tree)))
        return self._flat[id(tree)][1]

    def _declared(self, name: str, rendering: Rendering) -> DeclaredResource:
        resource = rendering.resource
        namespace = self._namespace(name)
        key = (name, id(resource.tree), id(namespace))
        if key not in self._known:
            if rendering.declaration is not None:
                made = of_declaration(rendering.declaration, self._keys)
            else:
                metadata = mapping(mapping(namespace).get("metadata"))
                made = of_object(name, resource, metadata, self._keys)
            self._known[key] = (resource.tree, namespace, made)
        made = self._known[key][2]
        variants = self._variants(name)
        return made.model_copy(update={"variants": variants}) if variants else made

    def _namespace(self, name: str) -> Node | None:
        """The Namespace object of a resource's namespace, where it is declared."""
        declared = self._renderings.get(f"Namespace//{name.split('/')[1]}")
        return declared[0].resource.tree if declared else None

    # Who owns what.

    def _compare(self, earlier: RepositoryIndex | None) -> None:
        if earlier and not earlier._base and earlier._infrastructure is self._infrastructure:
            self._base = earlier
            self._recounted = {
                name
                for name in self._renderings.keys() | earlier._renderings.keys()
                if self._leaves.get(name) is not earlier._leaves.get(name)
            }
        else:
            self._recounted = set(self._renderings)
            for who, path, file, start in self._infrastructure.consumers:
                self._feeds[file, start].add((who, path))
        for name, renderings in self._renderings.items():
            if self._base and name not in self._recounted:
                self._others[name] = self._base._others[name]
                continue
            first = renderings[0].resource.tree
            for path, scalar in self._leaves[name].items():
                self._feeds[scalar.file, scalar.start].add((name, path))
                if isinstance(scalar, Traced):
                    for used in scalar.uses:
                        self._feeds[used].add((name, path))
            others: dict[str, tuple[str, Scalar]] = {}
            for rendering in renderings[1:]:
                if rendering.resource.tree is first:
                    continue
                for path, scalar in self._flattened(rendering.resource.tree).items():
                    self._feeds[scalar.file, scalar.start].add((name, path))
                    own = self._leaves[name].get(path)
                    if own is not None and (own.file, own.start) != (scalar.file, scalar.start):
                        others.setdefault(path, (rendering.root, scalar))
            self._others[name] = others

    def _fed(self, scalar: Scalar) -> set[tuple[str, str]]:
        """(resource, path) of every value that comes from a scalar's bytes."""
        place = (scalar.file, scalar.start)
        found = set(self._feeds.get(place, ()))
        if self._base:
            found |= {
                one for one in self._base._feeds.get(place, ()) if one[0] not in self._recounted
            }
        return found

    def _location(self, name: str, path: str) -> ValueLocation:
        scalar = self._leaves[name][path]
        reason = self._reason(name, path, scalar)
        return ValueLocation(
            resource=name, field=path, value=scalar.text, file=scalar.file,
            document=scalar.document, start_byte=scalar.start, end_byte=scalar.end,
            editable=not reason, reason=reason, shared=reason.startswith(_SHARED),
            follows=() if reason else self._followers(name, scalar),
        )  # fmt: skip

    def _followers(self, name: str, scalar: Scalar) -> tuple[str, ...]:
        """Resources that change with these bytes: what shows them, and what a release makes."""
        found = {other for other, _ in self._fed(scalar)}
        return tuple(sorted((found | self._bindings.changing_with(name)) - {name}))

    def _reason(self, name: str, path: str, scalar: Scalar) -> str:
        rendering = self._renderings[name][0]
        tree = rendering.resource.tree
        if scalar.reason:
            return scalar.reason
        kubernetes = rendering.declaration is None
        if kubernetes and (path in _NAMING or path.endswith("].name")):
            return "it names the resource" if path in _NAMING else "it names its list item"
        if path in self._others[name]:
            other, elsewhere = self._others[name][path]
            return (
                f"declared twice, with different owners: {rendering.root} takes it from "
                f"{scalar.file}, {other} from {elsewhere.file}"
            )
        releases = self._bindings.releases(name)
        if "\n" in scalar.text and name.startswith("ConfigMap/") and releases:
            return f"it holds values of {min(releases)}: set them there"
        everywhere = self._fed(scalar)
        named = [other for other, field in everywhere if other != name and field in _NAMING]
        if named:
            return f"it names {min(named)}"
        related = self._bindings.related(name)
        fed = {(other, field) for other, field in everywhere if other not in related}
        if len(fed) > 1:
            return _shared(fed)
        if not kubernetes:
            return classify.by_head(self._tree.files.get(scalar.file, b""))
        if "${" in scalar.text:
            return "it holds a variable (${ }) that is substituted on the way to the cluster"
        if "sops" in mapping(tree):
            return "its manifest is encrypted by SOPS"
        return untouchable(tree, path) or classify.by_head(self._tree.files.get(scalar.file, b""))


def _without_value(file: str, document: int, reason: str) -> ValueLocation:
    return ValueLocation(
        resource="", field="", value="", file=file, document=document, start_byte=0, end_byte=0,
        editable=False, reason=reason,
    )  # fmt: skip


def _shared(fed: set[tuple[str, str]]) -> str:
    resources = sorted({name for name, _ in fed})
    if len(resources) > 1:
        names = [*resources[:3], f"{len(resources) - 3} more"] if len(resources) > 4 else resources
        listed = f"{', '.join(names[:-1])} and {names[-1]}"
        return f"{_SHARED}{listed}: changing it would change {_all(len(resources))}"
    fields = sorted(path for _, path in fed)
    return f"{_SHARED}{' and '.join(fields[:3])}: changing it would change {_all(len(fields))}"


def _all(count: int) -> str:
    return "both" if count == 2 else f"all {count}"
