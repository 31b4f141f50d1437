"""Which folders are root modules, what they call, and the resources that come of it.

What expressions come to is in scopes.py, the files of one module in modules.py.
"""

from __future__ import annotations

import posixpath
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping

from finops_dagster.desired_state.declaration import (
    Declaration,
    Infrastructure,
    resource_name,
)
from finops_dagster.desired_state.nodes import (
    Node,
    Traced,
    UnreadableError,
)
from finops_dagster.desired_state.paths import leaves
from finops_dagster.desired_state.terraform.blocks import (
    META,
    around_block,
    passed_providers,
    resource_tree,
    text_of_expression,
)
from finops_dagster.desired_state.terraform.expressions import Block, Literal, Opaque
from finops_dagster.desired_state.terraform.modules import (
    VALUES,
    Module,
    is_code,
    local_folder,
    read_assigned,
    read_module,
    source_of,
    superseded,
)
from finops_dagster.desired_state.terraform.scopes import Scope, multiplied
from finops_dagster.desired_state.terraform.syntax import parse_hcl

MAX_DEPTH = 8
"""Module calls inside module calls; estates keep to two or three."""

TOOL = "terraform"

_OTHER_HCL = (
    (".terraform.lock.hcl", "Terraform's lock of provider versions: it declares no resource"),
    (".tftest.hcl", "a Terraform test: it declares no resource"),
    (".tofutest.hcl", "an OpenTofu test: it declares no resource"),
    (".hcl", "HCL of another tool than Terraform: not yet"),
)


def read_terraform(files: Mapping[str, bytes], names: Iterable[str], found: Infrastructure) -> None:
    """Add to `found` what the Terraform and OpenTofu files among `files` declare.

    `names`: every file of the repository, read or not; what was not read breaks its module.
    """
    estate = _Estate(files, names, found)
    for folder in estate.roots():
        estate.read_root(folder)


class _Estate:
    """All modules of one repository."""

    def __init__(
        self, files: Mapping[str, bytes], names: Iterable[str], found: Infrastructure
    ) -> None:
        self.files = files
        self.found = found
        self.code: dict[str, list[str]] = defaultdict(list)
        self.values: dict[str, list[str]] = defaultdict(list)
        self.terragrunt: dict[str, str] = {}
        """Folder, or end of a folder's path -> the terragrunt.hcl that uses it."""
        self.anywhere = ""
        """A terragrunt.hcl that may use any folder: its source is computed."""
        self.refused: dict[str, str] = {}
        self._sort(names)
        self.modules = {folder: self._module(folder) for folder in sorted(self.code)}
        self.refused_now()

    def _sort(self, names: Iterable[str]) -> None:
        passed_over = superseded(name for name in names if is_code(name))
        for name in names:
            folder, base = posixpath.split(name)
            ours = is_code(name) or name.endswith((*VALUES, ".hcl"))
            if not ours:
                continue
            self.found.claimed.add(name)
            if ".terraform" in folder.split("/"):
                self.refused[name] = "a copy that Terraform downloaded"
            elif name in passed_over:
                self.refused[name] = f"OpenTofu reads {passed_over[name]} in its place"
            elif is_code(name):
                self.code[folder].append(name)
            elif name.endswith(VALUES):
                self.values[folder].append(name)
            elif base in ("terragrunt.hcl", "root.hcl") or base.startswith("terragrunt."):
                self.refused[name] = "Terragrunt: what it passes to modules is not yet followed"
                self._terragrunt(name)
            else:
                self.refused[name] = next(why for end, why in _OTHER_HCL if base.endswith(end))

    def _terragrunt(self, name: str) -> None:
        self.terragrunt[posixpath.dirname(name)] = name
        try:
            body = parse_hcl(self.files.get(name, b""), name)
        except UnreadableError:
            return
        for block in body.of("terraform"):
            source = block.body.attributes.get("source")
            if source is None:
                continue
            path = re.sub(r"\?.*", "", text_of_expression(source).strip('"')).replace("//", "/")
            tail = re.sub(r".*(?:\}|\.\.)/+", "", path).removeprefix("./")
            if not tail or "${" in tail or not isinstance(source, Literal | Opaque):
                self.anywhere = name
            self.terragrunt[tail] = name

    def _module(self, folder: str) -> Module:
        read = {name: self.files[name] for name in self.code[folder] if name in self.files}
        module = read_module(folder, read, self.refused)
        missing = [name for name in self.code[folder] if name not in self.files]
        if missing:
            module.broken = f"{missing[0]} of its module is not read"
        return module

    def refused_now(self) -> None:
        for name, reason in self.refused.items():
            self.found.refused.setdefault((name, 0), reason)
        self.refused.clear()

    def roots(self) -> list[str]:
        """Folders that nobody calls, or that keep a state of their own."""
        called = {
            local_folder(folder, source_of(call))
            for folder, module in self.modules.items()
            for call in module.calls.values()
        }
        return [
            folder
            for folder, module in self.modules.items()
            if folder not in called or module.has_state
        ]

    def read_root(self, folder: str) -> None:
        """Every resource of a root module, and of the local modules that it calls."""
        module = self.modules[folder]
        below = [
            name
            for other, names in self.values.items()
            if other != folder and self._home(other) == folder
            for name in names
        ]
        assigned = read_assigned(self.values.get(folder, ()), below, self.files, self.refused)
        self.refused_now()
        scope = Scope(module, assigned=assigned, outside=self._outside(folder))
        self._enter(scope)
        before = len(self.found.declared)
        try:
            self._read(scope, folder, "", module.broken)
        except RecursionError:
            del self.found.declared[before:]
            for name in self.code[folder]:
                self.found.refused[name, 0] = "its values refer to each other too deeply"

    def _enter(self, scope: Scope) -> None:
        """Scopes of the local modules that a module calls, and of those that they call."""
        for name, call in scope.module.calls.items():
            folder = local_folder(scope.module.folder, source_of(call))
            if folder in self.modules and len(scope.path) < MAX_DEPTH:
                arguments = {
                    key: value
                    for key, value in call.body.attributes.items()
                    if key not in META | {"count"}
                }
                child = Scope(
                    self.modules[folder],
                    path=(*scope.path, name),
                    parent=scope,
                    arguments=arguments,
                )
                scope.children[name] = child
                self._enter(child)

    def _home(self, folder: str) -> str | None:
        """The nearest folder with code from `folder` upwards."""
        while folder not in self.modules:
            if not folder:
                return None
            folder = posixpath.dirname(folder)
        return folder

    def _outside(self, folder: str) -> str:
        for end, name in [(folder, self.anywhere), *self.terragrunt.items()]:
            if name and (folder == end or (end and f"/{folder}".endswith(f"/{end}"))):
                return f"Terragrunt ({name}) may set its variables"
        return ""

    # One use of a module.

    def _read(self, scope: Scope, root: str, why: str, broken: str) -> None:
        """`why`: a reason that holds for every value here."""
        for name, block in scope.module.providers.items():
            scope.providers[name] = scope.tree(block.body)
            self._consume(f"provider {name} in {root or '.'}", scope.providers[name])
        for (kind, label), block in scope.module.data.items():
            self._consume(f"data.{kind}.{label} in {root or '.'}", scope.tree(block.body))
        for name, call in scope.module.calls.items():
            self._call(scope, root, name, call, why, broken)
        for (kind, label), block in scope.module.resources.items():
            reason = why or broken or multiplied(scope, block)
            tree = resource_tree(scope, block, reason)
            name = resource_name(kind, root, *_inside(scope.path), label)
            around = around_block(scope, kind, block)
            self.found.declared.append(Declaration(name, tree, block.file, 0, TOOL, around))

    def _call(self, scope: Scope, root: str, name: str, call: Block, why: str, broken: str) -> None:
        several = multiplied(scope, call).replace("of it", f"of module {name}")
        child = scope.children.get(name)
        if child is not None:
            child.providers = passed_providers(scope, call)
            self._read(child, root, why or several, broken or child.module.broken)
            return
        tree = resource_tree(scope, call, why or broken or several)
        declared = resource_name("module", root, *_inside(scope.path), name)
        around = around_block(scope, "", call)
        self.found.declared.append(Declaration(declared, tree, call.file, 0, TOOL, around))
        source = source_of(call)
        local = local_folder(scope.module.folder, source) in self.modules
        where = "nested too deeply" if local else f"from {source or 'a computed source'}"
        self.found.refused.setdefault(
            (call.file, 0), f"module {name} is {where}: what is in it is not listed"
        )

    def _consume(self, who: str, tree: Node) -> None:
        for path, scalar in leaves(tree):
            uses = scalar.uses if isinstance(scalar, Traced) else frozenset()
            for file, start in {(scalar.file, scalar.start), *uses}:
                self.found.consumers.append((who, path, file, start))


def _inside(path: tuple[str, ...]) -> list[str]:
    return [word for name in path for word in ("module", name)]
