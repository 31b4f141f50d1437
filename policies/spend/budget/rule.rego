# What is left of the team's budget, for a change that costs money.
# Ceilings, which hold without a budget too, are next door; which budget is meant is the context's.
package finops.rules.spend.budget

import rego.v1

import data.finops.lib.change
import data.finops.lib.limits
import data.finops.lib.number

limit := limits.of("spend")

evaluable if {
	limit.budget_used in {"needs_approval", "deny"}
	limit.budget_short in {"needs_approval", "deny"}
	readable
}

readable if not change.raises_spend

readable if object.get(input.context, "budget", null) == null

readable if {
	number.plain(budget.amount) > 0
	is_number(number.plain(budget.spent))
}

budget := input.context.budget if is_object(input.context.budget)

amount := number.plain(budget.amount) if {
	change.raises_spend
	budget.currency == change.currency
}

spent := number.plain(budget.spent)

# What was spent already is spent, whatever the forecast says.
expected := max([number.plain(value) |
	some value in [budget.spent, object.get(budget, "forecast", null)]
	number.plain(value)
])

named := sprintf("budget %s", [substring(sprintf("%v", [object.get(budget, "name", "of the team")]), 0, 80)])

money(value) := sprintf("%s %s", [number.two_decimals(value), change.currency])

# METADATA
# title: The budget is used up
# description: >-
#   The change costs money, and the team's budget of this period is spent already.
# scope: rule
# custom:
#   id: spend.budget_used
#   judges: [proposal]
#   fix: Save elsewhere first, or have the budget raised.
results contains record if {
	spent >= amount
	record := {
		"id": "spend.budget_used",
		"decision": limit.budget_used,
		"actual": sprintf("%s: %s spent, %s more a month", [named, money(spent), money(change.cost_month)]),
		"limit": money(amount),
	}
}

# METADATA
# title: The budget would be used up
# description: >-
#   The change costs money, and with a month of it the team's expected spend passes its budget of
#   this period.
# scope: rule
# custom:
#   id: spend.budget_short
#   judges: [proposal]
#   fix: Have the budget's owner approve, save elsewhere first, or make the change smaller.
results contains record if {
	spent < amount
	expected + change.cost_month > amount
	record := {
		"id": "spend.budget_short",
		"decision": limit.budget_short,
		"actual": sprintf("%s: %s expected with the change", [named, money(expected + change.cost_month)]),
		"limit": money(amount),
	}
}
