package finops.tests.handles

import rego.v1

import data.finops.lib.handles
import data.finops.tests.fixtures

limits := {"environments": {}, "defaults": {"handle": "@acme/{owner}", "handles": {"ml": "@acme/research"}}}

named(document) := value if {
	value := handles.names with input as document with data.limits.approval as limits
}

of(team, model) := fixtures.of_proposal({"proposal": {"owner": team}, "context": {"model": {"owner": model}}})

test_by_the_form_or_by_the_list if {
	named(of("search", "ml")) == {"search": "@acme/search", "ml": "@acme/research"}
	named(fixtures.of_proposal({})) == {"search": "@acme/search"}
}

test_what_makes_no_handle_names_nobody if {
	named(of("two words", null)) == {}
	named(of("", 7)) == {}
}

test_handles if {
	every text in ["@user", "@acme/search.core", "some.body+x@acme.example"] {
		handles.is_handle(text)
	}
	every text in ["user", "@acme/", "@-x", "@a/b/c", "a b@c", 7, null] {
		not handles.is_handle(text)
	}
}
