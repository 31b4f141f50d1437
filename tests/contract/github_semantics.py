"""What GitHub answers where the emulator answers otherwise, by GitHub's documentation.

Shapes are those of the recorded exchanges in ../shared/data/github/octokit_fixtures where they
hold the call. Recording and faults are in github_proxy.
"""

from __future__ import annotations

import base64
import json
import re
import subprocess
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlsplit

import requests

_ONLY_OF_ONE = (
    "merged", "mergeable", "rebaseable", "mergeable_state", "merged_by", "comments",
    "review_comments", "maintainer_can_modify", "commits", "additions", "deletions",
    "changed_files",
)  # fmt: skip
"""What GitHub tells of one pull request, but not in a list."""


@dataclass(frozen=True)
class Given:
    """An answer; text is kept as it is."""

    status: int
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def text(self) -> str:
        return self.body if isinstance(self.body, str) else json.dumps(self.body)


@dataclass(frozen=True)
class Asked:
    """A request."""

    method: str
    path: str
    content: Any
    authorization: str

    @property
    def query(self) -> dict[str, str]:
        return {key: values[-1] for key, values in parse_qs(urlsplit(self.path).query).items()}

    def at(self, path: str, method: str | None = None, content: Any = None) -> Asked:
        """The same person asks something else."""
        if method is None:
            return replace(self, path=path)
        return replace(self, method=method, path=path, content=content)

    def forwarded(self, upstream: str) -> Given:
        answer = _session().request(
            self.method, f"{upstream}{self.path}", json=self.content,
            headers={"Authorization": self.authorization}, timeout=30,
        )  # fmt: skip
        body: Any = None
        if answer.content:
            try:
                body = answer.json()
            except ValueError:
                body = answer.text
        kept = {key: answer.headers[key] for key in ("Link",) if key in answer.headers}
        return Given(answer.status_code, body, kept)


_OF_THREAD = threading.local()


def _session() -> requests.Session:
    if not hasattr(_OF_THREAD, "session"):
        _OF_THREAD.session = requests.Session()
        _OF_THREAD.session.trust_env = False
    session: requests.Session = _OF_THREAD.session
    return session


def refusal(status: int, message: str, /, **error: str) -> Given:
    """An error as GitHub words it, of a validation with its details."""
    body: dict[str, Any] = {"message": message, "documentation_url": "https://docs.github.com/rest"}
    if error:
        body |= {"message": "Validation Failed", "errors": [error], "status": str(status)}
    return Given(status, body)


class GitHubSemantics:
    """One repository as GitHub would have it."""

    def __init__(self, upstream: str, name: str) -> None:
        self.name = name
        self.known_id: int | None = None
        self.protections: dict[str, dict[str, Any]] = {}
        """Branch -> body of its classic protection, as PUT takes it."""
        self.rules: dict[str, list[dict[str, Any]]] = {}
        """Branch -> what active rulesets ask, as GET /rules/branches/BRANCH answers."""
        self.may_administrate = True
        """Whether the token may read branch protection."""
        self.signatures: dict[str, str] = {}
        """Commit -> the signature that it was made with."""
        self.messages: dict[str, str] = {}
        """Commit -> the message that it was made with, byte for byte."""
        self.commits: list[dict[str, Any]] = []
        """What commits were asked for with, in order."""
        self.scopes = "repo"
        """Of a classic token; empty: a fine-grained one."""
        self._upstream = upstream
        self._person = Asked("GET", "", None, "")
        self._statuses: dict[str, list[dict[str, Any]]] = {}
        self._automerge: dict[int, dict[str, Any]] = {}
        self._nodes: dict[str, int] = {}
        self._closed_by: dict[int, str] = {}
        self._merge_commits: dict[int, str] = {}
        self._merges: dict[tuple[str, str], str | None] = {}
        self._lock = threading.RLock()
        self._routes: list[tuple[str, str, Callable[..., Given]]] = [
            ("POST", r"/graphql", self._graphql),
            ("POST", r"/pulls", self._open),
            ("GET", r"/pulls", self._list),
            ("GET", r"/pulls/(\d+)", self._pull),
            ("PATCH", r"/pulls/(\d+)", self._edit),
            ("PUT", r"/pulls/(\d+)/merge", self._merge),
            ("GET", r"/pulls/(\d+)/files", self._files),
            ("GET", r"/issues/(\d+)", self._issue),
            ("POST", r"/statuses/([0-9a-f]{40})", self._set_status),
            ("GET", r"/commits/([^/]+)/statuses", self._list_statuses),
            ("GET", r"/commits/([^/]+)/status", self._combined_status),
            ("GET", r"/branches/([^/]+)", self._branch),
            ("GET", r"/branches/([^/]+)/protection", self._protection),
            ("PUT", r"/branches/([^/]+)/protection", self._protect),
            ("DELETE", r"/branches/([^/]+)/protection", self._unprotect),
            ("GET", r"/rules/branches/([^/]+)", self._rules),
            ("POST", r"/git/commits", self._commit),
            ("DELETE", r"/git/refs/(.+)", self._delete_ref),
        ]

    @property
    def id(self) -> int:
        if self.known_id is None:
            self.known_id = self._get("")["id"]
        return self.known_id

    def knows(self, content: Any) -> bool:
        """Whether a GraphQL call is about one of its pull requests."""
        given = (content or {}).get("variables", {}).get("input", {})
        return given.get("pullRequestId") in self._nodes

    def newest_state(self, commit: str) -> str:
        """What the last status of a commit says; empty where there is none."""
        found = self._statuses.get(commit)
        return f"{found[-1]['context']}: {found[-1]['state']}" if found else ""

    def rename(self, new_name: str) -> None:
        number = self.id
        owner = self.name.partition("/")[0]
        self._must(self._ask("PATCH", "", {"name": new_name}))
        self.name, self.known_id = f"{owner}/{new_name}", number

    def answer(self, asked: Asked) -> Given:
        """What GitHub answers. One call at a time: so that what two runners do has an order."""
        with self._lock:
            self._person = asked
            path = urlsplit(asked.path).path
            below = path.removeprefix(f"/repos/{self.name}")
            for method, pattern, route in self._routes:
                found = re.fullmatch(pattern, below)
                if found and method == asked.method:
                    given = route(asked, *(unquote(part) for part in found.groups()))
                    break
            else:
                given = asked.forwarded(self._upstream)
            self._settle()
            return given

    # Pull requests.

    def _open(self, asked: Asked) -> Given:
        owner = self.name.partition("/")[0]
        head = asked.content["head"].rpartition(":")[2]
        if self._head(head) is None:
            return refusal(
                422, "", resource="PullRequest", field="head", code="invalid"
            )  # fmt: skip
        if self._get(f"/pulls?state=open&head={quote(f'{owner}:{head}')}"):
            return refusal(
                422, "", resource="PullRequest", code="custom",
                message=f"A pull request already exists for {owner}:{head}.",
            )  # fmt: skip
        return self._shown(asked.forwarded(self._upstream))

    def _list(self, asked: Asked) -> Given:
        given = asked.forwarded(self._upstream)
        if given.status != 200:
            return given
        shown = [
            {key: value for key, value in self._overlaid(one).items() if key not in _ONLY_OF_ONE}
            for one in given.body
        ]
        return replace(given, body=shown)

    def _pull(self, asked: Asked, number: str) -> Given:
        return self._shown(asked.forwarded(self._upstream))

    def _edit(self, asked: Asked, number: str) -> Given:
        given = asked.forwarded(self._upstream)
        if given.status == 200 and (asked.content or {}).get("state") == "closed":
            self._closed_by[int(number)] = self._login()
            self._automerge.pop(int(number), None)
        return self._shown(given)

    def _files(self, asked: Asked, number: str) -> Given:
        pull = self._get(f"/pulls/{number}")
        compared = self._get(f"/compare/{pull['base']['ref']}...{pull['head']['sha']}")
        return Given(200, compared["files"])

    def _issue(self, asked: Asked, number: str) -> Given:
        given = asked.forwarded(self._upstream)
        if given.status != 404:
            return given
        found = self._ask("GET", f"/pulls/{number}")
        if found.status != 200:
            return found
        pull = self._overlaid(found.body)
        who = (pull.get("merged_by") or {}).get("login") or self._closed_by.get(int(number))
        if who is None and pull["state"] == "closed":
            who = self._login()
        kept = {key: value for key, value in pull.items() if key not in ("head", "base")}
        kept["closed_by"] = {"login": who, "type": "User"} if who else None
        kept["pull_request"] = {"url": pull["url"]}
        return Given(200, kept)

    def _shown(self, given: Given) -> Given:
        if given.status not in (200, 201):
            return given
        pull = self._overlaid(given.body)
        if pull["state"] == "open":
            merged = self._merged_tree(pull["base"]["ref"], pull["head"]["sha"])
            pull["mergeable"] = merged is not None
            pull["mergeable_state"] = "clean" if merged else "dirty"
        return replace(given, body=pull)

    def _overlaid(self, pull: dict[str, Any]) -> dict[str, Any]:
        number = pull["number"]
        self._nodes[pull["node_id"]] = number
        pull = {**pull, "auto_merge": self._automerge.get(number)}
        if number in self._merge_commits:
            pull["merge_commit_sha"] = self._merge_commits[number]
        if pull["state"] == "open":
            head = self._head(pull["head"]["ref"])
            if head is not None:
                pull["head"] = {**pull["head"], "sha": head}
        return pull

    # Merging, as protection allows it.

    def _merge(self, asked: Asked, number: str) -> Given:
        found = self._ask("GET", f"/pulls/{number}")
        if found.status != 200:
            return found
        pull = self._overlaid(found.body)
        wanted = (asked.content or {}).get("sha")
        if pull["state"] != "open":
            return refusal(405, "Pull Request is not mergeable")
        if wanted and wanted != pull["head"]["sha"]:
            return refusal(409, "Head branch was modified. Review and try the merge again.")
        missing = self._missing(pull)
        if missing:
            return refusal(405, missing)
        return self._merge_now(pull)

    def _merge_now(self, pull: dict[str, Any]) -> Given:
        number, branch, head = pull["number"], pull["base"]["ref"], pull["head"]["sha"]
        base = self._head(branch)
        tree = self._merged_tree(branch, head)
        if tree is None:
            return refusal(405, "Merge conflict")
        done = self._ask("PUT", f"/pulls/{number}/merge", {"merge_method": "merge"})
        if done.status != 200:
            return done
        # The emulator takes the branch's tree for the merge: what others merged would be lost.
        message = f"Merge pull request #{number} from {pull['head']['label']}"
        commit = self._must(
            self._ask("POST", "/git/commits",
                      {"message": message, "tree": tree, "parents": [base, head]})
        )["sha"]  # fmt: skip
        self._must(self._ask("PATCH", f"/git/refs/heads/{branch}", {"sha": commit, "force": True}))
        self._merge_commits[number] = commit
        self._automerge.pop(number, None)
        return Given(200, {**done.body, "sha": commit})

    def _missing(self, pull: dict[str, Any]) -> str:
        """What protection still waits for, in GitHub's words."""
        reviews, contexts = self._asked_of(pull["base"]["ref"])
        given = self._get(f"/pulls/{pull['number']}/reviews")
        if sum(one["state"] == "APPROVED" for one in given) < reviews:
            return (
                f"At least {reviews} approving review is required by reviewers with write access."
            )
        newest: dict[str, str] = {}
        for one in self._statuses.get(pull["head"]["sha"], []):
            newest[one["context"]] = one["state"]
        for context in contexts:
            if newest.get(context) != "success":
                return f'Required status check "{context}" is expected.'
        return ""

    def _asked_of(self, branch: str) -> tuple[int, set[str]]:
        protection = self.protections.get(branch, {})
        reviews = (protection.get("required_pull_request_reviews") or {}).get(
            "required_approving_review_count", 0
        )
        contexts = set((protection.get("required_status_checks") or {}).get("contexts", ()))
        for rule in self.rules.get(branch, []):
            parameters = rule.get("parameters", {})
            reviews = max(reviews, parameters.get("required_approving_review_count", 0))
            for one in parameters.get("required_status_checks", ()):
                contexts.add(one["context"])
        return reviews, contexts

    def _settle(self) -> None:
        """GitHub merges by itself what waits for nothing any more."""
        for number in list(self._automerge):
            pull = self._overlaid(self._get(f"/pulls/{number}"))
            if pull["state"] != "open":
                self._automerge.pop(number)
            elif not self._missing(pull):
                self._merge_now(pull)

    def _graphql(self, asked: Asked) -> Given:
        wanted = asked.content["variables"]["input"]
        number = self._nodes[wanted["pullRequestId"]]
        if "disablePullRequestAutoMerge" in asked.content["query"]:
            return self._disabled(number)
        if "enablePullRequestAutoMerge" not in asked.content["query"]:
            return _graphql_error("UNPROCESSABLE", "only automatic merging is known here")
        pull = self._overlaid(self._get(f"/pulls/{number}"))
        if not self._get("").get("allow_auto_merge"):
            return _graphql_error(
                "UNPROCESSABLE", "Pull request Auto merge is not allowed for this repository"
            )
        if wanted.get("expectedHeadOid", pull["head"]["sha"]) != pull["head"]["sha"]:
            return _graphql_error("UNPROCESSABLE", "Head branch was modified")
        if pull["state"] != "open":
            return _graphql_error("UNPROCESSABLE", "Pull request is closed")
        if not self._missing(pull):
            return _graphql_error("UNPROCESSABLE", "Pull request Pull request is in clean status")
        self._automerge[number] = {
            "enabled_by": {"login": self._login()},
            "merge_method": wanted.get("mergeMethod", "MERGE").lower(),
            "commit_title": None,
            "commit_message": None,
        }
        return Given(
            200,
            {"data": {"enablePullRequestAutoMerge": {
                "actor": {"login": self._login()}, "clientMutationId": None}}},
        )  # fmt: skip

    def _disabled(self, number: int) -> Given:
        if self._automerge.pop(number, None) is None:
            return _graphql_error(
                "UNPROCESSABLE", "Can't disable auto-merge for this pull request."
            )
        given = {"actor": {"login": self._login()}, "clientMutationId": None}
        return Given(200, {"data": {"disablePullRequestAutoMerge": given}})

    def _merged_tree(self, branch: str, head: str) -> str | None:
        """Tree of `head` merged into `branch`; None where it conflicts."""
        base = self._head(branch)
        assert base is not None
        if (base, head) not in self._merges:
            self._merges[base, head] = self._tree_of_merge(base, head)
        return self._merges[base, head]

    def _tree_of_merge(self, base: str, head: str) -> str | None:
        before = self._get(f"/compare/{base}...{head}")["merge_base_commit"]["sha"]
        old, ours, theirs = (self._tree(one) for one in (before, base, head))
        changed = []
        for path in old.keys() | theirs.keys():
            if theirs.get(path) == old.get(path) or theirs.get(path) == ours.get(path):
                continue
            sha = theirs.get(path)
            if ours.get(path) != old.get(path):
                if not (path in old and path in ours and sha):
                    return None
                sha = self._merged_file(ours[path], old[path], sha)
                if sha is None:
                    return None
            changed.append({"path": path, "mode": "100644", "type": "blob", "sha": sha})
        tree = self._get(f"/git/commits/{base}")["tree"]["sha"]
        if not changed:
            return str(tree)
        made = self._ask("POST", "/git/trees", {"base_tree": tree, "tree": changed})
        return str(self._must(made)["sha"])

    def _merged_file(self, ours: str, old: str, theirs: str) -> str | None:
        with tempfile.TemporaryDirectory() as name:
            files = []
            for label, sha in (("ours", ours), ("old", old), ("theirs", theirs)):
                files.append(Path(name) / label)
                blob = self._get(f"/git/blobs/{sha}")
                files[-1].write_bytes(base64.b64decode(blob["content"]))
            done = subprocess.run(["git", "merge-file", "-p", *files], capture_output=True)
        if done.returncode != 0:
            return None
        content = {"content": base64.b64encode(done.stdout).decode(), "encoding": "base64"}
        return str(self._must(self._ask("POST", "/git/blobs", content))["sha"])

    def _tree(self, commit: str) -> dict[str, str]:
        tree = self._get(f"/git/trees/{commit}?recursive=1")["tree"]
        return {one["path"]: one["sha"] for one in tree if one["type"] == "blob"}

    # Statuses, protection, rulesets, signatures, references.

    def _set_status(self, asked: Asked, sha: str) -> Given:
        if self._ask("GET", f"/git/commits/{sha}").status != 200:
            return refusal(422, f"No commit found for SHA: {sha}")
        content = asked.content
        if content.get("state") not in ("error", "failure", "pending", "success"):
            return refusal(422, "", resource="Status", code="custom", field="state")
        if len(content.get("description") or "") > 140:
            return refusal(
                422, "", resource="Status", code="custom", field="description",
                message="description is too long (maximum is 140 characters)",
            )  # fmt: skip
        now = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
        made = {
            "url": f"{self._upstream}/repos/{self.name}/statuses/{sha}",
            "avatar_url": "",
            "id": sum(map(len, self._statuses.values())) + 1,
            "node_id": "",
            "state": content["state"],
            "description": content.get("description"),
            "target_url": content.get("target_url"),
            "context": content.get("context", "default"),
            "created_at": now,
            "updated_at": now,
            "creator": {"login": self._login(), "type": "User"},
        }
        self._statuses.setdefault(sha, []).append(made)
        return Given(201, made)

    def _list_statuses(self, asked: Asked, reference: str) -> Given:
        found = list(reversed(self._statuses.get(self._commit_id(reference), [])))
        size, page = int(asked.query.get("per_page", 30)), int(asked.query.get("page", 1))
        return Given(200, found[(page - 1) * size : page * size])

    def _combined_status(self, asked: Asked, reference: str) -> Given:
        sha = self._commit_id(reference)
        newest = {one["context"]: one for one in self._statuses.get(sha, [])}
        states = {one["state"] for one in newest.values()}
        state = "pending"
        if states & {"failure", "error"}:
            state = "failure"
        elif states == {"success"}:
            state = "success"
        body = {"state": state, "statuses": list(newest.values()), "sha": sha}
        return Given(200, {**body, "total_count": len(newest)})

    def _branch(self, asked: Asked, branch: str) -> Given:
        given = asked.forwarded(self._upstream)
        if given.status != 200:
            return given
        classic = self.protections.get(branch)
        checks = (classic or {}).get("required_status_checks") or {}
        contexts = checks.get("contexts", [])
        body = {**given.body, "protected": classic is not None or branch in self.rules}
        body["protection"] = {
            "enabled": classic is not None,
            "required_status_checks": {
                "enforcement_level": "non_admins" if contexts else "off",
                "contexts": contexts,
                "checks": [{"context": one, "app_id": None} for one in contexts],
            },
        }
        return replace(given, body=body)

    def _protection(self, asked: Asked, branch: str) -> Given:
        if not self.may_administrate:
            return refusal(403, "Resource not accessible by personal access token")
        if branch not in self.protections:
            return refusal(404, "Branch not protected")
        return Given(200, self._protection_body(branch))

    def _protect(self, asked: Asked, branch: str) -> Given:
        self.protections[branch] = asked.content
        return Given(200, self._protection_body(branch))

    def _unprotect(self, asked: Asked, branch: str) -> Given:
        self.protections.pop(branch, None)
        return Given(204)

    def _protection_body(self, branch: str) -> dict[str, Any]:
        asked = self.protections[branch]
        body: dict[str, Any] = {
            "url": f"{self._upstream}/repos/{self.name}/branches/{branch}/protection",
            "enforce_admins": {"enabled": bool(asked.get("enforce_admins"))},
        }
        checks = asked.get("required_status_checks")
        if checks:
            named = [{"context": one, "app_id": None} for one in checks["contexts"]]
            body["required_status_checks"] = {**checks, "checks": named}
        if asked.get("required_pull_request_reviews"):
            body["required_pull_request_reviews"] = asked["required_pull_request_reviews"]
        return body

    def _rules(self, asked: Asked, branch: str) -> Given:
        return Given(200, self.rules.get(branch, []))

    def _commit(self, asked: Asked) -> Given:
        given = asked.forwarded(self._upstream)
        if given.status == 201:
            self.commits.append(asked.content)
            self.messages[given.body["sha"]] = asked.content["message"]
            self.signatures[given.body["sha"]] = asked.content.get("signature", "")
        return given

    def _delete_ref(self, asked: Asked, reference: str) -> Given:
        given = asked.forwarded(self._upstream)
        return refusal(422, "Reference does not exist") if given.status == 404 else given

    # The emulator.

    def _login(self) -> str:
        return str(self._must(self._person.at("/user", "GET").forwarded(self._upstream))["login"])

    def _head(self, branch: str) -> str | None:
        found = self._ask("GET", f"/git/ref/heads/{quote(branch)}")
        return found.body["object"]["sha"] if found.status == 200 else None

    def _commit_id(self, reference: str) -> str:
        return reference if len(reference) == 40 else self._head(reference) or ""

    def _ask(self, method: str, path: str, content: Any = None) -> Given:
        asked = self._person.at(f"/repos/{self.name}{path}", method, content)
        return asked.forwarded(self._upstream)

    def _get(self, path: str) -> Any:
        return self._must(self._ask("GET", path))

    def _must(self, given: Given) -> Any:
        assert given.status in (200, 201), (given.status, given.body)
        return given.body


def _graphql_error(kind: str, message: str) -> Given:
    error = {"type": kind, "path": ["enablePullRequestAutoMerge"], "message": message}
    return Given(200, {"data": {"enablePullRequestAutoMerge": None}, "errors": [error]})
