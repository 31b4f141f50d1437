# The limits in force for a topic: the defaults, with what the environment changes.
# No number of its own.
package finops.lib.limits

import rego.v1

import data.finops.lib.environment

# Undefined where the topic has no defaults: the rule that asks cannot be evaluated then.
of(topic) := object.union(
	data.limits[topic].defaults,
	object.get(data.limits[topic], ["environments", environment.name], {}),
)
