"""What an incident says to a person: its cause, and what to do.

Names come from bills: whoever prints these escapes them.
"""

from __future__ import annotations

from datetime import date

from finops_dagster.domain.incidents import Channel
from finops_dagster.engines.anomalies.channels import Hit

_MORE = {
    Channel.POINT: "Look for what was deployed, scaled or run that day, and stop it if nobody "
    "meant it.",
    Channel.SLOW: "Look for what is never deleted or ever grows (logs, snapshots, retries), and "
    "set a limit or a lifetime.",
    Channel.PRICE: "Compare with the price list and the contract, and check whether a commitment "
    "or discount ended.",
    Channel.MISSING: "Check that the bill was delivered in full before anything is made of it.",
    Channel.NEW: "Ask the team whether it was ordered, and by whom it is to be paid.",
    Channel.MIX: "Check that the change of type was meant, and that commitments still cover what "
    "runs.",
    Channel.OFFSETTING: "Check whether work was moved from one to the other, and whether the old "
    "one is to be switched off.",
}
_LESS = {
    Channel.POINT: "Check that what stopped was meant to stop, and that commitments are still "
    "used.",
    Channel.SLOW: "Check that the fall is meant, and whether what was reserved for it can go.",
    Channel.PRICE: "Check the price list and the contract, and that the lower price is to last.",
}


def what_to_do(kind: Channel, more: bool) -> str:
    """One sentence by kind; another where it costs less than before."""
    return _MORE[kind] if more else _LESS.get(kind, _MORE[kind])


def cause(first: Hit, key: tuple[str, ...], cost: float, parts: int) -> str:
    """One sentence: `first` is the anomaly that leads, of leaf `key` that cost `cost` that day."""
    account, service, team, currency = key
    day = date.fromordinal(first.day)
    onset = date.fromordinal(first.onset)
    who = f"{service} of {team or 'nobody'} in {account}"
    more = f", and {parts - 1} more with it" if parts > 1 else ""
    told = {
        Channel.POINT: f"cost {cost:.2f} {currency} on {day} where {first.expected:.2f} "
        f"was expected",
        Channel.SLOW: f"has crept to {cost:.2f} {currency} a day by {day}, from "
        f"{first.expected:.2f} two to five weeks before",
        Channel.PRICE: f"has a unit price {first.score:+.1%} different since {onset}",
        Channel.MISSING: f"has {cost:.2f} {currency} on {day} where {first.expected:.2f} was "
        f"expected, as has most of the account: probably not delivered",
        Channel.NEW: f"is new: {cost:.2f} {currency} on {day}, nothing before",
        Channel.MIX: f"runs on units of another price since {onset}: {cost:.2f} {currency} on "
        f"{day} where {first.expected:.2f} was expected",
        Channel.OFFSETTING: f"cost {cost:.2f} {currency} on {day} where {first.expected:.2f} was "
        f"expected, while another of the account moved the opposite way",
    }
    return f"{who} {told[first.kind]}{more}."
