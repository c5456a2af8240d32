"""Taking back what was wrong: which fills, what they moved, and the one command that undoes it.

Who may: two people, `trading/proposals.py`. By which rules: `trading/engine/corrections.py`. The command is
made from the books when it is applied, and names every row; if a position has moved meanwhile the
exchange refuses it, and it is made again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from django.db.models import Exists, OuterRef, Q, QuerySet

from market.models import Instrument, World
from simgame.kernel import ids, money
from simgame.kernel.errors import Invalid
from simgame.kernel.ids import WORLD_SHIFT
from trading import errors, margin_repairs
from trading.corporate import issuers
from trading.engine.commands import Correct, OrderWas, Settlement, Undone, UndoneFill
from trading.messages import scale_of
from trading.models import ActionEntry, AppliedAction, Command, Fill, Order, Position, Transfer
from trading.models.order import OPEN_STATUSES
from trading.portfolios import value_of
from trading.refold import Step, fold

FILLS_MAX = 2_000  # in one correction: its command must fit a frame
NUMBER = (1 << WORLD_SHIFT) - 1


def n_of(key: int) -> int:
    return key & NUMBER


def instrument(world: World, symbol: str) -> Instrument:
    found = Instrument.objects.filter(world=world, symbol=symbol).first()
    if found is None:
        raise errors.UnknownSymbol(f"{world.slug} has no instrument {symbol!r}.")
    return found


def price(row: Instrument, text: object) -> int:
    """The fair price, scaled. Raises Invalid."""
    try:
        scaled = money.parse(text, row.price_exponent)
    except ValueError as error:
        raise Invalid(f"The fair price {text!r} is no price of {row.symbol}: {error}.") from error
    if scaled <= 0:
        raise Invalid("The fair price must be positive.")
    return scaled


# --- which fills ----------------------------------------------------------------------------------


def standing(world: World) -> QuerySet[Fill]:
    """Fills that count: none takes them back, and they take none back."""
    span = ids.world_key(world.number, 0), ids.world_key(world.number + 1, 0) - 1
    taken_back = Fill.objects.filter(reverses=OuterRef("pk"))
    return Fill.objects.filter(~Exists(taken_back), id__range=span, reverses=None).order_by("id")


def of_ticks(world: World, symbol: str, first: int, last: int) -> QuerySet[Fill]:
    """Standing fills that the ticks `first` to `last` of the feed decided, as their receipts say."""
    by_print = Q(receipt__print__seq__gte=first, receipt__print__seq__lte=last)
    by_quote = Q(receipt__quote__seq__gte=first, receipt__quote__seq__lte=last)
    by_quote &= ~Q(receipt__has_key="print")
    return standing(world).filter(by_print | by_quote, symbol=symbol)


def orders_of_ticks(world: World, symbol: str, first: int, last: int) -> QuerySet[Order]:
    """Orders that ended, or whose stop was fired, by those ticks. They are told of, and not revived."""
    seen = Q(receipt__quote__seq__gte=first, receipt__quote__seq__lte=last) | Q(
        receipt__print__seq__gte=first, receipt__print__seq__lte=last
    )
    ended = Q(status__in=("canceled", "expired", "rejected")) | Q(terms__triggered=True)
    return Order.objects.filter(seen & ended, world=world, symbol=symbol).order_by("id")


def whole_matches(world: World, numbers: Iterable[int]) -> list[Fill]:
    """These standing fills with the other sides of their matches, in order.

    Raises NothingToRepair, AlreadyReversed, Invalid.
    """
    keys = [ids.world_key(world.number, n_of(each)) for each in numbers]
    found = Fill.objects.filter(id__in=keys)
    if not keys or len(found) != len(set(keys)):
        raise errors.NothingToRepair(
            "No such fill." if keys else "No fill was named, or decided by these ticks."
        )
    matches = {each.match for each in found}
    rows = list(standing(world).filter(match__in=matches).select_related("order"))
    if {each.pk for each in rows} < set(keys):
        raise errors.AlreadyReversed("Some of these fills were taken back already.")
    if len(rows) > FILLS_MAX:
        raise Invalid(f"At most {FILLS_MAX} fills in one correction: propose several.")
    if len({each.symbol for each in rows}) > 1:
        raise Invalid("One instrument in one correction, because it has one fair price.")
    return rows


# --- the commands ---------------------------------------------------------------------------------


def bust(
    world: World, fills: list[Fill], fair: int, *, client_id: str, reason: str, house_pays: bool
) -> Correct:
    """Takes fills of one instrument back. Raises Invalid."""
    row = instrument(world, fills[0].symbol)
    since = ActionEntry.objects.filter(world=world, symbol=row.symbol, seq__gt=fills[0].seq)
    reversed_ones = AppliedAction.objects.filter(world_id=world.number, status="reversed").values("key")
    if since.exclude(key__in=reversed_ones).exclude(step="exercise").exists():
        raise Invalid(f"A corporate action on {row.symbol} came after these fills: reverse it first.")
    numbers = {n_of(each.pk) for each in fills}
    moved = [
        each
        for each in transfers_of(world, {each.seq for each in fills})
        if each.fill_id and n_of(each.fill_id) in numbers
    ]
    undone = tuple(_undone(each, row.symbol) for each in moved)
    by_portfolio: dict[int, list[Fill]] = defaultdict(list)
    for each in fills:
        by_portfolio[each.portfolio_id].append(each)
    return Correct(
        account=issuers(world.number),
        client_id=client_id,
        reason=reason,
        what="bust",
        transfers=undone,
        fills=tuple(map(_undone_fill, fills)),
        settlements=tuple(
            _settlement(row, who, mine, fair, undone) for who, mine in sorted(by_portfolio.items())
        ),
        house_pays=house_pays,
    )


def _settlement(
    row: Instrument, portfolio: int, fills: list[Fill], fair: int, moved: tuple[Undone, ...]
) -> Settlement:
    """The position folded again without these fills; if a cash portfolio's history holds more than a fold
    knows, by what these fills alone added to its cost.
    """
    if margin_repairs.is_on_margin(portfolio):
        without = frozenset(n_of(each.pk) for each in fills)
        return margin_repairs.settlement(row, portfolio, fair, moved, without=without)
    position = Position.objects.get(portfolio_id=portfolio, symbol=row.symbol)
    now = position.qty, position.cost, position.realised
    scale, steps = scale_of(row), _history(row, portfolio)
    if fold(steps)[:3] == now:
        undone = frozenset(n_of(each.pk) for each in fills)
        after = fold(steps, undone, lambda qty: value_of(qty, fair, scale))
        return Settlement(portfolio, row.symbol, fair, after.missing, 0, after.cost, now)
    added = sum(each.cash + each.fee for each in fills if each.side == "buy")
    return Settlement(portfolio, row.symbol, fair, 0, -added)


def _history(row: Instrument, portfolio: int) -> list[Step]:
    fills = Fill.objects.filter(portfolio_id=portfolio, symbol=row.symbol)
    entries = ActionEntry.objects.filter(world_id=row.world_id, portfolio_id=portfolio, symbol=row.symbol)
    given = Transfer.objects.filter(
        Q(debit_account=portfolio) | Q(credit_account=portfolio),
        code=Transfer.Code.ADJUST,
        asset=row.symbol,
    )
    steps = [
        (each.seq, each.pk, Step(n_of(each.pk), each.qty, each.side == "buy", each.cash, each.fee))
        for each in fills
    ]
    steps += [
        (each.seq, each.pk, Step(0, each.qty, exact=True, cost=each.cost, realised=each.realised))
        for each in entries
    ]
    steps += [(each.seq, each.pk, Step(0, each.amount, each.credit_account == portfolio)) for each in given]
    return [step for *_, step in sorted(steps)]


def reinstate(world: World, busted: Command, *, client_id: str, reason: str, house_pays: bool) -> Correct:
    """Takes a bust back: what it moved, with its settlements, moves once more. Raises NothingToRepair."""
    seq, before = n_of(busted.pk), busted.payload
    moved = transfers_of(world, {seq})
    fills = list(Fill.objects.filter(id__range=_span(world), seq=seq).select_related("order").order_by("id"))
    if not moved or not fills:
        raise errors.NothingToRepair("That correction took no fill back.")
    added: dict[int, int] = defaultdict(int)
    for each in fills:
        added[each.portfolio_id] += -(each.cash + each.fee) if each.side == "buy" else each.cash - each.fee
    undone = tuple(_undone(each, fills[0].symbol) for each in moved)
    again = frozenset(n_of(each.reverses) for each in fills if each.reverses)
    settlements = [_as_before(world, each, added[each[0]], undone, again) for each in before["settlements"]]
    return Correct(
        account=issuers(world.number),
        client_id=client_id,
        reason=reason,
        what="reinstate",
        transfers=undone,
        fills=tuple(map(_undone_fill, fills)),
        settlements=tuple(settlements),
        house_pays=house_pays,
    )


def _as_before(
    world: World, was: list[Any], added: int, moved: tuple[Undone, ...], again: frozenset[int]
) -> Settlement:
    """Where nothing has happened since, the position is again what it was; else its cost grows by the
    fills' own. A margin portfolio's is folded with the fills that count again.
    """
    portfolio, symbol, fair, _, _, cost, found, *_ = was
    if margin_repairs.is_on_margin(portfolio):
        row = instrument(world, symbol)
        return margin_repairs.settlement(row, portfolio, fair, moved, without=frozenset(), again=again)
    now = Position.objects.get(portfolio_id=portfolio, symbol=symbol)
    if found is not None and now.cost == cost:
        return Settlement(portfolio, symbol, fair, 0, 0, found[1], (now.qty, now.cost, now.realised))
    return Settlement(portfolio, symbol, fair, 0, max(added, 0))


def reverse_action(
    world: World, key: str, fair: int, *, client_id: str, reason: str, house_pays: bool
) -> Correct:
    """Takes a corporate action back: all its steps. Raises UnknownAction, NothingToRepair."""
    action = AppliedAction.objects.filter(world_id=world.number, key=key).first()
    if action is None or action.status == AppliedAction.Status.REVERSED:
        raise errors.UnknownAction(f"No action {key!r} stands to be reversed.")
    steps = Command.objects.filter(
        portfolio_id=issuers(world.number), kind__in=("corporate_action", "settle_action"), client_id=key
    )
    entries = list(ActionEntry.objects.filter(world=world, key=key))
    seqs = {n_of(each.pk) for each in steps} | {each.seq for each in entries}
    moved = transfers_of(world, seqs)
    if not moved:
        raise errors.NothingToRepair("Nobody held it: the action moved nothing.")
    into = str(action.payload.get("into", ""))
    cost: dict[tuple[int, str], int] = defaultdict(int)
    for each in entries:
        cost[each.portfolio_id, each.symbol] -= each.cost
    undone = [_undone(each, into if each.asset == into else action.symbol) for each in moved]
    touched = {(who, each.symbol) for each in undone for who in (each.debit, each.credit) if who > 0}
    return Correct(
        account=issuers(world.number),
        client_id=client_id,
        reason=reason,
        what="action",
        transfers=tuple(undone),
        settlements=tuple(
            Settlement(who, symbol, fair, 0, cost[who, symbol])
            for who, symbol in sorted(touched | cost.keys())
        ),
        orders=tuple(_orders_were(world, action.symbol, key)),
        action=key,
        house_pays=house_pays,
    )


def _orders_were(world: World, symbol: str, key: str) -> list[OrderWas]:
    rows = Order.objects.filter(
        world=world, symbol=symbol, status__in=OPEN_STATUSES, receipt__action=key, receipt__has_key="was"
    )
    return [OrderWas(str(each.pk), each.version, **each.receipt["was"]) for each in rows]


# --- rows -----------------------------------------------------------------------------------------


def _span(world: World) -> tuple[int, int]:
    return ids.world_key(world.number, 0), ids.world_key(world.number + 1, 0) - 1


def transfers_of(world: World, seqs: set[int]) -> list[Transfer]:
    """What these commands moved, in order. Keys and commands grow together, so the ends are bisected."""
    if not seqs:
        return []
    first, last = _first_of(world, min(seqs)), _first_of(world, max(seqs) + 1)
    rows = Transfer.objects.filter(id__gte=first, id__lt=last).order_by("id")
    return [each for each in rows.iterator(chunk_size=5_000) if each.seq in seqs]


def _first_of(world: World, seq: int) -> int:
    """The key of the first transfer of command `seq` or of a later one."""
    low, end = _span(world)
    newest = (
        Transfer.objects.filter(id__range=(low, end)).order_by("-id").values_list("id", flat=True).first()
    )
    high = (newest or low) + 1
    while low < high:
        middle = (low + high) // 2
        found = (
            Transfer.objects.filter(id__gte=middle, id__lt=high).order_by("id").values_list("seq", flat=True)
        )
        at = found.first()
        if at is None or at >= seq:
            high = middle
        else:
            low = middle + 1
    return low


def _undone(row: Transfer, symbol: str) -> Undone:
    fill = n_of(row.fill_id) if row.fill_id else 0
    return Undone(n_of(row.pk), row.debit_account, row.credit_account, row.asset, row.amount, symbol, fill)


def _undone_fill(row: Fill) -> UndoneFill:
    return UndoneFill(
        n=n_of(row.pk),
        match=n_of(row.match),
        order_id=str(row.order_id),
        portfolio=row.portfolio_id,
        symbol=row.symbol,
        side=row.side,
        price=row.price,
        qty=row.qty,
        cash=row.cash,
        fees=tuple((name, amount) for name, amount in row.fees),
        fee=row.fee,
        against=row.against,
        market_day=row.market_day,
    )
