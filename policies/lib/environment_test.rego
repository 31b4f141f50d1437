package finops.tests.environment

import rego.v1

import data.finops.lib.environment

named(text) := value if {
	value := environment.name with input as {"environment": text, "resource": {"manifest": {}}}
}

labelled(labels) := value if {
	value := environment.name with input as {
		"environment": "",
		"resource": {"manifest": {}, "labels": labels},
	}
}

test_aliases if {
	named("prod") == "production"
	named(" PRD ") == "production"
	named("staging") == "staging"
	named("dev") == "development"
}

test_compound_names if {
	named("prod-eu") == "production"
	named("eu_prod") == "production"
	named("dev/team-a") == "development"
}

# Harm: the loose or strict limits of production for what says it is not production.
test_negated_names_are_not_production if {
	named("non-prod") == "development"
	named("preprod") == "staging"
	named("not-prod-eu") == "not-prod-eu"
}

test_unknown_names_stand_for_themselves if {
	named("lab") == "lab"
	named("product-lab") == "product-lab"
}

test_labels_name_it_where_nothing_else_does if {
	labelled({"env": "prod"}) == "production"
	labelled({"acme.io/Environment": "stage"}) == "staging"
	labelled({}) == ""
}

test_words if {
	words := environment.words with input as {"environment": "prod", "resource": {"manifest": {}}}
	words == "production"
	none := environment.words with input as {"environment": "", "resource": {"manifest": {}}}
	none == "an unknown environment"
}
