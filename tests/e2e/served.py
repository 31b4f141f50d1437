"""`finops ui` as a person starts it, and what its GraphQL and a real browser say of it.

What is expected of the answers is in the tests.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.builders import free_port
from tests.e2e.estate import ROOT

_REPOSITORY = {"repositoryLocationName": "finops", "repositoryName": "__repository__"}
_FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-dev-shm-usage", "--window-size=1600,1100",
)  # fmt: skip


def until(what: str, seen: Callable[[], Any], seconds: float) -> Any:
    """What `seen` returns once it is true; fails the test after `seconds`."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = seen()
        if found:
            return found
        time.sleep(1)
    return pytest.fail(f"not within {seconds:.0f} s: {what}")


@dataclass(frozen=True)
class Run:
    """One run as Dagster tells of it."""

    id: str
    job: str
    status: str
    tags: dict[str, str]


@dataclass(frozen=True)
class Ui:
    """A running web server with its daemon."""

    url: str
    folder: Path

    def ask(self, query: str, **variables: Any) -> dict[str, Any]:
        """Data of a GraphQL answer."""
        request = urllib.request.Request(
            f"{self.url}/graphql",
            json.dumps({"query": query, "variables": variables}).encode(),
            {"content-type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=60) as reply:
            document = json.load(reply)
        assert "errors" not in document, document["errors"]
        data: dict[str, Any] = document["data"]
        return data

    def get(self, path: str) -> tuple[int, str, dict[str, str]]:
        """Status, text and headers of a page."""
        try:
            with urllib.request.urlopen(self.url + path, timeout=60) as reply:
                return reply.status, reply.read().decode(), dict(reply.headers)
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode(), dict(error.headers)

    def runs(self, **tags: str) -> list[Run]:
        """Runs that carry `tags`, oldest first; underscores in their names stand for slashes."""
        data = self.ask(
            "query($f: RunsFilter){runsOrError(filter: $f){... on Runs{results{"
            "runId jobName status tags{key value}}}}}",
            f={"tags": [{"key": k.replace("_", "/"), "value": v} for k, v in tags.items()]},
        )
        found = [
            Run(
                one["runId"],
                one["jobName"],
                one["status"],
                {tag["key"]: tag["value"] for tag in one["tags"]},
            )
            for one in data["runsOrError"]["results"]
        ]
        return found[::-1]

    def ticks(self) -> list[str]:
        """The ticks that started a day, oldest first."""
        every = {run.tags["finops/daily"] for run in self.runs() if "finops/daily" in run.tags}
        return sorted(every)

    def schedule(self, *, on: bool) -> None:
        """Turn the daily schedule on or off."""
        selector = {**_REPOSITORY, "scheduleName": "daily"}
        if on:
            answer = self.ask(
                "mutation($s: ScheduleSelector!){startSchedule(scheduleSelector: $s){__typename}}",
                s=selector,
            )["startSchedule"]
        else:
            held = self.ask(
                "query($s: ScheduleSelector!){scheduleOrError(scheduleSelector: $s)"
                "{... on Schedule{scheduleState{id}}}}",
                s=selector,
            )["scheduleOrError"]["scheduleState"]["id"]
            answer = self.ask(
                "mutation($i: String){stopRunningSchedule(id: $i){__typename}}", i=held
            )["stopRunningSchedule"]
        assert answer["__typename"] == "ScheduleStateResult"

    def backfill(self, partitions: list[str], *, job: str, by_asset: bool = False) -> str:
        """Launch a backfill through the daemon: of the job, or of its assets; returns its id."""
        what: dict[str, Any] = {
            "selector": {
                "partitionSetName": f"{job}_partition_set",
                "repositorySelector": _REPOSITORY,
            }
        }
        if by_asset:
            nodes = self.ask("{assetNodes{assetKey{path} jobNames}}")["assetNodes"]
            what = {"assetSelection": [n["assetKey"] for n in nodes if job in n["jobNames"]]}
        answer = self.ask(
            "mutation($p: LaunchBackfillParams!){launchPartitionBackfill(backfillParams: $p)"
            "{__typename ... on LaunchBackfillSuccess{backfillId}}}",
            p={**what, "partitionNames": partitions},
        )["launchPartitionBackfill"]
        assert answer["__typename"] == "LaunchBackfillSuccess"
        backfill: str = answer["backfillId"]
        return backfill

    def backfill_status(self, backfill: str) -> str:
        data = self.ask(
            "query($i: String!){partitionBackfillOrError(backfillId: $i)"
            "{... on PartitionBackfill{status}}}",
            i=backfill,
        )
        status: str = data["partitionBackfillOrError"]["status"]
        return status

    def figures(self, asset: str, run: str) -> dict[str, Any]:
        """Numbers and flags that an asset's materialisation of a run carries."""
        data = self.ask(
            "query($k: AssetKeyInput!){assetOrError(assetKey: $k){... on Asset{"
            "assetMaterializations(limit: 50){runId metadataEntries{label "
            "... on IntMetadataEntry{intValue} ... on BoolMetadataEntry{boolValue} "
            "... on UrlMetadataEntry{url}}}}}}",
            k={"path": asset.split("/")},
        )
        for one in data["assetOrError"]["assetMaterializations"]:
            if one["runId"] == run:
                return {
                    entry["label"]: value
                    for entry in one["metadataEntries"]
                    for name, value in entry.items()
                    if name != "label"
                }
        return pytest.fail(f"run {run} did not materialise {asset}")


@contextmanager
def served(folder: Path, **environment: str) -> Iterator[Ui]:
    """`finops ui` over the estate in `folder`, until the end of the block."""
    port = free_port()
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("FINOPS_", "DAGSTER_HOME"))}
    command = [str(Path(sys.executable).parent / "finops"), "ui", "--port", str(port)]
    process = subprocess.Popen(
        command,
        cwd=folder,
        env={**kept, "PYTHONPATH": str(ROOT), **environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    ui = Ui(f"http://localhost:{port}", folder)

    def loaded() -> bool:
        if process.poll() is not None:
            pytest.fail(
                "finops ui ended: " + (process.stderr.read().decode() if process.stderr else "")
            )
        try:
            return len(ui.ask("{assetNodes{id}}")["assetNodes"]) > 0
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return False

    try:
        until("the UI answers", loaded, 120)
        yield ui
    except BaseException:
        for line in (folder / ".finops" / "logs" / "ui.log").read_text().splitlines():
            if "DEBUG" not in line:
                print(line)
        raise
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(60)


class Browser:
    """Headless Chromium, driven through chromedriver's own protocol."""

    def __init__(self, driver: str, session: str) -> None:
        self._session = f"{driver}/session/{session}"

    def open(self, url: str) -> None:
        _post(f"{self._session}/url", {"url": url})

    def script(self, body: str) -> Any:
        return _post(f"{self._session}/execute/sync", {"script": body, "args": []})

    def text(self) -> str:
        """What a person can read on the page."""
        return str(self.script("return document.body ? document.body.innerText : ''"))

    def read(self, *words: str, seconds: float = 60) -> str:
        """The page's text once it says all of `words`."""

        def said() -> str:
            text = self.text()
            return text if all(word in text for word in words) else ""

        try:
            return str(until(f"the page says {words}", said, seconds))
        except BaseException:
            print(self.text())
            raise

    def click(self, text: str) -> None:
        """Click the smallest element whose whole text is `text`."""
        found = self.script(
            "const hit = [...document.querySelectorAll('a,button,span,div')].filter("
            f"e => e.innerText && e.innerText.trim() === {json.dumps(text)}).pop();"
            "if (hit) hit.click(); return !!hit"
        )
        assert found, f"nothing on the page says {text}"

    def view(self, width: int, height: int, *, dark: bool = False) -> None:
        """The size of what is seen, in CSS pixels, and whether its reader prefers dark."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self._cdp("Emulation.setDeviceMetricsOverride", size)
        self._cdp("Emulation.setEmulatedMedia", {"features": [scheme]})

    def _cdp(self, name: str, values: dict[str, Any]) -> None:
        """One command of Chromium's own protocol."""
        _post(f"{self._session}/goog/cdp/execute", {"cmd": name, "params": values})

    def screenshot(self, path: Path) -> None:
        with urllib.request.urlopen(f"{self._session}/screenshot", timeout=60) as reply:
            path.write_bytes(base64.b64decode(json.load(reply)["value"]))


def _post(url: str, body: dict[str, Any]) -> Any:
    request = urllib.request.Request(
        url, json.dumps(body).encode(), {"content-type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=120) as reply:
        return json.load(reply)["value"]


@contextmanager
def browser(folder: Path) -> Iterator[Browser]:
    """A browser with an empty profile. Skips without Chromium, but not where CI runs."""
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if chromium is None or driver is None:
        reason = "chromium or chromedriver is not installed: apt-get install chromium-driver"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    port = free_port()
    url = f"http://localhost:{port}"
    process = subprocess.Popen(
        [driver, f"--port={port}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    options = {"binary": chromium, "args": [*_FLAGS, f"--user-data-dir={folder / 'profile'}"]}

    def ready() -> bool:
        try:
            with urllib.request.urlopen(f"{url}/status", timeout=5) as reply:
                return bool(json.load(reply)["value"]["ready"])
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return False

    try:
        until("chromedriver answers", ready, 30)
        capabilities = {"alwaysMatch": {"goog:chromeOptions": options}}
        session = _post(f"{url}/session", {"capabilities": capabilities})["sessionId"]
        try:
            yield Browser(url, session)
        finally:
            request = urllib.request.Request(f"{url}/session/{session}", method="DELETE")
            urllib.request.urlopen(request, timeout=60).close()
    finally:
        process.terminate()
        process.wait(30)
