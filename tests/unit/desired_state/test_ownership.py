"""Whose a declared resource is, where it is, and which rule said so."""

from __future__ import annotations

import pytest

from finops_dagster.desired_state import TagKeys, index_files
from finops_dagster.domain.decisions import DeclaredResource
from tests.builders import deployment


def only(files: dict[str, str], keys: TagKeys | None = None) -> DeclaredResource:
    """The one resource that is no Namespace."""
    data = {name: text.encode() for name, text in files.items()}
    index = index_files(data, keys=keys) if keys else index_files(data)
    (found,) = [one for one in index.resources().values() if "Namespace" not in one.resource]
    return found


POD = "apiVersion: v1\nkind: Pod\nmetadata:\n  name: p\n  namespace: pay-prod\n"


def test_the_first_rule_that_speaks_wins() -> None:
    """Harm: the namespace's owner pays for what a team has labelled as its own."""
    namespace = "apiVersion: v1\nkind: Namespace\nmetadata: {name: pay-prod, labels: {%s}}\n"
    files = {
        "teams/core/pod.yaml": POD,
        "ns.yaml": namespace % "team: pay, finops.example.org/Cost-Center: CC-9",
    }
    resource = only(files)
    assert (resource.owner, resource.told_by["owner"]) == ("pay", "namespace label team")
    assert resource.cost_center == "CC-9"
    assert resource.told_by["cost_center"] == "namespace label finops.example.org/Cost-Center"
    assert (resource.environment, resource.told_by["environment"]) == ("prod", "namespace")
    files["ns.yaml"] = namespace % "x: y"
    resource = only(files)
    assert (resource.owner, resource.told_by["owner"]) == ("core", "path")
    labelled = POD + "  labels: {owner: b, team: a}\n"
    resource = only({**files, "teams/core/pod.yaml": labelled})
    assert (resource.owner, resource.told_by["owner"]) == ("a", "label team")
    noted = POD + "  annotations: {example.org/owner: c}\n"
    assert only({**files, "teams/core/pod.yaml": noted}).owner == "c"


def test_what_nobody_says_is_not_known() -> None:
    """Harm: an owner is made up."""
    resource = only({"a.yaml": POD.replace("pay-prod", "pay")})
    assert (resource.owner, resource.cost_center, resource.environment) == (None, None, None)
    assert (resource.region, resource.told_by, resource.cloud_ids) == (None, {}, ())


def test_keys_come_from_the_settings() -> None:
    """Harm: a company that calls teams squads has no owners."""
    keys = TagKeys(owner=("squad",), environment=("tier",))
    text = deployment("web").decode().replace("team: checkout", "squad: s, tier: gold")
    resource = only({"a.yaml": text}, keys)
    assert (resource.owner, resource.environment) == ("s", "gold")


@pytest.mark.parametrize(
    ("path", "environment"),
    [
        ("overlays/prod/a.yaml", "prod"),
        ("clusters/eu-staging/a.yaml", "staging"),
        ("prod/dev/a.yaml", "dev"),
        ("products/a.yaml", None),
        ("a-production.yaml", "production"),
        ("devices/a.yaml", None),
    ],
)
def test_the_path_says_the_environment_last(path: str, environment: str | None) -> None:
    """Harm: `products` is taken for production."""
    assert only({path: POD.replace("pay-prod", "pay")}).environment == environment


@pytest.mark.parametrize(
    ("where", "region"),
    [
        ('region = "eu-west-1"', "eu-west-1"),
        ('availability_zone = "us-east-1b"', "us-east-1"),
        ('zone = "europe-west4-b"', "europe-west4"),
        ('location = "westeurope"', "westeurope"),
        ('location = "US"', "US"),
        ("region = var.none", "us-west-2"),
        ("cpu = 1", "us-west-2"),
    ],
)
def test_the_region_of_a_terraform_resource(where: str, region: str) -> None:
    """Harm: a zone is taken for a region, and its carbon intensity not found."""
    text = (
        f'provider "aws" {{\n  region = "us-west-2"\n}}\nresource "aws_x" "a" {{\n  {where}\n}}\n'
    )
    assert only({"eu-central-1/main.tf": text}).region == region


def test_a_region_in_the_path_is_the_last_to_be_believed() -> None:
    """Harm: a folder of old name beats what the code says."""
    text = 'resource "aws_x" "a" {\n  cpu = 1\n}\n'
    resource = only({"live/eu-central-1/main.tf": text})
    assert (resource.region, resource.told_by) == ("eu-central-1", {"region": "path"})


def test_tags_of_the_provider_and_of_an_alias() -> None:
    """Harm: resources whose tags are all default tags have no owner."""
    text = """provider "aws" {
  default_tags { tags = { team = "core", env = "prod" } }
}
provider "aws" {
  alias  = "eu"
  region = "eu-west-1"
  default_tags { tags = local.tags }
}
locals { tags = { team = "europe", CostCenter = "CC-1" } }
module "m" {
  source    = "./m"
  providers = { aws = aws.eu }
}
"""
    module = 'resource "aws_s3_bucket" "b" {\n  bucket = "logs"\n  tags = { env = var.env }\n}\n' \
        'variable "env" { default = "dev" }\n'  # fmt: skip
    resource = only({"main.tf": text, "m/main.tf": module})
    assert (resource.owner, resource.told_by["owner"]) == ("europe", "default tag team")
    assert (resource.cost_center, resource.region) == ("CC-1", "eu-west-1")
    assert (resource.environment, resource.cloud_ids) == ("dev", ("logs",))
    assert resource.labels == {"team": "europe", "CostCenter": "CC-1", "env": "dev"}
    direct = text.replace("module", "resource").split("resource")[0]
    direct += 'resource "aws_s3_bucket" "b" {\n  provider = aws.eu\n}\n'
    assert only({"main.tf": direct}).owner == "europe"


def test_tags_that_are_computed_are_no_tags() -> None:
    """Harm: `var.team` is charged."""
    text = 'resource "aws_x" "a" {\n  tags = { team = var.team, env = "${var.e}-x" }\n}\n'
    resource = only({"a/main.tf": text + 'variable "team" {}\n'})
    assert (resource.owner, resource.environment, resource.labels) == (None, None, {})


def test_crossplane_resources_have_the_name_of_what_they_make() -> None:
    """Harm: a database made by Crossplane is not found on the bill."""
    text = "apiVersion: rds.aws.upbound.io/v1beta1\nkind: Instance\nmetadata:\n  name: orders\n" \
        "spec:\n  forProvider:\n    region: eu-west-1\n    tags: {Owner: pay}\n"  # fmt: skip
    resource = only({"a.yaml": text})
    assert (resource.cloud_ids, resource.region) == (("orders",), "eu-west-1")
    assert (resource.owner, resource.told_by["owner"]) == ("pay", "tag Owner")
    named = text.replace("name: orders\n", "name: orders\n  annotations: "
                         "{crossplane.io/external-name: db-1}\n")  # fmt: skip
    assert only({"a.yaml": named}).cloud_ids == ("db-1",)
