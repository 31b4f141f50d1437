"""Terraform and OpenTofu code as declared resources: every root module with the local ones it uses.

Nothing is run, downloaded or planned: what only a plan knows is refused.
"""

from finops_dagster.desired_state.terraform.reader import read_terraform

__all__ = ["read_terraform"]
