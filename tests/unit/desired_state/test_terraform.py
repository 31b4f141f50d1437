"""Who owns each value of Terraform and OpenTofu code, and what is refused as computed."""

from __future__ import annotations

import pytest

from finops_dagster.desired_state import RepositoryIndex, index_files
from finops_dagster.domain.decisions import ValueLocation


def indexed(**files: str) -> RepositoryIndex:
    """Files by path, with `__` for `/` and `_tf` for `.tf`, so that they can be keywords."""
    return index_files({name: text.encode() for name, text in files.items()})


def found(index: RepositoryIndex, resource: str, field: str) -> ValueLocation:
    location = index.locate(resource, field)
    assert location is not None, sorted(index.resources())
    return location


def raw(index: RepositoryIndex, location: ValueLocation) -> str:
    return index.read(location.file)[location.start_byte : location.end_byte].decode()


def one(body: str, rest: str = "", **files: str) -> tuple[RepositoryIndex, str]:
    """An index of one instance with `body`, beside `rest` in its file and other files."""
    main = f'resource "aws_instance" "web" {{\n{body}\n}}\n{rest}'
    return indexed(**{"infra/main.tf": main, **files}), "aws_instance/infra/web"


def test_a_literal_owns_itself() -> None:
    """Harm: an edit hits a comment, a neighbour or the quotes."""
    index, name = one(
        '  # "m5.large" once\n  instance_type = "m5.xlarge" # big\n  cpu = 4\n  on=true'
    )
    size = found(index, name, "instance_type")
    assert (size.value, size.editable, raw(index, size)) == ("m5.xlarge", True, '"m5.xlarge"')
    assert raw(index, found(index, name, "cpu")) == "4"
    assert raw(index, found(index, name, "on")) == "true"
    assert index.resources()[name].api_version == "terraform"


@pytest.mark.parametrize(
    ("rest", "files", "owner", "text"),
    [
        ('variable "size" { default = "a" }', {}, "infra/main.tf", "a"),
        ('variable "size" {}', {"infra/terraform.tfvars": 'size = "b"\n'},
         "infra/terraform.tfvars", "b"),
        ('variable "size" { default = "a" }',
         {"infra/terraform.tfvars": 'size = "b"\n', "infra/b.auto.tfvars": 'size = "d"\n',
          "infra/a.auto.tfvars": 'size = "c"\n'}, "infra/b.auto.tfvars", "d"),
        ('variable "size" { default = "a" }',
         {"infra/terraform.tfvars": 'size = "b"\n', "infra/terraform.tfvars.json": '{"size": "c"}'},
         "infra/terraform.tfvars.json", "c"),
        ('variable "size" { default = "a" }',
         {"infra/z.auto.tfvars": 'size = "b"\n', "infra/env/prod.tfvars": 'size = "p"\n'},
         "infra/env/prod.tfvars", "p"),
        ('variable "size" { default = "a" }',
         {"infra/dev.tfvars": 'other = 1\n', "infra/prod.tfvars": 'more = 1\n'},
         "infra/main.tf", "a"),
    ],
)  # fmt: skip
def test_a_variable_is_owned_by_what_sets_it_last(
    rest: str, files: dict[str, str], owner: str, text: str
) -> None:
    """Harm: a default is edited that a variable file overrides, and nothing changes."""
    index, name = one("  instance_type = var.size", rest, **files)
    location = found(index, name, "instance_type")
    assert (location.file, location.value, location.editable) == (owner, text, True)
    assert raw(index, location) == f'"{text}"'


def test_variable_files_that_a_command_line_chooses_are_no_owner() -> None:
    """Harm: the size of development is edited where production was meant."""
    files = {"infra/dev.tfvars": 'size = "s"\n', "infra/prod.tfvars": 'size = "l"\n'}
    index, name = one("  instance_type = var.size", 'variable "size" { default = "a" }', **files)
    location = found(index, name, "instance_type")
    assert not location.editable
    assert "infra/dev.tfvars or infra/prod.tfvars" in location.reason


@pytest.mark.parametrize(
    ("expression", "rest", "text"),
    [
        ("local.size", 'locals { size = "x" }', "x"),
        ('"${local.size}"', 'locals { size = "x" }', "x"),
        ("(local.size)", 'locals { size = "x" }', "x"),
        ("local.a", 'locals {\n a = local.b\n b = "x"\n}', "x"),
        ('local.sizes["prod"]', 'locals { sizes = { prod = "x", dev = "y" } }', "x"),
        ("local.sizes.prod", 'locals { sizes = { "prod" : "x" } }', "x"),
        ("var.list[1]", 'variable "list" { default = ["w", "x"] }', "x"),
        ("local.sizes[var.env]",
         'locals { sizes = { p = "x" } }\nvariable "env" { default = "p" }', "x"),
        ("merge(local.a, local.b).size",
         'locals {\n a = { size = "w" }\n b = { size = "x" }\n}', None),
        ("module.m.size", 'module "m" {\n source = "./m"\n}', "x"),
        ("aws_instance.other.instance_type",
         'resource "aws_instance" "other" {\n  instance_type = "x"\n}', None),
    ],
)  # fmt: skip
def test_names_are_followed(expression: str, rest: str, text: str | None) -> None:
    """Harm: a value that has one plain owner cannot be changed; or one with two is."""
    module = 'output "size" { value = local.size }\nlocals { size = "x" }\n'
    index, name = one(f"  instance_type = {expression}", rest, **{"infra/m/main.tf": module})
    location = found(index, name, "instance_type")
    assert location.editable is (text is not None), location.reason
    if text is not None:
        assert (location.value, raw(index, location)) == (text, f'"{text}"')


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ('var.big ? "a" : "b"', "a condition decides it"),
        ('"m5.${var.size}"', "a template computes it"),
        ('lookup(var.sizes, "a", "b")', "a function, lookup(), computes it"),
        ("var.count + 1", "an operation computes it"),
        ("each.value", "for_each has its own"),
        ("terraform.workspace", "depends on the workspace"),
        ("data.aws_ami.this.id", "taken from data.aws_ami.this.id, known only when applied"),
        ("aws_vpc.main.id", "taken from aws_vpc.main.id"),
        ("aws_vpc.main[*].id", "a splat expression"),
        ("var.nowhere", "no variable nowhere is declared"),
        ("var.unset", "no file here sets variable unset"),
        ("local.nowhere", "no local value nowhere"),
        ("local.loop", "refers to itself"),
        ("local.sizes[terraform.workspace]", "what chooses it is not known"),
        ('local.sizes["none"]', "is not set"),
        ("<<-EOT\n    hello\n  EOT\n", "it is a heredoc"),
        ("<<-EOT\n    hello ${var.unset}\n  EOT\n", "a template computes it"),
        ("null", ""),
    ],
)
def test_what_is_computed_is_refused_with_the_reason(expression: str, reason: str) -> None:
    """Harm: a guess at what a plan would say is written into the code."""
    rest = 'variable "unset" {}\nlocals {\n loop = local.loop\n sizes = { a = "b" }\n}\n'
    index, name = one(f"  instance_type = {expression}", rest)
    location = found(index, name, "instance_type")
    if reason:
        assert not location.editable
        assert reason in location.reason


def test_loops_and_computed_lists_are_refused_whole() -> None:
    """Harm: `[for ...]` is listed as if it were a value."""
    index, name = one('  zones = [for z in var.zones : z]\n  sets = toset(["a"])')
    assert "for expression" in found(index, name, "zones").reason
    assert "toset()" in found(index, name, "sets").reason


@pytest.mark.parametrize(
    ("meta", "editable"),
    [
        ("count = 3", False),
        ("count = 1", True),
        ("count = var.on ? 1 : 0", True),
        ("count = var.on ? 0 : 1", True),
        ("count = var.on ? 2 : 0", False),
        ("count = var.a ? 5 : var.b ? 1 : 0", False),
        ("count = length(var.x)", False),
        ('for_each = { a = "b" }', False),
    ],
)
def test_values_of_several_instances_are_shared(meta: str, editable: bool) -> None:
    """Harm: one machine is resized, and nine others with it."""
    index, name = one(f'  {meta}\n  instance_type = "m5.large"')
    location = found(index, name, "instance_type")
    assert location.editable is editable
    assert editable or "several instances" in location.reason


def test_the_count_itself_is_a_value() -> None:
    """Harm: the number of machines cannot be lowered."""
    index, name = one('  count = 3\n  instance_type = "m5.large"')
    count = found(index, name, "count")
    assert (count.value, count.editable) == ("3", True)


def test_what_feeds_more_than_one_value_is_shared() -> None:
    """Harm: a variable is changed for one resource, and changes another, or a provider."""
    second = 'resource "aws_instance" "two" {\n  instance_type = var.size\n}\n'
    index, name = one(
        "  instance_type = var.size", f'variable "size" {{ default = "a" }}\n{second}'
    )
    location = found(index, name, "instance_type")
    assert location.reason.startswith("shared by aws_instance/infra/two and aws_instance/infra/web")
    templated = 'resource "aws_eip" "ip" {\n  name = "ip-${var.size}"\n}\n'
    index, name = one(
        "  instance_type = var.size", f'variable "size" {{ default = "a" }}\n{templated}'
    )
    assert "aws_eip/infra/ip" in found(index, name, "instance_type").reason
    provider = 'provider "aws" { region = var.region }\nvariable "region" { default = "eu-west-1" }'
    index, name = one("  region = var.region", provider)
    assert "provider aws in infra" in found(index, name, "region").reason
    chooser = 'variable "env" { default = "p" }\nlocals { sizes = { p = "x" } }\n'
    index, name = one("  instance_type = local.sizes[var.env]\n  env = var.env", chooser)
    assert found(index, name, "instance_type").editable
    assert "shared" in found(index, name, "env").reason


CALLS = 'module "a" {\n  source = "../modules/db"\n  size = "large"\n}\n'
DB = """variable "size" { default = "small" }
variable "disk" { default = 100 }
resource "aws_db_instance" "main" {
  instance_class = var.size
  storage        = var.disk
  engine         = "postgres"
}
"""


def test_an_argument_of_a_call_owns_its_instance() -> None:
    """Harm: a module's default is edited although each call says its own size."""
    again = CALLS.replace('"a"', '"b"').replace('"large"', '"medium"')
    index = indexed(**{"live/main.tf": CALLS + again, "modules/db/main.tf": DB})
    assert sorted(index.resources()) == [
        "aws_db_instance/live/module.a.main", "aws_db_instance/live/module.b.main",
    ]  # fmt: skip
    for call, size in (("a", "large"), ("b", "medium")):
        location = found(index, f"aws_db_instance/live/module.{call}.main", "instance_class")
        assert (location.file, location.value, location.editable) == ("live/main.tf", size, True)
    for field in ("storage", "engine"):
        location = found(index, "aws_db_instance/live/module.a.main", field)
        assert location.file == "modules/db/main.tf"
        assert location.reason.startswith("shared by aws_db_instance/live/module.a.main and")


def test_a_module_used_once_owns_its_literals() -> None:
    """Harm: code that one caller uses is refused as if many did."""
    index = indexed(**{"live/main.tf": CALLS, "modules/db/main.tf": DB})
    assert found(index, "aws_db_instance/live/module.a.main", "storage").editable


def test_arguments_are_followed_through_several_calls() -> None:
    """Harm: the owner is sought in the wrong file, one call too low."""
    middle = 'variable "s" {}\nmodule "inner" {\n  source = "../db"\n  size = var.s\n}\n'
    outer = CALLS.replace("modules/db", "modules/middle").replace("size =", "s =")
    index = indexed(**{
        "live/main.tf": outer, "modules/middle/main.tf": middle, "modules/db/main.tf": DB,
    })  # fmt: skip
    location = found(index, "aws_db_instance/live/module.a.module.inner.main", "instance_class")
    assert (location.file, location.value, location.editable) == ("live/main.tf", "large", True)


def test_a_call_that_is_made_several_times_shares_its_arguments() -> None:
    """Harm: one instance of a for_each is resized by an argument of all."""
    index = indexed(**{
        "live/main.tf": CALLS.replace("size", 'for_each = toset(["x"])\n  size'),
        "modules/db/main.tf": DB,
    })  # fmt: skip
    location = found(index, "aws_db_instance/live/module.a.main", "instance_class")
    assert "several instances of module a" in location.reason


def test_a_module_from_elsewhere_is_listed_by_its_call() -> None:
    """Harm: a database from a registry's module is passed over in silence."""
    call = CALLS.replace("../modules/db", "terraform-aws-modules/rds/aws")
    index = indexed(**{"live/main.tf": call})
    assert found(index, "module/live/a", "size").editable
    assert "terraform-aws-modules/rds/aws" in index.refused()["live/main.tf"]


def test_a_module_that_calls_itself_ends() -> None:
    """Harm: a circle of modules hangs the run."""
    index = indexed(**{"a/main.tf": 'module "b" { source = "../b" }\nterraform {\n'
                       '  backend "s3" {}\n}\n',
                       "b/main.tf": 'module "a" { source = "../a" }\n'})  # fmt: skip
    assert any("nested too deeply" in reason for reason in index.refused().values())


def test_equal_names_in_two_root_modules_are_two_resources() -> None:
    """Harm: production's database is taken for development's."""
    text = 'resource "aws_db_instance" "orders" {\n  instance_class = "x"\n}\n'
    index = indexed(**{"tf/dev/main.tf": text, "tf/prod/main.tf": text, "main.tf": text})
    assert sorted(index.resources()) == [
        "aws_db_instance//orders", "aws_db_instance/tf:dev/orders",
        "aws_db_instance/tf:prod/orders",
    ]  # fmt: skip
    assert index.find("aws_db_instance/tf/prod/orders") == "aws_db_instance/tf:prod/orders"
    assert index.find("aws_db_instance/nowhere/at/orders") is None
    assert index.find("aws_db_instance.orders") is None


def test_what_people_write_finds_the_value() -> None:
    """Harm: an address copied from a plan is not understood."""
    index, name = one('  root_block_device {\n    volume_size = 100\n  }\n  instance_type = "x"')
    for resource in ("aws_instance.web", "aws_instance/web", name):
        assert found(index, resource, "root_block_device[0].volume_size").value == "100"
    assert found(index, name, "root_block_device.volume_size").editable


def test_nested_blocks_dynamic_blocks_and_repeated_ones() -> None:
    """Harm: the second disk is edited for the first; a generated one for a written one."""
    index, name = one(
        "  disk {\n    size = 1\n  }\n  disk {\n    size = 2\n  }\n"
        '  dynamic "set" {\n    for_each = var.x\n    content {\n      size = 3\n    }\n  }'
    )
    assert raw(index, found(index, name, "disk[1].size")) == "2"
    assert "dynamic block" in found(index, name, "dynamic.set.size").reason


def test_ignored_changes_are_refused() -> None:
    """Harm: a pull request is merged that Terraform was told to pass over."""
    lifecycle = '  lifecycle {\n    ignore_changes = [instance_type, tags["x"]]\n  }'
    index, name = one(
        f'  instance_type = "a"\n  cpu = 1\n  tags = {{ x = "1", y = "2" }}\n{lifecycle}'
    )
    assert "ignore_changes" in found(index, name, "instance_type").reason
    assert "ignore_changes" in found(index, name, "tags.x").reason
    assert found(index, name, "tags.y").editable
    index, name = one("  cpu = 1\n  lifecycle {\n    ignore_changes = all\n  }")
    assert "ignore_changes" in found(index, name, "cpu").reason


def test_override_files_win() -> None:
    """Harm: a value is edited that an override file replaces."""
    override = 'resource "aws_instance" "web" {\n  instance_type = "o"\n}\n'
    index, name = one('  instance_type = "a"\n  cpu = 1', **{"infra/x_override.tf": override})
    location = found(index, name, "instance_type")
    assert (location.file, location.value) == ("infra/x_override.tf", "o")
    assert found(index, name, "cpu").file == "infra/main.tf"


def test_tofu_files_take_the_place_of_terraform_ones() -> None:
    """Harm: OpenTofu reads one file, the other is edited."""
    text = 'resource "aws_instance" "web" {\n  instance_type = "t"\n}\n'
    index, name = one('  instance_type = "a"', **{"infra/main.tofu": text})
    assert found(index, name, "instance_type").file == "infra/main.tofu"
    assert "infra/main.tofu" in index.refused()["infra/main.tf"]


def test_json_syntax_is_the_same_language() -> None:
    """Harm: code that a generator wrote as JSON is not seen, or its templates taken for text."""
    text = """{"resource": {"aws_instance": {"web": {"instance_type": "${var.size}",
  "ami": "a", "name": "x-${var.size}", "cost": "$${x}", "count": 2}}},
 "variable": {"size": {"default": "m5.large"}, "free": [{"default": 1}]},
 "locals": [{"a": 1}]}"""
    index = indexed(**{"infra/main.tf.json": text})
    name = "aws_instance/infra/web"
    assert found(index, name, "count").editable
    assert "count makes" in found(index, name, "ami").reason
    index = indexed(**{"infra/main.tf.json": text.replace(', "count": 2', "")})
    assert raw(index, found(index, name, "ami")) == '"a"'
    assert found(index, name, "cost").value == "${x}"
    assert (
        "shared" in found(index, name, "instance_type").reason
        or not found(index, name, "instance_type").editable
    )
    assert "a template computes it" in found(index, name, "name").reason
    alone = text.replace(', "name": "x-${var.size}"', "").replace(', "count": 2', "")
    index = indexed(**{"infra/main.tf.json": alone.replace("\n", " ")})
    owner = found(index, name, "instance_type")
    assert (owner.value, owner.editable) == ("m5.large", True)


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("infra/bad.tf", "resource {{\n", "not valid HCL: line 1"),
        ("infra/bad.tf", 'a = "x"\nresource "a" "b" {\n  c = [\n}\n', "not valid HCL: line"),
        ("infra/bad.tf.json", "{", "not valid JSON"),
        ("infra/bad.tf.json", "[]", "not one JSON object"),
        ("infra/bad.tfvars", "size = = 1\n", "not valid HCL"),
        ("infra/terragrunt.hcl", "inputs = { size = 1 }\n", "Terragrunt"),
        ("infra/.terraform.lock.hcl", 'provider "x" {}\n', "lock of provider versions"),
        ("infra/a.tftest.hcl", 'run "x" {}\n', "a Terraform test"),
        ("infra/.terraform/modules/x/main.tf", "", "a copy that Terraform downloaded"),
        ("packer/image.pkr.hcl", "", "another tool"),
    ],
)
def test_files_that_are_not_read_say_why(name: str, text: str, reason: str) -> None:
    """Harm: a file is left out in silence, and its owner wonders why nothing is proposed."""
    index, _ = one('  instance_type = "a"', **{name: text})
    assert reason in index.refused()[name]


@pytest.mark.parametrize("bad", ["infra/bad.tf", "infra/bad.tf.json"])
def test_a_broken_file_makes_its_module_uncertain(bad: str) -> None:
    """Harm: the file that cannot be read held the override."""
    index, name = one('  instance_type = "a"', **{bad: "{{"})
    assert bad in found(index, name, "instance_type").reason


def test_a_broken_variable_file_makes_variables_uncertain() -> None:
    """Harm: the variable file that cannot be read set the size."""
    rest = 'variable "size" { default = "a" }'
    index, name = one("  instance_type = var.size\n  cpu = 1", rest, **{"infra/x.auto.tfvars": "="})
    assert "infra/x.auto.tfvars" in found(index, name, "instance_type").reason
    assert found(index, name, "cpu").editable


def test_terragrunt_may_set_variables_of_the_module_it_uses() -> None:
    """Harm: a default is edited that Terragrunt's inputs override."""
    rest = 'variable "size" { default = "a" }'
    terragrunt = 'terraform {\n  source = "${get_repo_root()}//infra?ref=v1"\n}\n'
    index, name = one("  instance_type = var.size\n  cpu = 1", rest,
                      **{"live/prod/terragrunt.hcl": terragrunt})  # fmt: skip
    assert "live/prod/terragrunt.hcl" in found(index, name, "instance_type").reason
    assert found(index, name, "cpu").editable


def test_terragrunt_whose_source_is_computed_may_set_any_variable() -> None:
    """Harm: the one module whose source could not be worked out is the one that is edited."""
    rest = 'variable "size" { default = "a" }'
    terragrunt = 'terraform {\n  source = "${local.s}"\n}\n'
    index, name = one("  instance_type = var.size", rest, **{"live/terragrunt.hcl": terragrunt})
    assert "live/terragrunt.hcl" in found(index, name, "instance_type").reason


def test_odd_bytes_keep_their_places() -> None:
    """Harm: a file with CRLF or letters beyond ASCII is edited some bytes too far left."""
    text = (
        '# Größe €\r\nresource "aws_instance" "web" {\r\n  tags = { a = "ü" }\r\n  cpu = 4\r\n}\r\n'
    )
    index = indexed(**{"infra/main.tf": text})
    location = found(index, "aws_instance/infra/web", "cpu")
    assert raw(index, location) == "4"
    assert raw(index, found(index, "aws_instance/infra/web", "tags.a")) == '"ü"'
    marked = index_files({"infra/main.tf": b"\xef\xbb\xbf" + text.encode()})
    assert raw(marked, found(marked, "aws_instance/infra/web", "cpu")) == "4"
    latin = index_files({"infra/main.tf": text.encode("latin-1", "replace")})
    assert "not UTF-8" in latin.refused()["infra/main.tf"]


def test_deep_nesting_ends() -> None:
    """Harm: a hostile file ends the process."""
    deep = "[" * 5000 + "]" * 5000
    index, _ = one(f"  a = {deep}")
    assert "nested deeper" in index.refused()["infra/main.tf"]
    chain = "\n".join(f"  l{n} = local.l{n + 1}" for n in range(5000))
    index, _ = one("  a = local.l0", f'locals {{\n{chain}\n  l5000 = "x"\n}}')
    assert "too deeply" in index.refused()["infra/main.tf"]
