"""Sina, Tencent and Tushare of the tests, in one HTTP server: /list=…, /q=… and POST /.

`/control?do=…` (answers `{"asked": {api: n}, "tokens": [...]}`):
    status
    fail            answer the next `count` requests with `kind`: 500 | 429 | garbage | empty | slow | html,
                    or for Tushare: rate_minute | rate_hour | permission | login | null_msg
    forget          `symbol` is unknown from now on
    reset           all is well again: the next test begins
    move            the market moves: `price`, `volume` of `symbol`
"""

from __future__ import annotations

import json
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

REFUSALS = {
    "rate_minute": (40203, "抱歉,您每分钟最多访问该接口2次,权限的具体详情访问:..."),
    "rate_hour": (40203, "抱歉,您每小时最多访问该接口1次,权限的具体详情访问:..."),
    "permission": (40203, "抱歉,您没有接口访问权限,权限的具体详情访问:..."),
    "login": (40101, "您的token不对,请确认。"),
    "null_msg": (50101, None),
}


class Market:
    def __init__(self) -> None:
        self.prices: dict[str, float] = {}
        self.volumes: dict[str, int] = {}
        self.unknown: set[str] = set()
        self.failing: list[str] = []
        self.asked: dict[str, int] = {}
        self.tokens: list[str] = []

    def now(self, code: str) -> tuple[float, int]:
        return self.prices.get(code, 10.00), self.volumes.get(code, 1_000_000)


MARKET = Market()


def sina(codes: list[str]) -> bytes:
    lines = []
    for code in codes:
        price, volume = MARKET.now(code)
        bids = ",".join(f"{100 * (n + 1)},{price - 0.01 * (n + 1):.2f}" for n in range(5))
        asks = ",".join(f"{200 * (n + 1)},{price + 0.01 * n:.2f}" for n in range(5))
        row = f"浦发银行,9.90,9.95,{price:.2f},10.20,9.80,{price - 0.01:.2f},{price:.2f},{volume},99.00,"
        row += f"{bids},{asks},{beijing('%Y-%m-%d')},{beijing('%H:%M:%S')},00,"
        lines.append(f'var hq_str_{code}="{"" if code in MARKET.unknown else row}";')
    return "\n".join(lines).encode("gbk")


def tencent(codes: list[str]) -> bytes:
    lines = []
    for code in codes:
        if code in MARKET.unknown:
            lines.append('v_pv_none_match="1";')
            continue
        price, volume = MARKET.now(code)
        row = ["1", "浦发银行", code[2:], f"{price:.2f}", "9.95", "9.90", str(volume // 100), "1", "1"]
        for n in range(5):
            row += [f"{price - 0.01 * (n + 1):.2f}", str(n + 1)]
        for n in range(5):
            row += [f"{price + 0.01 * n:.2f}", str(2 * (n + 1))]
        row += ["", beijing("%Y%m%d%H%M%S"), *["0"] * 20]
        lines.append(f'v_{code}="{"~".join(row)}";')
    return "\n".join(lines).encode("gbk")


def beijing(form: str) -> str:
    return time.strftime(form, time.gmtime(time.time() + 8 * 3600))


def tushare(body: dict[str, Any]) -> dict[str, Any]:
    MARKET.tokens.append(body["token"])
    fields = body["fields"].split(",")
    items = []
    for code in body["params"]["ts_code"].split(","):
        price, volume = MARKET.now(code)
        values = {"ts_code": code, "close": price, "pre_close": 9.95, "vol": volume, "amount": 1.0, "num": 3}
        if code not in MARKET.unknown:
            items.append([values.get(field, price) for field in fields])
    return {"request_id": "r", "code": 0, "msg": "", "data": {"fields": fields, "items": items}}


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path.startswith("/control"):
            self._say(json.dumps(self._control()).encode())
            return
        api, codes = (
            ("sina", self.path.split("list=")[-1]) if "list=" in self.path else ("tencent", self.path[3:])
        )
        answer = sina if api == "sina" else tencent
        self._answer(api, lambda: answer(codes.split(",")))

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self._answer("rt_k", lambda: json.dumps(tushare(body)).encode())

    def _answer(self, api: str, make: Any) -> None:
        MARKET.asked[api] = MARKET.asked.get(api, 0) + 1
        kind = MARKET.failing.pop(0) if MARKET.failing else ""
        if kind in REFUSALS:
            code, text = REFUSALS[kind]
            self._say(json.dumps({"request_id": "r", "code": code, "msg": text, "data": None}).encode())
        elif kind.isdigit():
            self._say(b"no", int(kind))
        elif kind in ("garbage", "empty", "html"):
            self._say({"garbage": b"\xff\xfe\x00", "empty": b"", "html": b"<html>login</html>"}[kind])
        else:
            self._say(make())

    def _control(self) -> dict[str, Any]:
        query = {name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()}
        match query["do"]:
            case "fail":
                MARKET.failing = [query["kind"]] * int(query.get("count", 1))
            case "forget":
                MARKET.unknown.add(query["symbol"])
            case "reset":
                vars(MARKET).update(vars(Market()))
            case "move":
                MARKET.prices[query["symbol"]] = float(query["price"])
                MARKET.volumes[query["symbol"]] = int(query["volume"])
        return {"asked": MARKET.asked, "tokens": sorted(set(MARKET.tokens))}

    def _say(self, body: bytes, status: int = 200) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Quiet: the test says what matters."""


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    print(f"127.0.0.1:{server.server_port}", flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        sys.exit(0)
