# Storage that keeps what it is given unencrypted: disks, databases, file systems, queues, streams.
# Which kinds, what says so, and what holds where nothing is said: limits/data.yaml.
package finops.rules.storage.encryption

import rego.v1

import data.finops.lib.change
import data.finops.lib.cloud
import data.finops.lib.limits
import data.finops.lib.resource

limit := limits.of("encryption")

evaluable if {
	limit.decision in {"deny", "needs_approval"}
	every row in limit.storage {
		every list in [row.kinds, row.said_by] {
			is_array(list)
		}
		row.unsaid in {"encrypted", "unencrypted"}
	}
}

rows := [row |
	some row in limit.storage
	cloud.kind_name in row.kinds
	served(row)
]

# Rows of volumes' classes hold for some provisioners only.
served(row) if not row.provisioners

served(row) if resource.manifest.provisioner in row.provisioners

root := cloud.attributes if cloud.attributes else := resource.manifest

# The resource itself, or each of its blocks that is a disk.
units(row) := [root] if not row.blocks

units(row) := at(root, row.blocks) if row.blocks

# Values at any of `paths`, each of them where there is a list.
at(node, paths) := [value |
	walk(node, [path, value])
	not is_array(value)
	cloud.plain_path(path) in paths
]

# What it says of its encryption, one word for each value. Names of keys and references to what is
# known later count as keys; references where yes or no is asked for are unknown.
words(row, unit) := {word |
	some value in at(unit, row.said_by)
	word := word_of(value)
}

word_of(value) := "encrypted" if {
	lower(sprintf("%v", [value])) in {"true", "enabled", "kms", "on", "yes"}
} else := "unencrypted" if {
	lower(sprintf("%v", [value])) in {"false", "disabled", "none", "off", "no", ""}
} else := "unknown"

keyed(row, unit) if {
	some value in at(unit, object.get(row, "keys", []))
	not value in {"", null}
}

# It is made from something else, and is encrypted where that is.
inherits(row, unit) if {
	some value in at(unit, object.get(row, "inherits", []))
	not value in {"", null}
}

state(row, unit) := "encrypted" if {
	keyed(row, unit)
} else := "unencrypted" if {
	"unencrypted" in words(row, unit)
} else := "unknown" if {
	"unknown" in words(row, unit)
} else := "encrypted" if {
	"encrypted" in words(row, unit)
} else := "unknown" if {
	inherits(row, unit)
} else := row.unsaid

found contains {"state": state(row, unit), "row": row} if {
	some row in rows
	some unit in units(row)
}

said_by(row) := concat(" or ", array.concat(row.said_by, object.get(row, "keys", [])))

# Who turns encryption off is refused also where that makes the resource no dearer.
decision(row) := limit.decision if {
	change.is_proposal
	some name in row.said_by
	endswith(cloud.plain_field, name)
} else := change.severity(limit.decision)

# METADATA
# title: Storage is not encrypted
# description: >-
#   What the resource keeps is written as it is, either because it says so or because its provider
#   does not encrypt this kind unless told to.
# scope: rule
# custom:
#   id: storage.encryption
#   judges: [proposal, manifest]
#   fix: Turn encryption on where the resource is declared; most kinds have to be made anew for it.
results contains record if {
	some each in found
	each.state == "unencrypted"
	record := {
		"id": "storage.encryption",
		"decision": decision(each.row),
		"actual": sprintf("%s is not encrypted", [resource.kind]),
		"limit": sprintf("encryption by %s", [said_by(each.row)]),
	}
}

# METADATA
# title: Whether storage is encrypted cannot be read
# description: >-
#   What says so is known only when the change is applied, or the resource is made from a snapshot or
#   another one, and is encrypted where that is.
# scope: rule
# custom:
#   id: storage.encryption_unknown
#   judges: [proposal, manifest]
#   fix: Say true or false where the resource is declared.
results contains record if {
	some each in found
	each.state == "unknown"
	record := {
		"id": "storage.encryption_unknown",
		"decision": "needs_approval",
		"actual": sprintf("%s does not say in plain words", [resource.kind]),
		"limit": sprintf("encryption by %s", [said_by(each.row)]),
	}
}
