# The change that is judged: whether it raises spend, what value it sets, by how much.
# No rule and no limit.
package finops.lib.change

import rego.v1

import data.finops.lib.number

is_proposal if is_object(input.proposal)

# Expected monthly cost of the change: the saving turned around.
cost_month := 0 - number.plain(input.proposal.saving_per_month.mid)

currency := input.proposal.saving_per_month.currency

raises_spend if {
	is_number(cost_month)
	cost_month > 0
}

# A manifest that arrives with a fault is refused; a proposal that finds the fault there already,
# and makes the resource no dearer, is shown to a person instead: refusing it would keep the waste.
severity(decision) := "needs_approval" if {
	decision == "deny"
	is_proposal
	not raises_spend
} else := decision

field_ends(suffix) if {
	is_string(input.proposal.field)
	endswith(dots(input.proposal.field), suffix)
}

# JSON pointers and dotted paths alike.
dots(field) := replace(field, "/", ".")

current := number.quantity(input.proposal.current)

proposed := number.quantity(input.proposal.proposed)

# Share of the present value that the change takes away; 1 where it takes the value itself away.
# To a millionth: a cut of exactly a half is a half.
cut_share := round(((current - proposed) / current) * 1000000) / 1000000 if current > 0

cut_share := 1 if {
	input.proposal.field != ""
	input.proposal.proposed == ""
	not current > 0
}

# What the team has (cores, GiB, GPUs) before and after the change, by measure.
default capacity := {}

capacity := input.context.capacity if is_object(input.context.capacity)

# Share of that which the change takes away or adds.
capacity_shares[measure] := share if {
	is_proposal
	some measure, amounts in capacity
	before := number.plain(amounts.before)
	before > 0
	share := round((abs(number.plain(amounts.after) - before) / before) * 1000000) / 1000000
}
