package finops.tests.limits

import rego.v1

import data.finops.lib.limits

some_limits := {"defaults": {"a": 1, "b": {"x": 1, "y": 1}}, "environments": {"production": {"b": {"x": 2}}}}

test_environment_changes_only_what_it_names if {
	got := limits.of("topic") with data.limits.topic as some_limits
		with input as {"environment": "prod", "resource": {"manifest": {}}}
	got == {"a": 1, "b": {"x": 2, "y": 1}}
}

test_defaults_hold_elsewhere if {
	got := limits.of("topic") with data.limits.topic as some_limits
		with input as {"environment": "lab", "resource": {"manifest": {}}}
	got == some_limits.defaults
}

test_no_defaults_no_limits if {
	not limits.of("topic") with data.limits.topic as {"environments": {}}
		with input as {"environment": "", "resource": {"manifest": {}}}
}

federated := {
	"directions": {
		"most": "at_most",
		"least": "at_least",
		"flag": "at_most",
		"money": "at_most",
		"grows": "may_grow",
		"lists": "may_grow",
		"shrinks": "may_shrink",
		"decision": "severity",
		"rung": "rung",
		"rungs": "rung",
		"odd": "sideways",
	},
	"defaults": {
		"most": 10,
		"least": 10,
		"flag": true,
		"money": {"USD": 10, "EUR": 20},
		"grows": ["b"],
		"lists": {"x": ["b"]},
		"shrinks": ["a", "b", "c"],
		"decision": "needs_approval",
		"rung": "propose",
		"rungs": {},
		"fixed": 1,
		"odd": 1,
	},
	"environments": {"production": {"most": 100, "least": 5}},
}

asked := {"environment": "prod", "context": {"team": "checkout"}, "resource": {"labels": {}, "manifest": {}}}

claimed(block) := got if {
	got := limits.of("topic") with data.limits.topic as federated
		with input as asked
		with data.domains as {"commerce": {"teams": ["checkout"], "limits": {"topic": block}}}
}

refused(block) := got if {
	got := limits.refused with data.limits.topic as federated
		with input as asked
		with data.domains as {"commerce": {"teams": ["checkout"], "limits": {"topic": block}}}
}

test_stricter_is_taken if {
	claimed({"most": 7}).most == 7
	claimed({"least": 7}).least == 7
	claimed({"flag": false}).flag == false
	claimed({"money": {"USD": 1}}).money == {"USD": 1, "EUR": 20}
	claimed({"grows": ["a", "b"]}).grows == ["b", "a"]
	claimed({"lists": {"x": ["c"], "y": ["d"]}}).lists == {"x": ["b", "c"], "y": ["d"]}
	claimed({"shrinks": ["c", "a", "z"]}).shrinks == ["a", "c"]
	claimed({"decision": "deny"}).decision == "deny"
	claimed({"rung": "observe"}).rung == "observe"
	claimed({"rungs": {"idle_gpu": "advise"}}).rungs == {"idle_gpu": "advise"}
}

# Harm: a team lifts its own ceiling in its own file.
test_milder_changes_nothing if {
	every block in [
		{"most": 1000},
		{"least": 1},
		{"flag": true},
		{"money": {"USD": 11}},
		{"grows": []},
		{"lists": {"x": []}},
		{"shrinks": ["a", "b", "c", "d"]},
		{"decision": "allow"},
		{"rung": "automerge"},
	] {
		claimed(block) == claimed({})
	}
}

# Harm: a claim that means nothing is taken for one that is in force.
test_what_cannot_tighten_is_refused_by_name if {
	every block, why in {
		{"fixed": 0}: "topic.fixed is not for a domain to change",
		{"odd": 0}: "topic.odd is not for a domain to change",
		{"new": 1}: "topic.new is not for a domain to change",
		{"money": {"JPY": 1}}: "topic.money.JPY has nothing in the global limits that it could tighten",
		{"shrinks": {"x": []}}: "topic.shrinks.x has nothing in the global limits that it could tighten",
		{"grows": {"x": []}}: "topic.grows.x has nothing in the global limits that it could tighten",
		{"most": "7"}: "topic.most cannot be held against the global limit (at_most)",
		{"most": false}: "topic.most cannot be held against the global limit (at_most)",
		{"most": null}: "topic.most cannot be held against the global limit (at_most)",
		{"money": 5}: "topic.money cannot be held against the global limit (at_most)",
		{"grows": "c"}: "topic.grows cannot be held against the global limit (may_grow)",
		{"lists": []}: "topic.lists cannot be held against the global limit (may_grow)",
		{"decision": "maybe"}: "topic.decision cannot be held against the global limit (severity)",
		{"rung": []}: "topic.rung cannot be held against the global limit (rung)",
	} {
		refused(block).topic == {sprintf("domain commerce, limits: %s", [why])}
		not claimed(block)
	}
}

test_blocks_that_are_no_mappings if {
	refused(7).topic == {"domain commerce, limits: topic is no mapping of limits"}
	not claimed(7)
	got := limits.refused with input as asked
		with data.domains as {"a": {"teams": "checkout", "limits": 5}, "b": {"teams": ["checkout"], "limit": {}}}
	got.domains == {
		"domain a: teams is no list",
		"domain a, limits is no mapping of topics",
		"domain b: there is no key limit",
	}
}

test_the_strictest_of_several if {
	got := limits.of("topic") with data.limits.topic as federated
		with input as asked
		with data.domains as {
			"commerce": {
				"teams": ["checkout"],
				"limits": {"topic": {"most": 9, "rung": "advise", "shrinks": ["a", "b"]}},
				"environments": {"production": {"topic": {"most": 8, "grows": ["c"]}}},
				"of_team": {"checkout": {"topic": {"most": 7, "rung": "propose", "grows": ["d"]}}},
			},
			"shops": {"teams": ["checkout"], "limits": {"topic": {"most": 6, "shrinks": ["b", "c"]}}},
		}
	got.most == 6
	got.rung == "advise"
	got.grows == ["b", "c", "d"]
	got.shrinks == ["b"]
}

# Harm: what one domain wrote wrong stops the teams of all others.
test_other_domains_are_not_held_up if {
	got := limits.of("topic") with data.limits.topic as federated
		with input as asked
		with data.domains as {"data": {"teams": ["ml"], "limits": {"topic": {"fixed": 0}}}}
	got.fixed == 1
}
