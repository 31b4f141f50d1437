"""What a store, or what is before it, answers in place of numbers: told with what to do."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest

from finops_dagster.domain.errors import Fault, Unavailable
from finops_dagster.sources.prometheus import Credentials, PrometheusSource
from tests.unit.sources.prometheus.conftest import AFTER
from tests.unit.sources.prometheus.store import Reply, Store, serving
from tests.unit.sources.prometheus.test_days import codes, read

Open = Callable[..., PrometheusSource]
PAGE = b"<!doctype html><html><title>Sign in</title></html>"


def fault_of(source: PrometheusSource) -> Fault:
    with pytest.raises(Unavailable) as raised:
        read(source)
    (fault,) = raised.value.faults
    return fault


@pytest.mark.parametrize(
    ("reply", "code", "words"),
    [
        (Reply(200, PAGE, {"Content-Type": "text/html"}), "store_login", "a page of HTML"),
        (Reply(302, b"", {"Location": "https://sso.example.org/login?x=1"}), "store_login",
         "sso.example.org"),
        (Reply(401, b"Unauthorized"), "store_login", "status 401"),
        (Reply(403, b'{"error": "no"}'), "store_login", "status 403"),
        (Reply(404, b"404 page not found"), "store_address", "status 404"),
        (Reply(200, b'{"status":"success","data":[1'), "store_address", "no JSON"),
        (Reply(200, b'{"status":"success","data":{"a":1}}'), "answer_strange", "a list of names"),
        (Reply(200, b'["x"]'), "query_refused", "no reason given"),
        (Reply(400, b'{"status":"error","errorType":"bad_data","error":"parse error"}'),
         "query_refused", "parse error"),
        (Reply(503, b"down"), "store_unavailable", "tried 8 times, last: status 503"),
        (None, "store_unavailable", "no answer"),
    ],
)  # fmt: skip
def test_what_is_no_answer_is_told(
    store: Store, open_store: Open, reply: Reply | None, code: str, words: str
) -> None:
    """`Expecting value: line 1 column 1` tells nobody that a session ran out."""
    store.spoil = lambda number, query, answer: reply
    with serving(store) as url:
        fault = fault_of(open_store(url))
    assert (fault.code, fault.file) == (code, url)
    assert words in fault.expected
    assert len(fault.hint) > 20
    if code == "store_login":
        assert "FINOPS_CREDENTIALS__PROM_A__" in fault.hint


def test_faults_that_pass_are_tried_again(store: Store, open_store: Open) -> None:
    """One answer in five that fails must change nothing but the time it takes."""
    kinds = [
        Reply(500, b"internal error"),
        None,
        Reply(200, PAGE, {"Content-Type": "text/html"}),
        Reply(429, b"slow down", {"Retry-After": "0"}),
    ]

    def spoil(number: int, query: str, reply: Reply) -> Reply | None:
        return kinds[number // 5 % 4] if number % 5 == 3 else reply

    with serving(store) as url:
        whole, _ = read(open_store(url))
        store.spoil = spoil
        source = open_store(url, folder=open_store(url).folder / "faulty")
        rows, _ = read(source)
    assert source.statistics.retries > 5
    assert rows.equals(whole)


def changed(change: Callable[[list[Any]], None]) -> Callable[[int, str, Reply], Reply]:
    """Change the points of the first series of every answer with numbers of an interval."""

    def spoil(number: int, query: str, reply: Reply) -> Reply:
        if not query.startswith("max by") or "avg_over_time" not in query:
            return reply
        answer = json.loads(reply.body)
        if answer["data"]["result"]:
            change(answer["data"]["result"][0]["values"])
        return Reply(200, json.dumps(answer).encode())

    return spoil


def test_points_out_of_order_are_put_in_order_and_told(store: Store, open_store: Open) -> None:
    """Merged answers come shuffled; the last point is not the newest."""
    with serving(store) as url:
        whole, _ = read(open_store(url))
        store.spoil = changed(lambda points: points.append(points.pop(0)))
        rows, landed = read(open_store(url, folder=open_store(url).folder / "shuffled"))
    assert rows.equals(whole)
    assert "container_cpu_usage_seconds_total" in codes(landed)["answer_unordered"]


def test_a_point_that_comes_twice_is_one(store: Store, open_store: Open) -> None:
    """A proxy that joins two parts repeats the point between them."""
    with serving(store) as url:
        whole, _ = read(open_store(url))
        store.spoil = changed(lambda points: points.insert(3, list(points[3])))
        rows, _ = read(open_store(url, folder=open_store(url).folder / "twice"))
    assert rows.equals(whole)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda points: points.insert(3, [points[3][0], "9999"]), "two values of one series"),
        (lambda points: points[2].__setitem__(0, points[2][0] + 7), "every 3600 seconds"),
        (lambda points: points[2].__setitem__(0, points[2][0] + 864_000), "were asked for"),
        (lambda points: points[2].__setitem__(1, "much"), "cannot be read"),
    ],
)
def test_an_answer_to_another_question_is_refused(
    store: Store, open_store: Open, change: Callable[[list[Any]], None], words: str
) -> None:
    """A cache that moves times would shift a day's demand by part of an hour, unseen."""
    store.spoil = changed(change)
    with serving(store) as url:
        fault = fault_of(open_store(url))
    assert fault.code == "answer_contradicts"
    assert words in fault.expected


@pytest.mark.parametrize(("ahead", "told"), [(-7200, "fault"), (-120, "note"), (2, "nothing")])
def test_clocks_apart_are_told(store: Store, open_store: Open, ahead: int, told: str) -> None:
    """A store whose clock is behind has not ended the day: its last hours would be gaps."""
    theirs = AFTER + timedelta(seconds=ahead)

    def dated(number: int, query: str, reply: Reply) -> Reply:
        return Reply(reply.status, reply.body, {"Date": format_datetime(theirs, usegmt=True)})

    store.spoil = dated
    with serving(store) as url:
        source = open_store(url)
        if told == "fault":
            fault = fault_of(source)
            assert (fault.code, "7200 s behind" in fault.expected) == ("clock_skew", True)
        else:
            _, landed = read(source)
            assert ("clock_skew" in codes(landed)) == (told == "note")


def test_a_server_that_refuses_the_smallest_part_is_told(store: Store, open_store: Open) -> None:
    """Halving for ever would look like a run that hangs."""
    store.max_samples = 1
    with serving(store) as url:
        fault = fault_of(open_store(url))
    assert fault.code == "query_too_large"
    assert "Raise the server's limit" in fault.hint


@pytest.mark.parametrize(
    ("credentials", "header", "value"),
    [
        (Credentials(token="t0ken"), "Authorization", "Bearer t0ken"),
        (Credentials(username="u", password="p"), "Authorization", "Basic dTpw"),
        (Credentials(headers={"X-Scope-OrgID": "a"}), "X-Scope-OrgID", "a"),
    ],
)
def test_credentials_go_with_every_request(
    store: Store, open_store: Open, credentials: Credentials, header: str, value: str
) -> None:
    """One request without them is one login page among answers."""
    with serving(store) as url:
        read(open_store(url, credentials=credentials))
    assert {sent.get(header) for sent in store.headers} == {value}
    assert "t0ken" not in repr(credentials)


def test_a_token_file_is_read_anew(store: Store, open_store: Open, tmp_path: Path) -> None:
    """Kubernetes renews tokens every hour: a long day would end with 401."""
    token = tmp_path / "token"
    token.write_text("first\n")

    def renew(number: int, query: str, reply: Reply) -> Reply:
        token.write_text("second\n")
        return reply

    store.spoil = renew
    with serving(store) as url:
        read(open_store(url, credentials=Credentials(token_file=token), concurrency=1))
    sent = [headers["Authorization"] for headers in store.headers]
    assert sent[0] == "Bearer first"
    assert set(sent[1:]) == {"Bearer second"}


def test_a_login_elsewhere_is_not_followed(store: Store, open_store: Open) -> None:
    """A redirect would carry the token to whoever it names."""
    other = Store()
    with serving(other) as stranger, serving(store) as url:
        store.spoil = lambda number, query, reply: Reply(307, b"", {"Location": stranger})
        fault_of(open_store(url, credentials=Credentials(token="t0ken")))
    assert other.requests == []
