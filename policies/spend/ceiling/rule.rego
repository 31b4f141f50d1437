# Expected monthly spend of the team and of the resource after the change, against their ceilings.
# A change that saves is never held back here, however much is being spent.
package finops.rules.spend.ceiling

import rego.v1

import data.finops.lib.change
import data.finops.lib.limits
import data.finops.lib.number

limit := limits.of("spend")

evaluable if {
	is_object(limit.team_month)
	is_object(limit.resource_month)
	is_number(limit.near_share)
	limit.near_share > 0
	limit.near_share <= 1
	readable
}

readable if not change.is_proposal

readable if is_number(change.cost_month)

spend := object.get(input.context, "spend", {})

# What is spent, of whom, under which key of the limits.
scopes := {
	"team": {"forecast": "team_forecast", "ceilings": "team_month"},
	"resource": {"forecast": "resource_forecast", "ceilings": "resource_month"},
}

# What was spent already is spent, whatever the forecast says.
forecast(scope) := max([number.plain(spend[key]) |
	some key in [scopes[scope].forecast, sprintf("%s_month_to_date", [scope])]
	number.plain(spend[key])
]) if {
	number.plain(spend[scopes[scope].forecast])
	spend.currency == change.currency
}

# A ceiling of the team's own may be lower than the one of its environment, never higher.
ceiling(scope) := min(ceilings) if {
	ceilings := array.concat(
		[number.plain(limit[scopes[scope].ceilings][change.currency])],
		[own | scope == "team"; own := number.plain(spend.ceiling)],
	)
}

after(scope) := forecast(scope) + change.cost_month

money(amount) := sprintf("%s %s a month", [number.two_decimals(amount), change.currency])

# METADATA
# title: Spend would pass its ceiling
# description: >-
#   The change costs money, and with it the expected spend of this month passes the ceiling of the
#   environment, or the team's own where that is lower.
# scope: rule
# custom:
#   id: spend.ceiling
#   judges: [proposal]
#   fix: Save elsewhere first, make the change smaller, or have the ceiling raised.
results contains record if {
	change.raises_spend
	some scope, _ in scopes
	after(scope) > ceiling(scope)
	record := {
		"id": "spend.ceiling",
		"decision": "deny",
		"actual": sprintf("%s: %s after the change", [scope, money(after(scope))]),
		"limit": money(ceiling(scope)),
	}
}

# METADATA
# title: Spend would come near its ceiling
# description: >-
#   The change costs money, and with it the expected spend comes so near the ceiling that a person
#   has to say that it is worth it.
# scope: rule
# custom:
#   id: spend.near_ceiling
#   judges: [proposal]
#   fix: Have the budget's owner approve, or save elsewhere first.
results contains record if {
	change.raises_spend
	some scope, _ in scopes
	after(scope) <= ceiling(scope)
	after(scope) > ceiling(scope) * limit.near_share
	record := {
		"id": "spend.near_ceiling",
		"decision": "needs_approval",
		"actual": sprintf("%s: %s after the change", [scope, money(after(scope))]),
		"limit": sprintf("%s of %s", [number.percent(limit.near_share), money(ceiling(scope))]),
	}
}

# METADATA
# title: What the change adds to spend cannot be held against a ceiling
# description: >-
#   The change costs money, but the team's expected spend is not known in its currency, or there is
#   no ceiling in that currency.
# scope: rule
# custom:
#   id: spend.unknown
#   judges: [proposal]
#   fix: Give the team's expected spend in the currency of the change, and a ceiling in it.
results contains record if {
	change.raises_spend
	not after("team") <= ceiling("team")
	not after("team") > ceiling("team")
	record := {
		"id": "spend.unknown",
		"decision": "deny",
		"actual": sprintf("%s more, team's spend or ceiling unknown", [money(change.cost_month)]),
		"limit": sprintf("expected spend and ceiling in %s", [change.currency]),
	}
}
