# How much money a change moves, saved or spent: in one change, and with what was proposed on the
# same day. Whether the money is there is the business of the spend rules.
package finops.rules.change.money

import rego.v1

import data.finops.lib.change
import data.finops.lib.limits
import data.finops.lib.number

limit := limits.of("money")

evaluable if {
	every amounts in [limit.change, limit.team_day, limit.day] {
		is_object(amounts)
		every amount in amounts {
			is_number(amount)
			amount >= 0
		}
	}
	readable
}

readable if not change.is_proposal

readable if {
	moved >= 0
	every earlier in [moved_today("team_moved"), moved_today("moved")] {
		earlier >= 0
	}
}

moved := abs(change.cost_month)

# What the day has proposed so far in this currency, this change not included: 0 where nothing is.
moved_today(key) := number.plain(input.context.day[key]) if {
	input.context.day.currency == change.currency
} else := 0

scopes := {
	"team_day": {"key": "team_moved", "words": "proposed to the team today"},
	"day": {"key": "moved", "words": "proposed today"},
}

money(value) := sprintf("%s %s a month", [number.two_decimals(value), change.currency])

# METADATA
# title: The change moves much money
# description: >-
#   What the change saves or costs a month is more than may be moved at once without a person, or
#   nobody said how much that is in its currency.
# scope: rule
# custom:
#   id: change.money
#   judges: [proposal]
#   fix: Have the owner approve, make the change smaller, or give a limit in its currency.
results contains record if {
	change.is_proposal
	moved > object.get(limit.change, change.currency, 0)
	record := {
		"id": "change.money",
		"decision": "needs_approval",
		"actual": money(moved),
		"limit": sprintf("at most %s at once", [money(object.get(limit.change, change.currency, 0))]),
	}
}

# METADATA
# title: The day moves much money
# description: >-
#   With what was proposed on the same day, the change moves more money than may be moved on a day
#   without a person.
# scope: rule
# custom:
#   id: change.money_day
#   judges: [proposal]
#   fix: Have the owner approve, or wait for another day.
results contains record if {
	change.is_proposal
	moved > 0
	some scope, told in scopes
	together := moved_today(told.key) + moved
	most := limit[scope][change.currency]
	together > most
	record := {
		"id": "change.money_day",
		"decision": "needs_approval",
		"actual": sprintf("%s %s, this change included", [money(together), told.words]),
		"limit": sprintf("at most %s on a day", [money(most)]),
	}
}
