"""Who owns each value of serverless templates: SAM, CloudFormation, the Serverless Framework."""

from __future__ import annotations

import pytest

from finops_dagster.desired_state import RepositoryIndex, index_files
from finops_dagster.domain.decisions import ValueLocation


def indexed(files: dict[str, str]) -> RepositoryIndex:
    return index_files({name: text.encode() for name, text in files.items()})


def found(index: RepositoryIndex, resource: str, field: str) -> ValueLocation:
    location = index.locate(resource, field)
    assert location is not None, sorted(index.resources())
    return location


def raw(index: RepositoryIndex, location: ValueLocation) -> str:
    return index.read(location.file)[location.start_byte : location.end_byte].decode()


HEAD = "AWSTemplateFormatVersion: '2010-09-09'\nTransform: AWS::Serverless-2016-10-31\n"
ONE = (
    HEAD
    + """Parameters:
  Memory: {Type: Number, Default: 512}
  Bare: {Type: String}
  Stored: {Type: 'AWS::SSM::Parameter::Value<String>', Default: /x}
Globals:
  Function:
    MemorySize: 1024 # MiB
    Timeout: 30
    Environment: {Variables: {A: "1", B: "2"}}
    Layers: [one]
Resources:
  Orders:
    Type: AWS::Serverless::Function
    Properties:
      FunctionName: orders
      Timeout: 10
      Environment: {Variables: {B: "3"}}
      Layers: [two]
      Role: !GetAtt Other.Arn
      Description: !Sub "${AWS::StackName} x"
      Runtime: !FindInMap [a, b, c]
      Handler: !If [Big, a, b]
      CodeUri: {Ref: Bare}
      KmsKeyArn: !Ref Stored
      PackageType: !Ref AWS::Region
      Policies: [!Ref Missing]
"""
)
NAME = "AWS::Serverless::Function/fn/Orders"
SECOND = "  Two:\n    Type: AWS::Serverless::Function\n    Properties: {MemorySize: !Ref Memory}\n"


def test_a_function_owns_what_it_says_and_globals_the_rest() -> None:
    """Harm: a function's own timeout is sought in Globals, or the other way round."""
    index = indexed({"fn/template.yaml": ONE})
    for field, value in (
        ("Properties.Timeout", "10"), ("Properties.MemorySize", "1024"), ("MemorySize", "1024"),
        ("Properties.Environment.Variables.A", "1"), ("Properties.Environment.Variables.B", "3"),
        ("Properties.Layers[0]", "one"), ("Properties.Layers[1]", "two"),
    ):  # fmt: skip
        location = found(index, NAME, field)
        assert (location.value, location.editable) == (value, True), location.reason
        assert raw(index, location).strip('"') == value
    assert not found(index, NAME, "Type").editable
    resource = index.resources()[NAME]
    assert (resource.api_version, resource.cloud_ids) == ("AWS::Serverless-2016-10-31", ("orders",))


def test_globals_of_several_functions_are_shared() -> None:
    """Harm: the memory of one function is lowered, and that of all others with it."""
    other = SECOND.replace("{MemorySize: !Ref Memory}", "{}")
    index = indexed({"fn/template.yaml": ONE + other})
    location = found(index, NAME, "Properties.MemorySize")
    assert location.reason.startswith(f"shared by {NAME} and AWS::Serverless::Function/fn/Two")


def test_a_parameter_used_once_owns_its_value() -> None:
    """Harm: a value behind !Ref cannot be changed, or is changed for others too."""
    index = indexed({"fn/template.yaml": ONE + SECOND})
    location = found(index, "AWS::Serverless::Function/fn/Two", "Properties.MemorySize")
    assert (location.value, raw(index, location), location.editable) == ("512", "512", True)
    user = "  Big:\n    Type: AWS::SNS::Topic\n    Properties: {TopicName: !Sub 'x-${Memory}'}\n"
    index = indexed({"fn/template.yaml": ONE + SECOND + user})
    location = found(index, "AWS::Serverless::Function/fn/Two", "Properties.MemorySize")
    assert "shared by AWS::SNS::Topic/fn/Big" in location.reason
    decides = "Conditions: {Big: !Equals [!Ref Memory, 512]}\n"
    index = indexed({"fn/template.yaml": ONE + SECOND + decides})
    location = found(index, "AWS::Serverless::Function/fn/Two", "Properties.MemorySize")
    assert "Conditions of fn/template.yaml" in location.reason


@pytest.mark.parametrize(
    ("file", "text", "reason"),
    [
        ("fn/samconfig.toml", 'parameter_overrides = "Memory=256"\n', "fn/samconfig.toml may set"),
        ("fn/params/prod.json", '[{"ParameterKey": "Memory", "ParameterValue": "1"}]',
         "fn/params/prod.json may set"),
        ("root.yaml", "Resources:\n  Child:\n    Type: AWS::CloudFormation::Stack\n"
         "    Properties: {TemplateURL: fn/template.yaml}\n", "Child in root.yaml may set it"),
        ("fn/samconfig.toml", 'parameter_overrides = "Other=256"\n', ""),
    ],
)  # fmt: skip
def test_parameters_that_something_outside_sets_are_refused(
    file: str, text: str, reason: str
) -> None:
    """Harm: a default is edited that the deployment overrides."""
    index = indexed({"fn/template.yaml": ONE + SECOND, file: text})
    location = found(index, "AWS::Serverless::Function/fn/Two", "Properties.MemorySize")
    assert reason in location.reason
    assert location.editable is not bool(reason)


@pytest.mark.parametrize(
    ("field", "reason"),
    [
        ("Role", "another resource has it"),
        ("Description", "Fn::Sub computes it"),
        ("Runtime", "looked up in Mappings"),
        ("Handler", "a condition decides it"),
        ("CodeUri", "parameter Bare has no default"),
        ("KmsKeyArn", "read from the parameter store"),
        ("PackageType", "it refers to AWS::Region"),
        ("Policies[0]", "it refers to Missing"),
    ],
)
def test_what_cloudformation_computes_is_refused(field: str, reason: str) -> None:
    """Harm: the text inside an intrinsic function is edited as if it were the value."""
    location = found(indexed({"fn/template.yaml": ONE}), NAME, f"Properties.{field}")
    assert not location.editable
    assert reason in location.reason


def test_macros_and_loops_are_refused() -> None:
    """Harm: a value is edited that a macro replaces when the template is deployed."""
    macro = ONE.replace("Transform: AWS::Serverless-2016-10-31",
                        "Transform: [AWS::Serverless-2016-10-31, Mine]")  # fmt: skip
    location = found(indexed({"fn/template.yaml": macro}), NAME, "Properties.Timeout")
    assert location.reason == "the macro Mine may change it"
    loop = ONE + "  Fn::ForEach::Topics:\n  - T\n  - [a, b]\n  - {}\n"
    index = indexed({"fn/template.yaml": loop})
    assert "Fn::ForEach::Topics" in index.refused()["fn/template.yaml"]
    assert found(index, NAME, "Properties.Timeout").editable


def test_templates_in_json_and_under_other_names() -> None:
    """Harm: two templates of one folder declare one resource; JSON is passed over."""
    text = '{"Resources": {"Db": {"Type": "AWS::RDS::DBInstance", "Properties": ' \
        '{"DBInstanceIdentifier": "orders", "AllocatedStorage": 500, ' \
        '"Tags": [{"Key": "team", "Value": "pay"}]}}}}'  # fmt: skip
    index = indexed({"cfn/a.json": text, "cfn/b.template": text})
    assert sorted(index.resources()) == [
        "AWS::RDS::DBInstance/cfn:a/Db", "AWS::RDS::DBInstance/cfn:b/Db",
    ]  # fmt: skip
    resource = index.resources()["AWS::RDS::DBInstance/cfn:a/Db"]
    assert (resource.owner, resource.cloud_ids) == ("pay", ("orders",))
    disk = found(index, resource.resource, "Properties.AllocatedStorage")
    assert (raw(index, disk), disk.editable) == ("500", True)


SERVICE = """service: shop
provider:
  name: aws
  stage: prod
  region: eu-west-1
  memorySize: 1024
  runtime: python3.12
  tags: {team: retail}
  stackTags: {cost_center: CC-1}
custom: {mem: 256}
functions:
  thumbs:
    handler: a.b
    memorySize: 2048 # MB
    tags: {env: prod}
  resize:
    handler: a.c
    name: resize-images
    timeout: ${opt:timeout, '30'}
    layers: ['${self:custom.mem}']
"""
THUMBS, RESIZE = "ServerlessFunction/fn/thumbs", "ServerlessFunction/fn/resize"


def test_a_function_of_a_service_owns_what_it_says_and_the_provider_the_rest() -> None:
    """Harm: the provider's memory is changed where the function has its own."""
    index = indexed({"fn/serverless.yml": SERVICE})
    own = found(index, THUMBS, "memorySize")
    assert (own.value, raw(index, own), own.editable) == ("2048", "2048", True)
    inherited = found(index, RESIZE, "memorySize")
    assert (inherited.value, inherited.editable) == ("1024", True)
    shared = found(index, RESIZE, "runtime")
    assert shared.reason == (f"shared by {RESIZE} and {THUMBS}: changing it would change both")
    resource = index.resources()[THUMBS]
    assert resource.labels == {"cost_center": "CC-1", "team": "retail", "env": "prod"}
    assert (resource.owner, resource.cost_center) == ("retail", "CC-1")
    assert (resource.environment, resource.region) == ("prod", "eu-west-1")
    assert resource.cloud_ids == ("thumbs", "shop-prod-thumbs")
    assert index.resources()[RESIZE].cloud_ids == ("resize-images", "resize", "shop-prod-resize")


def test_variables_of_a_service_are_refused() -> None:
    """Harm: the text of a variable is replaced by a number for every stage."""
    index = indexed({"fn/serverless.yml": SERVICE})
    assert "a variable (${opt:timeout" in found(index, RESIZE, "timeout").reason
    assert "${self:custom.mem}" in found(index, RESIZE, "layers[0]").reason
    used = SERVICE.replace("${self:custom.mem}", "x${self:provider.memorySize}")
    location = found(indexed({"fn/serverless.yml": used}), RESIZE, "memorySize")
    assert location.reason.startswith("shared by")


def test_cloudformation_inside_a_service_is_read() -> None:
    """Harm: the table beside the functions is not seen."""
    more = """resources:
  Resources:
    Table:
      Type: AWS::DynamoDB::Table
      Properties:
        TableName: ${self:service}-x
        ProvisionedThroughput: {ReadCapacityUnits: 50}
"""
    index = indexed({"fn/serverless.yml": SERVICE + more})
    name = "AWS::DynamoDB::Table/fn/Table"
    assert found(index, name, "Properties.ProvisionedThroughput.ReadCapacityUnits").editable
    assert "variable" in found(index, name, "Properties.TableName").reason


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("service: x\nprovider: {name: aws}\nfunctions: ${file(f.yml)}\n", "${file(f.yml)}"),
        ("service: x\nfunctions:\n- ${file(f.yml)}\n- a: {handler: b}\n", "${file(f.yml)}"),
        ("service: x\nfunctions: {a: '${file(f.yml)}'}\n", "function a is written elsewhere"),
        ("service: x\nresources: ${file(r.yml)}\nfunctions: {a: {handler: b}}\n", "${file(r.yml)}"),
        ("service: [\n", "not valid YAML"),
    ],
)
def test_parts_of_a_service_that_are_elsewhere_are_refused(text: str, reason: str) -> None:
    """Harm: functions of another file are passed over in silence."""
    assert reason in indexed({"fn/serverless.yml": text}).refused()["fn/serverless.yml"]
