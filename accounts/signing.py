"""The RSA keys that sign tokens: `0001.pem`, `0002.pem`, … in JWT_KEY_DIR.

The highest number signs, all of them verify: adding a file rotates without signing anybody out. A
key's id (`kid`) is the hash of its public half; a token's `kid` is only ever looked up, never used as
a path.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from django.conf import settings

from simgame.kernel import clock

KEY_BITS: Final = 2048
RELOAD_S: Final = 5.0  # an unknown kid makes us look at the folder again, at most this often


@dataclass(frozen=True)
class SigningKey:
    kid: str
    private: rsa.RSAPrivateKey
    public: rsa.RSAPublicKey


class Keyring:
    """The keys of one folder, the first made at first use."""

    def __init__(self, folder: Path):
        self.folder = folder
        self._keys: dict[str, SigningKey] = {}
        self._newest = ""
        self._loaded_s = float("-inf")

    def signer(self, kid: str = "") -> SigningKey:
        """The newest key, or the one named (LookupError when it is gone)."""
        if not self._keys:
            self._load()
        return self._keys[kid or self._newest]

    def verifier(self, kid: object) -> rsa.RSAPublicKey | None:
        if not isinstance(kid, str):
            return None
        if kid not in self._keys and clock.monotonic_s() - self._loaded_s > RELOAD_S:
            self._load()
        key = self._keys.get(kid)
        return key.public if key else None

    def _load(self) -> None:
        if not (paths := sorted(self.folder.glob("*.pem"))):
            make(self.folder, 1)
            paths = sorted(self.folder.glob("*.pem"))
        keys = [_read(path) for path in paths]
        self._keys = {key.kid: key for key in keys}
        self._newest = keys[-1].kid
        self._loaded_s = clock.monotonic_s()


def make(folder: Path, number: int) -> None:
    """A new key file. Of two processes that race for a number, the first one's key stays."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    pem = rsa.generate_private_key(public_exponent=65537, key_size=KEY_BITS).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    draft = folder / f"{number:04}.{secrets.token_hex(4)}.draft"
    draft.touch(mode=0o600)
    draft.write_bytes(pem)
    try:
        os.link(draft, folder / f"{number:04}.pem")
    except FileExistsError:
        return
    finally:
        draft.unlink()


def _read(path: Path) -> SigningKey:
    private = serialization.load_pem_private_key(path.read_bytes(), password=None)
    if not isinstance(private, rsa.RSAPrivateKey):
        raise ValueError(f"{path} holds no RSA key; tokens are signed with RS256.")
    public = private.public_key()
    der = public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return SigningKey(hashlib.sha256(der).hexdigest()[:16], private, public)


keyring = Keyring(settings.JWT_KEY_DIR)
