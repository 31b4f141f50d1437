package finops.tests.number

import rego.v1

import data.finops.lib.number

test_quantities if {
	number.quantity("250m") == 0.25
	number.quantity("2") == 2
	number.quantity("0.5") == 0.5
	number.quantity("1e3") == 1000
	number.quantity("100n") == 0.0000001
	number.quantity("1k") == 1000
	number.quantity("1Ki") == 1024
	number.quantity("1.5Gi") == 1610612736
	number.quantity("128974848000m") == 128974848
	number.quantity(3) == 3
}

test_no_quantities if {
	every text in ["", "lots", "1 Gi", "1gi", "-1", "1e", "Mi", "1,5", "1Gi; drop", "0x10"] {
		not number.quantity(text)
	}
	not number.quantity(null)
	not number.quantity(["1"])
}

test_plain if {
	number.plain("12.50") == 12.5
	number.plain("-3") == -3
	number.plain(7) == 7
	not number.plain("1e3")
	not number.plain("12 USD")
	not number.plain(null)
}

test_words if {
	number.two_decimals(2.345) == "2.35"
	number.two_decimals(3) == "3"
	number.three_decimals(0.30644) == "0.306"
	number.three_decimals(2) == "2"
	number.percent(0.125) == "12.5 %"
}
