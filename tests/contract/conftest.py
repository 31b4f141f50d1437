"""The forges that a contract runs on: a test file's START is what their repositories begin with."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract.hosts import GitHubHost, Host, LocalHost, github_or_skip
from tests.contract.life import Life


@pytest.fixture(scope="session")
def github_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with github_or_skip(tmp_path_factory.mktemp("emulator")) as url:
        yield url


@pytest.fixture(params=["local", "github"])
def host(request: pytest.FixtureRequest, tmp_path: Path) -> Host:
    start = request.module.START
    if request.param == "local":
        return LocalHost(tmp_path, start)
    return GitHubHost(request.getfixturevalue("github_url"), start)


@pytest.fixture
def life(host: Host) -> Life:
    return Life(host)
