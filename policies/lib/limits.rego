# The limits in force for a topic: the defaults, with what the environment changes, and of that and
# what domains claim the stricter. No number of its own.
package finops.lib.limits

import rego.v1

import data.finops.lib.domain
import data.finops.lib.environment

# Undefined where the topic has no defaults, or where a domain claims what it may not: the rule that
# asks cannot be evaluated then.
of(topic) := json.patch(base(topic), [patch |
	some path in paths(topic)
	patch := {"op": "add", "path": path, "value": strictest(
		direction(topic, path),
		object.get(base(topic), path, null),
		[claim.value | some claim in claims; claim.topic == topic; claim.path == path],
	)}
]) if {
	not refused[topic]
}

# The defaults, and what the environment says otherwise: its owner is the owner of the defaults.
base(topic) := object.union(
	data.limits[topic].defaults,
	object.get(data.limits[topic], ["environments", environment.name], {}),
)

paths(topic) := {claim.path | some claim in claims; claim.topic == topic}

direction(topic, path) := data.limits[topic].directions[path[0]]

# Each single value that a domain of the judged resource claims.
claims contains {"domain": name, "place": place, "topic": topic, "path": path, "value": value} if {
	some [name, place, block] in domain.claims
	is_object(block)
	some topic, limits in block
	walk(limits, [path, value])
	count(path) > 0
	not is_object(value)
	every part in path {
		is_string(part)
	}
}

# What domains of the judged resource claim and may not, by topic, for people.
refused[topic] contains text if {
	some claim in claims
	topic := claim.topic
	text := sprintf("domain %s, %s: %s.%s %s", [
		claim.domain, claim.place, topic, concat(".", claim.path), fault(claim),
	])
}

refused[topic] contains text if {
	some [name, place, block] in domain.claims
	is_object(block)
	some topic, limits in block
	not is_object(limits)
	text := sprintf("domain %s, %s: %s is no mapping of limits", [name, place, topic])
}

refused.domains contains text if {
	some [name, place, block] in domain.claims
	not is_object(block)
	text := sprintf("domain %s, %s is no mapping of topics", [name, place])
}

refused.domains contains text if {
	some name in domain.names
	not is_array(domain.domains[name].teams)
	text := sprintf("domain %s: teams is no list", [name])
}

refused.domains contains text if {
	some name in domain.names
	some key, _ in domain.domains[name]
	not key in {"teams", "limits", "environments", "of_team"}
	text := sprintf("domain %s: there is no key %s", [name, key])
}

fault(claim) := "is not for a domain to change" if {
	not direction(claim.topic, claim.path) in known
} else := "has nothing in the global limits that it could tighten" if {
	not has_place(claim)
} else := sprintf("cannot be held against the global limit (%s)", [direction(claim.topic, claim.path)]) if {
	not comparable(direction(claim.topic, claim.path), held(claim), claim.value)
}

# The global value that is claimed against; null where there is none.
held(claim) := object.get(base(claim.topic), claim.path, null)

has_place(claim) if held(claim) != null

# A new entry of a mapping is stricter where no entry means that nothing is asked.
has_place(claim) if {
	direction(claim.topic, claim.path) in {"may_grow", "severity", "rung"}
	count(claim.path) > 1
	is_object(object.get(base(claim.topic), array.slice(claim.path, 0, count(claim.path) - 1), null))
}

known := {"at_most", "at_least", "may_grow", "may_shrink", "severity", "rung"}

# From mild to strict.
orders := {
	"severity": ["allow", "needs_approval", "deny"],
	"rung": ["automerge", "propose", "advise", "observe"],
}

# Numbers, and false before true.
comparable(way, old, new) if {
	way in {"at_most", "at_least"}
	type_name(old) == type_name(new)
	type_name(new) in {"number", "boolean"}
}

comparable(way, old, new) if {
	way in {"may_grow", "may_shrink"}
	is_array(listed(old))
	is_array(new)
}

comparable(way, old, new) if {
	new in orders[way]
	old == null
}

comparable(way, old, new) if {
	new in orders[way]
	old in orders[way]
}

listed(old) := [] if old == null else := old

strictest("at_most", old, claimed) := min(array.concat([old], claimed))

strictest("at_least", old, claimed) := max(array.concat([old], claimed))

strictest("may_grow", old, claimed) := array.concat(listed(old), sort(new)) if {
	new := {item | some list in claimed; some item in list; not item in listed(old)}
}

strictest("may_shrink", old, claimed) := [item |
	some item in old
	every list in claimed {
		item in list
	}
]

strictest(way, old, claimed) := stated[count(stated) - 1] if {
	stated := [value | some value in orders[way]; value in array.concat([old], claimed)]
}
