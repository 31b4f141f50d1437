# The autonomy ladder: which rung is above which. No rule and no limit.
package finops.lib.rung

import rego.v1

ladder := ["observe", "advise", "propose", "automerge"]

height(rung) := at if {
	some at, name in ladder
	name == rung
}

# A rung of another name is the lowest.
known(rung) := rung if rung in ladder else := "observe"

lowest(rungs) := ladder[min({height(rung) | some rung in rungs})]
