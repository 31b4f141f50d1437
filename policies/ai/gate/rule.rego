# What follows from a breach: for proposals about a model that fails its gate, and for those that rest
# on an engine of ours that does. How a gate is judged is responsible_ai's; what mends it is a proposal.
package finops.rules.ai.gate

import rego.v1

import data.finops.lib.change
import data.finops.lib.handles
import data.finops.lib.limits
import data.finops.lib.resource
import data.finops.lib.rung

limit := limits.of("ai")

grades := ["warn", "fail"]

evaluable if {
	every table in [limit.gate_rung, limit.gate_decision] {
		is_object(table.other)
	}
	every by_grade in limit.gate_rung {
		every grade in grades {
			by_grade[grade] in rung.ladder
		}
	}
	every by_grade in limit.gate_decision {
		every grade in grades {
			by_grade[grade] in {"allow", "needs_approval", "deny"}
		}
	}
	every list in [limit.gate_exempt, limit.remedies] {
		is_array(list)
	}
	every patterns in limit.engine_kinds {
		is_array(patterns)
		every pattern in patterns {
			is_string(pattern)
			is_boolean(regex.match(pattern, ""))
		}
	}
	readable
}

readable if not change.is_proposal

readable if {
	is_string(input.proposal.kind)
	object.get(input, ["context", "model", "breaches"], null) in {null, of_model}
	every breach in told {
		is_string(breach.check)
		breach.grade in grades
	}
}

# The engine stops at what it cannot go through.
default of_model := []

of_model := input.context.model.breaches if is_array(input.context.model.breaches)

of_engine[engine] := found.breaches if {
	some engine, found in resource.maps(input.context.engines)
	is_array(found.breaches)
}

# Breaches of the model that the resource serves or trains, and of engines that the kind rests on.
told contains object.union(breach, {"whose": "the model", "owner": object.get(input.context.model, "owner", null)}) if {
	some breach in of_model
}

told contains object.union(breach, {"whose": engine, "owner": null}) if {
	is_string(input.proposal.kind)
	some engine, patterns in limit.engine_kinds
	is_array(patterns)
	some pattern in patterns
	is_string(pattern)
	regex.match(sprintf("^(%s)$", [pattern]), input.proposal.kind)
	some breach in of_engine[engine]
}

# One for each check and grade of each model or engine.
concerns contains [breach.whose, breach.check, breach.grade] if {
	change.is_proposal
	some breach in told
}

exempt if input.proposal.kind in limit.gate_exempt

consequence(table, check, grade) := object.get(table, check, table.other)[grade]

# A freeze does not hold up what mends: that is for the owner to approve.
held("deny") := "needs_approval" if exempt

held("deny") := "deny" if not exempt

held(decision) := decision if decision != "deny"

words := {
	"allow": "a person merges",
	"needs_approval": "its owner approves",
	"deny": "nothing but its remedies",
}

approvers(decision, breaches) := sort({handles.names[breach.owner] | some breach in breaches}) if {
	decision == "needs_approval"
} else := []

where(breaches) := sprintf(" (%s)", [concat(", ", sort(segments))]) if {
	segments := {substring(breach.segment, 0, 60) |
		some breach in breaches
		is_string(breach.segment)
		breach.segment != "all"
	}
	count(segments) > 0
} else := ""

since(breaches) := sprintf(" since %s", [min(days)]) if {
	days := {breach.since | some breach in breaches; is_string(breach.since)}
	count(days) > 0
} else := ""

# METADATA
# title: A gate of AI is not passed
# description: >-
#   The model that this is about, or an engine that this rests on, breaks a limit: automation goes no
#   further than limits say, and where they freeze nothing is changed but what mends it.
# scope: rule
# custom:
#   id: ai.gate
#   judges: [proposal]
#   fix: Mend the breach; its remedy is proposed where one is known.
results contains record if {
	some [whose, check, grade] in concerns
	breaches := {breach | some breach in told; [breach.whose, breach.check, breach.grade] == [whose, check, grade]}
	decision := held(consequence(limit.gate_decision, check, grade))
	record := {
		"id": "ai.gate",
		"decision": decision,
		"rung": consequence(limit.gate_rung, check, grade),
		"actual": substring(
			sprintf("%s: %s of %s%s%s", [grade, check, whose, where(breaches), since(breaches)]), 0, 200,
		),
		"limit": sprintf("a gate that passes; until then %s", [words[decision]]),
		"approvers": approvers(decision, breaches),
	}
}

# METADATA
# title: What changes a model is merged by people
# description: >-
#   It changes which model answers people, or how it is trained or known. Whatever the ladder allows,
#   a person looks at it.
# scope: rule
# custom:
#   id: ai.remedy
#   judges: [proposal]
#   fix: Have a person merge it.
results contains record if {
	change.is_proposal
	input.proposal.kind in limit.remedies
	record := {
		"id": "ai.remedy",
		"decision": "allow",
		"rung": "propose",
		"actual": sprintf("%s changes a model", [input.proposal.kind]),
		"limit": "merged by a person",
	}
}
