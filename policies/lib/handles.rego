# How CODEOWNERS names the teams that a change is about. Which team is called what is data.
# No rule and no threshold.
package finops.lib.handles

import rego.v1

import data.finops.lib.limits

limit := limits.of("approval")

# As CODEOWNERS names people and teams: @user, @organisation/team, an address.
is_handle(text) if {
	is_string(text)
	some pattern in [
		`^@[A-Za-z0-9][A-Za-z0-9-]{0,99}(/[A-Za-z0-9][A-Za-z0-9._-]{0,99})?$`,
		`^[A-Za-z0-9._+-]{1,64}@[A-Za-z0-9.-]{1,190}$`,
	]
	regex.match(pattern, text)
}

teams contains input.proposal.owner if is_string(input.proposal.owner)

teams contains input.context.model.owner if is_string(input.context.model.owner)

# Nothing for a team whose name makes no handle.
names[team] := handle if {
	some team in teams
	handle := limit.handles[team]
}

names[team] := handle if {
	some team in teams
	not limit.handles[team]
	handle := replace(limit.handle, "{owner}", team)
	is_handle(handle)
}
