"""Hostile tokens. Those of a stranger are forged with keys of his own; those of `with_our_key` are what a
confused or stolen signer could say: well signed, and still to be refused."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import uuid
from collections.abc import Iterator
from typing import Any

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from accounts.tokens import keyring

Named = tuple[str, str]  # what it is, the token
NONES = ("none", "None", "NONE", "nOnE", "", None, "null", "HS0", 0, [], {})


def b64(data: bytes | Any) -> str:
    raw = data if isinstance(data, bytes) else json.dumps(data).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def unpacked(token: str) -> tuple[dict[str, Any], dict[str, Any], bytes]:
    head, claims, signature = (base64.urlsafe_b64decode(part + "===") for part in token.split("."))
    return json.loads(head), json.loads(claims), signature


class Forger:
    """Works from a good token of the victim, which the stranger is supposed to have seen."""

    def __init__(self, good: str, other: str):
        self.good, self.other = good, other
        self.head, self.claims, self.signature = unpacked(good)
        self.stranger = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.curve = ec.generate_private_key(ec.SECP256R1())

    def by_strangers(self) -> Iterator[Named]:
        yield from self._algorithms()
        yield from self._public_key_as_secret()
        yield from self._parts()
        yield from self._bits()

    def _algorithms(self) -> Iterator[Named]:
        for alg in NONES:
            for signature in ("", b64(self.signature), "AA"):
                yield f"alg {alg!r}", f"{b64(self.head | {'alg': alg})}.{b64(self.claims)}.{signature}"
        for alg, digest in (
            ("RS256", hashes.SHA256()),
            ("RS384", hashes.SHA384()),
            ("RS512", hashes.SHA512()),
        ):
            yield f"{alg} of a stranger", self._rsa(alg, self.stranger, padding.PKCS1v15(), digest)
        for alg, digest in (("PS256", hashes.SHA256()), ("PS512", hashes.SHA512())):
            pss = padding.PSS(padding.MGF1(digest), digest.digest_size)
            yield f"{alg} of a stranger", self._rsa(alg, self.stranger, pss, digest)
        text = f"{b64(self.head | {'alg': 'ES256'})}.{b64(self.claims)}"
        yield (
            "ES256 of a stranger",
            f"{text}.{b64(self.curve.sign(text.encode(), ec.ECDSA(hashes.SHA256())))}",
        )

    def _rsa(self, alg: str, key: rsa.RSAPrivateKey, how: Any, digest: Any, **head: Any) -> str:
        text = f"{b64(self.head | {'alg': alg} | head)}.{b64(self.claims)}"
        return f"{text}.{b64(key.sign(text.encode(), how, digest))}"

    def _public_key_as_secret(self) -> Iterator[Named]:
        """Algorithm confusion: our public key, which everybody may know, as the secret of an HMAC."""
        public = keyring.signer().public
        pem, der = serialization.Encoding.PEM, serialization.Encoding.DER
        spki, pkcs1 = serialization.PublicFormat.SubjectPublicKeyInfo, serialization.PublicFormat.PKCS1
        raw = [public.public_bytes(encoding, form) for encoding in (pem, der) for form in (spki, pkcs1)]
        for secret in [
            *raw,
            *(each.strip() for each in raw),
            b64(raw[2]).encode(),
            self.head["kid"].encode(),
            b"",
        ]:
            for alg, digest in (
                ("HS256", hashlib.sha256),
                ("HS384", hashlib.sha384),
                ("HS512", hashlib.sha512),
            ):
                text = f"{b64(self.head | {'alg': alg})}.{b64(self.claims)}"
                yield (
                    f"{alg} with our public key",
                    f"{text}.{b64(hmac.digest(secret, text.encode(), digest))}",
                )

    def _parts(self) -> Iterator[Named]:
        head, claims, signature = self.good.split(".")
        others = self.other.split(".")
        yield from {
            "no signature": f"{head}.{claims}.",
            "two parts": f"{head}.{claims}",
            "four parts": f"{self.good}.{signature}",
            "five parts": f"{self.good}.{signature}.{signature}",
            "another token's signature": f"{head}.{claims}.{others[2]}",
            "another token's claims": f"{head}.{others[1]}.{signature}",
            "nothing": "",
            "dots": "..",
            "the signature twice": f"{head}.{claims}.{signature}{signature}",
            "half a signature": f"{head}.{claims}.{signature[: len(signature) // 2]}",
            "an empty object": f"{b64({})}.{b64({})}.{signature}",
            "a list": f"{b64([])}.{b64([])}.{signature}",
        }.items()
        for field, value in {
            "sub": "1",
            "sid": str(uuid.uuid4()),
            "gen": 99,
            "exp": 2**40,
            "is_staff": True,
        }.items():
            yield f"{field} changed", f"{head}.{b64(self.claims | {field: value})}.{signature}"

    def _bits(self) -> Iterator[Named]:
        """Every bit of the signature, and every fourth of head and claims."""
        for part, step in ((2, 1), (1, 4), (0, 4)):
            raw = base64.urlsafe_b64decode(self.good.split(".")[part] + "===")
            for bit in range(0, len(raw) * 8, step):
                flipped = bytearray(raw)
                flipped[bit // 8] ^= 1 << bit % 8
                parts = self.good.split(".")
                parts[part] = b64(bytes(flipped))
                yield f"bit {bit} of part {part}", ".".join(parts)

    # --- S2: heads that lead somewhere -----------------------------------------------------------

    def heads(self, address: str) -> Iterator[Named]:
        """`address`: where a key of the stranger's would be fetched, if anybody did."""
        numbers = self.stranger.public_key().public_numbers()
        length = (numbers.n.bit_length() + 7) // 8
        jwk = {
            "kty": "RSA",
            "kid": "x",
            "n": b64(numbers.n.to_bytes(length, "big")),
            "e": "AQAB",
            "alg": "RS256",
        }
        kids = (
            "../../../../dev/null",
            "/dev/null",
            "0001.pem",
            "' OR 1=1 --",
            "x",
            "",
            None,
            1,
            [],
            {},
            "a" * 4000,
        )
        heads = [{"kid": kid} for kid in (*kids, "\x00", "../keys/jwt/0001", "file:///dev/null", address)]
        heads += [
            {"jku": address},
            {"x5u": address},
            {"jwk": jwk},
            {"jwk": jwk, "kid": "x"},
            {"x5c": ["AAAA"]},
        ]
        heads += [{"jku": f"file://{address}"}, {"typ": "refresh"}, {"cty": "JWT"}, {"pad": "x" * 60_000}]
        for head in heads:
            token = self._rsa("RS256", self.stranger, padding.PKCS1v15(), hashes.SHA256(), **head)
            yield f"head {str(head)[:60]}", token
        for raw in (
            b'{"alg":"RS256","alg":"none"}',
            b"\xff\xfe",
            b'{"alg":"RS256"',
            b"[" * 5000,
            b"null",
            b"1",
        ):
            yield f"head {raw[:30]!r}", f"{b64(raw)}.{b64(self.claims)}.{b64(self.signature)}"

    def heads_with_our_key(self) -> Iterator[Named]:
        for head in (
            {"crit": ["exp"]},
            {"crit": ["b64"], "b64": False},
            {"crit": ["x"], "x": 1},
            {"b64": False},
        ):
            yield (
                f"our key, head {head}",
                self._rsa("RS256", keyring.signer().private, padding.PKCS1v15(), hashes.SHA256(), **head),
            )

    # --- S3: claims ------------------------------------------------------------------------------

    def claims_with_our_key(self) -> Iterator[Named]:
        now = self.claims["iat"]
        wrong: list[dict[str, Any]] = [
            *(
                {"exp": value}
                for value in (0, -1, now - 1, now - 3600, str(now + 99), None, [], {}, "NaN", True)
            ),
            *({"nbf": value} for value in (now + 600, now + 10**9, str(now + 600), [])),
            *({"iat": value} for value in (now + 600, now + 10**9, "x", [])),
            *(
                {"aud": value}
                for value in ("x", "", None, [], ["simgame-api/refresh"], {"simgame-api": 1}, 1)
            ),
            *({"iss": value} for value in ("x", "", None, [], ["simgame"], 1)),
            *({"sid": value} for value in ("x", "", None, str(uuid.uuid4()), 1, [])),
            *({"sub": value} for value in ("0", "", None, "-1", "1e3", "１", 1, [])),
            *({"gen": value} for value in (-1, 0, 10**9, "1", None, 1.5, [])),
            *({"token_type": value} for value in ("refresh", "", None, "Access", 1)),
            {"aud": "simgame-api/refresh"},
        ]
        for change in wrong:
            yield f"our key, {change}", self.signed(json.dumps(self.claims | change).encode())
        for name in ("exp", "aud", "iss", "sid", "sub", "gen", "token_type", "jti", "iat"):
            yield (
                f"our key, without {name}",
                self.signed(
                    json.dumps({key: value for key, value in self.claims.items() if key != name}).encode()
                ),
            )
        text = json.dumps(self.claims)
        for value in ("NaN", "Infinity", "-Infinity", "1e400", "1e309", "99999999999999999999999.5"):
            yield (
                f"our key, exp {value}",
                self.signed(text.replace(f'"exp": {self.claims["exp"]}', f'"exp": {value}').encode()),
            )
        for raw in (b"", b"null", b"[]", b'"x"', b"\xff", b"[" * 5000):
            yield f"our key, claims {raw[:20]!r}", self.signed(raw)

    def signed(self, claims: bytes) -> str:
        key = keyring.signer()
        text = f"{b64({'alg': 'RS256', 'typ': 'JWT', 'kid': key.kid})}.{b64(claims)}"
        return f"{text}.{b64(key.private.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256()))}"
