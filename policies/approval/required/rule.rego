# Who may approve what: by kind, money, risk, environment and owner. What is asked is data.
# Whether they did is the forge's business.
package finops.rules.approval.required

import rego.v1

import data.finops.lib.change
import data.finops.lib.environment
import data.finops.lib.handles
import data.finops.lib.limits
import data.finops.lib.number

limit := limits.of("approval")

conditions := {"environments", "kinds", "owners", "min_money", "min_risk"}

evaluable if {
	is_string(limit.handle)
	is_object(limit.handles)
	every handle in limit.handles {
		handles.is_handle(handle)
	}
	is_array(limit.required)
	every asked in limit.required {
		is_string(asked.name)
		asked.decision in {"allow", "needs_approval"}
		is_number(asked.people)
		is_array(asked.approvers)
		count(asked.approvers) > 0
		every approver in asked.approvers {
			is_approver(approver)
		}
		every key, value in asked {
			is_known(key, value)
		}
	}
	readable
}

readable if not change.is_proposal

readable if is_number(change.cost_month)

is_approver(text) if text == "{owner}"

is_approver(text) if handles.is_handle(text)

# A condition that is misspelled would hold for everything, or for nothing.
is_known(key, _) if key in {"name", "decision", "people", "approvers"}

is_known(key, value) if {
	key in {"environments", "kinds", "owners"}
	is_array(value)
}

is_known("min_money", value) if is_object(value)

is_known("min_risk", value) if is_number(value)

owner := handles.names[input.proposal.owner]

named(approver) := owner if approver == "{owner}" else := approver

# Every condition that is there has to hold.
fits(asked) if {
	every key, value in object.filter(asked, conditions) {
		holds(key, value)
	}
}

holds("environments", names) if environment.name in names

holds("kinds", kinds) if input.proposal.kind in kinds

holds("owners", owners) if input.proposal.owner in owners

# In a currency without an amount nobody can say that it is little, unless it is nothing at all.
holds("min_money", amounts) if {
	change.cost_month != 0
	not abs(change.cost_month) < amounts[change.currency]
}

# A risk that nobody knows may be any.
holds("min_risk", risk) if not is_number(input.proposal.risk)

holds("min_risk", risk) if input.proposal.risk >= risk

# METADATA
# title: Who approves this
# description: >-
#   For changes of this kind, size, risk, place or owner the company says who has to approve.
# scope: rule
# custom:
#   id: approval.required
#   judges: [proposal]
#   fix: Have those who are named approve.
results contains record if {
	change.is_proposal
	some asked in limit.required
	fits(asked)
	approvers := sort({named(approver) | some approver in asked.approvers})
	record := {
		"id": "approval.required",
		"decision": asked.decision,
		"actual": sprintf("%s: %s %s a month in %s", [
			substring(asked.name, 0, 120), number.two_decimals(abs(change.cost_month)), change.currency, environment.words,
		]),
		"limit": sprintf("%s of %s", [people(asked.people), concat(", ", whom(approvers))]),
		"approvers": approvers,
	}
}

whom(approvers) := approvers if count(approvers) > 0 else := ["the owner, whom nothing names"]

people(1) := "one"

people(number_of) := sprintf("%v people", [number_of]) if number_of != 1
