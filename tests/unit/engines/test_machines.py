"""Types of machines by hand: sizes, generations, architectures, and every reason for none."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finops_dagster.domain.decisions import FindingKind
from finops_dagster.engines.optimisation import propose
from finops_dagster.engines.optimisation.candidates import candidate_of
from finops_dagster.engines.optimisation.inputs import FindResult
from tests.unit.engines.estates import AS_OF
from tests.unit.engines.machine_estates import (
    NAME,
    TYPES,
    judged,
    machine,
    type_prices,
    unit_prices,
    use,
)

SIZE = (
    FindingKind.RIGHTSIZE_MACHINE,
    FindingKind.RIGHTSIZE_DATABASE,
    FindingKind.UNDERPROVISIONED_MACHINE,
    FindingKind.UNDERPROVISIONED_DATABASE,
)
M5 = {"m5.large": "0.10", "m5.xlarge": "0.20", "m5.2xlarge": "0.40"}
N = 14 * 288


def sizes(result: FindResult) -> list[tuple[str, str]]:
    """(kind, proposed type) of what is said of sizes."""
    return [(f.kind.value, f.proposed) for f in result.findings if f.kind in SIZE]


def reasons(result: FindResult, end: str) -> list[str]:
    """Why what ends so is not judged."""
    return [a.reason for a in result.abstained if a.subject.endswith(end)]


def test_half_a_machine_saves_half_of_its_net_price() -> None:
    """At list prices the promise would be a quarter too high, and never kept."""
    (found,) = [f for f in judged().findings if f.kind is FindingKind.RIGHTSIZE_MACHINE]

    # 0.8 vCPUs x 1.2, 3 GiB x 1.15, 0.1 Gbit/s and 5 MiB/s x 1.2 fit an m5.large: half the price
    assert (found.field, found.current, found.proposed) == (
        "instance_type", "m5.xlarge", "m5.large",
    )  # fmt: skip
    # 0.16 an hour is paid: 0.16 x 730 x (1 - 0.10 / 0.20)
    assert found.saving_per_month.mid == Decimal("58.4")
    assert found.saving_per_month.low < Decimal("58.4") < found.saving_per_month.high
    assert found.confidence == 1
    assert found.risk < 0.05
    figures = found.evidence.figures
    assert figures["cpu_needed_vcpus"] == pytest.approx(0.96)
    assert figures["memory_needed_gib"] == pytest.approx(3.45)
    assert figures["price_per_hour"] == 0.2
    assert "50% less an hour as listed in the bill" in found.reason


@pytest.mark.parametrize(
    ("measured", "why"),
    [
        (use(cpu=1.8), "needs 2.16 vCPUs"),
        (use(memory=7.2), "needs 8.28 GiB"),
        (use(network=0.45), "needs 0.54 Gbit/s of 0.496"),
        (use(disk=45.0), "needs 54 MiB/s of 46.4"),
    ],
)
def test_every_dimension_can_keep_a_machine_as_it_is(measured: pd.DataFrame, why: str) -> None:
    """A type that is large enough in CPU alone stops the machine in another way."""
    assert sizes(judged(measured=measured, listed=type_prices(M5))) == [], why
    assert reasons(judged(measured=measured, listed=type_prices(M5)), "size") == []


def test_memory_that_is_not_measured_is_kept() -> None:
    """Half the memory under a cache that nobody measured is an outage by night."""
    measured = use(memory=None)

    with_r5 = judged(measured=measured, listed=type_prices(M5 | {"r5.large": "0.13"}))
    without = judged(measured=measured, listed=type_prices(M5))

    # an r5.large has half the vCPUs and all of the memory
    assert sizes(with_r5) == [("rightsize_machine", "r5.large")]
    assert sizes(without) == []
    assert reasons(without, "size") == ["m5.large might do, but its memory is not measured"]


@pytest.mark.parametrize("missing", ["network", "disk"])
def test_network_and_disks_that_are_not_measured_are_not_cut(missing: str) -> None:
    """A smaller type has less of both."""
    result = judged(measured=use(**{missing: None}), listed=type_prices(M5))

    assert sizes(result) == []
    assert reasons(result, "size") == [f"m5.large might do, but its {missing} is not measured"]


def test_limits_that_no_catalogue_knows_are_not_guessed() -> None:
    """A type nobody knows the network of may have too little of it."""
    listed = type_prices({"c5.xlarge": "0.17", "m5.xlarge": "0.20"})

    assert reasons(judged(listed=listed), "size") == [
        "c5.xlarge might do, but how many Gbit/s c5.xlarge carries is not known and how many "
        "MiB/s of disks c5.xlarge carries is not known"
    ]


def test_a_local_disk_stays() -> None:
    """An m5d is cheaper here, but what an m5 promises is not what an m5d does, nor the reverse."""
    on_disk = judged(
        [machine(instance_type="m5d.large")],
        use(cpu=0.2, memory=1.0),
        type_prices({"m5d.large": "0.12", "t3.large": "0.08", "m5.large": "0.1"}),
    )
    assert on_disk.findings == []


def test_a_cut_takes_half_at_most_at_once() -> None:
    """From 8 vCPUs to 2 in one step nobody could tell which half was missed."""
    result = judged([machine(instance_type="m5.2xlarge")], listed=type_prices(M5))

    assert sizes(result) == [("rightsize_machine", "m5.xlarge")]


def test_development_gets_less_headroom() -> None:
    """A spike in one interval of a hundred: P99.5 sees it, P95 does not."""
    spiky = np.where(np.arange(N) % 100 == 0, 1.9, 0.8)
    measured = use(cpu=spiky)

    assert sizes(judged(measured=measured, listed=type_prices(M5))) == []
    assert sizes(
        judged([machine(environment="dev")], measured=measured, listed=type_prices(M5))
    ) == [("rightsize_machine", "m5.large")]


def test_a_type_that_bursts_only_within_its_baseline() -> None:
    """A t3.large earns 0.6 vCPUs of its 2: beyond them it is slow, or dearer than the m5."""
    listed = type_prices({"t3.large": "0.08", "m5.large": "0.10", "m5.xlarge": "0.20"})
    one_busy_day = np.where(np.arange(N) < 288, 0.9, 0.3)

    assert sizes(judged(measured=use(cpu=0.5), listed=listed)) == [
        ("rightsize_machine", "t3.large")
    ]
    assert sizes(judged(measured=use(cpu=0.7), listed=listed)) == [
        ("rightsize_machine", "m5.large")
    ]
    assert sizes(judged(measured=use(cpu=one_busy_day), listed=listed)) == [
        ("rightsize_machine", "m5.large")
    ]


def test_use_that_is_growing_is_not_cut_into() -> None:
    """By the first two thirds an m5.large would do; in the last it would have been short."""
    growing = np.where(np.arange(N) < N * 2 // 3, 0.8, np.where(np.arange(N) % 8 == 0, 2.2, 0.8))
    result = judged([machine(environment="dev")], use(cpu=growing), type_prices(M5))

    assert sizes(result) == []
    assert reasons(result, "size") == [
        "sized from the first two thirds of the window it would have been short in 12.5% of the "
        "last third: its use is changing"
    ]


def test_what_was_used_before_the_window_may_come_back() -> None:
    """The month's end of last month is not in the last fourteen days."""
    before = use(cpu=3.0, days=1, as_of=AS_OF - timedelta(days=20))
    result = judged(measured=pd.concat([before, use()]), listed=type_prices(M5))

    assert sizes(result) == []
    assert reasons(result, "size") == [
        "m5.large would do by the last 14 days, but it used 3 vCPUs before, which may come back"
    ]


def test_one_that_is_short_gets_the_next_that_carries_it() -> None:
    """P95 of 3.9 x 1.2 is over 4 vCPUs; an m5.2xlarge costs 0.20 an hour more."""
    (found,) = judged(measured=use(cpu=3.9, memory=6.0), listed=type_prices(M5)).findings

    assert (found.kind, found.proposed) == (FindingKind.UNDERPROVISIONED_MACHINE, "m5.2xlarge")
    # (0.20 - 0.40) x 730 hours: no discount is taken for granted
    assert found.saving_per_month.mid == Decimal("-146")
    assert "works off a queue" in found.wrong_if


def test_memory_that_is_full_is_short_as_well() -> None:
    """A machine that swaps is no cheaper for it."""
    (found,) = judged(measured=use(memory=15.6), listed=type_prices(M5)).findings

    assert (found.kind, found.proposed) == (FindingKind.UNDERPROVISIONED_MACHINE, "m5.2xlarge")


def test_one_that_is_short_without_a_larger_price_is_told_not_priced() -> None:
    """Prices are never made up, and a shortage is never silent."""
    result = judged(measured=use(cpu=3.9), listed=type_prices({"m5.xlarge": "0.2"}))

    assert result.findings == []
    assert "no larger type that would do has a price" in reasons(result, "size")[0]


def test_one_that_looks_idle_is_not_sized() -> None:
    """Half of a machine that nobody needs is still waste."""
    result = judged(measured=use(cpu=0.01, network=1e-7))

    assert sizes(result) == []
    assert reasons(result, "size") == [
        "looks idle: whether it is needed comes before what size it has"
    ]


def test_generation_and_architecture_are_kinds_of_their_own() -> None:
    """A recompiled estate must not hide in what reads like a newer generation."""
    by_kind = {f.kind: f for f in judged().findings}

    newer = by_kind[FindingKind.MACHINE_GENERATION]
    # 0.16 x 730 x (1 - 0.18 / 0.20)
    assert (newer.proposed, newer.saving_per_month.mid) == ("m6i.xlarge", Decimal("11.68"))
    arm = by_kind[FindingKind.MACHINE_ARCHITECTURE]
    assert (arm.proposed, arm.saving_per_month.mid) == ("m6g.xlarge", Decimal("29.2"))
    assert "must be built for arm64 first" in arm.reason
    assert "no build for arm64" in arm.wrong_if


def test_price_moves_ask_nothing_of_use() -> None:
    """A machine that nobody measures may still be of a generation that costs more."""
    result = judged(measured=use().iloc[:0])

    assert {f.kind for f in result.findings} == {
        FindingKind.MACHINE_GENERATION,
        FindingKind.MACHINE_ARCHITECTURE,
    }
    assert reasons(result, "machines") == [
        "1 of 1 machines and databases that are billed by the hour are not measured, so their size "
        "is not judged"
    ]


def test_the_same_price_is_no_finding() -> None:
    """Newer alone saves nothing."""
    listed = type_prices({"m5.xlarge": "0.2", "m6i.xlarge": "0.2"})

    assert judged(measured=use(cpu=2.0, memory=8.0), listed=listed).findings == []


def test_old_hypervisors_and_their_images_are_told() -> None:
    """An image without ENA and NVMe drivers does not start on Nitro."""
    (found,) = judged(
        [machine(instance_type="m4.xlarge")],
        use().iloc[:0],
        type_prices({"m4.xlarge": "0.22", "m5.xlarge": "0.2"}),
    ).findings

    assert found.proposed == "m5.xlarge"
    assert "ENA and NVMe drivers" in found.wrong_if
    assert "more network and disk than the other type carries" in found.wrong_if


@pytest.mark.parametrize(
    ("software", "why"),
    [
        ("", "what runs on it is not known"),
        ("windows", "windows is bound to its architecture or its licence"),
        ("rhel", "rhel is bound to its architecture or its licence"),
    ],
)
def test_what_is_not_known_to_run_on_arm_stays(software: str, why: str) -> None:
    """Windows does not start on a Graviton."""
    result = judged(
        [machine(software=software)],
        use(cpu=2.0, memory=8.0),
        type_prices({"m5.xlarge": "0.2", "m6g.xlarge": "0.15"}, software=software),
    )
    assert result.findings == []
    assert why in reasons(result, "architecture")[0]


def test_at_most_one_move_of_a_machine_is_proposed() -> None:
    """Size, generation and architecture together would promise 99.28 of the 116.80 that it costs,
    and leave three edits of one line."""
    result = judged(measured=use(cpu=0.8))
    proposals, left = propose(
        result.findings,
        reconstructed=False,
        publication_id="p",
        min_saving=Decimal(1),
        min_confidence=0.5,
        as_of=AS_OF,
    )
    assert [p.proposed for p in proposals] == ["m5.large"]
    assert len(left) == 2


@pytest.mark.parametrize("field", ["", "instance_type"])
def test_all_moves_of_a_machine_set_one_value(field: str) -> None:
    """Also of one that nobody declares: what could be saved must not be counted three times."""
    declared = "m5.xlarge" if field else ""
    found = judged([machine(field=field, declared=declared)]).findings

    assert len(found) == 3
    assert len({candidate_of(one).key for one in found}) == 1


def test_what_a_commitment_pays_for_saves_nothing() -> None:
    """A reservation is paid for whether its machine is large or small."""
    result = judged(prices=unit_prices("0"))

    assert result.findings == []
    assert {a.reason.split(":")[0] for a in result.abstained} == {
        "its hours are paid for by a commitment that no other usage known could take over, or by "
        "credits"
    }


def test_without_charges_of_its_own_there_is_no_saving() -> None:
    """A list price is not what was paid."""
    result = judged(prices=unit_prices(days=0))

    assert result.findings == []
    assert "no price really paid is known" in reasons(result, "size")[0]


@pytest.mark.parametrize(
    "listed",
    [
        type_prices(M5, region="us-east-1"),
        type_prices(M5, currency="EUR"),
        type_prices(M5, software="windows"),
        type_prices(M5, what="database"),
        type_prices({"m5.large": "0.10"}),
        type_prices({"m5.xlarge": "0.2", "m5.large": "NaN"}),
        type_prices({"m5.xlarge": "0.2", "m5.large": "-1"}),
        pd.concat([type_prices({"m5.xlarge": "0.2"}),
                   type_prices({"m5.large": "0.1"}, evidence="paid")]),
    ],
    ids=["region", "currency", "software", "what", "own", "NaN", "negative", "evidence"],
)  # fmt: skip
def test_only_like_prices_are_compared(listed: pd.DataFrame) -> None:
    """Another region, currency, licence or kind of price is another price."""
    assert judged(listed=listed).findings == []


def test_what_was_paid_comes_before_what_is_listed() -> None:
    """Both types at the negotiated price: 0.12 of 0.15, not 0.10 of 0.20."""
    listed = pd.concat(
        [
            type_prices(M5),
            type_prices({"m5.large": "0.12", "m5.xlarge": "0.15"}, evidence="paid"),
            type_prices({"m5.large": "0.01", "m5.xlarge": "0.20"}, evidence="file"),
        ]
    )
    (found,) = judged(listed=listed).findings

    assert found.saving_per_month.mid == Decimal("23.36")  # 0.16 x 730 x 0.2
    assert "as paid on demand" in found.reason


def test_a_declared_type_that_is_not_the_billed_one_is_not_edited() -> None:
    """The edit would undo somebody's change that is not rolled out yet."""
    (found, *_) = judged([machine(declared="m5.4xlarge")], listed=type_prices(M5)).findings

    assert (found.field, found.proposed) == ("", "")
    assert "declared as another type than is billed" in found.reason


def test_machines_that_something_else_manages_are_left_to_it() -> None:
    """One member of a group is not resized."""
    result = judged([machine(held="a scaling group starts it: its template says the type")])

    assert result.findings == []
    assert [a.subject for a in result.abstained] == [NAME]


def test_a_reason_of_many_machines_is_told_once() -> None:
    """A group of a thousand would hide everything else."""
    held = "a group starts and stops it"
    many = [machine(f"machine/1/i-{number}", held=held) for number in range(3)]

    (told,) = judged(many, use().iloc[:0]).abstained
    assert (told.subject, told.reason) == ("machines", f"3 of them: {held}")


@pytest.mark.parametrize("name", ["m9x.huge", "", "m5.metal"])
def test_types_that_are_unknown_or_odd_are_not_judged(name: str) -> None:
    """Of bare metal only half is told by name, and of a type that nobody knows nothing."""
    result = judged([machine(instance_type=name)], listed=type_prices(M5 | {"m5.metal": "4.6"}))

    assert result.findings == []


def test_days_after_the_decision_change_nothing() -> None:
    """What is decided again for a past day must come to the same."""
    later = use(cpu=3.9, memory=15.0, as_of=AS_OF + timedelta(days=14))
    prices = unit_prices("9", days=3).assign(day=pd.Timestamp(AS_OF + timedelta(days=1)))

    with_later = judged(
        measured=pd.concat([later, use()]), prices=pd.concat([prices, unit_prices()])
    )
    assert with_later == judged()


def test_order_doubles_and_impossible_numbers_change_nothing() -> None:
    """Exporters repeat themselves, and say NaN, infinity or less than nothing."""
    broken = use().iloc[:50].assign(cpu_cores=[-1.0, np.inf] * 25, memory_used_bytes=np.nan)
    shifted = broken.assign(time=broken["time"] + pd.Timedelta(seconds=7), interval_seconds=0)
    messy = pd.concat([use(), use().iloc[100:200], shifted]).sample(frac=1, random_state=1)

    clean, found = judged().findings, judged(measured=messy).findings
    assert [(f.kind, f.proposed, f.saving_per_month) for f in found] == [
        (f.kind, f.proposed, f.saving_per_month) for f in clean
    ]


@pytest.mark.parametrize("days", [1, 6])
def test_a_short_time_is_not_judged(days: int) -> None:
    """A weekend says nothing of Monday."""
    result = judged(measured=use(days=days))

    assert sizes(result) == []
    assert "7 days and 100 times are needed" in reasons(result, "size")[0]


def test_an_estate_without_machines_says_nothing() -> None:
    """Most estates have no such resources."""
    empty = judged([machine()])
    nothing = judged(machines=None, types=TYPES.iloc[:0])

    assert empty.findings
    assert nothing.findings == []
    assert len(nothing.abstained) == 1


DATABASE = {"what": "database", "software": "postgresql", "declared": "db.m5.xlarge"}
DB_PRICES = type_prices(
    {"m5.large": "0.2", "m5.xlarge": "0.4", "m6g.xlarge": "0.3", "m5.2xlarge": "0.8"},
    what="database",
    software="postgresql",
)


def test_a_database_is_edited_in_its_own_words() -> None:
    """`m5.large` is no class of a database: it is `db.m5.large`."""
    result = judged([machine(**DATABASE)], use(connections=100.0), DB_PRICES)
    by_kind = {f.kind: f for f in result.findings}

    assert by_kind[FindingKind.RIGHTSIZE_DATABASE].proposed == "db.m5.large"
    assert by_kind[FindingKind.MACHINE_ARCHITECTURE].proposed == "db.m6g.xlarge"
    assert "cache" in by_kind[FindingKind.RIGHTSIZE_DATABASE].wrong_if
    assert "runs on both" in by_kind[FindingKind.MACHINE_ARCHITECTURE].reason


def test_a_database_keeps_its_connections_and_its_memory() -> None:
    """8 GiB allow 682 connections: 600 x 1.2 do not fit."""
    many = judged([machine(**DATABASE)], use(connections=600.0), DB_PRICES)
    blind = judged([machine(**DATABASE)], use(memory=None), DB_PRICES)

    assert sizes(many) == []
    assert sizes(blind) == []
    assert reasons(blind, "size") == ["m5.large might do, but its memory is not measured"]


def test_engines_that_have_no_arm_class_stay() -> None:
    """RDS has no Oracle on Graviton."""
    oracle = DB_PRICES.assign(software="oracle-se2")
    result = judged([machine(**DATABASE | {"software": "oracle-se2"})], use(), oracle)

    assert FindingKind.MACHINE_ARCHITECTURE not in {f.kind for f in result.findings}
    assert "oracle-se2 is bound" in reasons(result, "architecture")[0]


@settings(max_examples=20)
@given(
    cpu=st.floats(0.1, 4.0),
    memory=st.floats(0.5, 16.0),
    net=st.floats(0.001, 2.0),
    paid=st.decimals("0.01", "2", places=4),
)
def test_a_cut_never_saves_more_than_the_machine_costs(
    cpu: float, memory: float, net: float, paid: Decimal
) -> None:
    """Nor is a type ever proposed that the machine's own peaks do not fit into."""
    hourly = use(cpu, memory, net).iloc[::12].assign(interval_seconds=3600)
    result = judged(measured=hourly, prices=unit_prices(str(paid)))

    for found in result.findings:
        if found.kind is FindingKind.UNDERPROVISIONED_MACHINE:
            assert found.saving_per_month.mid < 0
            continue
        assert 0 < found.saving_per_month.mid < paid * 730
        figures = found.evidence.figures
        if found.kind is FindingKind.RIGHTSIZE_MACHINE:
            assert figures["proposed_vcpus"] >= figures["cpu_max_vcpus"]
            assert figures["proposed_memory_gib"] >= figures["memory_max_gib"]
            assert figures["proposed_vcpus"] >= figures["vcpus"] / 2


ELSEWHERE = pd.concat(
    [
        type_prices({"m5.xlarge": "0.20"}),
        type_prices({"m5.xlarge": "0.18"}, region="eu-north-1"),
        type_prices({"m5.xlarge": "0.15"}, region="us-east-1"),
        type_prices({"m5.xlarge": "0.10"}, region="sa-east-1", currency="BRL"),
    ]
)


def moved(allowed: dict[str, tuple[str, ...]], **more: Any) -> FindResult:
    """What is said of the regions of one machine that is of the right size."""
    return judged(measured=use(cpu=3.0), listed=ELSEWHERE, regions=allowed, **more)


def test_a_region_is_told_only_where_a_machine_may_be() -> None:
    """The cheapest region may be one where its data must never lie."""
    assert moved({}).findings == [], "nobody says where it may be"
    assert moved({"payments": ("us-east-1",)}).findings == []
    assert moved({"*": ("eu-west-1", "sa-east-1")}).findings == [], "another currency"
    (found,) = moved({"*": ("eu-north-1", "us-east-1"), "shop": ("eu-north-1",)}).findings
    assert found.kind is FindingKind.MACHINE_REGION
    # 0.16 an hour is paid: 0.16 x 730 x (1 - 0.18 / 0.20)
    assert found.saving_per_month.mid == Decimal("11.68")
    assert (found.field, found.proposed) == ("instance_type", "")
    assert "10% less an hour as listed in the bill in eu-north-1 than in eu-west-1" in found.reason
    assert "regions allowed for all and shop" in found.reason
    assert "may not be moved" in found.wrong_if
    assert "network" not in found.wrong_if


def test_a_region_that_is_hardly_cheaper_is_not_told() -> None:
    """A move for a hundredth is eaten up by the first copy of the data."""
    near = pd.concat(
        [
            type_prices({"m5.xlarge": "0.20"}),
            type_prices({"m5.xlarge": "0.191"}, region="us-east-1"),
        ]
    )
    allowed = {"*": ("us-east-1",)}
    assert judged(measured=use(cpu=3.0), listed=near, regions=allowed).findings == []


def test_a_region_and_a_type_cannot_share_one_saving() -> None:
    """A machine that moves to a smaller type and another region would save more than it costs."""
    both = judged(
        listed=pd.concat([type_prices(), ELSEWHERE.iloc[2:3]]), regions={"*": ("us-east-1",)}
    )
    kinds = {one.kind for one in both.findings}
    assert {FindingKind.RIGHTSIZE_MACHINE, FindingKind.MACHINE_REGION} <= kinds
    assert len({candidate_of(one).key for one in both.findings}) == 1
