"""How the roots of a repository are found, and what each renders: objects, and what is no object.

Reading files is tree.py's business, rendering kustomize.py's; who owns what is told in `index`.
"""

from __future__ import annotations

import posixpath
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import partial

from finops_dagster.desired_state import classify
from finops_dagster.desired_state.bindings import Bindings
from finops_dagster.desired_state.declaration import Declaration, Infrastructure
from finops_dagster.desired_state.deployments import Deployment, find_deployments
from finops_dagster.desired_state.helm import Helm
from finops_dagster.desired_state.kinds import is_cluster_scoped, is_resource, name_fault
from finops_dagster.desired_state.kustomize import Rendered, Renderer
from finops_dagster.desired_state.nodes import Node, Scalar, text_of
from finops_dagster.desired_state.selection import Resource
from finops_dagster.desired_state.tree import MANIFEST_SUFFIXES, Tree

_EMPTY = "nothing is written in it"


@dataclass(frozen=True)
class Rendering:
    """One resource as one root renders it."""

    root: str
    resource: Resource
    loose: bool = False
    """From a file that lies beside a kustomization which does not list it."""
    declaration: Declaration | None = None
    """Set for what is no Kubernetes object."""
    kustomization: str = ""
    """The file that the root is built by; empty where it is no kustomization."""


class Roots:
    """Everything that some root of the tree renders, and what is left out, with the reason."""

    def __init__(self, tree: Tree, renderer: Renderer, infrastructure: Infrastructure) -> None:
        self._tree = tree
        self._renderer = renderer
        self._infrastructure = infrastructure
        self.refused: dict[tuple[str, int], str] = {
            (name, 0): reason for name, reason in tree.refused.items()
        }
        """(file, document) -> why it is not indexed."""
        self.renderings: dict[str, list[Rendering]] = defaultdict(list)
        """KIND/NAMESPACE/NAME -> each root's; the first is the one that is shown."""
        self.used: set[str] = set()
        """Files that something is made of."""
        self.bindings = Bindings()
        self._read()

    def _read(self) -> None:
        renderer = self._renderer
        self.refused.update(self._infrastructure.refused)
        for one in self._infrastructure.declared:
            resource = Resource(one.tree, one.file, one.document)
            self.renderings[one.name].append(Rendering(one.file, resource, declaration=one))
        helm = Helm(self._tree.names, renderer)
        manifests = [name for name in self._tree.names if self._is_manifest(name, helm)]
        documents = [(name, one) for name in manifests for one in renderer.parse(name).documents]
        deployments = find_deployments(documents, self._folders())
        named_folders, named_files = self._named()
        covered = self._read_roots(deployments, named_folders)
        self._read_plain(
            [name for name in manifests if name not in named_files and name not in covered],
            deployments,
        )
        for name, renderings in self.renderings.items():
            applied = [one for one in renderings if not one.loose]
            self.renderings[name] = applied or renderings
        self._install(helm)

    def _install(self, helm: Helm) -> None:
        """Show releases with their effective values, and beside them what their charts make."""
        for name, renderings in list(self.renderings.items()):
            for number, rendering in enumerate(renderings):
                config_maps = partial(self._config_map, rendering.root)
                installed = helm.install(rendering.resource, config_maps)
                if installed is None:
                    continue
                renderings[number] = replace(rendering, resource=installed.resource)
                products = [
                    product
                    for namespace, made in installed.made
                    for product in self._take(
                        rendering.root, Rendered((made,), (), frozenset()), namespace
                    )
                ]
                self.bindings.bind(name, installed.holders, products)
        sets = [
            one.resource.tree
            for name, renderings in self.renderings.items()
            if name.startswith("ApplicationSet/")
            for one in renderings
        ]
        for resource in helm.charts_alone(sets):
            name = "/".join(resource.identity)
            self.renderings[name].append(Rendering(resource.file, resource))
        self.used |= helm.used
        for file in helm.used:
            for document in range(len(self._renderer.parse(file).documents)):
                self.refused.pop((file, document), None)
        for file, document, reason in helm.refused():
            self.refused[file, document] = reason

    def _config_map(self, root: str, namespace: str, name: str) -> Node | None:
        """The ConfigMap of that name as `root` renders it, or as the only root that does."""
        found = self.renderings.get(f"ConfigMap/{namespace}/{name}", [])
        beside = [one for one in found if one.root == root] or found
        return beside[0].resource.tree if len(beside) == 1 else None

    def _folders(self) -> frozenset[str]:
        folders = {""}
        for name in self._tree.names:
            folder = posixpath.dirname(name)
            while folder not in folders:
                folders.add(folder)
                folder = posixpath.dirname(folder)
        return frozenset(folders)

    def _is_manifest(self, name: str, helm: Helm) -> bool:
        if name in self._infrastructure.claimed:
            return False
        reason = classify.by_name(name)
        if reason:
            self.refused[name, 0] = reason
            return False
        if name not in self._tree.files or name in self._renderer.kustomizations:
            return False
        if not name.lower().endswith((*MANIFEST_SUFFIXES, "kustomization")):
            return False
        if name in helm.own:
            return False
        parsed = self._renderer.parse(name)
        reason = classify.by_bytes(self._tree.files[name]) if not parsed.error else ""
        if reason or not (parsed.documents or parsed.error):
            self.refused[name, 0] = reason or _EMPTY
            return False
        if parsed.error:
            self.refused[name, 0] = parsed.error
            return False
        found = False
        for number, document in enumerate(parsed.documents):
            if is_resource(document):
                found = True
            elif not isinstance(document, Scalar) or document.kind != "null":
                self.refused[name, number] = classify.by_content(name, document)
            elif len(parsed.documents) == 1:
                self.refused[name, number] = _EMPTY
        return found

    def _named(self) -> tuple[set[str], set[str]]:
        folders: set[str] = set()
        files: set[str] = set()
        for folder in self._renderer.folders:
            below, named = self._renderer.references(folder)
            folders |= below
            files |= named
        # A patch file that names no API version is no resource, but no stray file either.
        for file in files:
            for number in range(len(self._renderer.parse(file).documents)):
                self.refused.pop((file, number), None)
        return folders, files

    def _read_roots(self, deployments: tuple[Deployment, ...], named: set[str]) -> set[str]:
        renderer = self._renderer
        used: set[str] = set()
        for folder in sorted(renderer.folders, key=_depth):
            applied: list[Deployment | None] = [one for one in deployments if one.folder == folder]
            kind = text_of(renderer.kustomization(folder).get("kind"))
            if not applied and (folder in named or kind == "Component"):
                continue
            for deployment in applied or [_covering(folder, deployments)]:
                rendered = renderer.render(folder)
                if deployment is not None and deployment.changes:
                    rendered = renderer.apply(deployment.changes, deployment.file, rendered)
                label = deployment.label if deployment else folder or "."
                namespace = deployment.namespace if deployment else ""
                self._take(label, rendered, namespace, kustomization=renderer.folders[folder])
                used |= rendered.used
        for folder, file in renderer.folders.items():
            if file not in used:
                self.refused[file, 0] = "no kustomization or application uses it"
                for named_file in renderer.references(folder)[1] - used:
                    reason = f"only {file} names it, and nothing uses that"
                    self.refused.setdefault((named_file, 0), reason)
        return used

    def _read_plain(self, files: Iterable[str], deployments: tuple[Deployment, ...]) -> None:
        renderer = self._renderer
        for file in files:
            folder = posixpath.dirname(file)
            loose = folder in renderer.folders
            deployment = next((one for one in deployments if one.folder == folder), None)
            deployment = deployment or _covering(folder, deployments)
            rendered = Rendered(tuple(renderer.load(file)), (), frozenset({file}))
            if deployment is not None and not loose:
                # Problems are dropped: a patch of the deployer may be meant for another file.
                changed = renderer.apply(deployment.changes, deployment.file, rendered)
                rendered = Rendered(changed.resources, (), changed.used)
            namespace = deployment.namespace if deployment else ""
            label = deployment.label if deployment else file
            self._take(label, rendered, namespace, loose=loose)

    def _take(
        self,
        root: str,
        rendered: Rendered,
        namespace: str,
        *,
        loose: bool = False,
        kustomization: str = "",
    ) -> list[str]:
        """Note what a root renders, and return the names of it."""
        taken: list[str] = []
        self.used |= rendered.used
        for file, reason in rendered.problems:
            self.refused.setdefault((file, 0), reason)
        for resource in rendered.resources:
            fault = name_fault(resource.tree)
            if fault:
                self.refused.setdefault((resource.file, resource.document), fault)
                continue
            kind, own, name = resource.identity
            if is_cluster_scoped(resource.tree, self._renderer.cluster_scoped):
                own = ""
            else:
                own = own or namespace or "default"
            taken.append(f"{kind}/{own}/{name}")
            self.renderings[taken[-1]].append(
                Rendering(root, resource, loose, kustomization=kustomization)
            )
        return taken


def _depth(folder: str) -> tuple[int, str]:
    return (folder.count("/") + 1 if folder else 0, folder)


def _covering(folder: str, deployments: tuple[Deployment, ...]) -> Deployment | None:
    """The innermost deployment that applies `folder` along with the folders above it."""
    above = [
        one
        for one in deployments
        if one.recursive and (not one.folder or folder.startswith(f"{one.folder}/"))
    ]
    return max(above, key=lambda one: len(one.folder), default=None)
