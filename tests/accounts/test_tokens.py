"""Tokens: who holds one is believed, who made one up is not, and a copied one is found out."""

from __future__ import annotations

import base64
import json
import os
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest
from asgiref.sync import async_to_sync
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from django.conf import settings
from django.core.management import call_command
from django.db import connections

from accounts import identity, logins, players, signing, tokens
from accounts.errors import BadToken, ExpiredToken, ReusedToken
from accounts.models import AuditEntry, Login, Player, RefreshToken
from accounts.signing import keyring
from simgame.kernel import clock
from simgame.kernel.errors import SimGameError, Unauthenticated

pytestmark = pytest.mark.django_db(transaction=True)  # the identity is looked up in another thread


def b64(raw: bytes | str | dict[str, Any]) -> str:
    if isinstance(raw, dict):
        raw = json.dumps(raw)
    if isinstance(raw, str):
        raw = raw.encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def claims_now(**changed: Any) -> dict[str, Any]:
    now = clock.now_ns() // clock.NS_PER_S
    claims = {
        "token_type": "access",
        "sub": "1",
        "sid": str(uuid.uuid4()),
        "jti": str(uuid.uuid4()),
        "gen": 1,
        "iat": now,
        "exp": now + 300,
        "aud": settings.JWT_AUDIENCE,
        "iss": settings.JWT_ISSUER,
    } | changed
    return {name: value for name, value in claims.items() if value is not ...}


def signed(claims: dict[str, Any], **header: Any) -> str:
    """With our own key: only the claims can be at fault."""
    key = keyring.signer()
    return jwt.encode(claims, key.private, "RS256", headers={"kid": key.kid} | header)


def raw_signed(header: str | dict[str, Any], payload: str | bytes | dict[str, Any]) -> str:
    """Our own signature over any bytes at all."""
    message = f"{b64(header)}.{b64(payload)}"
    algorithm = jwt.get_algorithm_by_name("RS256")
    return f"{message}.{b64(algorithm.sign(message.encode(), keyring.signer().private))}"


def forged() -> dict[str, str]:
    """Name of the attack → token. Tokens that our own key signed are marked `ours`."""
    now = clock.now_ns() // clock.NS_PER_S
    key, good = keyring.signer(), signed(claims_now())
    head, body, signature = good.split(".")
    public_pem = key.public.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    theirs = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    curve = ec.generate_private_key(ec.SECP256R1())
    kid = {"kid": key.kid}
    attacks = {
        f"alg {alg}": f"{b64({'alg': alg, 'typ': 'JWT', **kid})}.{body}."
        for alg in ("none", "None", "nOnE", "NONE", "")
    }
    hmac_head = b64({"alg": "HS256", "typ": "JWT", **kid})
    hmac = jwt.get_algorithm_by_name("HS256").sign(f"{hmac_head}.{body}".encode(), public_pem)
    not_utf8 = b64(b'{"alg": "\xff"}')
    attacks |= {
        "HS256 with our public key": f"{hmac_head}.{body}.{b64(hmac)}",
        "RS512, our key": jwt.encode(claims_now(), key.private, "RS512", headers=kid),
        "PS256, our key": jwt.encode(claims_now(), key.private, "PS256", headers=kid),
        "ES256, their key": jwt.encode(claims_now(), curve, "ES256", headers=kid),
        "their key, our kid": jwt.encode(claims_now(), theirs, "RS256", headers=kid),
        "their key in jwk": jwt.encode(
            claims_now(), theirs, "RS256", headers={**kid, "jwk": {"kty": "RSA", "n": "x", "e": "AQAB"}}
        ),
        "their key by jku": jwt.encode(
            claims_now(), theirs, "RS256", headers={**kid, "jku": "https://evil.example/keys"}
        ),
        "no signature": f"{head}.{body}.",
        "signature of another": f"{head}.{body}.{signed(claims_now(sub='2')).split('.')[2]}",
        "claims of another": f"{head}.{signed(claims_now(sub='2')).split('.')[1]}.{signature}",
        "kid missing": jwt.encode(claims_now(), key.private, "RS256"),
        "kid a path": signed(claims_now(), kid="../../../../dev/null"),
        "kid SQL": signed(claims_now(), kid="' OR 1=1 --"),
        "kid NUL": signed(claims_now(), kid="\x00"),
        "kid long": signed(claims_now(), kid="k" * 70_000),
        "kid a list": raw_signed({"alg": "RS256", "kid": [key.kid]}, claims_now()),
        "kid a number": raw_signed({"alg": "RS256", "kid": 1}, claims_now()),
        "crit unknown": signed(claims_now(), crit=["exp-strict"]),
        "header no object": raw_signed("[]", claims_now()),
        "header not UTF-8": f"{not_utf8}.{body}.{signature}",
        "header nested": f"{b64('[' * 3000)}.{body}.{signature}",
        "claims no object": raw_signed({"alg": "RS256", **kid}, "[]"),
        "claims not JSON": raw_signed({"alg": "RS256", **kid}, "{"),
        "claims not UTF-8": raw_signed({"alg": "RS256", **kid}, b'{"sub": "\xff"}'),
        "exp NaN": raw_signed({"alg": "RS256", **kid}, json.dumps(claims_now(exp=float("nan")))),
        "exp 1e400": raw_signed(
            {"alg": "RS256", **kid}, json.dumps(claims_now(exp=...))[:-1] + ', "exp": 1e400}'
        ),
        "exp huge": signed(claims_now(exp=10**30)),
        "exp text": signed(claims_now(exp=str(now + 300))),
        "exp real": signed(claims_now(exp=now + 300.5)),
        "exp true": signed(claims_now(exp=True)),
        "exp past": signed(claims_now(exp=now - 1)),
        "exp -1": signed(claims_now(exp=-1)),
        "nbf future": signed(claims_now(nbf=now + 60)),
        "iat future": signed(claims_now(iat=now + 3600)),
        "aud wrong": signed(claims_now(aud="other-api")),
        "iss wrong": signed(claims_now(iss="https://evil.example")),
        "a refresh token": signed(claims_now(token_type="refresh", aud=f"{settings.JWT_AUDIENCE}/refresh")),
        "type refresh": signed(claims_now(token_type="refresh")),
        "type socket": signed(claims_now(token_type="socket")),
        "sid no id": signed(claims_now(sid="1 OR 1=1")),
        "sub a number": raw_signed({"alg": "RS256", **kid}, claims_now(sub=1)),
        "gen text": signed(claims_now(gen="1")),
        "no such login": good,
        "empty": "",
        "dots": "..",
        "four parts": f"{good}.{signature}",
        "spaces": f" {head} .{body}.{signature}",
        "64 KB": "x" * 65_536,
        "not ASCII": "éé.üü.ßß",
    }
    attacks |= {f"{name} missing": signed(claims_now(**{name: ...})) for name in
                ("exp", "aud", "iss", "jti", "sid", "sub", "iat", "token_type")}  # fmt: skip
    return attacks


def test_none_of_the_forged_tokens_is_believed(alice: Player) -> None:
    attacks = forged()
    believed = []
    for name, token in attacks.items():
        for believe in (async_to_sync(identity.identify_token), tokens.refresh):
            try:
                believe(token)
            except Unauthenticated:
                continue
            believed.append(name)
    assert not believed
    assert len(attacks) > 50


def test_no_single_changed_bit_is_believed(alice: Player) -> None:
    token = tokens.issue(alice).access
    assert tokens.access_claims(token).sub == str(alice.pk)
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    believed = []
    for place, character in enumerate(token):
        if character == "." or place == len(token) - 1:  # the last character carries unused bits
            continue
        other = alphabet[alphabet.index(character) ^ 1]
        try:
            tokens.access_claims(token[:place] + other + token[place + 1 :])
        except Unauthenticated:
            continue
        believed.append(place)
    assert not believed


def test_alice_is_known_by_her_access_token(alice: Player) -> None:
    who = async_to_sync(identity.identify_token)(tokens.issue(alice, "curl/8").access)
    assert (who.player_id, who.how) == (alice.pk, "token")
    assert Login.objects.get(pk=who.login_id).device == "curl/8"


def test_refreshing_gives_the_next_pair_and_stores_no_token(alice: Player) -> None:
    first = tokens.issue(alice)
    second = tokens.refresh(first.refresh)
    assert second.refresh != first.refresh
    stored = b"".join(bytes(row.token_hash) for row in RefreshToken.objects.all())
    assert len(stored) == 64
    assert tokens.refresh(second.refresh).access


def test_a_lost_answer_can_be_asked_for_again_by_the_same_device(alice: Player) -> None:
    first = tokens.issue(alice, "phone")
    second = tokens.refresh(first.refresh, "phone")
    assert tokens.refresh(first.refresh, "phone").refresh == second.refresh
    assert RefreshToken.objects.count() == 2


def test_a_copied_token_on_another_device_signs_the_device_out(alice: Player) -> None:
    first = tokens.issue(alice, "phone")
    second = tokens.refresh(first.refresh, "phone")
    with pytest.raises(ReusedToken):
        tokens.refresh(first.refresh, "thief")
    for token in (first.refresh, second.refresh):
        with pytest.raises(BadToken):
            tokens.refresh(token, "phone")
    with pytest.raises(ExpiredToken):
        async_to_sync(identity.identify_token)(second.access)
    assert AuditEntry.objects.filter(action="token.reuse", actor_id=alice.pk).count() == 1


def test_a_used_token_after_the_grace_signs_the_device_out_and_no_other(alice: Player) -> None:
    first, other = tokens.issue(alice, "phone"), tokens.issue(alice, "laptop")
    tokens.refresh(first.refresh, "phone")
    earlier = clock.now() - timedelta(seconds=settings.REFRESH_GRACE_S + 1)
    RefreshToken.objects.exclude(consumed_at=None).update(consumed_at=earlier)
    with pytest.raises(ReusedToken):
        tokens.refresh(first.refresh, "phone")
    assert tokens.refresh(other.refresh, "laptop").access


def test_of_fifty_refreshes_at_once_exactly_one_makes_a_successor(alice: Player) -> None:
    first = tokens.issue(alice, "phone")

    def attempt(_: int) -> str:
        try:
            return tokens.refresh(first.refresh, "phone").refresh
        except SimGameError as refusal:
            return refusal.code
        finally:
            connections.close_all()

    with ThreadPoolExecutor(50) as pool:
        answers = set(pool.map(attempt, range(50)))
    assert len(answers) == 1, answers
    assert RefreshToken.objects.count() == 2
    assert tokens.refresh(answers.pop(), "phone").access


def test_a_signed_out_token_is_void_at_once_in_this_process(alice: Player) -> None:
    pair = tokens.issue(alice)
    know = async_to_sync(identity.identify_token)
    who = know(pair.access)
    logins.revoke(alice.pk, who.login_id)
    logins.recent.forget()
    for attempt in (lambda: know(pair.access), lambda: tokens.refresh(pair.refresh)):
        with pytest.raises(Unauthenticated):
            attempt()


def test_signing_out_everywhere_voids_young_tokens_too(alice: Player) -> None:
    pair = tokens.issue(alice)
    claims = tokens.access_claims(pair.access)
    players.sign_out_everywhere(alice.pk, "test")
    # Even if the login came back to life: the generation is another.
    Login.objects.filter(pk=claims.sid).update(revoked_at=None)
    with pytest.raises(ExpiredToken):
        async_to_sync(identity.identify_token)(pair.access)


def test_a_deactivated_player_is_out(alice: Player) -> None:
    pair = tokens.issue(alice)
    players.deactivate(alice.pk, actor_id=None)
    with pytest.raises(Unauthenticated):
        async_to_sync(identity.identify_token)(pair.access)
    with pytest.raises(Unauthenticated):
        tokens.refresh(pair.refresh)


def test_a_new_signing_key_signs_nobody_out(alice: Player, tmp_path: Any) -> None:
    ring = signing.Keyring(tmp_path)
    old = ring.signer()
    token = jwt.encode(claims_now(), old.private, "RS256", headers={"kid": old.kid})
    made = signing.rotate(tmp_path)
    fresh = signing.Keyring(tmp_path)
    assert fresh.signer().kid == old.kid, "not before every process has seen the new one"
    os.utime(tmp_path / "0002.pem", (made.made_at - signing.SETTLE_S,) * 2)
    fresh = signing.Keyring(tmp_path)
    assert fresh.signer().kid == made.kid != old.kid
    assert jwt.decode(token, fresh.verifier(old.kid), ["RS256"], audience=settings.JWT_AUDIENCE)
    assert (tmp_path / "0002.pem").stat().st_mode & 0o077 == 0


def test_keys_leave_when_no_token_needs_them(tmp_path: Any) -> None:
    first, second, *_ = [signing.rotate(tmp_path) for _ in range(4)]
    assert [key.kid for key in signing.retire(tmp_path, {first.kid})] == [second.kid]
    assert [path.stem for path in sorted(tmp_path.iterdir())] == ["0001", "0003", "0004"]


def test_after_a_restore_every_older_token_is_void(alice: Player, bob: Player) -> None:
    """The backup remembers neither that a token was used up nor that a device was signed out."""
    used, bobs = tokens.issue(alice), tokens.issue(bob)
    tokens.refresh(used.refresh)
    row = RefreshToken.objects.get(consumed_at__isnull=False)
    RefreshToken.objects.filter(pk=row.pk).update(consumed_at=None)  # as the backup has it
    call_command("void_tokens", "--reason", "a restore", "--format", "json", stdout=StringIO())
    Login.objects.update(
        revoked_at=None
    )  # also where somebody revives the devices: the generation is another
    for pair in (used, bobs):
        with pytest.raises(SimGameError):
            tokens.refresh(pair.refresh)
        with pytest.raises(ExpiredToken):
            async_to_sync(identity.identify_token)(pair.access)
    assert AuditEntry.objects.get(action="tokens.void").facts["players"] == 2
    alice.refresh_from_db()
    assert async_to_sync(identity.identify_token)(tokens.issue(alice).access).player_id == alice.pk


def test_processes_that_start_together_agree_on_the_first_key(tmp_path: Any) -> None:
    with ThreadPoolExecutor(4) as pool:
        kids = set(pool.map(lambda _: signing.Keyring(tmp_path).signer().kid, range(4)))
    assert len(kids) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["0001.pem"]


def test_who_verifies_our_tokens_elsewhere_finds_their_keys(
    live_server: Any, alice: Player, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """With PyJWT's own client: a token of before a rotation, and one of after it."""
    for name, value in {"folder": tmp_path, "_keys": {}, "_loaded_s": float("-inf")}.items():
        monkeypatch.setattr(keyring, name, value)
    address = f"{live_server}/.well-known/jwks.json"
    issued = [tokens.issue(alice).access]
    signing.rotate(tmp_path)
    for path in tmp_path.iterdir():  # made long ago: the newest signs
        os.utime(path, (1, 1))
    keyring._loaded_s = float("-inf")
    issued.append(tokens.issue(alice).access)
    elsewhere = jwt.PyJWKClient(address)
    found = [elsewhere.get_signing_key_from_jwt(token) for token in issued]
    for token, key in zip(issued, found, strict=True):
        told = jwt.decode(token, key, ["RS256"], audience=settings.JWT_AUDIENCE, issuer=settings.JWT_ISSUER)
        assert told["sub"] == str(alice.pk)
    assert len({key.key_id for key in found}) == 2
    answer = httpx.get(address)
    assert answer.headers["cache-control"] == "public, max-age=10"
    for key in answer.json()["keys"]:
        assert key.keys() == {"kty", "use", "alg", "kid", "n", "e"}, "the public half and nothing else"
