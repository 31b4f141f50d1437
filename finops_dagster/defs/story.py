"""The story of one change: from the charges it rests on to who approved it, step by step.

Where costs and use of its resource are found is in story_facts; how it is printed, in cli.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from finops_dagster.defs.estate import Estate
from finops_dagster.defs.story_facts import Step, billed, forecasted, measured
from finops_dagster.domain.decisions import ChangeSet, Finding, Proposal, Verdict
from finops_dagster.domain.errors import Fault, FinopsError, SettingsError
from finops_dagster.domain.pull_requests import PullRequest, PullRequestState
from finops_dagster.gitops.words import effect
from finops_dagster.storage.audit import verify
from finops_dagster.storage.ledger import Entry


@dataclass(frozen=True)
class Story:
    """Steps in order, and what could not be told."""

    subject: str
    steps: tuple[Step, ...]
    missing: tuple[str, ...]
    others: tuple[str, ...]
    """Ids of other proposals of the same resource."""


class _Chain:
    """The ledger's entries, found by what they are about."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        self.entries = entries
        self.by_id = {entry.id: entry for entry in entries}
        self.used: dict[int, Entry] = {}

    def of(self, kind: str, **values: str) -> list[Entry]:
        """Entries of a kind whose payload says so, oldest first; they are part of the story."""
        found = [
            entry
            for entry in self.entries
            if entry.kind == kind
            and all(entry.payload.get(name) == value for name, value in values.items())
        ]
        self.used.update((entry.sequence, entry) for entry in found)
        return found

    def use(self, id_: str) -> Entry | None:
        """The entry of an id, which is part of the story."""
        entry = self.by_id.get(id_)
        if entry is not None:
            self.used[entry.sequence] = entry
        return entry


def story(estate: Estate, subject: str) -> Story:
    """Of a pull request (`12`, `#12`), a resource, a proposal or a finding.

    Raises SettingsError if nothing of that name was ever decided or opened.
    """
    chain = _Chain(list(estate.ledger.entries()))
    missing: list[str] = []
    pulls = _pull_requests(estate, chain, missing)
    ids, pull = _chosen(chain, pulls, subject)
    entries = [entry for id_ in ids if (entry := chain.use(id_))]
    proposals = [Proposal.model_validate(entry.payload) for entry in entries]
    missing += [f"proposal {id_} is not in the ledger" for id_ in ids if id_ not in chain.by_id]
    steps: list[Step] = []
    for entry, proposal in zip(entries, proposals, strict=True):
        steps += _decided(estate, chain, entry, proposal, missing)
    if pull is not None:
        steps += _lived(estate, chain, pull, missing)
    keys = {one.change_key for one in proposals} | ({pull.key} if pull is not None else set())
    steps += _events(chain, keys, pull)
    steps.append(_proof(estate, chain))
    resources = {one.resource for one in proposals}
    others = [
        entry.id
        for entry in chain.entries
        if entry.kind == "proposal"
        and entry.payload["resource"] in resources
        and entry.id not in ids
    ]
    return Story(subject, tuple(steps), tuple(dict.fromkeys(missing)), tuple(others))


def _pull_requests(estate: Estate, chain: _Chain, missing: list[str]) -> list[PullRequest]:
    """As the forge has them; where it cannot be asked, as the ledger saw them last."""
    try:
        return list(estate.forge().pull_requests())
    except FinopsError as error:
        missing.append(f"the forge was not asked ({error.message}); the ledger's last look is told")
    newest = {
        entry.payload["number"]: PullRequest.model_validate(entry.payload)
        for entry in chain.entries
        if entry.kind == "pull_request"
    }
    return list(newest.values())


def _proposals_of(pull: PullRequest) -> list[str]:
    return [member.proposal_id for member in pull.members] or [pull.proposal_id]


def _chosen(
    chain: _Chain, pulls: Sequence[PullRequest], subject: str
) -> tuple[list[str], PullRequest | None]:
    """Ids of the proposals that a subject is about, and their pull request."""
    name = subject.strip()
    if name.lstrip("#").isdecimal():
        number = int(name.lstrip("#"))
        for pull in pulls:
            if pull.number == number:
                return _proposals_of(pull), pull
        raise _unknown(subject)
    made = [entry for entry in chain.entries if entry.kind == "proposal"]
    found = [
        entry
        for entry in made
        if name in (entry.id, entry.payload["finding_id"], entry.payload["resource"])
    ]
    for pull in reversed(pulls):
        own = set(_proposals_of(pull))
        if own & {entry.id for entry in found}:
            return _proposals_of(pull), pull
    if found:
        return [found[-1].id], None
    raise _unknown(subject)


def _decided(
    estate: Estate, chain: _Chain, made: Entry, proposal: Proposal, missing: list[str]
) -> Iterator[Step]:
    """What it rests on, and what was decided of it.

    `made`: its entry, by whose id others name it; a later version may make another of it.
    """
    yield billed(estate, proposal, missing)
    yield measured(estate, proposal, missing)
    yield forecasted(estate, proposal, missing)
    entry = chain.use(proposal.finding_id)
    if entry is None:
        missing.append(f"finding {proposal.finding_id} is not in the ledger")
    else:
        finding = Finding.model_validate(entry.payload)
        yield Step(
            "finding", finding.as_of, finding.reason,
            {"id": entry.id, "kind": finding.kind.value, "engine": finding.engine,
             "wrong_if": finding.wrong_if, **_link(entry)},
        )  # fmt: skip
    yield Step(
        "proposal", proposal.as_of,
        f"{proposal.resource} {proposal.field}: {proposal.current} to {proposal.proposed}, "
        f"{effect([proposal])}",
        {"id": made.id, "owner": proposal.owner, "environment": proposal.environment,
         "risk": proposal.risk, "confidence": proposal.confidence, "order": proposal.order,
         "order_reason": proposal.order_reason, "publication_id": proposal.publication_id,
         "not_if": proposal.counterfactual,
         **_link(made)},
    )  # fmt: skip
    for entry in chain.of("verdict", subject=made.id)[-1:]:
        verdict = Verdict.model_validate(entry.payload)
        for rule in verdict.rules:
            yield Step(
                "rule", proposal.as_of, f"{rule.decision.value}: {rule.title}",
                {"id": rule.id, "actual": rule.actual, "limit": rule.limit, "fix": rule.fix},
            )  # fmt: skip
        yield Step(
            "verdict", proposal.as_of,
            f"{verdict.decision.value} by {len(verdict.rules)} rules that spoke",
            {"bundle": verdict.bundle, "rung": verdict.rung.value,
             "rung_reason": verdict.rung_reason, "approvers": verdict.approvers, **_link(entry)},
        )  # fmt: skip
    for entry in chain.of("change_set", proposal_id=made.id)[-1:]:
        changes = ChangeSet.model_validate(entry.payload)
        yield Step(
            "change set", None, f"{len(changes.edits)} edits at {changes.base_sha[:12]}",
            {"edits": [{"file": edit.file, "before": edit.before, "after": edit.after}
                       for edit in changes.edits],
             "fingerprint": changes.fingerprint, "base_sha": changes.base_sha, **_link(entry)},
        )  # fmt: skip


def _lived(estate: Estate, chain: _Chain, pull: PullRequest, missing: list[str]) -> Iterator[Step]:
    for entry in chain.entries:
        if entry.kind == "pull_request" and entry.payload["number"] == pull.number:
            chain.use(entry.id)
    diff = ""
    try:
        diff = estate.forge().diff(pull.number)
    except FinopsError as error:
        missing.append(f"the diff could not be read: {error.message}")
    yield Step(
        "pull request", pull.opened_at, f"#{pull.number} {pull.title}",
        {"url": pull.url, "branch": pull.branch, "head_sha": pull.head_sha,
         "rung": pull.rung.value, "labels": pull.labels, "diff": diff},
    )  # fmt: skip
    by = f" by {pull.ended_by}" if pull.ended_by else ""
    merged = pull.state in (PullRequestState.MERGED, PullRequestState.REVERTED)
    named = {"may_approve": pull.approvers}
    if pull.state is PullRequestState.OPEN:
        yield Step("approver", None, "nobody yet: it is open", named)
    else:
        yield Step(
            "approver" if merged else "end", pull.ended_at, f"{pull.state.value}{by}",
            {**named, "ended_by": pull.ended_by, "merge_sha": pull.merge_sha},
        )  # fmt: skip


def _events(chain: _Chain, keys: set[str], pull: PullRequest | None) -> Iterator[Step]:
    """What the product did with it and what people decided, as the ledger has it."""
    number = pull.number if pull is not None else None
    for entry in chain.entries:
        told = entry.payload
        about = told.get("key") in keys or (number is not None and told.get("number") == number)
        if entry.kind in ("action", "human_decision") and about:
            chain.use(entry.id)
            who = f" by {told['who']}" if told.get("who") else ""
            reason = f": {told['reason']}" if told.get("reason") else ""
            yield Step(
                entry.kind.replace("_", " "), _time(told.get("when")) or entry.recorded_at,
                f"{told.get('what', '')}{who}{reason}", _link(entry),
            )  # fmt: skip


def _proof(estate: Estate, chain: _Chain) -> Step:
    found = verify(estate.ledger)
    holds = "every hash of the ledger holds" if found.broken is None else str(found.broken)
    return Step(
        "ledger", None, f"{len(chain.used)} entries of {found.entries}; {holds}",
        {"entries": [{"sequence": entry.sequence, "kind": entry.kind, "id": entry.id,
                      "recorded_at": entry.recorded_at, "hash": entry.hash}
                     for _, entry in sorted(chain.used.items())]},
    )  # fmt: skip


def _link(entry: Entry) -> dict[str, Any]:
    return {"ledger": f"{entry.sequence}:{entry.hash[:12]}"}


def _time(text: object) -> datetime | None:
    return datetime.fromisoformat(text).astimezone(UTC) if isinstance(text, str) else None


def _unknown(subject: str) -> SettingsError:
    return SettingsError(f"Nothing is known of {subject}.", (
        Fault(
            code="unknown_subject",
            expected="Expected a pull request's number, a resource (KIND/NAMESPACE/NAME) that a "
            "change was proposed for, or the id of a proposal or finding.",
            hint="`finops prs` and `finops proposals` list them.",
        ),
    ))  # fmt: skip
