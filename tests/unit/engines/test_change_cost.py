"""What a change of declared values costs: hand-worked numbers, and reasons where there are none."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pandas as pd
import pytest

from finops_dagster.desired_state import RepositoryIndex, index_files
from finops_dagster.desired_state.changes import changed_sizes
from finops_dagster.domain.changes import FieldChange
from finops_dagster.domain.money import Money, MoneyRange
from finops_dagster.engines.optimisation import Context
from finops_dagster.engines.optimisation.carbon import CarbonBook
from finops_dagster.engines.optimisation.change_cost import added, changed, removed
from finops_dagster.engines.optimisation.change_rates import (
    FUNCTION,
    Priced,
    Rates,
    total,
)
from finops_dagster.engines.optimisation.declared_sizes import Sizes, declared_sizes
from finops_dagster.engines.optimisation.machine_prices import (
    TYPE_PRICE_COLUMNS,
    Market,
    TypePrices,
)
from finops_dagster.engines.optimisation.prices import PRICE_COLUMNS, PriceBook

WEB = "Deployment/shop/web"
DAYS = [date(2026, 5, 1) + timedelta(days=n) for n in range(10)]
CPU = "spec.template.spec.containers[name=server].resources.requests.cpu"


def web(cpu: str = "2", replicas: int = 3, limit: str = "4", name: str = "web") -> bytes:
    return f"""apiVersion: apps/v1
kind: Deployment
metadata: {{name: {name}, namespace: shop}}
spec:
  replicas: {replicas}
  template:
    spec:
      containers:
      - name: server
        resources:
          requests: {{cpu: "{cpu}", memory: 4Gi}}
          limits: {{cpu: "{limit}"}}
""".encode()


def scaler(least: int, most: int = 9) -> bytes:
    return f"""apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {{name: web, namespace: shop}}
spec:
  scaleTargetRef: {{kind: Deployment, name: web}}
  minReplicas: {least}
  maxReplicas: {most}
""".encode()


def prices(rows: list[tuple[str, str, str, str, str]]) -> pd.DataFrame:
    """(resource, meter, currency, quantity a day, unit price) -> the same on each of DAYS."""
    return pd.DataFrame(
        [
            (resource, meter, currency, pd.Timestamp(day), Decimal(quantity),
             Decimal(quantity) * Decimal(price), Decimal(price))
            for resource, meter, currency, quantity, price in rows
            for day in DAYS
        ],
        columns=list(PRICE_COLUMNS),
    )  # fmt: skip


OWN = [(WEB, "cpu", "USD", "144", "0.04"), (WEB, "memory", "USD", "288", "0.005")]


def rates(replicas: list[float] | None = None, own: Any = OWN, **changes: Any) -> Rates:
    """3 replicas on each of DAYS, 0.04 a core-hour and 0.005 a GiB-hour, 500 gCO2e a kWh."""
    counts = replicas or [3.0] * len(DAYS)
    peers = pd.DataFrame(
        [("Deployment/shop/a", "cpu", "USD", Decimal("0.03")),
         ("Deployment/shop/b", "cpu", "USD", Decimal("0.05")),
         ("Deployment/shop/a", "memory", "USD", Decimal("0.005")),
         ("Deployment/far/c", "cpu", "EUR", Decimal("9"))],
        columns=["resource", "meter", "currency", "unit_price"],
    )  # fmt: skip
    context = Context(
        values=pd.DataFrame(), resources=frozenset(), managed={}, undeclared=frozenset(),
        unsure={}, owners=pd.DataFrame(),
        intensity=pd.DataFrame({"resource": [WEB], "gco2e_per_kwh": [500.0]}),
    )  # fmt: skip
    given: dict[str, Any] = {
        "prices": PriceBook(prices(own)),
        "replicas": {WEB: pd.Series(counts, index=pd.DatetimeIndex(DAYS))},
        "carbon": CarbonBook(context),
        "peers": peers,
        **changes,
    }
    return Rates(**given)


def index(**files: bytes) -> RepositoryIndex:
    return index_files({f"{name}.yaml": text for name, text in files.items()})


def sizes(of: RepositoryIndex) -> Sizes:
    return declared_sizes(of.resources(), of.locations())


def priced(before: RepositoryIndex, after: RepositoryIndex, at: Rates) -> dict[str, Priced]:
    """Each changed field, by its last words, priced."""
    was, now = sizes(before), sizes(after)
    return {
        field.field: changed(one.resource, field, was, now, at)
        for one in changed_sizes(before, after)
        for field in one.fields
    }


def mid(one: Priced) -> Decimal:
    assert one.cost is not None, one.reason
    return one.cost.mid.quantize(Decimal("0.01"))


def test_a_request_is_priced_at_the_replicas_measured() -> None:
    """Harm: an autoscaled workload of 6 replicas is priced as the 3 that the manifest says.

    One core less in 6 replicas at 0.04 an hour: 6 x 0.04 x 730 = 175.20 less a month; at rest 6
    cores take 6 x 0.74 W x 1.135 x 730 h / 1000 = 3.68 kWh, at 500 g 1.84 kg.
    """
    found = priced(index(web=web("2")), index(web=web("1")), rates([6.0] * 10))
    assert set(found) == {CPU}
    assert mid(found[CPU]) == Decimal("-175.20")
    carbon = found[CPU].carbon
    assert carbon is not None
    assert carbon.mid == pytest.approx(-1.8395, abs=1e-3)


def test_requests_then_replicas_add_up() -> None:
    """Harm: a change of both is counted twice, or the parts do not sum to the whole.

    2 cores in 3 replicas to 1 core in 5: 5 - 6 cores is -1 core: -29.20; 4 GiB x 2 more: +29.20.
    """
    found = priced(index(web=web("2", 3)), index(web=web("1", 5)), rates())
    assert mid(found[CPU]) == Decimal("-87.60")
    assert mid(found["spec.replicas"]) == Decimal("87.60")
    assert total(found.values())["USD"].mid.quantize(Decimal("0.01")) == Decimal("0.00")


def test_a_limit_costs_nothing_beside_its_request() -> None:
    """Harm: a raised limit is counted as cores that nobody reserves; or both are counted."""
    found = priced(index(web=web(limit="4")), index(web=web(limit="8")), rates())
    (one,) = found.values()
    assert mid(one) == Decimal("0.00")
    both = priced(index(web=web("2", limit="4")), index(web=web("1", limit="2")), rates())
    assert total(both.values())["USD"].mid.quantize(Decimal("0.01")) == Decimal("-87.60")


def test_replicas_that_an_autoscaler_sets_are_not_priced() -> None:
    """Harm: a number that the autoscaler overwrites in a second is told as a saving."""
    before, after = index(web=web(replicas=3), s=scaler(2)), index(web=web(replicas=1), s=scaler(2))
    one = priced(before, after, rates())["spec.replicas"]
    assert one.cost is None
    assert "HorizontalPodAutoscaler/shop/web sets its replicas" in one.reason


def test_a_minimum_costs_what_it_adds_to_what_was_measured() -> None:
    """Harm: minReplicas from 2 to 4 is priced as two replicas, also in hours that have five.

    Half of the days 3, half 5: half a replica more of 2 cores and 4 GiB: 0.5 x (2 x 0.04 +
    4 x 0.005) x 730 = 36.50.
    """
    before, after = index(web=web(), s=scaler(2)), index(web=web(), s=scaler(4))
    one = priced(before, after, rates([3.0, 5.0] * 5))["spec.minReplicas"]
    assert mid(one) == Decimal("36.50")
    lowered = priced(after, before, rates([3.0, 5.0] * 5))["spec.minReplicas"]
    assert lowered.cost is None
    assert "never seen" in lowered.reason
    higher = priced(before, index(web=web(), s=scaler(2, 12)), rates())["spec.maxReplicas"]
    assert mid(higher) == Decimal("0.00")


def test_what_is_not_billed_or_measured_has_a_reason_and_no_amount() -> None:
    """Harm: what nobody knows is added up as nothing, and a costly change looks free."""
    before, after = index(web=web("2")), index(web=web("1"))
    unbilled = priced(before, after, rates(own=[]))[CPU]
    assert unbilled.cost is None
    assert "no cpu charge of its own" in unbilled.reason
    unmeasured = priced(before, after, replace(rates(), replicas={}))[CPU]
    assert (unmeasured.cost, unmeasured.reason) == (None, "its replicas are not measured")
    assert total([unbilled, unmeasured]) == {}


def test_what_is_new_is_priced_by_its_peers() -> None:
    """Harm: a new workload has no bill, so that it looks free; or is priced in another currency.

    2 x 3 cores at 0.03 to 0.05, 4 GiB x 3 at 0.005: 6 x 0.04 x 730 + 12 x 0.005 x 730 = 219.00.
    """
    one = added("Deployment/shop/new", sizes(index(new=web(name="new"))), rates())
    assert mid(one) == Decimal("219.00")
    assert one.cost is not None
    assert (one.cost.low, one.cost.high) == (Decimal("175.200"), Decimal("262.800"))
    assert one.carbon is None
    assert "intensity" in one.reason
    nothing = added("Service/shop/new", sizes(index(new=web(name="new"))), rates())
    assert nothing.cost is None


def test_what_is_gone_takes_its_cost_with_it() -> None:
    """Harm: a removed workload is told without its saving. 7.20 a day x 365 / 12 = 219.00."""
    one = removed(WEB, sizes(index(web=web())), rates())
    assert mid(one) == Decimal("-219.00")
    assert one.carbon is not None
    assert one.carbon.mid < 0
    billed = rates(billed={"Bucket//b": (Money(amount=Decimal(5), currency="EUR"),)})
    bucket = removed("Bucket//b", sizes(index(web=web())), billed)
    assert bucket.cost == MoneyRange(
        low=Decimal(-5), mid=Decimal(-5), high=Decimal(-5), currency="EUR"
    )
    assert removed("Service//s", sizes(index(web=web())), rates()).cost is None


def test_a_type_costs_what_its_price_says_of_the_one_it_has() -> None:
    """Harm: a smaller database is priced at list, though half of the bill is a discount.

    240 a day at 10 an hour; the types cost 4 and 1 an hour: three quarters less.
    """
    market = Market("database", "eu", "", "USD")
    types = TypePrices(
        pd.DataFrame(
            [("database", "eu", kind, "", "USD", "paid", Decimal(price))
             for kind, price in (("r6g.2xlarge", "4"), ("r6g.large", "1"))],
            columns=list(TYPE_PRICE_COLUMNS),
        )
    )  # fmt: skip
    at = rates(
        machines={"aws_db_instance/t/db": (market, "r6g.2xlarge")},
        machine_prices=PriceBook(prices([("aws_db_instance/t/db", "machine", "USD", "24", "10")])),
        type_prices=types,
    )
    nothing = sizes(index(web=web()))

    def change(after: str, resource: str = "aws_db_instance/t/db") -> Priced:
        field = FieldChange(field="instance_class", before="db.r6g.2xlarge", after=after)
        return changed(resource, field, nothing, nothing, at)

    assert mid(change("db.r6g.large")) == Decimal("-5475.00")
    assert change("db.r6g.huge").reason == "what r6g.huge costs there is neither billed nor listed"
    assert change("db.r6g.large", "aws_db_instance/t/other").cost is None


def test_memory_of_a_function_is_a_share_of_what_it_computes() -> None:
    """Harm: a function's memory is priced as a container's. 24 a day: 730 a month, a half less."""
    at = rates(functions=PriceBook(prices([("f", FUNCTION, "USD", "24", "1")])))
    nothing = sizes(index(web=web()))
    field = FieldChange(field="memorySize", before="1024", after="512")
    assert mid(changed("f", field, nothing, nothing, at)) == Decimal("-365.00")


def job(cpu: str) -> bytes:
    return f"""apiVersion: batch/v1
kind: CronJob
metadata: {{name: nightly, namespace: shop}}
spec:
  schedule: "0 3 * * *"
  jobTemplate:
    spec:
      template:
        spec:
          containers:
          - name: main
            resources: {{requests: {{cpu: "{cpu}"}}}}
""".encode()


def test_what_runs_an_hour_a_day_is_not_priced_for_all_day() -> None:
    """Harm: a nightly job of 2 cores is told to cost 58.40 a month more for 2 cores more, as if it
    ran all day: it is billed 2 core-hours a day, 0.08 x 365 / 12 = 2.43.
    """
    name = "CronJob/shop/nightly"
    at = rates(own=[(name, "cpu", "USD", "2", "0.04")])
    (one,) = priced(index(j=job("2")), index(j=job("4")), at).values()
    assert mid(one) == Decimal("2.43")
    assert added(name, sizes(index(j=job("2"))), at).cost is None
