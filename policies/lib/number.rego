# Numbers out of text: plain decimals, and Kubernetes quantities with their suffixes.
# No rule and no limit. Undefined, never an error, for what is not a number: engines differ in what
# their own parsers accept ("m" is mega to units.parse_bytes and milli to Kubernetes).
package finops.lib.number

import rego.v1

# The number that `value` is or, as plain decimal text, says.
plain(value) := value if is_number(value)

plain(value) := to_number(value) if {
	is_string(value)
	regex.match(`^-?[0-9]{1,30}(\.[0-9]{1,40})?$`, value)
}

# Cores, bytes or a count: `250m`, `1.5Gi`, `2`, `1e3`, 2
# (k8s.io/apimachinery/pkg/api/resource.Quantity).
quantity(value) := value if is_number(value)

quantity(value) := (to_number(parts[1]) * factor.times) / factor.over if {
	is_string(value)
	parts := regex.find_all_string_submatch_n(
		`^([0-9]{1,20}(?:\.[0-9]{1,20})?(?:[eE][+-]?[0-9]{1,2})?)([numkMGTPE]|[KMGTPE]i)?$`,
		value, 1,
	)[0]
	factor := {"times": object.get(multiples, parts[2], 1), "over": object.get(parts_of, parts[2], 1)}
}

# Divided by, not multiplied with a fraction: a thousandth has no exact binary form.
parts_of := {"n": 1000000000, "u": 1000000, "m": 1000}

multiples := {
	"k": 1000,
	"M": 1000000,
	"G": 1000000000,
	"T": 1000000000000,
	"P": 1000000000000000,
	"E": 1000000000000000000,
	"Ki": 1024,
	"Mi": 1048576,
	"Gi": 1073741824,
	"Ti": 1099511627776,
	"Pi": 1125899906842624,
	"Ei": 1152921504606846976,
}

# `value` to at most two decimals, for people.
two_decimals(value) := sprintf("%v", [round(value * 100) / 100])

three_decimals(value) := sprintf("%v", [round(value * 1000) / 1000])

# A share as a percentage, for people.
percent(share) := sprintf("%v %%", [round(share * 1000) / 10])
