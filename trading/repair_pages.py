"""The admin's pages of repairs: what is asked in a form, what would happen, and the buttons."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse

from market.models import CorporateAction, World
from simgame.kernel.errors import NotFound, SimGameError
from trading import corporate, proposals, repairs
from trading.models import Proposal
from trading.rehearsal import rehearse

Context = dict[str, Any]


class ProposalForm(forms.Form):
    world = forms.ModelChoiceField(World.objects.all())
    kind = forms.ChoiceField(
        choices=[
            ("bust", "take fills back"),
            ("reinstate", "take a bust back"),
            ("reverse_action", "reverse a corporate action"),
        ]
    )
    fills = forms.CharField(required=False, help_text="Ids of fills, with commas; or the two fields below.")
    symbol = forms.CharField(required=False, help_text="Of the instrument: for ticks, and for an action.")
    first_tick = forms.IntegerField(required=False, min_value=1)
    last_tick = forms.IntegerField(required=False, min_value=1)
    undoes = forms.IntegerField(required=False, label="Bust", help_text="Number of the bust to take back.")
    key = forms.CharField(required=False, help_text="Of the corporate action to reverse.")
    price = forms.CharField(
        required=False, label="Fair price", help_text="What shares count for that were sold meanwhile."
    )
    house_pays = forms.BooleanField(required=False, label="The house pays what a player cannot")
    reason = forms.CharField(max_length=proposals.REASON_MAX, help_text="The players read it.")

    def clean_fills(self) -> list[int]:
        parts = [part.strip() for part in self.cleaned_data["fills"].split(",") if part.strip()]
        if not all(part.isascii() and part.isdigit() and len(part) < 19 for part in parts):
            raise forms.ValidationError("Whole numbers, with commas between them.")
        return [int(part) for part in parts]

    def draft(self) -> Proposal:
        """Not saved. Raises NotFound."""
        said = self.cleaned_data
        undoes = proposals.named(said["undoes"]) if said["kind"] == "reinstate" and said["undoes"] else None
        return Proposal(
            world=undoes.world if undoes else said["world"],
            kind=said["kind"],
            payload=self._payload(),
            reason=said["reason"],
            undoes=undoes,
        )

    def _payload(self) -> Context:
        said = self.cleaned_data
        common = {"price": said["price"], "house_pays": said["house_pays"]}
        if said["kind"] == "reinstate":
            return {"house_pays": said["house_pays"]}
        if said["kind"] == "reverse_action":
            return {**common, "key": said["key"], "symbol": said["symbol"]}
        fills = list(said["fills"])
        if said["first_tick"]:
            span = said["first_tick"], said["last_tick"] or said["first_tick"]
            fills += [each.pk for each in repairs.of_ticks(said["world"], said["symbol"], *span)]
        return {**common, "fills": fills}


def propose(request: HttpRequest, context: Context) -> HttpResponse:
    """Preview as often as one likes; then propose."""
    form = ProposalForm(request.POST or None, initial=request.GET.dict())
    seen, refusal = None, None
    if form.is_valid():
        try:
            draft = form.draft()
            if "propose" in request.POST:
                made = proposals.propose(
                    draft.world, draft.kind, draft.payload, draft.reason, by=request.user, undoes=draft.undoes
                )
                messages.success(request, f"Proposal {made.pk} waits for another person.")
                return redirect("admin:trading_proposal_change", made.pk)
            seen = proposals.preview(draft).as_dict()
        except SimGameError as error:
            refusal = error
    more = {"title": "Propose a repair", "form": form, "seen": seen, "refusal": refusal}
    return TemplateResponse(request, "trading/propose.html", context | more)


BUTTONS: dict[str, Callable[..., Proposal]] = {
    "approve": proposals.approve,
    "apply": proposals.apply,
    "withdraw": proposals.withdraw,
}


def proposal(request: HttpRequest, context: Context, number: str) -> HttpResponse:
    """One proposal, what it would do now, and what this person may do about it."""
    try:
        found = proposals.named(int(number) if number.isascii() and number.isdigit() else 0)
    except NotFound as error:
        messages.error(request, error.detail)
        return redirect("admin:trading_proposal_changelist")
    if request.method == "POST":
        return _press(request, found)
    seen, refusal = None, None
    if found.status in (Proposal.Status.PROPOSED, Proposal.Status.APPROVED):
        try:
            seen = proposals.preview(found).as_dict()
        except SimGameError as error:
            refusal = error
    more = {
        "title": f"Proposal {found.pk}",
        "proposal": found,
        "seen": seen,
        "refusal": refusal,
        "mine": found.proposed_by_id == request.user.pk,
    }
    return TemplateResponse(request, "trading/proposal.html", context | more)


def _press(request: HttpRequest, found: Proposal) -> HttpResponse:
    wanted = next((name for name in BUTTONS if name in request.POST), None)
    try:
        if wanted is not None:
            after = BUTTONS[wanted](found.pk, by=request.user)
            tell = messages.success if after.status != Proposal.Status.APPROVED else messages.warning
            tell(request, f"Proposal {after.pk} is {after.status}. {after.result.get('detail', '')}")
    except SimGameError as refusal:
        messages.error(request, refusal.detail)
    return redirect("admin:trading_proposal_change", found.pk)


def action_preview(number: str) -> Context:
    """What applying an announced action now, or settling an open one, would do; nothing for any other."""
    rows = CorporateAction.objects.select_related("world", "instrument", "into")
    row = rows.filter(pk=number).first() if number.isascii() and number.isdigit() else None
    if row is None:
        return {}
    status = corporate.status_of(row)
    if status not in ("announced", "open"):
        return {"action_status": status}
    try:
        return {"action_status": status, "seen": rehearse(row.world, corporate.command_now(row)).as_dict()}
    except SimGameError as error:
        return {"action_status": status, "refusal": error}
