package finops.tests.storage.classes

import rego.v1

import data.finops.rules.storage.classes
import data.finops.tests.fixtures

claim(class) := fixtures.of_manifest({"kind": "PersistentVolumeClaim", "spec": {"storageClassName": class}})

set_of(class) := fixtures.of_manifest({"kind": "StatefulSet", "spec": {"volumeClaimTemplates": [
	{"spec": {"storageClassName": "gp3"}},
	{"spec": {"storageClassName": class}},
	{},
]}})

nameless := fixtures.of_manifest({"kind": "PersistentVolumeClaim", "spec": {}})

said(document) := said_with(document, {})

said_with(document, changes) := value if {
	value := fixtures.said(classes.results) with input as document
		with data.limits.storage_classes.defaults as object.union(data.limits.storage_classes.defaults, changes)
}

fault := {["storage.class", "deny"]}

test_any_class_by_default if {
	every document in [claim("io2"), set_of("io2"), nameless, claim(null)] {
		said(document) == set()
	}
}

test_dear_classes_in_development if {
	every class in ["io1", "io2", "io2-encrypted", "ultra-disk", "premium-v2", "hyperdisk-extreme", "pd-extreme"] {
		said(object.union(claim(class), {"environment": "dev"})) == {["storage.class", "needs_approval"]}
		said(claim(class)) == set()
	}
	every class in ["gp3", "standard", "studio1", "pd-balanced"] {
		said(object.union(claim(class), {"environment": "dev"})) == set()
	}
}

test_refused if {
	said_with(claim("io2"), {"refused": ["io[12].*"]}) == fault
	said_with(claim("gp3"), {"refused": ["io[12].*"]}) == set()
	said_with(set_of("io2"), {"refused": ["io[12].*"]}) == {["storage.class", "deny"]}
	said_with(nameless, {"refused": [".*"]}) == set()
}

test_allowed if {
	said_with(claim("io2"), {"allowed": ["gp3"]}) == fault
	said_with(claim("gp3"), {"allowed": ["gp3"]}) == set()
	said_with(nameless, {"allowed": ["gp3"]}) == set()
	{record.limit | some record in classes.results} == {"a class of gp3, st1"} with input as claim("io2")
		with data.limits.storage_classes.defaults.allowed as ["gp3", "st1"]
	{record.limit | some record in classes.results} == {"a class that is there and not refused"} with input as claim("io2")
		with data.limits.storage_classes.defaults.refused as ["io2"]
}

test_named if {
	said_with(nameless, {"named": true}) == fault
	said_with(claim(null), {"named": true}) == fault
	said_with(claim("gp3"), {"named": true}) == set()
	said_with(fixtures.of_manifest({"kind": "Pod", "spec": {}}), {"named": true}) == set()
	said_with(fixtures.of_manifest({"kind": "PersistentVolumeClaim", "spec": "none"}), {"named": true}) == set()
}

beside(document, names) := object.union(document, {"context": {"neighbours": [
	{"kind": kind, "metadata": {"name": name}} |
		some [kind, name] in names
]}})

test_declared if {
	said_with(beside(claim("gp3"), []), {"declared": true}) == fault
	said_with(beside(claim("gp3"), [["StorageClass", "gp2"], ["ConfigMap", "gp3"]]), {"declared": true}) == fault
	said_with(beside(claim("gp3"), [["StorageClass", "gp3"]]), {"declared": true}) == set()
	said_with(beside(nameless, []), {"declared": true}) == set()
	said_with(claim("gp3"), {"declared": true}) == set()
	said(beside(claim("gp3"), [])) == set()
}

test_changes_that_make_nothing_dearer if {
	document := object.union(claim("io2"), {"proposal": fixtures.of_proposal({}).proposal})
	said_with(document, {"refused": ["io2"]}) == {["storage.class", "needs_approval"]}
}

evaluable_with(changes) if {
	classes.evaluable with input as nameless
		with data.limits.storage_classes.defaults as object.union(data.limits.storage_classes.defaults, changes)
}

test_evaluable_with_its_limits if {
	evaluable_with({"decision": "needs_approval"})
	not evaluable_with({"decision": "ignore"})
	not evaluable_with({"named": "yes"})
	not evaluable_with({"declared": "yes"})
	not evaluable_with({"allowed": {}})
	not evaluable_with({"refused": {}})
}
