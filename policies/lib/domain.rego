# Domains: groups of teams that own limits of their own. Which of them the judged resource is in,
# and what they claim. How a claim meets the global limits is next door, in limits.
package finops.lib.domain

import rego.v1

import data.finops.lib.environment
import data.finops.lib.resource

# Every team that has to do with it: as the estate allocates it, and as its labels say. Who
# relabels a resource leaves no domain by it.
teams contains plain(input.context.team) if is_string(input.context.team)

teams contains plain(resource.label(keys)) if {
	keys := data.limits.labels.defaults.keys.team
	is_array(keys)
}

plain(team) := lower(trim_space(team))

# Domains are data: domains/NAME/data.yaml. One whose teams cannot be read is in force for all: a
# file that is written wrong must not be the one that nobody is held to.
names contains name if {
	some name, domain in domains
	is_array(domain.teams)
	some team in domain.teams
	is_string(team)
	plain(team) in teams
}

names contains name if {
	some name, domain in domains
	not is_array(domain.teams)
}

domains[name] := domain if {
	some name, written in data.domains
	domain := mapping(written)
}

mapping(value) := value if is_object(value) else := {}

# What the domains of the judged resource claim: [NAME, where in its file, {TOPIC: {LIMIT: value}}]
claims contains [name, "limits", block] if {
	some name in names
	block := domains[name].limits
}

claims contains [name, sprintf("environments.%s", [environment.name]), block] if {
	some name in names
	block := mapping(domains[name].environments)[environment.name]
}

claims contains [name, sprintf("of_team.%s", [team]), block] if {
	some name in names
	some team, block in mapping(domains[name].of_team)
	plain(team) in teams
}
