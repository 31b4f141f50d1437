"""Terraform, Crossplane and serverless files: what the estate declares beside Kubernetes workloads.

Each declared machine, database, bucket and function is one that the clouds bill.
"""

from __future__ import annotations

from finops_dagster.demo.cloud import Meter
from finops_dagster.demo.company import ACCOUNTS, TEAMS
from finops_dagster.demo.meters import METERS

_SAM = frozenset({"cart-cleaner"})
_AZURE_FUNCTIONS = frozenset({"payout-notify"})


def _owned(meter: Meter, equals: str, indent: int, names: dict[str, str]) -> list[str]:
    team = TEAMS[meter.team]
    values = {
        "team": team.name,
        "environment": meter.environment,
        "business_unit": team.business_unit,
        "cost_center": team.cost_center,
    }
    pad = " " * indent
    return [f'{pad}{names.get(key, key)}{equals}"{value}"' for key, value in values.items()]


def _identifier(name: str) -> str:
    return name.replace("-", "_")


def _terraform(meter: Meter) -> str:
    name = meter.resource or ""
    label = _identifier(name)
    account = meter.account.split("-")[0]
    kind = meter.resource_type
    if account == "aws" and kind == "Virtual Machine":
        head = [
            f'resource "aws_instance" "{label}" {{',
            '  ami           = "ami-0c1d2e3f4a5b6c7d8"',
            f'  instance_type = "{meter.detail}"',
        ]
    elif account == "aws" and kind == "Database":
        head = [
            f'resource "aws_db_instance" "{label}" {{',
            f'  identifier        = "{name}"',
            f'  instance_class    = "{meter.detail}"',
            '  engine            = "postgres"',
            "  allocated_storage = 500 # GiB",
            "  storage_encrypted = true",
        ]
    elif account == "aws":
        head = [f'resource "aws_s3_bucket" "{label}" {{', f'  bucket = "halden-{name}"']
    elif account == "azure" and kind == "Virtual Machine":
        head = [
            f'resource "azurerm_linux_virtual_machine" "{label}" {{',
            f'  name                = "{name}"',
            f'  size                = "{meter.detail}"',
            '  resource_group_name = "rg-payments"',
            f'  location            = "{meter.region}"',
        ]
    elif account == "azure" and kind == "Database":
        head = [
            f'resource "azurerm_mssql_database" "{label}" {{',
            f'  name     = "{name}"',
            f'  sku_name = "{meter.detail}"',
        ]
    elif account == "azure":
        head = [
            f'resource "azurerm_storage_account" "{label}" {{',
            f'  name         = "{name}"',
            '  account_tier = "Standard"',
        ]
    elif kind == "Virtual Machine":
        head = [
            f'resource "google_compute_instance" "{label}" {{',
            f'  name         = "{name}"',
            f'  machine_type = "{meter.detail}"',
            f'  zone         = "{meter.region}-b"',
        ]
    elif kind == "Database":
        head = [
            f'resource "google_sql_database_instance" "{label}" {{',
            f'  name             = "{name}"',
            '  database_version = "POSTGRES_16"',
            f'  region           = "{meter.region}"',
            "  settings {",
            f'    tier = "{meter.detail}"',
            "  }",
        ]
    else:
        head = [
            f'resource "google_storage_bucket" "{label}" {{',
            f'  name     = "halden-{name}"',
            f'  location = "{meter.region}"',
        ]
    word = "labels" if account == "gcp" else "tags"
    return "\n".join([*head, "", f"  {word} = {{", *_owned(meter, " = ", 4, {}), "  }", "}"]) + "\n"


def _crossplane(meter: Meter) -> str:
    name, account = meter.resource, meter.account.split("-")[0]
    team = TEAMS[meter.team]
    if account == "aws":
        api, kind = "ec2.aws.upbound.io/v1beta1", "Instance"
        size = [f"    instanceType: {meter.detail}", "    ami: ami-0c1d2e3f4a5b6c7d8"]
    elif meter.resource_type == "Database":
        api, kind = "sql.gcp.upbound.io/v1beta1", "DatabaseInstance"
        size = [
            "    databaseVersion: POSTGRES_16",
            "    settings:",
            f"    - tier: {meter.detail}   # custom: 4 vCPU, 16 GiB",
        ]
    else:
        api, kind = "compute.gcp.upbound.io/v1beta1", "Instance"
        size = [f"    machineType: {meter.detail}", f"    zone: {meter.region}-b"]
    return (
        "\n".join(
            [
                f"apiVersion: {api}",
                f"kind: {kind}",
                "metadata:",
                f"  name: {name}",
                "  labels:",
                f"    team: {team.name}",
                f"    environment: {meter.environment}",
                f"    business-unit: {team.business_unit}",
                f"    cost-center: {team.cost_center}",
                "spec:",
                "  forProvider:",
                f"    region: {meter.region}",
                *size,
                "  providerConfigRef:",
                "    name: default",
            ]
        )
        + "\n"
    )


def _sam(meters: list[Meter]) -> str:
    lines = ["AWSTemplateFormatVersion: '2010-09-09'", "Transform: AWS::Serverless-2016-10-31"]
    lines += ["Description: Housekeeping of the checkout", "", "Resources:"]
    for meter in meters:
        logical = "".join(part.title() for part in (meter.resource or "").split("-"))
        lines += [
            f"  {logical}:",
            "    Type: AWS::Serverless::Function",
            "    Properties:",
            f"      FunctionName: {meter.resource}",
            "      Handler: app.handler",
            "      Runtime: python3.12",
            f"      MemorySize: {meter.detail} # MiB",
            "      Timeout: 30",
            "      Tags:",
            *_owned(meter, ": ", 8, {}),
        ]
    return "\n".join(lines) + "\n"


def _serverless(service: str, provider: str, meters: list[Meter]) -> str:
    lines = [
        f"service: {service}",
        "frameworkVersion: '3'",
        "provider:",
        f"  name: {provider}",
        f"  runtime: {'nodejs20' if provider == 'azure' else 'nodejs20.x'}",
        f"  region: {meters[0].region}",
        "functions:",
    ]
    for meter in meters:
        lines += [
            f"  {meter.resource}:",
            "    handler: src/handler.run",
            f"    memorySize: {meter.detail}   # MB",
            "    timeout: 30",
            "    tags:",
            *_owned(meter, ": ", 6, {}),
        ]
    return "\n".join(lines) + "\n"


def infrastructure_files() -> dict[str, str]:
    """Path -> text of every file that is not of Kubernetes workloads."""
    files: dict[str, str] = {}
    seen: set[str] = set()
    functions: dict[str, list[Meter]] = {}
    for meter in METERS:
        if meter.resource is None or meter.declared is None or meter.resource in seen:
            continue
        seen.add(meter.resource)
        if meter.declared == "terraform":
            path = f"terraform/{ACCOUNTS[meter.account].name}/main.tf"
            files[path] = files.get(path, "") + ("\n" if path in files else "") + _terraform(meter)
        elif meter.declared == "crossplane":
            files[f"crossplane/{meter.resource}.yaml"] = _crossplane(meter)
        else:
            group = (
                "checkout"
                if meter.resource in _SAM
                else "payments"
                if meter.resource in _AZURE_FUNCTIONS
                else "retail"
            )
            functions.setdefault(group, []).append(meter)
    files["serverless/checkout/template.yaml"] = _sam(functions["checkout"])
    files["serverless/payments/serverless.yml"] = _serverless(
        "payouts", "azure", functions["payments"]
    )
    files["serverless/retail/serverless.yml"] = _serverless(
        "shop-tools", "aws", functions["retail"]
    )
    return files
