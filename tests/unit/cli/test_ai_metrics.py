"""`finops ai metrics`: figures of real models, schemas of one's own, bad input of every kind."""

from __future__ import annotations

import gzip
import json
import zipfile
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from finops_dagster.cli import app

SHARED = Path(__file__).parents[3].parent / "shared" / "data" / "model_monitoring"
EMPLOYMENT = SHARED / "employment_MA"


def run(*arguments: object) -> Any:
    return CliRunner(env={"COLUMNS": "240"}).invoke(app, ["ai", "metrics", *map(str, arguments)])


def told(*arguments: object) -> dict[str, Any]:
    """The envelope of a call that works."""
    done = run(*arguments, "--json")
    assert done.exit_code == 0, done.output
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def values(document: dict[str, Any]) -> dict[tuple[str, str], float]:
    return {(row["metric"], row["segment"]): row["value"] for row in document["items"]}


def world(rows: int = 400, seed: int = 1) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    group = rng.choice(["a", "b"], rows, p=[0.6, 0.4])
    score = rng.uniform(size=rows)
    return pd.DataFrame(
        {
            "x": rng.normal(size=rows),
            "sex": group,
            "score": score,
            "said": (score > 0.5).astype(int),
            "was": (rng.uniform(size=rows) < score).astype(int),
        }
    )


def files(folder: Path, frame: pd.DataFrame, **schema: Any) -> list[object]:
    """Options for `frame` as both windows, under the schema of `world` with changes."""
    asked = {
        "task": "classification", "prediction": "said", "label": "was", "probability": "score",
        "protected": ["sex"], "features": ["x"],
    } | schema  # fmt: skip
    kept = {key: value for key, value in asked.items() if value is not None}
    (folder / "schema.json").write_text(json.dumps(kept), encoding="utf-8")
    frame.to_parquet(folder / "table.parquet")
    table = folder / "table.parquet"
    return ["--reference", table, "--analysis", table, "--schema", folder / "schema.json"]


def reasons(document: dict[str, Any]) -> str:
    return "; ".join(one["reason"] for one in document["abstained"])


@pytest.mark.skipif(not EMPLOYMENT.exists(), reason="the shared data is not beside the project")
def test_a_real_census_model_by_an_independent_computation(tmp_path: Path) -> None:
    """Harm: a figure that accuses or clears a real model is ours alone, and wrong."""
    schema = tmp_path / "employment.yaml"
    schema.write_text(
        "task: classification\nprediction: prediction\nlabel: employed\n"
        "probability: predicted_probability\nignored: [id, year]\nfeatures: [AGEP]\n"
        "protected:\n  - SEX\n  - {name: race, column: RAC1P, values: {1: White, 2: Black}}\n",
        encoding="utf-8",
    )
    paths = {
        "reference/": EMPLOYMENT / "employment_MA_reference.pq",
        "": EMPLOYMENT / "employment_MA_2016.pq",
    }
    said = values(
        told("--reference", paths["reference/"], "--analysis", paths[""], "--schema", schema)
    )
    published = {
        "reference/": (0.8272, 0.9034, 0.0017, 0.0116, 0.836),
        "": (0.8253, 0.9020, 0.0025, 0.0126, 0.871),
    }
    for window, path in paths.items():
        ours = (
            said["accuracy", f"{window}all"],
            said["roc_auc", f"{window}all"],
            said["demographic_parity_difference", f"{window}SEX"],
            said["true_positive_rate_difference", f"{window}SEX"],
            said["selection_ratio", f"{window}race=Black"],
        )
        assert ours == pytest.approx(by_sql(path), abs=1e-9)
        digits = (4, 4, 4, 4, 3)
        rounded = tuple(round(one, n) for one, n in zip(ours, digits, strict=True))
        assert rounded == published[window]


def by_sql(path: Path) -> tuple[float, ...]:
    """Accuracy, AUC, parity and TPR difference of SEX, selection ratio of RAC1P 2 to 1."""
    query = f"""
    with t as (
        select prediction p, employed y, predicted_probability s, SEX::varchar sex,
               RAC1P::varchar race
        from read_parquet('{path}')
    ),
    ranked as (
        select y, rank() over (order by s) + (count(*) over (partition by s) - 1) / 2.0 r from t
    ),
    area as (
        select (sum(r) filter (y = 1) - n1 * (n1 + 1) / 2.0) / (n1 * n0) auc
        from ranked, (select count(*) filter (y = 1) n1, count(*) filter (y = 0) n0 from t)
        group by n1, n0
    )
    select
        (select avg((p = y)::int) from t),
        (select auc from area),
        abs((select avg(p) from t where sex = '1') - (select avg(p) from t where sex = '2')),
        abs((select avg(p) from t where sex = '1' and y = 1)
            - (select avg(p) from t where sex = '2' and y = 1)),
        (select avg(p) from t where race = '2') / (select avg(p) from t where race = '1')
    """
    found = duckdb.sql(query).fetchone()
    assert found is not None
    return tuple(map(float, found))


@pytest.mark.skipif(not SHARED.exists(), reason="the shared data is not beside the project")
def test_a_real_regressor(tmp_path: Path) -> None:
    """Harm: errors of a forecast are told in another unit, or of other rows."""
    with zipfile.ZipFile(next((SHARED / "bike_sharing").glob("*.zip"))) as archive:
        hours = pd.read_csv(archive.open("hour.csv"))
    hours["forecast"] = hours.groupby(["hr", "workingday"])["cnt"].transform(
        lambda one: one.shift(1).rolling(5, min_periods=1).mean()
    )
    table = tmp_path / "hours.csv.gz"
    with gzip.open(table, "wt", encoding="utf-8") as out:
        hours.to_csv(out, index=False)
    schema = tmp_path / "hours.yaml"
    schema.write_text(
        "task: regression\nprediction: forecast\nlabel: cnt\nfeatures: [temp, hum]\n"
        "protected: {season: {1: winter, 2: spring, 3: summer, 4: autumn}}\nblock: dteday\n"
        "window: {column: yr, reference: 0, analysis: 1}\n",
        encoding="utf-8",
    )
    said = values(told("--reference", table, "--schema", schema))
    for year, window in ((0, "reference/"), (1, "")):
        known = hours[(hours["yr"] == year) & hours["forecast"].notna()]
        error = known["forecast"] - known["cnt"]
        expected = {
            "mean_absolute_error": error.abs().mean(),
            "root_mean_squared_error": (error**2).mean() ** 0.5,
            "mean_error": error.mean(),
            "median_absolute_error": error.abs().median(),
            "absolute_error_p90": error.abs().quantile(0.9),
            "r2": 1 - (error**2).mean() / known["cnt"].var(ddof=0),
            "mean_absolute_percentage_error": (error.abs() / known["cnt"]).mean(),
        }
        for name, value in expected.items():
            assert said[name, f"{window}all"] == pytest.approx(value, abs=1e-9), name
        by_season = error.abs().groupby(known["season"]).mean()
        assert said["error_ratio", f"{window}season"] == pytest.approx(
            by_season.max() / by_season.min()
        )
        assert said["mean_absolute_error", f"{window}season=winter"] == pytest.approx(by_season[1])
        assert said["error_difference", f"{window}season"] == pytest.approx(
            by_season.max() - by_season.min()
        )


def test_figures_of_a_classifier_by_hand(tmp_path: Path) -> None:
    """Harm: precision is told as recall, or a loss with the sign turned."""
    frame = world()
    said = values(told(*files(tmp_path, frame)))
    p, y, s = (frame[name].to_numpy(dtype=float) for name in ("said", "was", "score"))
    hits = (p * y).sum()
    bins = np.minimum((s * 10).astype(int), 9)
    expected = {
        "accuracy": (p == y).mean(),
        "precision": hits / p.sum(),
        "recall": hits / y.sum(),
        "true_positive_rate": hits / y.sum(),
        "false_positive_rate": (p * (1 - y)).sum() / (1 - y).sum(),
        "f1": 2 * hits / (p.sum() + y.sum()),
        "log_loss": -(y * np.log(s) + (1 - y) * np.log(1 - s)).mean(),
        "brier_score": ((s - y) ** 2).mean(),
        "calibration_error": sum(
            abs((y - s)[bins == one].sum()) for one in range(10)
        ) / len(y),
        "selection_rate": p.mean(),
        "base_rate": y.mean(),
    }  # fmt: skip
    for name, value in expected.items():
        assert said[name, "all"] == pytest.approx(value), name
    precise = frame[frame["said"] == 1].groupby("sex")["was"].mean()
    assert said["predictive_parity_difference", "sex"] == pytest.approx(max(precise) - min(precise))
    errors = [said["calibration_error", f"sex={g}"] for g in "ab"]
    assert said["calibration_difference", "sex"] == pytest.approx(max(errors) - min(errors))
    for row in told(*files(tmp_path, frame))["items"]:
        if row["low"] is not None:
            assert row["low"] <= row["value"] <= row["high"], row


@pytest.mark.parametrize(
    "changed",
    [
        {"said": lambda f: f["said"].astype(bool), "was": lambda f: f["was"].astype(bool)},
        {"was": lambda f: f["was"].map({1: "yes", 0: "no"})},
        {"score": lambda f: f["score"].map(repr)},
        {"said": lambda f: f["said"].astype(float), "was": lambda f: f["was"].astype(str)},
        {"was": lambda f: f["was"].map({1: 1, 0: -1})},
    ],
)
def test_classes_and_numbers_may_be_written_in_many_ways(
    changed: dict[str, Any], tmp_path: Path
) -> None:
    """Harm: a table is read as something else, because its booleans are words."""
    frame = world()
    plain = values(told(*files(tmp_path, frame)))
    other = frame.assign(**{name: make(frame) for name, make in changed.items()})
    assert values(told(*files(tmp_path, other))) == pytest.approx(plain)


def test_a_prediction_follows_from_probability_and_threshold(tmp_path: Path) -> None:
    """Harm: a log of scores alone cannot be judged."""
    frame = world()
    plain = values(told(*files(tmp_path, frame, features=["x"])))
    made = files(tmp_path, frame.drop(columns="said"), prediction=None, threshold=0.5)
    assert values(told(*made)) == pytest.approx(plain)


def test_one_file_holds_both_windows_by_date(tmp_path: Path) -> None:
    """Harm: a last day is cut off, or a window reads the other's rows."""
    days = [f"2026-01-{day:02d}T12:00:00Z" for day in (1, 2, 3, 4)]
    frame = world().assign(day=np.repeat(days, 100))
    window = {
        "column": "day",
        "reference": {"first": "2026-01-01", "last": "2026-01-02"},
        "analysis": {"first": "2026-01-03"},
    }
    options = files(tmp_path, frame, window=window)
    found = told(*options[:2], *options[4:])
    counts = {row["segment"]: row["rows"] for row in found["items"] if row["metric"] == "accuracy"}
    assert (counts["all"], counts["reference/all"]) == (200, 200)
    late = files(tmp_path, frame, window=window | {"analysis": {"first": "2027-01-01"}})
    refused = run(*late[:2], *late[4:])
    assert refused.exit_code == 2
    assert "window.analysis" in refused.output


def test_a_prediction_logs_own_schema_is_understood(tmp_path: Path) -> None:
    """Harm: whoever declared a log has to say all of it again in other words."""
    schema = tmp_path / "log.yaml"
    schema.write_text(
        "model: m\nversion: '1'\nid: none\ntime: {column: at}\ntask: classification\n"
        "features: [{name: x, type: number}]\n"
        "prediction: {column: said, values: {1: approve, 0: deny}}\nprobability: score\n"
        "label: {column: was, values: {1: approve, 0: deny}, after_days: 30}\npositive: approve\n"
        "groups: [{name: sex, values: {a: woman, b: man}}, {name: size, column: x, bands: [0]}]\n",
        encoding="utf-8",
    )
    frame = world()
    frame.to_csv(tmp_path / "t.csv", index=False)
    table = tmp_path / "t.csv"
    said = values(told("--reference", table, "--analysis", table, "--schema", schema))
    assert said["selection_rate", "sex=woman"] == pytest.approx(
        frame.loc[frame["sex"] == "a", "said"].mean()
    )
    assert said["accuracy", "size=under 0"] == pytest.approx(
        (frame["said"] == frame["was"])[frame["x"] < 0].mean()
    )
    assert ("selection_rate", "sex=woman, size=0 or more") in said


def test_filters_keep_the_rows_asked_for(tmp_path: Path) -> None:
    """Harm: a script that wants one figure gets another."""
    found = told(*files(tmp_path, world()), "--metric", "selection_*", "--segment", "sex=*")
    assert {(r["metric"], r["segment"]) for r in found["items"]} == {
        (metric, f"{window}sex={g}")
        for metric in ("selection_rate", "selection_ratio")
        for window in ("", "reference/")
        for g in "ab"
    }


@pytest.mark.parametrize(
    ("schema", "column", "words"),
    [
        ({"label": "wsa"}, "wsa", "Did you mean 'was'"),
        ({"protected": ["race"]}, "race", "no column 'race'"),
        ({"positive": "approve"}, None, "approve"),
        ({"task": "ranking"}, None, "classification or regression"),
        ({"predicton": "said"}, None, "Did you mean prediction"),
        ({"prediction": None}, None, "threshold"),
        ({"label": "x"}, "x", "positive: CLASS"),
    ],
)
def test_faults_name_file_column_and_what_to_do(
    schema: dict[str, Any], column: str | None, words: str, tmp_path: Path
) -> None:
    """Harm: a typing error ends in a traceback, or in figures of something else."""
    done = run(*files(tmp_path, world(), **schema), "--json")
    assert done.exit_code == 2
    (fault,) = json.loads(done.stdout)["errors"]
    assert column is None or fault["column"] == column
    assert words in f"{fault['expected']} {fault['hint']}"
    assert fault["file"].endswith(("table.parquet", "schema.json"))
    assert fault["hint"]


def test_more_than_two_classes_are_refused_until_one_is_named(tmp_path: Path) -> None:
    """Harm: of three classes all that are not 1 count as 0, and accuracy is perfect."""
    frame = world()
    frame["was"] = np.random.default_rng(2).choice(["low", "mid", "high"], len(frame))
    frame["said"] = np.random.default_rng(3).choice(["low", "mid", "high"], len(frame))
    refused = run(*files(tmp_path, frame))
    assert refused.exit_code == 2
    assert "3 classes (high, low, mid)" in " ".join(refused.output.split())
    said = values(told(*files(tmp_path, frame, positive="high")))
    both = (frame["said"] == "high") == (frame["was"] == "high")
    assert said["accuracy", "all"] == pytest.approx(both.mean())


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("t.csv", b"", "an empty file"),
        ("t.parquet", b"said,was\n1,1\n", "cannot be read"),
        ("t.xlsx", b"PK", "Parquet or CSV"),
        ("t.csv", b"said,said,was,score,sex,x\n1,1,1,0.5,a,1\n", "more than one column 'said'"),
    ],
)
def test_files_that_cannot_be_used(name: str, content: bytes, words: str, tmp_path: Path) -> None:
    """Harm: an export that broke off is judged, or ends in a traceback."""
    options = files(tmp_path, world())
    (tmp_path / name).write_bytes(content)
    done = run(*options[:2], "--analysis", tmp_path / name, *options[4:])
    assert done.exit_code == 2
    assert words in " ".join(done.output.split())
    missing = run(*options[:2], "--analysis", tmp_path / "no.csv", *options[4:])
    assert missing.exit_code == 2


def test_no_row_and_one_row_are_reasons(tmp_path: Path) -> None:
    """Harm: the accuracy of a single person is told; or nothing is, and that reads as well."""
    for rows, words in ((0, "no row"), (1, "fewer than 20 labelled answers")):
        found = told(*files(tmp_path, world().head(rows)))
        assert found["items"] == []
        assert words in reasons(found)


def test_no_label_at_all(tmp_path: Path) -> None:
    """Harm: quality that nobody knows reads like quality that is good."""
    found = told(*files(tmp_path, world().assign(was=None)))
    assert "no row has a label" in reasons(found)
    names = {row["metric"] for row in found["items"]}
    assert "accuracy" not in names
    assert "demographic_parity_ratio" in names


def test_constant_answers_labels_and_a_single_group(tmp_path: Path) -> None:
    """Harm: a model that says one thing to all crashes its judge, or passes without a word."""
    never = told(*files(tmp_path, world().assign(said=0)))
    assert values(never)["selection_rate", "all"] == 0
    assert "precision has no meaning" in reasons(never)
    same = told(*files(tmp_path, world().assign(was=1)))
    assert "no label is class 0" in reasons(same)
    assert ("roc_auc", "all") not in values(same)
    single = told(*files(tmp_path, world().assign(sex="a")))
    assert "fewer than two groups" in reasons(single)


def test_values_that_are_no_numbers_are_counted(tmp_path: Path) -> None:
    """Harm: rows are left out in silence, and these were the ones treated badly."""
    frame = world()
    frame.loc[:4, "score"] = [np.inf, -np.inf, np.nan, 1.5, -0.1]
    found = told(*files(tmp_path, frame))
    assert "2 of 400 values of score are infinite" in reasons(found)
    assert "2 of 400 values of score are outside 0 to 1" in reasons(found)
    odd = frame.assign(score=world()["score"].map(repr))
    odd.loc[:2, "score"] = "n/a"
    assert "3 of 400 values of score are no numbers" in reasons(told(*files(tmp_path, odd)))
    numbers = world().assign(said=lambda f: f["x"], was=lambda f: f["x"])
    numbers.loc[:1, "said"] = [np.inf, np.nan]
    found = told(*files(tmp_path, numbers, task="regression", probability=None))
    assert "1 of 400 values of said are infinite" in reasons(found)
    assert values(found)["mean_absolute_error", "all"] == 0


def test_rows_without_a_group_and_new_groups(tmp_path: Path) -> None:
    """Harm: people without a group become a group named None, or a new group goes unseen."""
    frame = world()
    frame.loc[:8, "sex"] = [None, "", " ", *[None] * 6]
    found = told(*files(tmp_path, frame))
    assert {r["segment"] for r in found["items"] if r["segment"].startswith("sex=")} == {
        "sex=a", "sex=b",
    }  # fmt: skip
    assert "9 of 400 rows have no sex" in reasons(found)
    options = files(tmp_path, world())
    world().assign(sex=lambda f: f["sex"].where(f["x"] < 0.5, "new")).to_parquet(
        tmp_path / "later.parquet"
    )
    found = told(*options[:2], "--analysis", tmp_path / "later.parquet", *options[4:])
    assert ("selection_rate", "sex=new") in values(found)
    assert ("selection_rate", "reference/sex=new") not in values(found)


def test_ten_thousand_small_groups_tell_nothing(tmp_path: Path) -> None:
    """Harm: a group that is one person is shown; or thousands of them take minutes."""
    frame = world(30_000)
    frame["sex"] = [f"person {number % 10_000}" for number in range(len(frame))]
    found = told(*files(tmp_path, frame))
    assert "person" not in json.dumps(found)
    assert "10000 groups of fewer than 20 people" in reasons(found)
    assert values(found)["selection_rate", "sex=others (10000 groups)"] == pytest.approx(
        frame["said"].mean()
    )


def test_hostile_names_are_shown_as_text(tmp_path: Path) -> None:
    """Harm: a group's name commands the terminal of whoever reads of it."""
    hostile = "[red]x[/red] <b>\x1b[31m | `a`"
    frame = world().assign(sex=lambda f: f["sex"].replace("b", hostile))
    done = run(*files(tmp_path, frame))
    assert done.exit_code == 0
    assert "\x1b" not in done.output
    assert "[red]x[/red]" in "".join(done.output.replace("│", "").split())
    assert f"sex={hostile}" in {row["segment"] for row in told(*files(tmp_path, frame))["items"]}


def test_mitigation_is_tried_and_priced(tmp_path: Path) -> None:
    """Harm: a cure is sold without its cost."""
    rng = np.random.default_rng(5)
    frame = world(4000)
    merit = rng.normal(size=len(frame))
    frame["x"] = merit - 1.2 * (frame["sex"] == "b")
    frame["score"] = 1 / (1 + np.exp(-2 * frame["x"]))
    frame["said"] = (frame["score"] > 0.5).astype(int)
    frame["was"] = (rng.uniform(size=len(frame)) < 1 / (1 + np.exp(-2 * merit))).astype(int)
    found = told(*files(tmp_path, frame), "--mitigation", "--error-cost", "10 EUR")
    ways = {(one["method"], one["aim"]): one for one in found["mitigation"]}
    assert set(ways) == {
        ("reweighing", "demographic parity"),
        ("group thresholds", "demographic parity"),
        ("group thresholds", "equalized odds"),
    }
    parity = ways["group thresholds", "demographic parity"]
    gap = "demographic_parity_difference"
    assert parity["before"][gap]["value"] > 0.25
    assert parity["after"][gap]["value"] < 0.05
    assert parity["accuracy_change"]["value"] > 0.02
    assert parity["cost"].startswith("-")
    assert parity["cost"].endswith(" EUR")
    wrong = run(*files(tmp_path, frame), "--mitigation", "--error-cost", "ten")
    assert wrong.exit_code == 2
