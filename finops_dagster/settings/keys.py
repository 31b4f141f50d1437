"""Private keys that the environment holds, as text or as the path of a file.

What they open is not known here.
"""

from __future__ import annotations

from pathlib import Path

from pydantic import SecretStr

from finops_dagster.domain.errors import Fault, SettingsError

MAX_KEY_BYTES = 64 * 2**10


def revealed_key(key: SecretStr | None, file: Path | None, variable: str) -> str | None:
    """The key's text; None where neither is set. Raises SettingsError if the file is none.

    `variable`: the environment's name of the key, for what is told.
    """
    if key is not None:
        return key.get_secret_value().replace("\\n", "\n")
    if file is None:
        return None
    try:
        data = file.read_bytes()
        if len(data) > MAX_KEY_BYTES:
            raise ValueError
        return data.decode("ascii")
    except (OSError, ValueError) as error:
        raise SettingsError(f"The key file that {variable}_FILE names cannot be used.", (
            Fault(
                code="key_file",
                column=f"{variable}_FILE",
                expected=f"A readable text file with a private key was expected "
                f"({type(error).__name__}).",
                hint=f"Correct {variable}_FILE, or set {variable}.",
            ),
        )) from None  # fmt: skip
