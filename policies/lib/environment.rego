# Which environment is judged, by one name for all its spellings.
# No limit of any rule.
package finops.lib.environment

import rego.v1

import data.finops.lib.resource

# As given, else as the resource's own labels say, else empty.
default stated := ""

stated := lower(trim_space(input.environment)) if {
	is_string(input.environment)
	trim_space(input.environment) != ""
} else := lower(trim_space(resource.label(data.limits.environments.labels)))

name := canonical(stated)

words := name if name != "" else := "an unknown environment"

canonical(text) := data.limits.environments.aliases[text]

canonical(text) := environment if {
	not data.limits.environments.aliases[text]
	parts := regex.split(`[-_. /]+`, text)
	not negated(parts)
	environment := [alias |
		some part in parts
		alias := data.limits.environments.aliases[part]
	][0]
} else := text if {
	not data.limits.environments.aliases[text]
}

negated(parts) if {
	some part in parts
	part in data.limits.environments.negating
}
