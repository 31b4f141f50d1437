"""The files of one module put together: override files, .tofu before .tf, variable files.

What the expressions in it come to is worked out in scopes.py.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from finops_dagster.desired_state.nodes import UnreadableError
from finops_dagster.desired_state.terraform.expressions import Block, Body, Expression, Literal
from finops_dagster.desired_state.terraform.json_syntax import parse_json, parse_json_values
from finops_dagster.desired_state.terraform.syntax import parse_hcl

CODE = (".tf", ".tofu", ".tf.json", ".tofu.json")
VALUES = (".tfvars", ".tfvars.json")

_OVERRIDE = re.compile(r"(?:^|_)override\.(?:tf|tofu)(?:\.json)?\Z")
"""https://developer.hashicorp.com/terraform/language/files/override."""

_AUTOMATIC = re.compile(r"terraform\.tfvars(?:\.json)?\Z|.*\.auto\.tfvars(?:\.json)?\Z")


@dataclass
class Module:
    """One folder of code, its blocks by what they declare."""

    folder: str
    variables: dict[str, Block] = field(default_factory=dict)
    locals: dict[str, Expression] = field(default_factory=dict)
    resources: dict[tuple[str, str], Block] = field(default_factory=dict)
    data: dict[tuple[str, str], Block] = field(default_factory=dict)
    calls: dict[str, Block] = field(default_factory=dict)
    outputs: dict[str, Block] = field(default_factory=dict)
    providers: dict[str, Block] = field(default_factory=dict)
    """By name, and by NAME.ALIAS."""
    has_state: bool = False
    """It says where its state is kept, so it is applied by itself."""
    broken: str = ""
    """FILE: why it cannot be read; then no value of the module is certain."""


@dataclass(frozen=True)
class Assigned:
    """What the variable files of a root module say."""

    automatic: Mapping[str, Expression]
    """Those that are always loaded, the last one that sets a variable."""
    named: Mapping[str, Mapping[str, Expression]]
    """File -> values, of those that a command line must name."""
    broken: str = ""


def is_code(name: str) -> bool:
    """Whether a file's name says that it holds blocks of a module."""
    return name.endswith(CODE)


def superseded(names: Iterable[str]) -> dict[str, str]:
    """Files that OpenTofu passes over for a .tofu file of the same name -> that file."""
    every = set(names)
    found: dict[str, str] = {}
    for name in every:
        for ours, theirs in ((".tofu", ".tf"), (".tofu.json", ".tf.json")):
            other = name.removesuffix(ours) + theirs
            if name.endswith(ours) and other in every:
                found[other] = name
    return found


def read_module(folder: str, files: Mapping[str, bytes], refused: dict[str, str]) -> Module:
    """The module of `folder` from its files' bytes; what cannot be read goes into `refused`."""
    module = Module(folder)
    ordered = sorted(files, key=lambda name: (bool(_OVERRIDE.search(_base(name))), name))
    for name in ordered:
        try:
            body = (parse_json if name.endswith(".json") else parse_hcl)(files[name], name)
        except UnreadableError as error:
            refused[name] = str(error)
            module.broken = module.broken or f"{name} of its module cannot be read"
            continue
        override = bool(_OVERRIDE.search(_base(name)))
        for block in body.blocks:
            _take(module, block, override)
    return module


def read_assigned(
    own: Iterable[str], below: Iterable[str], files: Mapping[str, bytes], refused: dict[str, str]
) -> Assigned:
    """Values from the variable files in a root module's folder (`own`) and from those in folders
    of `below` it that hold no code, which are never loaded by themselves.

    terraform.tfvars, then *.auto.tfvars in order of their names
    (https://developer.hashicorp.com/terraform/language/values/variables#variable-definition-precedence).
    """
    automatic: dict[str, Expression] = {}
    named: dict[str, Mapping[str, Expression]] = {}
    broken = ""
    own = sorted(own, key=lambda name: (not _base(name).startswith("terraform.tfvars"), name))
    loaded = {name for name in own if _AUTOMATIC.match(_base(name))}
    for name in (*own, *sorted(below)):
        try:
            parse = parse_json_values if name.endswith(".json") else parse_hcl
            body = parse(files[name], name)
        except UnreadableError as error:
            refused[name] = str(error)
            broken = broken or f"{name} cannot be read, and may set it"
            continue
        if name in loaded:
            automatic.update(body.attributes)
        else:
            named[name] = body.attributes
    return Assigned(automatic, named, broken)


def source_of(call: Block) -> str | None:
    """The text of a module call's source; None where it is no constant."""
    source = call.body.attributes.get("source")
    return source.scalar.text if isinstance(source, Literal) else None


def local_folder(folder: str, source: str | None) -> str | None:
    """The folder in the repository that a source means; None where it is not a local one."""
    if source is None or not source.startswith(("./", "../")):
        return None
    path = posixpath.normpath(posixpath.join(folder, source))
    return "" if path == "." else path


def _base(name: str) -> str:
    return posixpath.basename(name)


def _take(module: Module, block: Block, override: bool) -> None:
    tables: dict[str, tuple[dict[str, Block], int]] = {
        "variable": (module.variables, 1),
        "module": (module.calls, 1),
        "output": (module.outputs, 1),
    }
    pairs = {"resource": module.resources, "data": module.data}
    if block.kind in tables:
        table, labels = tables[block.kind]
        if len(block.labels) == labels:
            table[block.labels[0]] = _merged(table.get(block.labels[0]), block, override)
    elif block.kind in pairs and len(block.labels) == 2:
        key = (block.labels[0], block.labels[1])
        pairs[block.kind][key] = _merged(pairs[block.kind].get(key), block, override)
    elif block.kind == "locals":
        module.locals.update(block.body.attributes)
    elif block.kind == "provider" and block.labels:
        alias = block.body.attributes.get("alias")
        name = block.labels[0]
        if isinstance(alias, Literal):
            name = f"{name}.{alias.scalar.text}"
        module.providers[name] = _merged(module.providers.get(name), block, override)
    elif block.kind == "terraform":
        module.has_state |= any(one.kind in ("backend", "cloud") for one in block.body.blocks)
        module.has_state |= bool({"backend", "cloud"} & block.body.attributes.keys())


def _merged(before: Block | None, block: Block, override: bool) -> Block:
    """What an override file says replaces attributes, and all nested blocks of a type it has."""
    if before is None or not override:
        return block
    replaced = {one.kind for one in block.body.blocks}
    kept = [one for one in before.body.blocks if one.kind not in replaced]
    attributes = {**before.body.attributes, **block.body.attributes}
    body = Body(attributes, kept + block.body.blocks, before.body.twice | block.body.twice)
    return Block(block.kind, block.labels, body, before.file)
