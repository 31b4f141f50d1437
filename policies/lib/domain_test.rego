package finops.tests.domain

import rego.v1

import data.finops.lib.domain

of(team, labels) := {"environment": "", "context": {"team": team}, "resource": {"labels": labels, "manifest": {}}}

some_domains := {"commerce": {"teams": ["Checkout", "payments"]}, "data": {"teams": ["ml", 7]}}

test_by_the_team_of_the_context_and_of_labels if {
	domain.names == {"commerce"} with input as of("checkout", {}) with data.domains as some_domains
	domain.names == {"commerce"} with input as of(null, {"acme.io/Owner": " Payments "})
		with data.domains as some_domains
	domain.names == set() with input as of("search", {}) with data.domains as some_domains
}

# Harm: a resource is relabelled, and leaves the limits of the domain that pays for it.
test_relabelling_leaves_no_domain if {
	domain.names == {"commerce", "data"} with input as of("checkout", {"team": "ml"})
		with data.domains as some_domains
}

test_none if {
	domain.names == set() with input as of("checkout", {}) with data.domains as {}
	domain.claims == set() with input as of("checkout", {}) with data.domains as {}
}

# Harm: a file written wrong is the one that nobody is held to.
test_teams_that_cannot_be_read if {
	domain.names == {"a", "b"} with input as of("checkout", {})
		with data.domains as {"a": {"teams": "checkout"}, "b": null}
}

test_claims_of_domain_environment_and_team if {
	claims := domain.claims with input as object.union(of("checkout", {}), {"environment": "prod"})
		with data.domains as {"commerce": {
			"teams": ["checkout", "payments"],
			"limits": {"a": {"x": 1}},
			"environments": {"production": {"a": {"x": 2}}, "staging": {"a": {"x": 3}}},
			"of_team": {"checkout": {"a": {"x": 4}}, "payments": {"a": {"x": 5}}},
		}}
	claims == {
		["commerce", "limits", {"a": {"x": 1}}],
		["commerce", "environments.production", {"a": {"x": 2}}],
		["commerce", "of_team.checkout", {"a": {"x": 4}}],
	}
}
