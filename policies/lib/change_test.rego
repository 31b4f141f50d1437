package finops.tests.change

import rego.v1

import data.finops.lib.change
import data.finops.tests.fixtures

test_cost_is_saving_turned_around if {
	change.cost_month == -20 with input as fixtures.of_proposal({})
	change.raises_spend with input as fixtures.of_raise("-5")
	not change.raises_spend with input as fixtures.of_proposal({})
}

test_severity if {
	change.severity("deny") == "deny" with input as fixtures.of_manifest(fixtures.manifest)
	change.severity("deny") == "deny" with input as fixtures.of_raise("-5")
	change.severity("deny") == "needs_approval" with input as fixtures.of_proposal({})
}

test_cut_share if {
	change.cut_share == 0.5 with input as fixtures.of_proposal({})
	change.cut_share == -1 with input as fixtures.of_raise("-5")
	change.cut_share == 1 with input as fixtures.of_proposal({"proposal": {
		"current": "gp3",
		"proposed": "",
	}})
	not change.cut_share with input as fixtures.of_proposal({"proposal": {
		"current": "m5.large",
		"proposed": "m5.small",
	}})
}

test_fields_in_both_dialects if {
	change.field_ends(".requests.cpu") with input as {"proposal": {"field": "a.requests.cpu"}}
	change.field_ends(".requests.cpu") with input as {"proposal": {"field": "/a/requests/cpu"}}
}

test_capacity_shares if {
	shares := change.capacity_shares with input as fixtures.of_proposal({"context": {"capacity": {
		"cores": {"before": 8, "after": "6"},
		"GiB": {"before": "4", "after": 5},
		"GPUs": {"before": 0, "after": 1},
	}}})
	shares == {"cores": 0.25, "GiB": 0.25}
	change.capacity_shares == {} with input as fixtures.of_proposal({})
	change.capacity_shares == {} with input as fixtures.of_manifest(fixtures.manifest)
}
