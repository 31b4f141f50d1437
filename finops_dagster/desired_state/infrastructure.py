"""Everything a repository declares that is no Kubernetes object, from each tool's reader.

How a tool's files are read is in terraform, cloudformation and serverless.
"""

from __future__ import annotations

from finops_dagster.desired_state.cloudformation import read_templates
from finops_dagster.desired_state.declaration import Infrastructure
from finops_dagster.desired_state.serverless import read_services
from finops_dagster.desired_state.terraform import read_terraform
from finops_dagster.desired_state.tree import Tree


def read_infrastructure(tree: Tree) -> Infrastructure:
    """Declared resources of Terraform, CloudFormation, SAM and the Serverless Framework."""
    found = Infrastructure()
    read_terraform(tree.files, tree.names, found)
    rest = {name: data for name, data in tree.files.items() if name not in found.claimed}
    read_services(rest, tree.names, found)
    rest = {name: data for name, data in rest.items() if name not in found.claimed}
    read_templates(rest, found)
    return found


def same_files(one: Tree, other: Tree, infrastructure: Infrastructure) -> bool:
    """Whether nothing changed between two trees that `infrastructure` was read from."""
    return one.names == other.names and all(
        one.files.get(name) is other.files.get(name)
        for name in infrastructure.claimed
        if name in one.files
    )
