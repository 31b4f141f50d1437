# Cloud resources as their tools declare them: Terraform, CloudFormation, Crossplane, ACK, Config
# Connector, Azure Service Operator; and regions under one name. No rule and no limit.
package finops.lib.cloud

import rego.v1

import data.finops.lib.change
import data.finops.lib.resource

# What the provider is told, wherever the tool keeps it. Undefined for what no cloud keeps.
attributes := resource.manifest.spec.forProvider if {
	is_object(resource.manifest.spec.forProvider)
} else := resource.manifest.Properties if {
	is_object(resource.manifest.Properties)
} else := object.union(resource.manifest, resource.maps(object.get(resource.manifest, "spec", {}))) if {
	of_terraform
} else := resource.manifest.spec if {
	is_object(resource.manifest.spec)
	some suffix in ["services.k8s.aws", "cnrm.cloud.google.com", "azure.com", "upbound.io", "crossplane.io"]
	endswith(resource.api_group, suffix)
}

# No kind of Kubernetes has an underscore, every type of Terraform has.
of_terraform if regex.match(`^[a-z0-9]+(_[a-z0-9]+)+$`, resource.kind)

# What a kind is called in limits: its own name where that is the provider's (`aws_ebs_volume`,
# `AWS::EC2::Volume`), else `service/Kind` by the first part of its API group.
kind_name := resource.kind if {
	of_terraform
} else := resource.kind if {
	contains(resource.kind, "::")
} else := sprintf("%s/%s", [split(resource.api_group, ".")[0], resource.kind])

# snake_case, camelCase and PascalCase alike.
plain(name) := lower(replace(name, "_", ""))

# The names on the way to a value, without places in lists: blocks come as one or as a list of them.
plain_path(path) := concat(".", [plain(part) | some part in path; is_string(part)])

# A field of a proposal in the same words.
plain_field := plain(trim(regex.replace(dotted, `\[[^\]]*\]|\.[0-9]+\b`, ""), ".")) if {
	is_string(input.proposal.field)
	dotted := change.dots(input.proposal.field)
}

region_attributes := {"region", "awsregion", "location", "zone", "availabilityzone", "availabilityzones"}

topology_keys := {
	"topology.kubernetes.io/region",
	"topology.kubernetes.io/zone",
	"failure-domain.beta.kubernetes.io/region",
	"failure-domain.beta.kubernetes.io/zone",
	"topology.gke.io/zone",
	"topology.ebs.csi.aws.com/zone",
}

# What names a place: attributes of a cloud resource, selectors, affinity and topologies of pods and
# volumes, and what the estate knows besides.
places contains value if {
	some name, given in attributes
	region_attributes[plain(name)]
	some value in listed(given)
}

places contains value if {
	walk(resource.manifest, [path, value])
	topology_keys[path[count(path) - 1]]
	path[count(path) - 2] in {"nodeSelector", "matchLabels"}
	is_string(value)
}

places contains value if {
	walk(resource.manifest, [_, node])
	topology_keys[node.key]
	object.get(node, "operator", "In") == "In"
	some value in listed(object.get(node, "values", []))
}

places contains value if {
	some known in [object.get(input, "resource", {}), object.get(input, "context", {})]
	value := known.region
	is_string(value)
	value != ""
}

listed(value) := value if is_array(value)

listed(value) := [value] if not is_array(value)

regions := {region | some place in places; region := region_of(place)}

unreadable_places := {place | some place in places; not region_of(place)}

# The region of a place in one spelling: `eu-west-1b`, `europe-west1-b`, `westeurope-2` and
# `West Europe` are eu-west-1, europe-west1, westeurope. Undefined for what is no name of one.
region_of(place) := region if {
	is_string(place)
	text := replace(lower(trim_space(place)), " ", "")
	regex.match(`^[a-z0-9]+(-[a-z0-9]+)*$`, text)
	region := without_zone(text)
}

without_zone(text) := parts[1] if {
	some pattern in [
		`^([a-z]{2,4}(?:-[a-z]+)+-[0-9]+)(?:[a-z]|-[a-z]{3}-[0-9]+[a-z])$`,
		`^([a-z]+-[a-z]+[0-9]+)-[a-z]$`,
		`^([a-z]+[0-9]?)-[0-9]$`,
	]
	parts := regex.find_all_string_submatch_n(pattern, text, 1)[0]
} else := text

# Does a whole `text` match one of the regular expressions?
matches(patterns, text) if {
	some pattern in patterns
	regex.match(sprintf("^(%s)$", [pattern]), text)
}
