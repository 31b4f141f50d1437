"""What AWS calls things, in the words of FOCUS: services by product code, units, resource types.

How a bill's columns become charges is in `aws_cur`.
"""

from __future__ import annotations

from finops_dagster.sources.sql_words import worded

_SERVICES: dict[str, dict[str, str]] = {
    "AI and Machine Learning": {
        "Generative AI": "AmazonBedrock AmazonBedrockService AmazonQ AmazonCodeWhisperer",
        "Machine Learning": "AmazonSageMaker AmazonForecast AmazonPersonalize AmazonFraudDetector "
        "AmazonRekognition AmazonTextract AmazonKendra AmazonA2I AmazonMonitron",
        "Natural Language Processing": "AmazonLex AmazonPolly comprehend comprehendmedical "
        "transcribe translate",
    },
    "Analytics": {
        "Analytics Platforms": "AmazonAthena AmazonDataZone AWSLakeFormation AWSCleanRooms "
        "AWSDataExchange AmazonFinSpace",
        "Business Intelligence": "AmazonQuickSight",
        "Data Processing": "AWSGlue ElasticMapReduce datapipeline",
        "Search": "AmazonES AmazonCloudSearch",
        "Streaming Analytics": "AmazonKinesis AmazonKinesisFirehose AmazonKinesisAnalytics "
        "AmazonMSK",
    },
    "Business Applications": {
        "Productivity and Collaboration": "AmazonChime AmazonConnect AmazonPinpoint AmazonSES "
        "AmazonWorkDocs AmazonWorkMail ContactCenterTelecomm awswickr",
    },
    "Compute": {
        "Containers": "AmazonECS AmazonEKS AmazonECR AmazonECRPublic AWSAppRunner",
        "End User Computing": "AmazonAppStream AmazonWorkSpaces AmazonWorkSpacesWeb",
        "Quantum Compute": "AmazonBraket",
        "Serverless Compute": "AWSLambda",
        "Virtual Machines": "AmazonEC2 AmazonLightsail ComputeSavingsPlans AWSOutposts",
    },
    "Databases": {
        "Caching": "AmazonElastiCache AmazonMemoryDB AmazonDAX",
        "Data Warehouses": "AmazonRedshift",
        "NoSQL Databases": "AmazonDynamoDB AmazonDocDB AmazonMCS AmazonNeptune AmazonSimpleDB",
        "Relational Databases": "AmazonRDS AuroraDSQL DatabaseSavingsPlans",
        "Time Series Databases": "AmazonTimestream",
    },
    "Developer Tools": {
        "Continuous Integration and Deployment": "CodeBuild AWSCodeDeploy AWSCodePipeline",
        "Developer Platforms": "AWSAmplify AWSDeviceFarm AWSXRay AWSCodeArtifact AWSAppSync",
        "Source Code Management": "AWSCodeCommit",
    },
    "Identity": {
        "Identity and Access Management": "AmazonCognito AmazonCognitoSync AWSDirectoryService "
        "AmazonVerifiedPermissions",
    },
    "Integration": {
        "API Management": "AmazonApiGateway",
        "Messaging": "AWSQueueService AmazonSNS AmazonMQ AWSEvents",
        "Workflow Orchestration": "AmazonStates AmazonSWF AmazonMWAA AmazonAppFlow",
    },
    "Internet of Things": {
        "IoT Analytics": "AWSIoTAnalytics AWSIoTEvents AWSIoTSiteWise IoTTwinMaker",
        "IoT Platforms": "AWSIoT AWSGreengrass AWSIoTFleetWise IoTDeviceManagement "
        "IoTDeviceDefender",
    },
    "Management and Governance": {
        "Compliance": "AWSConfig AWSCloudTrail auditmanager",
        "Cost Management": "AWSCostExplorer AWSBudgets AWSBillingConductor",
        "Observability": "AmazonCloudWatch AmazonGrafana AmazonPrometheus",
        "Other (Management and Governance)": "AWSSystemsManager AWSServiceCatalog OpsWorks "
        "AWSCloudFormation AWSControlTower AWSResilienceHub",
        "Support": "AWSSupportBusiness AWSSupportEnterprise AWSDeveloperSupport "
        "AWSEnterpriseOnRamp AWSPremiumSupport",
    },
    "Media": {
        "Media Streaming": "AWSElementalMediaConvert AWSElementalMediaLive "
        "AWSElementalMediaPackage AWSElementalMediaTailor AWSMediaConnect AmazonIVS "
        "AmazonKinesisVideo AmazonETS",
    },
    "Migration": {
        "Data Migration": "AWSDatabaseMigrationSvc AWSDataSync AWSTransfer "
        "IngestionServiceSnowball SnowballExtraDays",
        "Resource Migration": "AWSApplicationMigrationSvc AWSM2",
    },
    "Networking": {
        "Application Networking": "AWSELB AWSCloudMap",
        "Content Delivery": "AmazonCloudFront AWSGlobalAccelerator",
        "Network Connectivity": "AWSDirectConnect AWSDataTransfer AWSCloudWAN",
        "Network Infrastructure": "AmazonVPC",
        "Network Routing": "AmazonRoute53",
        "Network Security": "AWSNetworkFirewall",
    },
    "Security": {
        "Secret Management": "AWSSecretsManager awskms CloudHSM AWSCertificateManager",
        "Security Posture Management": "AWSSecurityHub AmazonInspector AmazonInspectorV2 AWSFMS",
        "Threat Detection and Response": "AmazonGuardDuty AmazonDetective AmazonMacie awswaf "
        "AWSShield AmazonSecurityLake",
    },
    "Storage": {
        "Backup Storage": "AWSBackup AmazonGlacier AmazonS3GlacierDeepArchive",
        "Block Storage": "AmazonEBS",
        "File Storage": "AmazonEFS AmazonFSx",
        "Object Storage": "AmazonS3",
        "Storage Platforms": "AWSStorageGateway AWSStorageGatewayDeepArchive",
    },
}  # fmt: skip
"""Category -> subcategory -> product codes. Codes are the service codes of AWS's public price list
(https://pricing.us-east-1.amazonaws.com/offers/v1.0/aws/index.json); the categories are what the
FOCUS page of ServiceSubcategory says of a product of that kind (its primary use)."""

_UNITS: dict[str, str] = {
    "hrs": "Hours",
    "hour": "Hours",
    "hours": "Hours",
    "gb-mo": "GB-Months",
    "gb-month": "GB-Months",
    "iops-mo": "IOPS-Months",
    "gibps-mo": "GiBps-Months",
    "mibps-mo": "MiBps-Months",
    "lambda-gb-second": "GB-Seconds",
    "gb-second": "GB-Seconds",
    "second": "Seconds",
    "seconds": "Seconds",
    "request": "Requests",
    "requests": "Requests",
    "quantity": "Units",
    "lcu-hrs": "LCU-Hours",
    "vcpu-hours": "vCPU-Hours",
    "vcpu-hour": "vCPU-Hours",
    "gb-hours": "GB-Hours",
    "acu-hr": "ACU-Hours",
    "writecapacityunit-hrs": "WriteCapacityUnit-Hours",
    "readcapacityunit-hrs": "ReadCapacityUnit-Hours",
}
"""Lower-case pricing unit -> FOCUS UnitFormat (whole words, plural, a hyphen for a product)."""

_PREFIXES: dict[str, str] = {
    "i": "instance",
    "vol": "volume",
    "snap": "snapshot",
    "eni": "network-interface",
    "nat": "natgateway",
    "eipalloc": "elastic-ip",
    "vpce": "vpc-endpoint",
    "tgw": "transit-gateway",
    "fs": "file-system",
}
"""Prefix of an EC2 or EFS id -> the resource type that the same resource has in an ARN."""


def subcategory(code: str) -> str:
    """SQL of the FOCUS ServiceSubcategory of a product code; null if the code is not known."""
    return worded(
        code,
        {
            code.lower(): name
            for services in _SERVICES.values()
            for name, codes in services.items()
            for code in codes.split()
        },
    )


def category(of: str) -> str:
    """SQL of the FOCUS ServiceCategory of a subcategory; null if there is none."""
    return worded(
        of, {name.lower(): one for one, services in _SERVICES.items() for name in services}
    )


def unit(native: str) -> str:
    """SQL of a pricing unit in FOCUS's notation; one that is not known stays as it is."""
    return f"coalesce({worded(native, _UNITS)}, {native})"


def resource_type(resource: str) -> str:
    """SQL of the resource type that an ARN or an EC2 id tells; null if it tells none.

    arn:aws:SERVICE:REGION:ACCOUNT:TYPE/NAME and ...:TYPE:NAME; a bucket has a name alone.
    """
    told = f"split_part({resource}, ':', 6)"
    of_id = worded(f"regexp_extract({resource}, '^([a-z]+)-[0-9a-f]+$', 1)", _PREFIXES)
    return (
        f"CASE WHEN {resource} LIKE 'arn:%:s3:::%' THEN 'bucket' "
        f"WHEN {resource} LIKE 'arn:%:%:%:%:%/%' THEN nullif(split_part({told}, '/', 1), '') "
        f"WHEN {resource} LIKE 'arn:%:%:%:%:%:%' THEN nullif({told}, '') "
        f"WHEN NOT contains({resource}, ':') THEN {of_id} END"
    )
