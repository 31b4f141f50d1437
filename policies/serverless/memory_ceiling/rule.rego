# Memory of serverless functions, which is what they are billed by.
# Not of containers that run all the time: those are sized by what they use.
package finops.rules.serverless.memory_ceiling

import rego.v1

import data.finops.lib.change
import data.finops.lib.limits
import data.finops.lib.number
import data.finops.lib.resource

limit := limits.of("serverless")

evaluable if {
	is_number(limit.max_memory_mib)
	limit.max_memory_mib > 0
}

mebibyte := 1048576

# A bare number is MiB (as functions are configured); a quantity with a suffix is bytes (as
# Kubernetes has it); MB as a suffix is what the providers write for MiB.
mebibytes(value) := value if is_number(value)

mebibytes(value) := number.plain(value) if is_string(value)

mebibytes(value) := number.quantity(value) / mebibyte if {
	is_string(value)
	regex.match(`[kMGTPE]i?$`, value)
}

mebibytes(value) := number.plain(amount) if {
	is_string(value)
	regex.match(`^[0-9.]+ ?(MB|MiB)$`, value)
	amount := regex.find_n(`[0-9.]+`, value, 1)[0]
}

is_function if resource.kind == "ServerlessFunction"

is_function if {
	resource.kind == "Function"
	some name in ["lambda", "cloudfunction", "openfaas", "functions", "appplatform"]
	contains(resource.api_group, name)
}

is_function if {
	resource.kind == "Service"
	resource.api_group == "serving.knative.dev"
}

# Where the kinds of functions declare their memory.
declared contains value if {
	is_function
	some path in [
		["spec", "memory"],
		["spec", "memorySize"],
		["spec", "memoryMB"],
		["spec", "limits", "memory"],
		["spec", "resources", "limits", "memory"],
		["spec", "forProvider", "memorySize"],
		["spec", "forProvider", "availableMemoryMb"],
		["spec", "forProvider", "serviceConfig", "availableMemory"],
		["spec", "forProvider", "serviceConfig", 0, "availableMemory"],
		["spec", "resourceConfiguration", "memory"],
	]
	value := object.get(resource.manifest, path, null)
	value != null
}

declared contains value if {
	is_function
	some container in resource.containers
	value := object.get(container, ["resources", "limits", "memory"], null)
	value != null
}

# METADATA
# title: Serverless function over its memory ceiling
# description: >-
#   Serverless functions are billed by the memory they declare times their duration, used or not.
# scope: rule
# custom:
#   id: serverless.memory
#   judges: [proposal, manifest]
#   fix: Lower the function's memory to the ceiling, or split what it does.
results contains record if {
	some value in declared
	mebibytes(value) > limit.max_memory_mib
	record := {
		"id": "serverless.memory",
		"decision": change.severity("deny"),
		"actual": sprintf("%s MiB", [number.two_decimals(mebibytes(value))]),
		"limit": sprintf("%v MiB", [limit.max_memory_mib]),
	}
}

# METADATA
# title: Memory of a serverless function cannot be read
# description: What is declared is not an amount, so it cannot be held against the ceiling.
# scope: rule
# custom:
#   id: serverless.memory_unreadable
#   judges: [proposal, manifest]
#   fix: Declare the memory as a number of MiB, or as a quantity such as 512Mi.
results contains record if {
	some value in declared
	not mebibytes(value) >= 0
	record := {
		"id": "serverless.memory_unreadable",
		"decision": "deny",
		"actual": substring(sprintf("%v", [value]), 0, 80),
		"limit": sprintf("an amount of at most %v MiB", [limit.max_memory_mib]),
	}
}
