"""Asking the carbon APIs: patience, errors without secrets, and answers that are kept."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from finops_dagster.domain.errors import FinopsError, SettingsError, Unavailable
from finops_dagster.sources import FileSource, ReadOptions, open_source
from finops_dagster.sources.api_calls import Api, Patience
from finops_dagster.sources.electricity_maps import ElectricityMapsAsker, ElectricityMapsOptions
from finops_dagster.sources.extraction import REVISITED_AFTER, Extraction
from finops_dagster.sources.watttime import WattTimeAsker, WattTimeOptions
from tests.unit.sources.carbon_api import (
    HTML,
    PASSWORD,
    TOKEN,
    USER,
    Answer,
    Asked,
    Script,
    electricity_maps,
    serving,
    watttime,
)

DAY = date(2026, 1, 5)
NOW = datetime(2026, 1, 7, 5, 0, tzinfo=UTC)
SECRETS = {"token": TOKEN, "username": USER, "password": PASSWORD}


def asking(
    script: Script, zone: str = "DE", secrets: Mapping[str, str] = SECRETS
) -> tuple[bytes | None, list[Asked], list[float]]:
    """The answer about a zone, the questions it took and the waits between them."""
    waits: list[float] = []
    with serving(script) as server:
        api = Api("Electricity Maps", server.url, sleep=waits.append, now=lambda: NOW)
        asker = ElectricityMapsAsker(api, ElectricityMapsOptions(), secrets)
        return asker.answer(zone, DAY), server.asked, waits


def refused(script: Script, zone: str = "DE", secrets: Mapping[str, str] = SECRETS) -> FinopsError:
    with pytest.raises(FinopsError) as error:
        asking(script, zone, secrets)
    told = error.value
    assert TOKEN not in told.message + str(told.faults)
    assert told.faults[0].hint
    return told


def first(*answers: Answer) -> Script:
    """These answers, then good ones."""
    return lambda asked, n: answers[n] if n < len(answers) else electricity_maps(asked)


def test_a_good_answer_is_kept_as_it_came() -> None:
    """What was received is the evidence of a figure: not a byte of it may be ours."""
    body, (asked,), waits = asking(electricity_maps)
    assert body == electricity_maps(asked).body
    assert waits == []
    assert asked.query == {
        "zone": "DE",
        "start": "2026-01-05T00:00:00Z",
        "end": "2026-01-06T00:00:00Z",
        "emissionFactorType": "lifecycle",
        "temporalGranularity": "hourly",
    }


@pytest.mark.parametrize(
    ("header", "wait"),
    [("7", 7.0), ("Wed, 07 Jan 2026 05:00:20 GMT", 20.0), ("", 1.0), ("soon", 1.0)],
)
def test_a_rate_limit_is_waited_out(header: str, wait: float) -> None:
    """Asking again at once is what gets a plan blocked."""
    headers = {"Retry-After": header} if header else {}
    body, asked, waits = asking(first(Answer(429, b"{}", headers)))
    assert body is not None
    assert (len(asked), waits) == (2, [wait])


def test_a_rate_limit_that_stays_is_told() -> None:
    """A run that waits for hours on one source holds up every decision of the day."""
    told = refused(lambda asked, n: Answer(429, b'{"error":"slow down"}'))
    assert isinstance(told, Unavailable)
    assert told.faults[0].code == "api_rate_limited"
    assert "kept" in told.faults[0].hint


def test_a_wait_that_is_too_long_is_not_begun() -> None:
    """An hour's wait belongs to the next run."""
    waits: list[float] = []
    with serving(lambda asked, n: Answer(429, b"{}", {"Retry-After": "3600"})) as server:
        api = Api("Electricity Maps", server.url, sleep=waits.append)
        with pytest.raises(Unavailable, match="asks to wait 3600 seconds"):
            ElectricityMapsAsker(api, ElectricityMapsOptions(), SECRETS).answer("DE", DAY)
        assert (len(server.asked), waits) == (1, [])


def test_faults_of_a_moment_are_tried_again_with_growing_waits() -> None:
    """One bad gateway in a thousand calls must not cost the day."""
    whole = electricity_maps(Asked("", {"zone": "DE", "start": "2026-01-05T00:00:00Z",
                                        "emissionFactorType": "lifecycle"},
                                   {"auth-token": TOKEN})).body  # fmt: skip
    body, asked, waits = asking(
        first(Answer(502, HTML), Answer(body=whole[:100]), Answer(body=whole, cut=50))
    )
    assert body == whole
    assert (len(asked), waits) == (4, [1.0, 2.0, 4.0])


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (Answer(body=HTML), "api_not_understood"),
        (Answer(302, b"", {"Location": "https://login.example/"}), "api_not_understood"),
        (Answer(body=b'{"zone":"DE","data":"none"}'), "api_not_understood"),
        (Answer(body=b'{"zone":"FR","data":[]}'), "api_not_understood"),
        (Answer(body=b"[1]"), "api_not_understood"),
        (Answer(body=b'{"zone":"DE","data":[{"zo'), "api_truncated"),
        (Answer(body=b'{"zone":"DE","data":[]}', cut=5), "api_unreachable"),
        (Answer(500, b"oops"), "api_error"),
        (Answer(401, b'{"error":"Invalid auth-token"}'), "api_denied"),
        (Answer(403, b'{"error":"zone not in plan"}'), "api_denied"),
    ],
)
def test_what_is_no_answer_is_told(answer: Answer, code: str) -> None:
    """A login page that passes for data, or a cut answer, would make hours vanish in silence."""
    told = refused(lambda asked, n: answer)
    assert isinstance(told, Unavailable)
    assert told.faults[0].code == code


def test_a_wrong_token_is_not_shown_back() -> None:
    """An API that repeats the token in its error would put it into every log."""
    told = refused(lambda asked, n: Answer(401, f'{{"error":"bad token {TOKEN}"}}'.encode()))
    assert "bad token ***" in told.message


def test_an_unknown_zone_is_an_error_of_the_settings() -> None:
    """Trying tomorrow does not mend a name."""
    told = refused(electricity_maps, zone="NOWHERE")
    assert isinstance(told, SettingsError)
    assert told.faults[0].code == "api_refused"
    assert "does not exist" in told.message
    assert "options.zones" in told.faults[0].hint


def test_a_zone_without_recent_data_is_a_gap() -> None:
    """One zone that is behind must not stop the others."""
    body, _, _ = asking(lambda asked, n: Answer(404, b'{"error":"No recent data for zone DE"}'))
    assert body is None
    told = refused(lambda asked, n: Answer(404, b'{"error":"Not found"}'))
    assert told.faults[0].code == "api_refused"


def test_missing_credentials_are_named() -> None:
    """Whoever sets this up must read which variable to set, before anything is asked."""
    told = refused(electricity_maps, secrets={})
    assert isinstance(told, SettingsError)
    assert told.faults[0].column == "FINOPS_CREDENTIALS__SOURCE__TOKEN"


def test_a_server_that_is_gone_is_told() -> None:
    """A closed port is a source that is down, not a crash."""
    with serving(electricity_maps) as server:
        url = server.url
    api = Api("Electricity Maps", url, Patience(attempts=2), sleep=lambda _: None)
    with pytest.raises(Unavailable) as error:
        ElectricityMapsAsker(api, ElectricityMapsOptions(), SECRETS).answer("DE", DAY)
    assert error.value.faults[0].code == "api_unreachable"


def test_watttime_logs_in_and_again_when_its_token_is_spent() -> None:
    """A token holds for half an hour, a first run may take longer."""
    spent = []

    def script(asked: Asked, n: int) -> Answer:
        if asked.path == "/v3/historical" and n == 3 and not spent:
            spent.append(n)
            return Answer(401, b'{"error":"Token expired"}')
        return watttime(asked)

    with serving(script) as server:
        api = Api("WattTime", server.url, sleep=lambda _: None)
        asker = WattTimeAsker(api, WattTimeOptions(signal="co2_moer"), SECRETS)
        for day in (DAY, DAY, DAY):
            assert asker.answer("CAISO_NORTH", day)
        assert [one.path for one in server.asked] == [
            "/login", "/v3/historical", "/v3/historical", "/v3/historical", "/login",
            "/v3/historical",
        ]  # fmt: skip
        assert server.asked[1].query["signal_type"] == "co2_moer"


def test_watttime_with_a_wrong_password_is_told() -> None:
    """The password must not be in the message, nor the user who has it."""
    with serving(watttime) as server:
        api = Api("WattTime", server.url, sleep=lambda _: None)
        wrong = {**SECRETS, "password": "nope-nope"}
        with pytest.raises(Unavailable) as error:
            WattTimeAsker(api, WattTimeOptions(), wrong).answer("CAISO_NORTH", DAY)
    assert error.value.faults[0].code == "api_denied"
    assert "nope-nope" not in str(error.value.faults) + error.value.message


def opened(
    root: Path, url: str, format_name: str = "electricity_maps", zones: str = "DE, FR"
) -> tuple[FileSource, Extraction]:
    options = ReadOptions(answers=root / "answers", secrets=SECRETS)
    source = open_source(format_name, "grid", url, options=options, format_options={"zones": zones})
    assert source.extraction is not None
    return source, source.extraction


def age(folder: Path, by: timedelta) -> None:
    """Let the last questions have been asked so long ago."""
    for mark in folder.rglob(".asked"):
        then = mark.stat().st_mtime - by.total_seconds()
        os.utime(mark, (then, then))


def test_answers_become_deliveries_of_their_days(tmp_path: Path) -> None:
    """A day must be decided again from what was known, without asking anybody."""
    with serving(electricity_maps) as server:
        source, extraction = opened(tmp_path, server.url)
        assert list(source.deliveries()) == []
        extraction.fill(DAY, DAY + timedelta(days=1), NOW)
        assert len(server.asked) == 4
    deliveries = list(source.deliveries())
    assert [one.partition for one in deliveries] == [DAY, DAY + timedelta(days=1)]
    assert {one.known_at for one in deliveries} == {NOW}
    with source.read(deliveries[0]) as read:
        rows = read.rows.read_all()
        assert read.quarantine.read_all().num_rows == 0
        assert read.landed.set_faults == ()
    assert set(rows["zone"].to_pylist()) == {"DE", "FR"}
    assert rows["basis"].to_pylist().count("estimated") == 2
    assert source.where == server.url


def test_a_day_is_asked_for_again_while_it_may_change(tmp_path: Path) -> None:
    """Estimates are replaced by measurements days later; asking for old days costs the plan."""
    base = [300.0]
    with serving(lambda asked, n: electricity_maps(asked, base=base[0])) as server:

        def fill(known_at: datetime) -> tuple[int, int]:
            """Questions, and deliveries there are then."""
            before = len(server.asked)
            source, extraction = opened(tmp_path, server.url, zones="DE")
            extraction.fill(DAY, DAY, known_at)
            return len(server.asked) - before, len(list(source.deliveries()))

        assert fill(NOW) == (1, 1)
        assert fill(NOW + timedelta(hours=1)) == (0, 1)
        age(tmp_path, REVISITED_AFTER)
        # the same answer is no new delivery
        assert fill(NOW + timedelta(hours=7)) == (1, 1)
        age(tmp_path, REVISITED_AFTER)
        base[0] = 310.0
        assert fill(NOW + timedelta(hours=14)) == (1, 2)
        age(tmp_path, REVISITED_AFTER)
        assert fill(NOW + timedelta(days=3)) == (0, 2)


def test_a_failure_keeps_what_was_answered(tmp_path: Path) -> None:
    """A plan of fifty questions an hour must get through a history of days, run by run."""
    days = [DAY + timedelta(days=n) for n in range(3)]
    with serving(electricity_maps) as server:
        _, extraction = opened(tmp_path, server.url)
        extraction.most_questions = 3
        with pytest.raises(Unavailable, match="3 questions"):
            extraction.fill(days[0], days[-1], NOW)
        source, again = opened(tmp_path, server.url)
        assert [one.partition for one in source.deliveries()] == days[:1]
        asked = len(server.asked)
        again.fill(days[0], days[-1], NOW)
        assert len(server.asked) - asked == 4
        assert [one.partition for one in source.deliveries()] == days
        assert not list(tmp_path.rglob(".aside-*"))


def test_a_day_without_any_answer_stays_open(tmp_path: Path) -> None:
    """Nothing for a day is no delivery of nothing: it would settle the day."""
    empty = Answer(body=b'{"zone":"DE","data":[]}')
    with serving(first(empty)) as server:
        source, extraction = opened(tmp_path, server.url, zones="DE")
        extraction.fill(DAY, DAY, NOW)
        assert list(source.deliveries()) == []
        age(tmp_path, REVISITED_AFTER)
        source, extraction = opened(tmp_path, server.url, zones="DE")
        extraction.fill(DAY, DAY, NOW + timedelta(days=9))
        assert [one.partition for one in source.deliveries()] == [DAY]


def test_watttime_answers_are_read_back(tmp_path: Path) -> None:
    """The whole way of the other API: login, answer, file, rows."""
    with serving(watttime) as server:
        source, extraction = opened(tmp_path, server.url, "watttime", "CAISO_NORTH")
        extraction.fill(DAY, DAY, NOW)
    (delivery,) = source.deliveries()
    with source.read(delivery) as read:
        rows = read.rows.read_all().to_pylist()
        assert read.quarantine.read_all().num_rows == 0
    assert len(rows) == 12
    assert {(row["kind"], row["gco2e_per_kwh"]) for row in rows} == {("average", 453.59237)}


@pytest.mark.parametrize(
    ("path", "options", "named"),
    [
        (Path("answers"), {"zones": "DE"}, "grid: options.zones"),
        ("https://api.example/v3", {"zones": "DE;FR"}, "grid: options.zones"),
        ("https://api.example/v3", {"zones": "../DE"}, "grid: options.zones"),
        ("https://api.example/v3", {"zone": "DE"}, "grid: options.zone"),
        ("https://api.example/v3", {"zones": "DE", "factors": "all"}, "grid: options.factors"),
    ],
)
def test_options_that_cannot_be_used_are_named(
    tmp_path: Path, path: Path | str, options: dict[str, str], named: str
) -> None:
    """A zone is a file name and a question: nothing else may come through."""
    with pytest.raises(SettingsError) as error:
        open_source(
            "electricity_maps", "grid", path,
            options=ReadOptions(answers=tmp_path), format_options=options,
        )  # fmt: skip
    assert [fault.column for fault in error.value.faults] == [named]


def test_nothing_is_asked_where_answers_were_saved(tmp_path: Path) -> None:
    """A folder of saved answers is a place like any other."""
    assert open_source("electricity_maps", "grid", tmp_path).extraction is None
