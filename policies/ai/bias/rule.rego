# Whether a model treats groups of people alike, by the metrics that were measured.
# How groups are made and metrics computed is not judged.
package finops.rules.ai.bias

import rego.v1

import data.finops.lib.change
import data.finops.lib.limits
import data.finops.lib.model
import data.finops.lib.number
import data.finops.lib.resource

limit := limits.of("ai")

evaluable if {
	limit.metrics_decision in {"deny", "needs_approval"}
	every bounds in [limit.max_bias, limit.min_bias] {
		is_object(bounds)
		every bound in bounds {
			is_number(bound)
		}
	}
}

measured[name] := value if {
	some name, given in resource.maps(model.figure("bias"))
	value := number.plain(given)
}

# A difference is as bad either way.
faults[name] := sprintf("at most %v", [limit.max_bias[name]]) if {
	some name, value in measured
	abs(value) > limit.max_bias[name]
}

faults[name] := sprintf("at least %v", [limit.min_bias[name]]) if {
	some name, value in measured
	value < limit.min_bias[name]
}

# METADATA
# title: The model treats groups of people unequally
# description: A metric of fairness between groups is beyond its limit.
# scope: rule
# custom:
#   id: ai.bias
#   judges: [proposal, manifest]
#   fix: Find what makes the difference and train anew, or have its owner account for it.
results contains record if {
	some name, bound in faults
	record := {
		"id": "ai.bias",
		"decision": change.severity(limit.metrics_decision),
		"actual": sprintf("%s of %v", [name, number.three_decimals(measured[name])]),
		"limit": bound,
	}
}

# METADATA
# title: The model's fairness cannot be judged
# description: A metric has no limit, or its value is no number.
# scope: rule
# custom:
#   id: ai.bias_unknown
#   judges: [proposal, manifest]
#   fix: Give metrics that limits know, as numbers, or add a limit for the metric.
results contains record if {
	some name, given in resource.maps(model.figure("bias"))
	not judged[name]
	record := {
		"id": "ai.bias_unknown",
		"decision": "needs_approval",
		"actual": substring(sprintf("%s of %v", [name, given]), 0, 120),
		"limit": "a number, and a metric that has a limit",
	}
}

judged[name] if {
	some name, _ in measured
	some bounds in [limit.max_bias, limit.min_bias]
	bounds[name]
}
