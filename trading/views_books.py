"""Doors of the pages about one's own books: portfolio, orders, journal, an instrument."""

from __future__ import annotations

from functools import partial

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_POST

from trading import book_pages, forms, journal
from trading.page_door import chosen, get_or_post, page


@page
@login_required
@require_GET
def portfolio(request: HttpRequest) -> HttpResponse:
    return render(request, "portfolio.html", book_pages.portfolio(chosen(request)))


@page
@login_required
@require_GET
def orders(request: HttpRequest) -> HttpResponse:
    asked = [request.GET.get(name, "") for name in ("show", "symbol", "before")]
    return render(request, "orders.html", book_pages.orders(chosen(request), *asked))


@page
@login_required
@get_or_post
def notes(request: HttpRequest) -> HttpResponse:
    mine = chosen(request)
    shown = book_pages.notes(mine, request.GET.get("q", "")[:200], request.GET.get("tag", "")[:32])
    return forms.answer(request, "journal.html", partial(_write, mine.id), **shown)


def _write(portfolio_id: int, sent: QueryDict) -> HttpResponse:
    journal.write(portfolio_id, sent.get("text", ""), day=journal.today(portfolio_id))
    return redirect("journal")


@page
@login_required
@require_POST
def change_note(request: HttpRequest, note_id: int) -> HttpResponse:
    mine = chosen(request).id
    if request.POST.get("act") == "remove":
        journal.remove(mine, note_id)
    else:
        version = request.POST.get("version", "")
        journal.change(
            mine, note_id, int(version) if version.isdecimal() else 0, text=request.POST.get("text", "")
        )
    return redirect("journal")


@page
@require_GET
def instrument(request: HttpRequest, symbol: str) -> HttpResponse:
    player = request.user if request.user.is_authenticated else None
    return render(request, "instrument.html", book_pages.instrument(player, symbol))
