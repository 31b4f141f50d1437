"""Places reached by URL through fsspec: object stores and web servers, listed and mirrored.

Credentials are the provider's own business: none is asked for, kept or shown here.
"""

from __future__ import annotations

import hashlib
import re
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from importlib import import_module
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from finops_dagster.domain.errors import (
    Fault,
    SettingsError,
    Unavailable,
    disk_full,
    is_disk_full,
)
from finops_dagster.sources.mirror import Mirror
from finops_dagster.sources.notes import is_note
from finops_dagster.sources.places import (
    SUFFIXES,
    Entry,
    Hashes,
    LocalPlace,
    Place,
    is_data,
)

_WORKERS = 4
_PAGES = 10_000
"""Pages of a web server's listing at most: beyond that it is no place for deliveries."""
_TOLD_CHARACTERS = 200

_ERRORS: dict[str, tuple[str, ...]] = {
    "s3": ("botocore.exceptions.BotoCoreError", "botocore.exceptions.ClientError"),
    "gs": (
        "aiohttp.ClientError",
        "google.auth.exceptions.GoogleAuthError",
        "gcsfs.retry.HttpError",
    ),
    "az": ("azure.core.exceptions.AzureError", "aiohttp.ClientError"),
    "http": ("aiohttp.ClientError",),
}
"""Scheme -> what its client raises beside OSError and ValueError."""
_LIKE = {"gcs": "gs", "abfs": "az", "abfss": "az", "https": "http"}

_SECRETS = re.compile(r"(?i)(://)[^/@\s]*:[^/@\s]*@|([?&][^\s'\"]*)")
_NO_CREDENTIALS = re.compile(r"(?i)credential|token|anonymous caller|sign in|account name")
_DENIED = re.compile(r"(?i)access ?denied|forbidden|authoriz|permission|\b40[13]\b|signature")


def place_at(
    given: Path | str,
    hashes: Hashes,
    suffixes: tuple[str, ...],
    mirror: Path | None,
    limit_bytes: int,
) -> Place:
    """The place that a path or a URL names; `mirror` is where copies of remote files are kept.

    Raises SettingsError for a URL without a mirror.
    """
    if isinstance(given, Path) or "://" not in given:
        return LocalPlace(Path(given), hashes, suffixes)
    if mirror is None:
        raise SettingsError(f"{masked(given)} is remote, and no folder for copies of it is given.")
    name = hashlib.sha256(given.encode()).hexdigest()[:16]
    return RemotePlace(given, Mirror(mirror / name, limit_bytes), suffixes)


def masked(text: str) -> str:
    """`text` without what may be a secret in a URL: passwords and query strings."""
    return _SECRETS.sub(lambda found: "://" if found.group(1) else "?...", text)


@dataclass
class RemotePlace:
    """A prefix, a bucket or one object. `url` may hold a query, which is never shown."""

    url: str
    mirror: Mirror
    suffixes: tuple[str, ...] = SUFFIXES
    _files: Any = field(default=None, repr=False)
    _root: str = field(default="", repr=False)
    _listed: dict[Path, Entry] = field(default_factory=dict, repr=False)
    _single: bool = field(default=False, repr=False)

    dated = True

    @property
    def where(self) -> str:
        return masked(self.url)

    @property
    def key(self) -> tuple[str, ...] | None:
        parts = urlsplit(self.url)
        return tuple(part for part in parts.path.split("/") if part)

    @property
    def single(self) -> bool:
        return self._single

    def shown(self, path: str) -> str:
        return self.where if self._single else f"{self.where.rstrip('/')}/{path}"

    def entries(self) -> dict[Path, Entry]:
        with self._told("could not be listed"):
            self._connect()
            infos = self._web() if self._is_web else self._store()
            listed = {path: _entry(info) for path, info in infos.items()}
        self._listed = listed
        self._mark_by_content([path for path, entry in listed.items() if not entry.mark])
        return dict(self._listed)

    def digest(self, path: Path) -> str:
        entry = self._listed.get(path)
        return entry.mark if entry else "file_missing"

    def fetch(self, paths: Iterable[Path]) -> Path:
        asked = list(dict.fromkeys(paths))
        if not self._listed:
            self.entries()
        here = {path: self._listed[path] for path in asked if path in self._listed}
        with self.mirror.filling(), self._told("could not be read"):
            for path in asked:
                if path not in here and not path.is_absolute() and ".." not in path.parts:
                    self.mirror.drop(path)
            new = {p: e for p, e in here.items() if not self.mirror.has(p, e.mark)}
            self.mirror.make_room(sum(e.size for e in new.values()), here, self.where)
            self._connect()
            with ThreadPoolExecutor(_WORKERS) as workers:
                list(workers.map(self._take, new.items()))
            for path in here:
                self.mirror.use(path)
        return self.mirror.files.resolve()

    @property
    def _scheme(self) -> str:
        scheme = urlsplit(self.url).scheme.lower()
        return _LIKE.get(scheme, scheme)

    @property
    def _is_web(self) -> bool:
        return self._scheme == "http"

    def _connect(self) -> None:
        if self._files is not None:
            return
        import fsspec

        options: dict[str, Any] = {"use_listings_cache": False, "skip_instance_cache": True}
        if self._is_web:
            from aiohttp import ClientTimeout

            # proxies and passwords of ~/.netrc; a large file may take its time, a silent server not
            options["headers"] = {"Accept-Encoding": "identity"}
            options["client_kwargs"] = {
                "trust_env": True,
                "auto_decompress": False,
                "timeout": ClientTimeout(total=None, sock_connect=30, sock_read=120),
            }
        if self._scheme == "memory":
            options = {}
        self._files, self._root = fsspec.url_to_fs(self.url, **options)

    def _store(self) -> dict[Path, Mapping[str, Any]]:
        self._files.invalidate_cache()
        found = self._files.find(self._root, detail=True)
        root = self._root.rstrip("/")
        self._single = set(found) == {root}
        if self._single:
            return {Path(PurePosixPath(root).name): found[root]}
        infos = {}
        for name, info in found.items():
            relative = _inside(name.removeprefix(f"{root}/"))
            if relative is not None:
                infos[relative] = info
        return infos

    def _web(self) -> dict[Path, Mapping[str, Any]]:
        """Files that the pages below the URL link to; without a slash at its end it is a file."""
        path = urlsplit(self.url).path
        self._single = not path.endswith("/")
        if self._single:
            name = unquote(PurePosixPath(path).name)
            return {Path(name): self._files.info(self.url)}
        names: dict[str, Path] = {}
        pages, seen = deque([self.url]), {self.url}
        while pages:
            for link in self._files.ls(pages.popleft(), detail=False):
                # sorted views of the same page, and the way up, are links too
                if link in seen or "?" in link or "#" in link or not link.startswith(self.url):
                    continue
                seen.add(link)
                if len(seen) > _PAGES:
                    raise ValueError(f"more than {_PAGES} links")
                relative = _inside(unquote(link.removeprefix(self.url)).rstrip("/"))
                if relative is None:
                    continue
                if link.endswith("/"):
                    pages.append(link)
                elif is_note(relative.name) or is_data(relative, self.suffixes):
                    names[link] = relative  # the rest of a site is nobody's delivery
        with ThreadPoolExecutor(_WORKERS) as workers:
            infos = list(workers.map(self._files.info, names))
        return dict(zip(names.values(), infos, strict=True))

    def _remote(self, path: Path) -> str:
        if self._single:
            return self._root
        name = quote(path.as_posix()) if self._is_web else path.as_posix()
        return f"{self._root.rstrip('/')}/{name}"

    def _take(self, item: tuple[Path, Entry]) -> None:
        path, entry = item
        remote = self._remote(path)

        def download(aside: Path) -> None:
            try:
                self._files.get_file(remote, str(aside))
                info = self._files.info(remote)
            except FileNotFoundError:
                raise self._gone(path, "file_vanished", "it was deleted since") from None
            mark, whole = _entry(info).mark, info.get("size")
            if (mark and mark != entry.mark) or whole not in (None, aside.stat().st_size):
                raise self._gone(path, "file_changed", "it was written over since")

        self.mirror.take(path, entry.mark, download)

    def _mark_by_content(self, paths: list[Path]) -> None:
        """Read files that the place says nothing of that would change with them."""
        if not paths:
            return
        root = self.fetch(paths)
        for path in paths:
            mark = Hashes().of(root / path)
            self._listed[path] = replace(self._listed[path], mark=mark)
            self.mirror.remark(path, mark)

    def _gone(self, path: Path, code: str, what: str) -> Unavailable:
        name = self.shown(path.as_posix())
        return Unavailable(
            f"{name} is not what was listed: {what}.",
            (
                Fault(
                    code=code,
                    file=name,
                    expected=f"The file that was listed; {what}.",
                    hint="Run again: what is there now is listed anew.",
                ),
            ),
        )

    @contextmanager
    def _told(self, what: str) -> Iterator[None]:
        """Errors of a client become Unavailable, in its words but without its secrets."""
        known: tuple[type[BaseException], ...] = (OSError, ValueError, ImportError)
        for name in _ERRORS.get(self._scheme, ()):
            module, _, kind = name.rpartition(".")
            known += (getattr(import_module(module), kind),)
        try:
            yield
        except known as error:
            if is_disk_full(error):
                what = f"Nothing half is kept of what {self.where} delivers"
                raise disk_full(self.mirror.files, what) from None
            # its cause is not kept: a traceback would show the URL whole
            raise self._unavailable(error, what) from None

    def _unavailable(self, error: BaseException, what: str) -> Unavailable:
        words = masked(" ".join(str(error).split()))[:_TOLD_CHARACTERS]
        told = f"{type(error).__name__}{': ' if words else ''}{words}"
        code, hint = (
            "source_unreachable",
            ("Look at network and URL; a server that speaks S3 is named by AWS_ENDPOINT_URL."),
        )
        if isinstance(error, FileNotFoundError):
            code = "source_missing"
            hint = "Correct its path in the settings, or wait for the first delivery."
        elif isinstance(error, PermissionError) or _DENIED.search(told):
            code = "source_denied"
            hint = "Permit listing and reading there to the account that runs this."
        elif _NO_CREDENTIALS.search(told):
            code = "no_credentials"
            hint = (
                "Give the provider's own credentials: its environment variables, profile or role."
            )
        fault = Fault(code=code, file=self.where, expected=f"An answer; {told}", hint=hint)
        return Unavailable(f"{self.where} {what}: {told}", (fault,))


def _inside(name: str) -> Path | None:
    """A name in a store as a path below a folder; None if it cannot be one."""
    parts = name.split("/")
    if "\0" in name or any(part in ("", ".", "..") for part in parts):
        return None
    return Path(*parts)


def _entry(info: Mapping[str, Any]) -> Entry:
    size = info.get("size")
    modified = next(
        (info[k] for k in ("LastModified", "last_modified", "mtime", "created", "Last-Modified")
         if info.get(k)),
        None,
    )  # fmt: skip
    if isinstance(modified, str):
        modified = parsedate_to_datetime(modified)
    elif isinstance(modified, int | float):
        modified = datetime.fromtimestamp(modified, UTC)
    tag = next((str(info[k]) for k in ("md5Hash", "ETag", "etag") if info.get(k)), "")
    mark = tag.removeprefix("W/").strip('"')
    if not mark and modified is not None:
        mark = f"{modified.isoformat()}"
    return Entry(
        size=int(size or 0),
        modified=modified.astimezone(UTC) if modified else datetime.max.replace(tzinfo=UTC),
        mark=f"{mark}-{size}" if mark else "",
    )
