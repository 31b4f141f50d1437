package finops.tests.change.windows

import rego.v1

import data.finops.rules.change.windows as rule
import data.finops.tests.fixtures

office := {"name": "office hours", "open": [
	{"days": ["monday", "tuesday", "wednesday", "thursday"], "from": "08:00", "until": "16:00"},
	{"days": ["friday"], "from": "08:00", "until": "12:00"},
]}

year_end := {"first": "2026-12-20", "last": "2027-01-02", "reason": "year end"}

limits := {"defaults": {"windows": [office], "freezes": [year_end], "raises_pass": true}}

said(document) := {[record.id, record.decision, record.rung] | some record in results} if {
	results := rule.results with input as document with data.limits.windows as limits
}

at(now) := fixtures.of_proposal({"proposal": {"kind": "rightsize_cpu"}, "context": {"now": now}})

outside := {["change.window", "allow", "advise"]}

frozen := {["change.freeze", "allow", "advise"]}

unknown := {["change.now_unknown", "allow", "advise"]}

test_open_from_the_first_minute_to_before_the_last if {
	said(at("2026-03-02T07:59:59Z")) == outside
	said(at("2026-03-02T08:00:00Z")) == set()
	said(at("2026-03-02T15:59:59.5+00:00")) == set()
	said(at("2026-03-02T16:00:00Z")) == outside
}

test_by_weekday if {
	said(at("2026-03-06T11:00:00Z")) == set()
	said(at("2026-03-06T13:00:00Z")) == outside
	said(at("2026-03-07T11:00:00Z")) == outside
}

test_freeze_from_its_first_day_to_its_last if {
	said(at("2026-12-18T09:00:00Z")) == set()
	said(at("2026-12-21T09:00:00Z")) == frozen
	said(at("2027-01-01T09:00:00Z")) == frozen
	said(at("2027-01-04T09:00:00Z")) == set()
	said(at("2026-12-20T09:00:00Z")) == frozen | outside
	said(at("2027-01-02T09:00:00Z")) == frozen | outside
	said(at("2027-01-03T09:00:00Z")) == outside
}

# Harm: a domain adds a window, and changes are opened whenever either is open.
test_every_window_has_to_be_open if {
	results := rule.results with input as at("2026-03-02T09:00:00Z")
		with data.limits.windows as {"defaults": {
			"windows": [office, {"name": "late", "open": [{"days": ["monday"], "from": "14:00", "until": "24:00"}]}],
			"freezes": [],
			"raises_pass": true,
		}}
	{record.actual | some record in results} == {"monday 09:00 UTC is outside the window late"}
}

short(kind, current) := fixtures.of_proposal({
	"proposal": {"kind": kind, "current": current},
	"context": {"now": "2026-12-21T09:00:00Z"},
})

# Harm: a container that is killed for want of memory waits for the new year.
test_more_room_for_what_runs_short_passes if {
	said(short("underprovisioned_cpu", "250m")) == set()
	said(short("underprovisioned_cpu", "1")) == frozen
	said(short("rightsize_cpu", "250m")) == frozen
	said(short(null, "250m")) == frozen
	results := rule.results with input as short("underprovisioned_cpu", "250m")
		with data.limits.windows as object.union(limits, {"defaults": {"raises_pass": false}})
	count(results) == 1
}

# By the shipped limits, too.
test_more_room_passes_unless_somebody_says_otherwise if {
	results := rule.results with input as short("underprovisioned_cpu", "250m")
		with data.limits.windows.defaults.freezes as [year_end]
	count(results) == 0
}

test_moment_that_cannot_be_told if {
	every now in [null, "", "soon", "2026-03-02T09:00:00", "2026-03-02T09:00:00+02:00", "2026-13-02T09:00:00Z", 7] {
		said(at(now)) == unknown
	}
	said(object.remove(at(""), ["context"])) == unknown
}

test_always_where_nobody_says_when if {
	results := rule.results with input as at(null)
		with data.limits.windows as {"defaults": {"windows": [], "freezes": [], "raises_pass": true}}
	count(results) == 0
}

test_manifests_wait_for_nothing if said(fixtures.of_manifest(fixtures.manifest)) == set()

with_limits(change) := object.union(limits, {"defaults": change})

test_windows_that_cannot_be_read_cannot_be_evaluated if {
	rule.evaluable with input as at("2026-03-02T09:00:00Z") with data.limits.windows as limits
	every change in [
		{"raises_pass": "yes"},
		{"windows": [{"name": "w", "open": []}]},
		{"windows": [{"name": "w", "open": [{"days": ["mon"], "from": "08:00", "until": "16:00"}]}]},
		{"windows": [{"name": "w", "open": [{"days": [], "from": "08:00", "until": "16:00"}]}]},
		{"windows": [{"name": "w", "open": [{"days": ["monday"], "from": "16:00", "until": "08:00"}]}]},
		{"windows": [{"name": "w", "open": [{"days": ["monday"], "from": "8:00", "until": "16:00"}]}]},
		{"freezes": [{"first": "2027-01-02", "last": "2026-12-20", "reason": "r"}]},
		{"freezes": [{"first": "2026-12-20", "last": "2027-01-02"}]},
		{"freezes": [{"first": 20261220, "last": "2027-01-02", "reason": "r"}]},
	] {
		not rule.evaluable with input as at("2026-03-02T09:00:00Z")
			with data.limits.windows as with_limits(change)
	}
}

test_words if {
	results := rule.results with input as at("2026-12-20T09:00:00Z") with data.limits.windows as limits
	{[record.actual, record.limit] | some record in results} == {
		["2026-12-20 is in the freeze year end", "nothing from 2026-12-20 to 2027-01-02"],
		[
			"sunday 09:00 UTC is outside the window office hours",
			"open monday tuesday wednesday thursday 08:00 to 16:00, friday 08:00 to 12:00",
		],
	}
}

test_windows_of_no_time_and_freezes_of_one_day if {
	never := {"windows": [{"name": "w", "open": [{"days": ["monday"], "from": "08:00", "until": "08:00"}]}]}
	not rule.evaluable with input as at("2026-03-02T09:00:00Z") with data.limits.windows as with_limits(never)
	one_day := {"freezes": [{"first": "2026-12-24", "last": "2026-12-24", "reason": "eve"}]}
	rule.evaluable with input as at("2026-03-02T09:00:00Z") with data.limits.windows as with_limits(one_day)
}

# What is no cut passes, also where it sets what is there.
test_the_same_again_is_no_cut if {
	said(short("underprovisioned_cpu", "500m")) == set()
}
