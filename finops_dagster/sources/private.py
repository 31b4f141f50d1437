"""Values made private on their way to landing: keyed hashes, gaps, coarser numbers, masked text.

Which value is treated how is said by the rules of domain; where the key comes from, by the shell.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from finops_dagster.documents import read_typed
from finops_dagster.domain.errors import Fault, SettingsError
from finops_dagster.domain.ids import content_id
from finops_dagster.domain.privacy import Action, PrivacyPolicy, TablePrivacy, Treatment
from finops_dagster.domain.schemas import Column, TableSchema
from finops_dagster.sources.parsing import RawColumn, as_text, squeeze
from finops_dagster.sources.text_files import unnumbered

SHIPPED = Path(__file__).parent / "privacy.yaml"
_PAGE = "docs/privacy.md"
_DIGITS = 32
"""Hexadecimal digits of a hash that are kept: 128 bits, so that no two texts of a log meet."""


def read_policy(path: Path) -> PrivacyPolicy:
    """The policy file at `path`. Raises SettingsError with a fault for each line at fault."""
    document = read_typed(PrivacyPolicy, path, "a privacy policy", _PAGE)
    faults = tuple(
        document.fault(place, f"Expected {wanted}.", f"See {_PAGE}.")
        for place, wanted in document.value.misfits()
    )
    if faults:
        raise SettingsError(f"{path} cannot be used: {len(faults)} to mend", faults)
    return document.value


@dataclass(frozen=True)
class Privacy:
    """How the values of one table are treated on their way to landing. `key` is the secret."""

    rules: TablePrivacy
    key: bytes

    @classmethod
    def of(
        cls, table: TableSchema, policies: Sequence[PrivacyPolicy], key: Callable[[], bytes]
    ) -> Privacy:
        """By the rules of `policies` in turn, then by those shipped; `key` is asked if needed."""
        rules = [rule for one in (*policies, read_policy(SHIPPED)) for rule in one.of(table.name)]
        privacy = TablePrivacy(table, tuple(rules))
        return cls(privacy, key() if privacy.masked else b"")

    def naming(self, words: Mapping[str, frozenset[str]]) -> Privacy:
        """The same, with the words that a log's declared schema names."""
        return replace(self, rules=replace(self.rules, words=words))

    @property
    def masked(self) -> bool:
        """Whether rows set aside show no values."""
        return self.rules.masked

    def digest(self) -> str:
        """Changes with rules and key, tells nothing of the key; empty where all is kept.

        A part of a delivery's id: under other rules, or another key, it lands anew.
        """
        if not self.masked:
            return ""
        rules = [(pattern, one.model_dump(mode="json")) for pattern, one in self.rules.rules]
        return content_id("privacy", {"rules": rules, "key": self.hashed("the key itself", "")})

    def hashed(self, text: str, place: str) -> str:
        """HMAC-SHA256 of a text (RFC 2104), cut to 128 bits; another in every column.

        Keyed, since names, e-mail addresses and customer numbers are few: who has an unkeyed hash
        hashes all of them and looks which it is.
        """
        message = place.encode() + b"\0" + text.encode("utf-8", "surrogatepass")
        return "h-" + hmac.digest(self.key, message, sha256).hex()[:_DIGITS]

    def column(self, name: str, values: pa.Array) -> pa.Array:
        """The values of a table's column as they may land."""
        column = next(one for one in self.rules.table.columns if one.name == name)
        if not pa.types.is_map(values.type):
            return self._treated(values, self.rules.of(column), name)
        return self._map(column, values)

    def _map(self, column: Column, values: pa.Array) -> pa.Array:
        whole = pa.concat_arrays([values.take(pa.array(np.arange(len(values))))])
        keys, items = whole.keys, whole.items
        codes = keys.dictionary_encode()
        names = codes.dictionary.to_pylist()
        rules = [self.rules.of(column, name) for name in names]
        if all(one.action is Action.KEEP for one in rules):
            return values
        of_entry = codes.indices.to_numpy(zero_copy_only=False)
        kept = np.ones(len(keys), dtype=bool)
        for number, (name, rule) in enumerate(zip(names, rules, strict=True)):
            mine = of_entry == number
            if rule.action is Action.DROP:
                kept[mine] = False
            elif rule.action is not Action.KEEP:
                treated = self._treated(items, rule, f"{column.name}.{name}")
                items = pc.if_else(pa.array(mine), treated, items)
        if kept.all():
            offsets = whole.offsets
        else:
            before = np.concatenate([[0], np.cumsum(kept)])
            offsets = pa.array(before[whole.offsets.to_numpy()], pa.int32())
            keys, items = keys.filter(pa.array(kept)), items.filter(pa.array(kept))
        mask = whole.is_null() if whole.null_count else None
        return pa.MapArray.from_arrays(offsets, keys, items, mask=mask).cast(values.type)

    def _treated(self, values: pa.Array, rule: Treatment, place: str) -> pa.Array:
        match rule.action:
            case Action.KEEP:
                return values
            case Action.DROP:
                return pa.nulls(len(values), values.type)
            case Action.GENERALISE:
                width = pa.scalar(rule.generalise, pa.float64())
                steps = pc.floor(pc.divide(values.cast(pa.float64()), width))
                return pc.multiply(steps, width).cast(values.type, safe=False)
            case Action.HASH | Action.WORDS:
                codes = values.cast(pa.string()).dictionary_encode()
                texts = [
                    one if one is None or one in rule.words else self.hashed(one, place)
                    for one in codes.dictionary.to_pylist()
                ]
                return pa.array(texts, pa.string()).take(codes.indices)


MASKED_QUOTED = (
    "CREATE OR REPLACE MACRO quoted(value) AS 'a value of ' || length(value::VARCHAR) || "
    "' characters'"
)
"""In place of `columns.QUOTED`: reasons that quote nothing."""


def masked(column: RawColumn) -> str:
    """SQL of what a row set aside shows of a delivered value."""
    return f"(length({as_text(column)}) || ' characters')"


def masked_text(text: str) -> str:
    """What is shown of a line that could not be read."""
    return f"{len(text)} characters"


def shown_name(column: RawColumn, place: int, known: Collection[str]) -> str:
    """What may be shown of a delivered column's name, `place` its number from 1.

    A file without its header has values for names, so only those that are known are shown.
    """
    return column.name if _is_known(column.name, known) else f"column {place}"


def without_names(fault: Fault, known: Collection[str]) -> Fault:
    """A fault that names no column but those that are known."""
    if fault.column is None or all(_is_known(one, known) for one in fault.column.split("+")):
        return fault
    return fault.model_copy(update={"column": "(a name that is not shown)"})


def _is_known(name: str, known: Collection[str]) -> bool:
    return squeeze(unnumbered(name)) in {squeeze(one) for one in known}
