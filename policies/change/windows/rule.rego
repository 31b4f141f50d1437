# When changes may be opened: in change windows, and not in freezes. Times are UTC.
# Outside them nothing is refused: the change waits on the dashboard, and what is open stays open.
package finops.rules.change.windows

import rego.v1

import data.finops.lib.change
import data.finops.lib.limits
import data.finops.lib.number

limit := limits.of("windows")

weekdays := ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]

evaluable if {
	is_boolean(limit.raises_pass)
	is_array(limit.windows)
	is_array(limit.freezes)
	every window in limit.windows {
		is_string(window.name)
		is_array(window.open)
		count(window.open) > 0
		every hours in window.open {
			is_day_time(hours.from)
			is_day_time(hours.until)
			hours.from < hours.until
			is_array(hours.days)
			count(hours.days) > 0
			every day in hours.days {
				day in weekdays
			}
		}
	}
	every freeze in limit.freezes {
		is_string(freeze.reason)
		is_date(freeze.first)
		is_date(freeze.last)
		freeze.first <= freeze.last
	}
}

is_day_time(text) if {
	is_string(text)
	regex.match(`^([01][0-9]|2[0-3]):[0-5][0-9]$|^24:00$`, text)
}

is_date(text) if {
	is_string(text)
	regex.match(`^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$`, text)
}

# RFC 3339 in UTC: the first ten characters are the date, from the twelfth on the time of day.
now := input.context.now if {
	is_string(input.context.now)
	is_date(substring(input.context.now, 0, 10))
	regex.match(`^.{10}T([01][0-9]|2[0-3])(:[0-5][0-9]){2}(\.[0-9]{1,9})?(Z|\+00:00)$`, input.context.now)
}

today := substring(now, 0, 10)

hour := substring(now, 11, 5)

weekday := lower(time.weekday(time.parse_rfc3339_ns(sprintf("%sT00:00:00Z", [today]))))

# Somebody said when, and this change is held to it.
held if {
	change.is_proposal
	count(limit.windows) + count(limit.freezes) > 0
	not passes
}

# More room for what runs short does not wait for office hours.
passes if {
	limit.raises_pass
	is_string(input.proposal.kind)
	startswith(input.proposal.kind, "underprovisioned_")
	not change.current > change.proposed
}

is_open(window) if {
	some hours in window.open
	weekday in hours.days
	hours.from <= hour
	hour < hours.until
}

# METADATA
# title: Outside the change window
# description: Every window has to be open before the change is. Until then it is on the dashboard.
# scope: rule
# custom:
#   id: change.window
#   judges: [proposal]
#   fix: Wait for the window, or open the change from the dashboard.
results contains record if {
	held
	some window in limit.windows
	now
	not is_open(window)
	record := {
		"id": "change.window",
		"decision": "allow",
		"rung": "advise",
		"actual": sprintf("%s %s UTC is outside the window %s", [weekday, hour, substring(window.name, 0, 80)]),
		"limit": sprintf("open %s", [concat(", ", [text |
			some hours in window.open
			text := sprintf("%s %s to %s", [concat(" ", hours.days), hours.from, hours.until])
		])]),
	}
}

# METADATA
# title: In a freeze
# description: >-
#   Nothing is opened in a freeze; what is open stays open. Until it ends the change is on the
#   dashboard.
# scope: rule
# custom:
#   id: change.freeze
#   judges: [proposal]
#   fix: Wait for the end of the freeze, or open the change from the dashboard.
results contains record if {
	held
	some freeze in limit.freezes
	freeze.first <= today
	today <= freeze.last
	record := {
		"id": "change.freeze",
		"decision": "allow",
		"rung": "advise",
		"actual": sprintf("%s is in the freeze %s", [today, substring(freeze.reason, 0, 120)]),
		"limit": sprintf("nothing from %s to %s", [freeze.first, freeze.last]),
	}
}

# METADATA
# title: Whether a change window is open cannot be told
# description: There are windows or freezes, and the context does not say for which moment to judge.
# scope: rule
# custom:
#   id: change.now_unknown
#   judges: [proposal]
#   fix: Give context.now, the time of the decision as RFC 3339 in UTC.
results contains record if {
	held
	not now
	record := {
		"id": "change.now_unknown",
		"decision": "allow",
		"rung": "advise",
		"actual": "the time of the decision is not known",
		"limit": "context.now, RFC 3339 in UTC",
	}
}
