"""The RSA keys that sign tokens: `0001.pem`, `0002.pem`, … in JWT_KEY_DIR.

The highest number signs, all of them verify: `manage.py rotate_keys` adds a file, which signs nobody out.
A new key signs only when it is SETTLE_S old: until then every process has looked at the folder again. A
key's id (`kid`) is the hash of its public half; a token's `kid` is only ever looked up, never used as
a path.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from django.conf import settings
from jwt.algorithms import RSAAlgorithm

from simgame.kernel import clock

KEY_BITS: Final = 2048
RELOAD_S: Final = 5.0  # the folder is looked at again at most this often
SETTLE_S: Final = 15.0  # three looks: when a key signs, everybody can verify it
PUBLISHED_S: Final = int(SETTLE_S - RELOAD_S)  # who keeps the key set so long knows a new key before it signs


@dataclass(frozen=True)
class SigningKey:
    kid: str
    number: int  # of its file
    made_at: float  # seconds since 1970
    private: rsa.RSAPrivateKey
    public: rsa.RSAPublicKey


class Keyring:
    """The keys of one folder, the first made at first use."""

    def __init__(self, folder: Path):
        self.folder = folder
        self._keys: dict[str, SigningKey] = {}
        self._loaded_s = float("-inf")

    def signer(self, kid: str = "") -> SigningKey:
        """The newest key that has settled, or the one named (LookupError when it is gone)."""
        if self._is_old():
            self._load()
        if kid:
            return self._keys[kid]
        settled_at = clock.now_ns() / clock.NS_PER_S - SETTLE_S
        *older, newest = self._keys.values()
        return next((key for key in [newest, *reversed(older)] if key.made_at <= settled_at), self.all()[0])

    def all(self) -> list[SigningKey]:
        """Every key, the oldest first."""
        if self._is_old():
            self._load()
        return list(self._keys.values())

    def verifier(self, kid: object) -> rsa.RSAPublicKey | None:
        if not isinstance(kid, str):
            return None
        if kid not in self._keys and self._is_old():
            self._load()
        key = self._keys.get(kid)
        return key.public if key else None

    def jwks(self) -> dict[str, list[dict[str, str]]]:
        """The public halves as a JSON Web Key Set (RFC 7517): also a key that will sign soon, and those whose
        tokens have not expired."""
        return {"keys": [_jwk(key) for key in self.all()]}

    def _is_old(self) -> bool:
        return clock.monotonic_s() - self._loaded_s > RELOAD_S

    def _load(self) -> None:
        if not (paths := sorted(self.folder.glob("*.pem"))):
            make(self.folder, 1)
            paths = sorted(self.folder.glob("*.pem"))
        read = {(key.number, key.made_at): key for key in self._keys.values()}
        keys = [read.get(_stamp(path)) or _read(path) for path in paths]
        self._keys = {key.kid: key for key in keys}
        self._loaded_s = clock.monotonic_s()


def rotate(folder: Path) -> SigningKey:
    """The next key: it signs from SETTLE_S on, the others still verify."""
    numbers = [int(path.stem) for path in folder.glob("*.pem")]
    number = max(numbers, default=0) + 1
    make(folder, number)
    return _read(folder / f"{number:04}.pem")


def retire(folder: Path, needed: Collection[str]) -> list[SigningKey]:
    """Removes the keys that sign no more and whose `kid` no living token `needs`; never the newest two."""
    keys = [_read(path) for path in sorted(folder.glob("*.pem"))]
    leaving = [key for key in keys[:-2] if key.kid not in needed]
    for key in leaving:
        (folder / f"{key.number:04}.pem").unlink()
    return leaving


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


def _jwk(key: SigningKey) -> dict[str, str]:
    public = RSAAlgorithm.to_jwk(key.public, as_dict=True)
    return {"kty": "RSA", "use": "sig", "alg": "RS256", "kid": key.kid, "n": public["n"], "e": public["e"]}


def _stamp(path: Path) -> tuple[int, float]:
    return int(path.stem), path.stat().st_mtime


def _read(path: Path) -> SigningKey:
    private = serialization.load_pem_private_key(path.read_bytes(), password=None)
    if not isinstance(private, rsa.RSAPrivateKey):
        raise ValueError(f"{path} holds no RSA key; tokens are signed with RS256.")
    public = private.public_key()
    der = public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return SigningKey(hashlib.sha256(der).hexdigest()[:16], *_stamp(path), private, public)


keyring = Keyring(settings.JWT_KEY_DIR)
