"""Microsoft's words in cost exports as FOCUS words: services, service families, regions, units.

Small on purpose: what is not listed is `Other` and counted. How a row is read is in `azure`.
"""

from __future__ import annotations

from collections.abc import Mapping

PROVIDERS: Mapping[str, str] = {
    "microsoft.aad": "Identity",
    "microsoft.aadiam": "Identity",
    "microsoft.analysisservices": "Analytics",
    "microsoft.apimanagement": "Integration",
    "microsoft.app": "Compute",
    "microsoft.appconfiguration": "Developer Tools",
    "microsoft.automation": "Management and Governance",
    "microsoft.azureactivedirectory": "Identity",
    "microsoft.batch": "Compute",
    "microsoft.botservice": "AI and Machine Learning",
    "microsoft.cache": "Databases",
    "microsoft.cdn": "Networking",
    "microsoft.cognitiveservices": "AI and Machine Learning",
    "microsoft.communication": "Integration",
    "microsoft.compute": "Compute",
    "microsoft.containerinstance": "Compute",
    "microsoft.containerregistry": "Compute",
    "microsoft.containerservice": "Compute",
    "microsoft.databricks": "Analytics",
    "microsoft.datafactory": "Analytics",
    "microsoft.datalakeanalytics": "Analytics",
    "microsoft.datalakestore": "Storage",
    "microsoft.dataprotection": "Management and Governance",
    "microsoft.dbformariadb": "Databases",
    "microsoft.dbformysql": "Databases",
    "microsoft.dbforpostgresql": "Databases",
    "microsoft.desktopvirtualization": "Compute",
    "microsoft.devices": "Internet of Things",
    "microsoft.devtestlab": "Developer Tools",
    "microsoft.digitaltwins": "Internet of Things",
    "microsoft.documentdb": "Databases",
    "microsoft.eventgrid": "Integration",
    "microsoft.eventhub": "Analytics",
    "microsoft.fabric": "Analytics",
    "microsoft.hdinsight": "Analytics",
    "microsoft.hybridcompute": "Management and Governance",
    "microsoft.insights": "Management and Governance",
    "microsoft.keyvault": "Security",
    "microsoft.kusto": "Analytics",
    "microsoft.loadtestservice": "Developer Tools",
    "microsoft.logic": "Integration",
    "microsoft.machinelearningservices": "AI and Machine Learning",
    "microsoft.maps": "Internet of Things",
    "microsoft.media": "Media",
    "microsoft.migrate": "Migration",
    "microsoft.netapp": "Storage",
    "microsoft.network": "Networking",
    "microsoft.notificationhubs": "Mobile",
    "microsoft.operationalinsights": "Management and Governance",
    "microsoft.operationsmanagement": "Management and Governance",
    "microsoft.powerbidedicated": "Analytics",
    "microsoft.purview": "Analytics",
    "microsoft.recoveryservices": "Management and Governance",
    "microsoft.redhatopenshift": "Compute",
    "microsoft.relay": "Integration",
    "microsoft.search": "AI and Machine Learning",
    "microsoft.security": "Security",
    "microsoft.securityinsights": "Security",
    "microsoft.servicebus": "Integration",
    "microsoft.servicefabric": "Compute",
    "microsoft.signalrservice": "Web",
    "microsoft.sql": "Databases",
    "microsoft.sqlvirtualmachine": "Databases",
    "microsoft.storage": "Storage",
    "microsoft.storagesync": "Storage",
    "microsoft.streamanalytics": "Analytics",
    "microsoft.synapse": "Analytics",
    "microsoft.videoindexer": "Media",
    "microsoft.visualstudio": "Developer Tools",
    "microsoft.web": "Web",
}
"""Resource provider -> FOCUS ServiceCategory. Source: "Resource providers for Azure services"
(learn.microsoft.com) for what a provider serves, FOCUS for the categories."""

TYPES: Mapping[str, str] = {
    "microsoft.compute/disks": "Storage",
    "microsoft.compute/snapshots": "Storage",
    "microsoft.compute/galleries": "Storage",
    "microsoft.compute/images": "Storage",
}
"""Resource types whose category is not their provider's."""

FAMILIES: Mapping[str, str] = {
    "ai + machine learning": "AI and Machine Learning",
    "analytics": "Analytics",
    "azure arc": "Management and Governance",
    "azure communication services": "Integration",
    "azure security": "Security",
    "azure stack": "Multicloud",
    "compute": "Compute",
    "containers": "Compute",
    "databases": "Databases",
    "developer tools": "Developer Tools",
    "identity": "Identity",
    "integration": "Integration",
    "internet of things": "Internet of Things",
    "iot": "Internet of Things",
    "management and governance": "Management and Governance",
    "media": "Media",
    "mixed reality": "Other",
    "networking": "Networking",
    "other": "Other",
    "power platform": "Business Applications",
    "dynamics": "Business Applications",
    "security": "Security",
    "storage": "Storage",
    "telecommunications": "Networking",
    "web": "Web",
    "windows virtual desktop": "Compute",
}
"""ServiceFamily -> FOCUS ServiceCategory. Source: service families of the Azure Retail Prices API
(learn.microsoft.com)."""

REGIONS: Mapping[str, str] = {
    "ae central": "uaecentral",
    "ae north": "uaenorth",
    "ap east": "eastasia",
    "ap southeast": "southeastasia",
    "au central": "australiacentral",
    "au central 2": "australiacentral2",
    "au east": "australiaeast",
    "au southeast": "australiasoutheast",
    "br south": "brazilsouth",
    "br southeast": "brazilsoutheast",
    "ca central": "canadacentral",
    "ca east": "canadaeast",
    "ch north": "switzerlandnorth",
    "ch west": "switzerlandwest",
    "de north": "germanynorth",
    "de west central": "germanywestcentral",
    "eu north": "northeurope",
    "eu west": "westeurope",
    "fr central": "francecentral",
    "fr south": "francesouth",
    "in central": "centralindia",
    "in south": "southindia",
    "in west": "westindia",
    "ja east": "japaneast",
    "ja west": "japanwest",
    "kr central": "koreacentral",
    "kr south": "koreasouth",
    "no east": "norwayeast",
    "no west": "norwaywest",
    "se central": "swedencentral",
    "se south": "swedensouth",
    "us central": "centralus",
    "us east": "eastus",
    "us east 2": "eastus2",
    "us north central": "northcentralus",
    "us south central": "southcentralus",
    "us west": "westus",
    "us west 2": "westus2",
    "us west 3": "westus3",
    "us west central": "westcentralus",
    "za north": "southafricanorth",
    "za west": "southafricawest",
}
"""Names of regions as older bills write them -> id. Every other name is its id without spaces.
Source: the region names of Azure's price sheets and of `az account list-locations`."""


_SINGULAR = "(Hour|Day|Month|Minute|Second|Year|Unit|User|Node|Connection|Message|Request)"


def block(measure: str) -> str:
    """SQL of how many units one of `measure` is: '100 Hours' is 100, '10K' is 10000, 'Hour' 1."""
    digits = f"regexp_extract({measure}, '^\\s*([0-9][0-9,]{{0,11}})([KMBkmb]?)(\\s|/|$)', 1)"
    factor = (
        f"CASE upper(regexp_extract({measure}, '^\\s*[0-9][0-9,]*([KMBkmb])(\\s|/|$)', 1)) "
        "WHEN 'K' THEN 1000 WHEN 'M' THEN 1000000 WHEN 'B' THEN 1000000000 ELSE 1 END"
    )
    many = f"TRY_CAST(replace({digits}, ',', '') AS BIGINT)"
    return (
        f"CASE WHEN {measure} IS NULL THEN NULL ELSE coalesce(nullif({many}, 0) * {factor}, 1) END"
    )


def unit(measure: str) -> str:
    """SQL of the unit itself in FOCUS's way: '100 Hours' is Hours, '1/Month' Units/Month."""
    rest = f"trim(regexp_replace({measure}, '^\\s*[0-9][0-9,]*([KMBkmb]?)(\\s+|/|$)', '\\2'))"
    # '1 1 Hour' is how some meters write an hour
    rest = f"regexp_replace({rest}, '^1\\s+', '')"
    rest = f"regexp_replace({rest}, '^/\\s*', 'Units/')"
    plural = f"regexp_replace({rest}, '(?i)\\b{_SINGULAR}$', '\\1s')"
    plural = f"regexp_replace({plural}, '/([A-Za-z]+)s$', '/\\1')"
    joined = f"regexp_replace({plural}, '^(\\w+) (Hours|Seconds|Months)$', '\\1-\\2')"
    return f"CASE WHEN {measure} IS NULL THEN NULL WHEN {rest} = '' THEN 'Units' ELSE {joined} END"
