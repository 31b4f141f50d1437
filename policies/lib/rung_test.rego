package finops.tests.rung

import rego.v1

import data.finops.lib.rung

test_order if {
	rung.height("observe") < rung.height("advise")
	rung.height("advise") < rung.height("propose")
	rung.height("propose") < rung.height("automerge")
	not rung.height("up")
}

# Harm: a misspelled rung holds nothing.
test_unknown_is_the_lowest if {
	rung.known("automerge") == "automerge"
	rung.known("Propose") == "observe"
	rung.known(7) == "observe"
}

test_lowest if {
	rung.lowest({"automerge", "advise", "propose"}) == "advise"
	rung.lowest({"automerge"}) == "automerge"
}
