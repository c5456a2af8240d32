"""Two people: one proposes, another approves, and then it is done once. Used for whatever moves players'
money by hand.

A kind of proposal is a function from the proposal to the command that does it (`KINDS`); its payload is
plain JSON and never changes. The key of the command is the proposal's, so that it has one effect however
often it is tried.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import QuerySet

from accounts import audit
from accounts.models import Player
from market.models import World
from simgame.kernel import clock
from simgame.kernel.errors import Forbidden, Invalid, NotFound
from trading import errors, repairs, standings
from trading.corporate import issuers
from trading.engine.commands import Correct
from trading.exchange.client import ask_sync
from trading.models import Command, Game, Proposal
from trading.rehearsal import Rehearsal, rehearse

ANSWER_S = 30.0
TRIES = 5  # a position that moves while the command is made makes it be made again
REASON_MAX = 200
MAY_PROPOSE, MAY_APPROVE = "trading.add_proposal", "trading.approve_proposal"


def _bust(proposal: Proposal) -> Correct:
    payload = proposal.payload
    fills = repairs.whole_matches(proposal.world, payload["fills"])
    fair = repairs.price(repairs.instrument(proposal.world, fills[0].symbol), payload["price"])
    return repairs.bust(proposal.world, fills, fair, **_common(proposal))


def _reinstate(proposal: Proposal) -> Correct:
    undone = proposal.undoes
    if undone is None or undone.kind != "bust" or undone.status != Proposal.Status.APPLIED:
        raise Invalid("Only a bust that was applied can be taken back.")
    command = _command_of(undone)
    if command is None:
        raise errors.NothingToRepair("The journal has no such correction.")
    return repairs.reinstate(proposal.world, command, **_common(proposal))


def _reverse_action(proposal: Proposal) -> Correct:
    payload = proposal.payload
    row = repairs.instrument(proposal.world, payload["symbol"])
    fair = repairs.price(row, payload["price"])
    return repairs.reverse_action(proposal.world, payload["key"], fair, **_common(proposal))


def _common(proposal: Proposal) -> dict[str, Any]:
    return {
        "client_id": proposal.client_id,
        "reason": proposal.reason,
        "house_pays": bool(proposal.payload.get("house_pays")),
    }


KINDS: dict[str, Callable[[Proposal], Any]] = {
    "bust": _bust,
    "reinstate": _reinstate,
    "reverse_action": _reverse_action,
}


# --- the verbs ------------------------------------------------------------------------------------


def preview(proposal: Proposal) -> Rehearsal:
    """What applying it now would do; it need not be saved. Raises what its kind refuses."""
    return rehearse(proposal.world, KINDS[proposal.kind](proposal))


def propose(
    world: World,
    kind: str,
    payload: dict[str, Any],
    reason: str,
    *,
    by: Player,
    undoes: Proposal | None = None,
) -> Proposal:
    """Raises Forbidden, Invalid, and what its kind refuses."""
    _must_be(by, MAY_PROPOSE)
    if kind not in KINDS:
        raise Invalid(f"There is no kind {kind!r} of proposals; there are {', '.join(KINDS)}.")
    if not 0 < len(reason.strip()) <= REASON_MAX:
        raise Invalid(f"Say why, in 1 to {REASON_MAX} characters: the players will read it.")
    proposal = Proposal(
        world=world, kind=kind, payload=payload, reason=reason.strip(), proposed_by=by, undoes=undoes
    )
    KINDS[kind](proposal)  # what cannot be done is not proposed
    try:
        with transaction.atomic():
            proposal.save()
    except IntegrityError as error:
        raise errors.AlreadyReversed("Somebody proposes to take that back already.") from error
    _note(by, "propose", proposal, payload=payload)
    return proposal


def approve(number: int, *, by: Player) -> Proposal:
    """The second person; then it is applied. Raises TwoPersons, ProposalClosed, Forbidden."""
    _must_be(by, MAY_APPROVE)
    with transaction.atomic():
        proposal = _locked(number)
        if proposal.proposed_by_id == by.pk:
            raise errors.TwoPersons(f"{by.username} proposed it.")
        if proposal.status != Proposal.Status.PROPOSED:
            raise errors.ProposalClosed(f"Proposal {number} is {proposal.status}.")
        proposal.approved_by, proposal.approved_at = by, clock.now()
        proposal.status = Proposal.Status.APPROVED
        proposal.save(update_fields=["approved_by", "approved_at", "status"])
    _note(by, "approve", proposal)
    return apply(number, by=by)


def apply(number: int, *, by: Player) -> Proposal:
    """Once more, when the exchange was away or said no. Raises ProposalClosed, TwoPersons, Forbidden.

    What the exchange answered stands in `result`; only an applied proposal is closed.
    """
    _must_be(by, MAY_APPROVE)
    proposal = named(number)
    if proposal.status == Proposal.Status.PROPOSED:
        raise errors.TwoPersons("It waits for another person's approval.")
    if proposal.status != Proposal.Status.APPROVED:
        raise errors.ProposalClosed(f"Proposal {number} is {proposal.status}.")
    done, result = _done(proposal)
    with transaction.atomic():
        proposal = _locked(number)
        if proposal.status == Proposal.Status.APPROVED:
            proposal.result = result
            if done:
                proposal.status, proposal.applied_at = Proposal.Status.APPLIED, clock.now()
            proposal.save(update_fields=["status", "applied_at", "result"])
    _note(by, "apply", proposal, done=done, code=result.get("code", ""))
    if done:
        for game in Game.objects.filter(world=proposal.world, status=Game.Status.RUNNING):
            standings.renew(game)
    return proposal


def withdraw(number: int, *, by: Player) -> Proposal:
    """By anybody of the staff, while it is not applied. Raises ProposalClosed, Forbidden."""
    _must_be(by, MAY_PROPOSE)
    with transaction.atomic():
        proposal = _locked(number)
        if proposal.status not in (Proposal.Status.PROPOSED, Proposal.Status.APPROVED):
            raise errors.ProposalClosed(f"Proposal {number} is {proposal.status}.")
        if _command_of(proposal) is not None:
            raise errors.ProposalClosed(f"Proposal {number} was executed: apply it to see the answer.")
        proposal.status = Proposal.Status.WITHDRAWN
        proposal.save(update_fields=["status"])
    _note(by, "withdraw", proposal)
    return proposal


def named(number: int) -> Proposal:
    """Raises NotFound."""
    found = Proposal.objects.select_related("world", "proposed_by", "approved_by", "undoes")
    proposal = found.filter(pk=number).first()
    if proposal is None:
        raise NotFound(f"There is no proposal {number}.")
    return proposal


def every(world: World | None = None) -> QuerySet[Proposal]:
    """The newest first."""
    rows = Proposal.objects.select_related("world", "proposed_by", "approved_by")
    return rows.filter(world=world) if world else rows


# --- the parts ------------------------------------------------------------------------------------


def _done(proposal: Proposal) -> tuple[bool, dict[str, Any]]:
    """Whether it has had its effect, and the answer."""
    for _ in range(TRIES):
        before = _command_of(proposal)  # an answer that was lost
        if before is not None:
            return True, before.result
        try:
            command = KINDS[proposal.kind](proposal)
        except errors.TradingError as error:
            return False, {"code": error.code, "detail": error.detail, "facts": error.facts}
        reply = ask_sync(proposal.world_id, command, timeout_s=ANSWER_S)
        if reply.outcome == "executed":
            return True, reply.result
        if reply.code != errors.BooksMoved.code:
            break
    return False, {"code": reply.code, "detail": reply.detail, "facts": reply.result.get("facts", {})}


def _command_of(proposal: Proposal) -> Command | None:
    account = issuers(proposal.world_id)
    return Command.objects.filter(portfolio_id=account, kind="correct", client_id=proposal.client_id).first()


def _locked(number: int) -> Proposal:
    found = Proposal.objects.select_for_update().filter(pk=number).first()
    if found is None:
        raise NotFound(f"There is no proposal {number}.")
    return found


def _must_be(person: Player, permission: str) -> None:
    if not (person.is_active and person.is_staff and person.has_perm(permission)):
        raise Forbidden(f"{person.username} lacks the permission {permission}.")


def _note(by: Player, what: str, proposal: Proposal, **facts: Any) -> None:
    subject = f"{proposal.kind} {proposal.pk}"
    audit.record(by.pk, f"proposal.{what}", subject, reason=proposal.reason, **facts)
