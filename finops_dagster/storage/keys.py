"""The installation's own secret, made at first use and readable by its owner alone.

What it is used for is the business of whoever asks.
"""

from __future__ import annotations

import os
import secrets
import stat
from pathlib import Path

from finops_dagster.domain.errors import Fault, SettingsError

_BYTES = 32
"""As long as the output of SHA-256: a longer key adds nothing (RFC 2104, section 3)."""


def installation_key(path: Path) -> bytes:
    """The key in `path`; where there is none, a random one is written there, mode 0600.

    Raises SettingsError where others may read it, or where it is no key.
    """
    if not path.exists():
        _make(path)
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o077:
        raise _refused(path, f"a file of mode 0600; it is {mode:04o}", f"Run chmod 600 {path}.")
    key = bytes.fromhex(path.read_text(encoding="ascii")) if _is_key(path) else b""
    if len(key) != _BYTES:
        raise _refused(
            path,
            f"{_BYTES} bytes in hexadecimal",
            "Put it back from a backup; a new key makes hashes that match none of the old.",
        )
    return key


def _make(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    handle = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(secrets.token_hex(_BYTES))
            file.flush()
            os.fsync(file.fileno())
        # a link, which fails where another process was faster: there is one key
        os.link(aside, path)
    except FileExistsError:
        pass
    finally:
        aside.unlink(missing_ok=True)


def _is_key(path: Path) -> bool:
    text = path.read_bytes()
    return len(text) == 2 * _BYTES and all(byte in b"0123456789abcdef" for byte in text)


def _refused(path: Path, expected: str, hint: str) -> SettingsError:
    fault = Fault(code="privacy_key", file=str(path), expected=f"Expected {expected}.", hint=hint)
    return SettingsError(f"{path} cannot be used as the privacy key: expected {expected}", (fault,))
