"""What a row says, in a sentence: in English and in Chinese (zh-Hans). Pure.

`says(row, language)`, `source(row, language)`, `whom(row, language)`; any language but Chinese is English.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from market.rulebook.rows import SCOPES, Row, listed

ENGLISH, CHINESE = "en", "zh-Hans"
LANGUAGES = (ENGLISH, CHINESE)
Values = Mapping[str, Any]
Pair = tuple[str, str]  # English, Chinese

TITLES: dict[str, Pair] = {
    "day": ("hours", "交易时间"),
    "half_day": ("half day", "半日市"),
    "no_night": ("no night", "暂停夜盘"),
    "permit": ("permission", "申报权限"),
    "auction": ("auction", "集合竞价"),
    "lot": ("lot", "交易单位"),
    "size": ("order size", "单笔上限"),
    "tick": ("tick", "最小变动价位"),
    "band": ("price band", "涨跌幅"),
    "first_days": ("first days", "上市初期"),
    "cage": ("price cage", "价格笼子"),
    "breaker": ("volatility halt", "波动性停牌"),
    "lock": ("lock", "回转交易"),
    "fee": ("fee", "费用"),
    "contract": ("contract", "合约"),
    "margin": ("margin", "保证金"),
    "settle": ("settlement", "交收"),
    "fact": ("stated", "仅载"),
}
PHASES: dict[str, Pair] = {
    "pre_open": ("no orders", "不接受申报"),
    "auction": ("auction", "集合竞价"),
    "auction_locked": ("auction, no cancels", "集合竞价（不可撤单）"),
    "continuous": ("continuous", "连续竞价"),
    "break": ("break", "休市"),
    "after_hours_quiet": ("orders at the close", "盘后申报"),
    "after_hours": ("trading at the close", "盘后固定价格"),
    "closed": ("closed", "收市"),
    "paused": ("paused", "暂停"),
}
FEES: dict[str, Pair] = {
    "commission": ("commission", "佣金"),
    "transfer_fee": ("transfer fee", "过户费"),
    "stamp_duty": ("stamp duty", "印花税"),
    "sec_fee": ("SEC fee", "SEC规费"),
    "finra_taf": ("FINRA trading activity fee", "FINRA交易活动费"),
}
SIDES: dict[str, Pair] = {"both": ("", "双向"), "buy": ("on buys", "买入"), "sell": ("on sells", "卖出")}
EFFECTS: dict[str, Pair] = {
    "open": ("opening", "开仓"),
    "close": ("closing", "平仓"),
    "close_today": ("closing today's position", "平今仓"),
}
ROLES: dict[str, Pair] = {"maker": ("maker", "挂单"), "taker": ("taker", "吃单")}
TIES: dict[str, Pair] = {
    "pressure": (
        "smallest imbalance, then pressure, then nearest to the reference",
        "未成交量最小，其次供求压力，再次最接近参考价",
    ),
    "middle": ("smallest imbalance, then the middle price", "未成交量最小，其次取中间价"),
    "nearest": ("smallest imbalance, then nearest to the reference", "买卖差额最小，其次最接近参考价"),
    "last_pair": ("the last pair that meets makes the price", "以最后一笔成交的申报价确定"),
}
OF: dict[str, Pair] = {
    "previous close": ("the previous close", "前收盘价"),
    "settlement": ("the previous settlement", "上一交易日结算价"),
    "issue price": ("the issue price", "发行价"),
}
KINDS: dict[str, Pair] = {
    "stock": ("shares", "股票"),
    "etf": ("ETFs", "ETF"),
    "future": ("futures", "期货"),
    "fx": ("currencies", "外汇"),
    "crypto": ("crypto", "加密货币"),
}
BOARDS: dict[str, Pair] = {
    "main": ("main board", "主板"),
    "chinext": ("ChiNext", "创业板"),
    "star": ("STAR", "科创板"),
    "bse": ("BSE", "北交所"),
}


def says(row: Row, language: str) -> str:
    """The row's rule in one sentence of the language."""
    return WRITERS[row.table](row.values)[_index(language)]


def source(row: Row, language: str) -> str:
    return (row.source, row.source_zh)[_index(language)]


def title(table: str, language: str) -> str:
    return TITLES[table][_index(language)]


def whom(row: Row, language: str) -> str:
    """Whom the row is for: "SSE, main board, shares"; "all" where it names nobody."""
    index, parts = _index(language), []
    for scope in SCOPES:
        for value in listed(row.values.get(scope, [])):
            pair = {"board": BOARDS, "kinds": KINDS}.get(scope, {}).get(value, (value, value))
            parts.append(pair[index])
    if row.values.get("st"):
        parts.append("ST")
    return (", ", "、")[index].join(parts) or ("all", "全部")[index]


def _index(language: str) -> int:
    return int(language.lower().startswith("zh"))


def _day(values: Values) -> Pair:
    night, spans = values.get("night", ()), values["spans"]
    english = ", ".join(f"{start} {PHASES[phase][0]}" for start, phase in (*night, *spans))
    chinese = "，".join(f"{start} {PHASES[phase][1]}" for start, phase in (*night, *spans))
    return (f"night: {english}", f"夜盘：{chinese}") if night else (english, chinese)


def _no_night(values: Values) -> Pair:
    return "No night trading.", "暂停夜盘交易。"


def _permit(values: Values) -> Pair:
    english, chinese = PHASES[values["phase"]]
    enter, cancel = values["enter"], values["cancel"]
    may = f"orders {'enter' if enter else 'do not enter'} and {'may' if cancel else 'may not'} be canceled"
    zh = f"{'可' if enter else '不可'}申报，{'可' if cancel else '不可'}撤单"
    return f"{english}: {may}", f"{chinese}：{zh}"


def _auction(values: Values) -> Pair:
    english, chinese = TIES[values["ties"]]
    return f"largest volume, then {english}", f"成交量最大，其次{chinese}"


def _lot(values: Values) -> Pair:
    if "multiple" not in values:
        return "the instrument's own lot", "以品种自身的交易单位为准"
    lot, least = values["multiple"], values.get("least")
    if least:
        return f"buys of at least {least}, then by {lot}", f"买入不少于{least}，以{lot}递增"
    return f"multiples of {lot}", f"{lot}的整数倍"


def _size(values: Values) -> Pair:
    english, chinese = f"at most {values['most']:,} an order", f"单笔不超过{values['most']:,}"
    if market := values.get("most_market"):
        english, chinese = f"{english}, a market order {market:,}", f"{chinese}，市价单{market:,}"
    if day := values.get("day_buys"):
        english, chinese = f"{english}; at most {day:,} bought a day", f"{chinese}；每日最多买入{day:,}"
    return english, chinese


def _tick(values: Values) -> Pair:
    if "tick" not in values:
        return "the instrument's own tick", "以品种自身的最小变动价位为准"
    english, chinese = f"prices step by {values['tick']}", f"最小变动价位{values['tick']}"
    if "small" in values:
        english += f", below {values['below']} by {values['small']}"
        chinese += f"，低于{values['below']}时为{values['small']}"
    return english, chinese


def _band(values: Values) -> Pair:
    of = OF[values.get("of", "previous close")]
    return f"±{values['rate']} of {of[0]}", f"{of[1]}±{values['rate']}"


def _first_days(values: Values) -> Pair:
    days = values["days"]
    if "rate" not in values:
        return f"no price band on the first {days} trading days", f"上市首{days}个交易日不设涨跌幅"
    of, up, down = OF[values["of"]], values["rate"], values.get("down", values["rate"])
    return (
        f"on the first {days} trading days -{down} to +{up} of {of[0]}",
        f"上市首{days}个交易日为{of[1]}的-{down}至+{up}",
    )


def _cage(values: Values) -> Pair:
    rate, ticks = values["rate"], values["ticks"]
    english = f"buys up to {rate} above the best offer, sells down to {rate} below the best bid"
    chinese = f"买入不高于最优卖价{rate}以上，卖出不低于最优买价{rate}以下"
    if ticks:
        return f"{english}, never closer than {ticks} ticks", f"{chinese}，且不小于{ticks}个最小变动单位"
    return english, chinese


def _breaker(values: Values) -> Pair:
    move, within, halt = values["move"], values["within_s"] // 60, values["halt_s"] // 60
    return (
        f"more than {move} within {within} minutes: halted for {halt} minutes, then an auction reopens it",
        f"{within}分钟内波动超过{move}：停牌{halt}分钟，其后集合竞价复牌",
    )


def _lock(values: Values) -> Pair:
    if values["days"]:
        return "T+1: what is bought today may be sold tomorrow", "T+1：当日买入，次日可卖"
    return "T+0: what is bought today may be sold today", "T+0：当日买入，当日可卖"


def _fee(values: Values) -> Pair:
    asked = values.get("rate") or values["unit"]
    unit = "unit" in values
    name = FEES.get(values["name"], (values["name"].replace("_", " "),) * 2)
    extras = [SIDES[values["side"]], EFFECTS.get(values.get("effect", "")), ROLES.get(values.get("role", ""))]
    english, chinese = (
        f"{name[0]} {asked}{' each' if unit else ''}",
        f"{name[1]}{'每单位' if unit else ''}{asked}",
    )
    for extra in extras:
        if extra:
            english, chinese = f"{english} {extra[0]}".rstrip(), f"{chinese}，{extra[1]}"
    for key, words in (("least", ("at least", "最低")), ("most", ("at most", "最高"))):
        if key in values:
            english, chinese = (
                f"{english}, {words[0]} {values[key]} an order",
                f"{chinese}，每笔{words[1]}{values[key]}",
            )
    return english, chinese


def _contract(values: Values) -> Pair:
    if "title" not in values:
        return "held on margin, marked every day", "保证金交易，每日结算"
    terms = f"{values['unit']}, {values['multiplier']} x price, tick {values['tick']}"
    zh = f"{values['unit']}/手，乘数{values['multiplier']}，最小变动价位{values['tick']}"
    return f"{values['title']}: {terms}", f"{values['title_zh']}：{zh}"


def _margin(values: Values) -> Pair:
    long, short = values.get("margin_long", "100%"), values.get("margin_short", "")
    keep, keep_short = values.get("maintenance_long", ""), values.get("maintenance_short", "")
    if long == short == keep == keep_short:
        return f"{long} of the worth, long and short", f"合约价值的{long}，多空相同"
    english, chinese = f"own money {long} to buy", f"买入自有资金{long}"
    if short:
        english, chinese = f"{english}, {short} to sell short", f"{chinese}，卖空{short}"
    if keep:
        english, chinese = f"{english}; kept: {keep} and {keep_short}", f"{chinese}；维持{keep}与{keep_short}"
    return english, chinese


def _settle(values: Values) -> Pair:
    return f"T+{values['days']}", f"T+{values['days']}"


def _fact(values: Values) -> Pair:
    return values["text"], values["text_zh"]


WRITERS: dict[str, Callable[[Values], Pair]] = {
    "day": _day,
    "half_day": _day,
    "no_night": _no_night,
    "permit": _permit,
    "auction": _auction,
    "lot": _lot,
    "size": _size,
    "tick": _tick,
    "band": _band,
    "first_days": _first_days,
    "cage": _cage,
    "breaker": _breaker,
    "lock": _lock,
    "fee": _fee,
    "contract": _contract,
    "margin": _margin,
    "settle": _settle,
    "fact": _fact,
}
