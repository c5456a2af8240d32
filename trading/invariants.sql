-- Every query returns ZERO rows in every snapshot, or the books are broken (reliability section 2).
-- The first column names the subject, the others are the evidence.
--
-- A query's first line is `-- <name> <scope> [cheap]: <meaning>`. Its scope says what it looks at, and so how
-- it may be cut (trading/invariants/queries.py gives the parameters):
--   window      rows written by a stretch of the journal: %(command_low)s … %(command_high)s, and the fills and
--               transfers of exactly these commands, %(fill_low)s … and %(transfer_low)s …
--   portfolios  the portfolios %(portfolios)s, with all that they ever did
--   state       balances, positions and open orders as they are now; quick at any length of history
--   whole       everything of the world: %(low)s … %(high)s is the span of its row keys
-- %(world)s is always there. A `cheap` one also runs before an exchange serves.

-- I1 window: every transfer moves a positive amount between two known accounts of this world
SELECT 'transfer ' || t.id AS subject, t.debit_account, t.credit_account, t.amount
FROM trading_transfer t
WHERE t.id BETWEEN %(transfer_low)s AND %(transfer_high)s AND (t.amount <= 0 OR t.debit_account = t.credit_account
  OR NOT EXISTS (SELECT 1 FROM trading_ledgeraccount a WHERE a.id = t.debit_account AND a.world_id = %(world)s)
  OR NOT EXISTS (SELECT 1 FROM trading_ledgeraccount a WHERE a.id = t.credit_account AND a.world_id = %(world)s));

-- I2 state cheap: nothing is created or lost: each asset sums to zero over all accounts
SELECT 'asset ' || b.asset AS subject, sum(b.posted)::bigint AS posted
FROM trading_balance b JOIN trading_ledgeraccount a ON a.id = b.account
WHERE a.world_id = %(world)s GROUP BY b.asset HAVING sum(b.posted) <> 0;

-- I3 whole: what an account holds is the fold of its transfers
SELECT 'account ' || coalesce(b.account, l.account) AS subject, coalesce(b.asset, l.asset) AS asset,
  b.posted, l.folded
FROM (SELECT b.account, b.asset, b.posted FROM trading_balance b
      JOIN trading_ledgeraccount a ON a.id = b.account WHERE a.world_id = %(world)s) b
FULL JOIN (SELECT account, asset, sum(amount)::bigint AS folded FROM (
      SELECT debit_account AS account, asset, -amount AS amount FROM trading_transfer
      WHERE id BETWEEN %(low)s AND %(high)s
      UNION ALL
      SELECT credit_account, asset, amount FROM trading_transfer WHERE id BETWEEN %(low)s AND %(high)s) e
    GROUP BY account, asset) l ON l.account = b.account AND l.asset = b.asset
WHERE coalesce(b.posted, 0) <> coalesce(l.folded, 0);

-- I3b window: a reversal is the exact opposite of one earlier transfer
SELECT 'transfer ' || t.id AS subject, t.reverses, t.amount, r.amount AS reversed
FROM trading_transfer t LEFT JOIN trading_transfer r ON r.id = t.reverses
WHERE t.id BETWEEN %(transfer_low)s AND %(transfer_high)s AND t.reverses IS NOT NULL
  AND (r.id IS NULL OR r.id >= t.id OR r.amount <> t.amount OR r.asset <> t.asset
    OR r.debit_account <> t.credit_account OR r.credit_account <> t.debit_account);

-- I3f window: a fill that takes one back is its exact opposite, and came after it
SELECT 'fill ' || f.id AS subject, f.portfolio_id, f.reverses, f.side, f.qty, r.qty AS reversed, f.fee
FROM trading_fill f LEFT JOIN trading_fill r ON r.id = f.reverses
WHERE f.id BETWEEN %(fill_low)s AND %(fill_high)s AND f.reverses IS NOT NULL
  AND (r.id IS NULL OR r.id >= f.id OR r.side = f.side OR f.fee <> -r.fee
    OR (r.order_id, r.portfolio_id, r.symbol, r.price, r.qty, r.cash)
      <> (f.order_id, f.portfolio_id, f.symbol, f.price, f.qty, f.cash));

-- I3t whole: the transfers of a fill are taken back with it, all of them, once
SELECT 'fill ' || f.id AS subject, f.portfolio_id, f.reverses, t.id AS left_standing
FROM trading_fill f JOIN trading_transfer t ON t.fill_id = f.reverses
LEFT JOIN trading_transfer u ON u.reverses = t.id
WHERE f.id BETWEEN %(low)s AND %(high)s AND f.reverses IS NOT NULL AND (u.id IS NULL OR u.seq <> f.seq);

-- I4 state cheap: reserved cash is what the open orders hold
SELECT 'portfolio ' || b.account AS subject, b.asset, b.reserved, coalesce(o.held, 0)::bigint AS held_by_orders
FROM trading_balance b JOIN trading_ledgeraccount a ON a.id = b.account
JOIN market_world w ON w.number = a.world_id
LEFT JOIN (SELECT portfolio_id, sum(reserved_cash) AS held FROM trading_order
    WHERE world_id = %(world)s AND status IN ('new', 'partially_filled', 'suspended', 'held')
    GROUP BY portfolio_id) o ON o.portfolio_id = b.account
WHERE a.world_id = %(world)s AND b.asset = w.currency AND b.reserved <> coalesce(o.held, 0);

-- I4s state cheap: reserved holdings are what the open sells hold, and each holds what it may still sell
-- (a held leg offers nothing yet)
SELECT 'portfolio ' || coalesce(b.account, o.portfolio_id) AS subject, coalesce(b.asset, o.symbol) AS asset,
  b.reserved, o.held::bigint AS held_by_orders, o.leaves::bigint AS still_to_sell
FROM (SELECT b.account, b.asset, b.reserved FROM trading_balance b
      JOIN trading_ledgeraccount a ON a.id = b.account JOIN market_world w ON w.number = a.world_id
      WHERE a.world_id = %(world)s AND b.asset <> w.currency) b
FULL JOIN (SELECT portfolio_id, symbol, sum(reserved_qty) AS held,
      coalesce(sum(qty - filled_qty) FILTER (WHERE status <> 'held'), 0) AS leaves
    FROM trading_order WHERE world_id = %(world)s
      AND (CASE WHEN terms ? 'effect' THEN terms ->> 'effect' <> 'open' ELSE side = 'sell' END)
      AND status IN ('new', 'partially_filled', 'suspended', 'held') GROUP BY portfolio_id, symbol) o
  ON o.portfolio_id = b.account AND o.symbol = b.asset
WHERE coalesce(b.reserved, 0) <> coalesce(o.held, 0) OR coalesce(o.held, 0) <> coalesce(o.leaves, 0);

-- I5 state cheap: no player holds less than nothing, nor promised more than held. Margin portfolios, and nobody
-- else, may owe: cash, contracts, and, where their game allows it, shares
SELECT 'portfolio ' || b.account AS subject, b.asset, b.posted, b.reserved, b.may_owe::text AS may_owe
FROM trading_balance b JOIN trading_ledgeraccount a ON a.id = b.account
JOIN trading_portfolio p ON p.id = a.portfolio_id
LEFT JOIN market_instrument i ON i.world_id = %(world)s AND i.symbol = b.asset
WHERE a.world_id = %(world)s AND (b.reserved < 0 OR b.may_owe <> (p.kind = 'margin')
  OR (NOT b.may_owe AND (b.posted < 0 OR b.posted < b.reserved))
  OR (i.id IS NOT NULL AND b.reserved > abs(b.posted))
  OR (b.posted < 0 AND i.kind IN ('stock', 'etf') AND NOT coalesce((p.margin ->> 'shorts')::boolean, false)));

-- I6p state cheap: a position's quantity is the ledger's
SELECT 'portfolio ' || p.portfolio_id AS subject, p.symbol, p.qty, b.posted, p.bought_today
FROM trading_position p JOIN trading_ledgeraccount a ON a.portfolio_id = p.portfolio_id
LEFT JOIN trading_balance b ON b.account = p.portfolio_id AND b.asset = p.symbol
WHERE a.world_id = %(world)s
  AND (p.qty <> coalesce(b.posted, 0) OR p.bought_today < 0 OR p.bought_today > abs(p.qty));

-- I6t portfolios: what is locked until tomorrow was bought on the day that the position speaks of
SELECT 'portfolio ' || p.portfolio_id AS subject, p.symbol, p.market_day, p.bought_today, f.bought
FROM trading_position p JOIN trading_ledgeraccount a ON a.portfolio_id = p.portfolio_id
LEFT JOIN LATERAL (SELECT sum(qty)::bigint AS bought FROM trading_fill
    WHERE portfolio_id = p.portfolio_id AND symbol = p.symbol AND market_day = p.market_day
      AND (side = 'buy' OR coalesce((receipt::json ->> 'contract')::boolean, false))) f ON true
WHERE a.world_id = %(world)s AND p.portfolio_id = ANY(%(portfolios)s::bigint[])
  AND p.bought_today > coalesce(f.bought, 0);

-- I6 portfolios: a holding is bought less sold, plus what came and went outside of trades
SELECT 'portfolio ' || b.account AS subject, b.asset, b.posted, f.traded, t.adjusted
FROM trading_balance b JOIN trading_ledgeraccount a ON a.id = b.account
JOIN market_world w ON w.number = a.world_id
LEFT JOIN (SELECT portfolio_id, symbol, sum(CASE side WHEN 'buy' THEN qty ELSE -qty END)::bigint AS traded
    FROM trading_fill WHERE id BETWEEN %(low)s AND %(high)s
      AND portfolio_id = ANY(%(portfolios)s::bigint[]) GROUP BY portfolio_id, symbol) f
  ON f.portfolio_id = b.account AND f.symbol = b.asset
LEFT JOIN (SELECT account, asset, sum(amount)::bigint AS adjusted FROM (
      SELECT debit_account AS account, asset, -amount AS amount FROM trading_transfer
      WHERE id BETWEEN %(low)s AND %(high)s AND fill_id IS NULL
        AND debit_account = ANY(%(portfolios)s::bigint[])
      UNION ALL
      SELECT credit_account, asset, amount FROM trading_transfer
      WHERE id BETWEEN %(low)s AND %(high)s AND fill_id IS NULL
        AND credit_account = ANY(%(portfolios)s::bigint[])) e GROUP BY account, asset) t
  ON t.account = b.account AND t.asset = b.asset
WHERE a.world_id = %(world)s AND b.account = ANY(%(portfolios)s::bigint[])
  AND b.asset <> w.currency AND b.posted <> coalesce(f.traded, 0) + coalesce(t.adjusted, 0)
  AND b.asset NOT IN (SELECT currency FROM market_instrument WHERE world_id = %(world)s);

-- I6a portfolios: what a corporate action changed in a position is what it moved
WITH moved AS (
  SELECT seq, account, asset, sum(amount)::bigint AS amount FROM (
      SELECT seq, debit_account AS account, asset, -amount AS amount FROM trading_transfer
      WHERE id BETWEEN %(low)s AND %(high)s AND fill_id IS NULL AND code <> 6
        AND debit_account = ANY(%(portfolios)s::bigint[])
      UNION ALL
      SELECT seq, credit_account, asset, amount FROM trading_transfer
      WHERE id BETWEEN %(low)s AND %(high)s AND fill_id IS NULL AND code <> 6
        AND credit_account = ANY(%(portfolios)s::bigint[])) t
  GROUP BY seq, account, asset)
SELECT 'portfolio ' || e.portfolio_id AS subject, e.symbol, e.seq, e.qty, e.cash, s.amount AS moved,
  c.amount AS paid
FROM (SELECT seq, portfolio_id, symbol, sum(qty)::bigint AS qty,
      sum(sum(cash)) OVER (PARTITION BY seq, portfolio_id)::bigint AS cash
    FROM trading_actionentry WHERE world_id = %(world)s AND portfolio_id = ANY(%(portfolios)s::bigint[])
    GROUP BY seq, portfolio_id, symbol) e
JOIN market_instrument i ON i.world_id = %(world)s AND i.symbol = e.symbol
LEFT JOIN moved s ON (s.seq, s.account, s.asset) = (e.seq, e.portfolio_id, e.symbol)
LEFT JOIN moved c ON (c.seq, c.account, c.asset) = (e.seq, e.portfolio_id, i.currency)
WHERE e.qty <> coalesce(s.amount, 0) OR e.cash <> coalesce(c.amount, 0);

-- I7o state cheap: the sums of an open order are the fold of its fills
SELECT 'order ' || o.id AS subject, o.portfolio_id, o.filled_qty, f.qty, o.filled_cash, f.cash, o.fees, f.fee
FROM trading_order o LEFT JOIN LATERAL (
    SELECT coalesce(sum(qty), 0)::bigint AS qty, coalesce(sum(price::numeric * qty), 0) AS value,
      coalesce(sum(cash), 0)::bigint AS cash, coalesce(sum(fee), 0)::bigint AS fee
    FROM trading_fill WHERE order_id = o.id AND reverses IS NULL) f ON true
WHERE o.world_id = %(world)s AND o.status IN ('new', 'partially_filled', 'suspended', 'held')
  AND (o.filled_qty, o.filled_value, o.filled_cash, o.fees) <> (f.qty, f.value, f.cash, f.fee);

-- I7 portfolios: the sums of every order are the fold of its fills, and no fill lacks its order
SELECT 'order ' || coalesce(o.id, f.order_id) AS subject, coalesce(o.portfolio_id, f.portfolio_id) AS portfolio_id,
  o.status, o.filled_qty, f.qty, o.filled_cash, f.cash,
  o.fees, f.fee
FROM (SELECT * FROM trading_order WHERE world_id = %(world)s
      AND portfolio_id = ANY(%(portfolios)s::bigint[])) o
FULL JOIN (SELECT order_id, min(portfolio_id) AS portfolio_id, sum(qty)::bigint AS qty, sum(price::numeric * qty) AS value,
      sum(cash)::bigint AS cash, sum(fee)::bigint AS fee
    FROM trading_fill WHERE id BETWEEN %(low)s AND %(high)s
      AND portfolio_id = ANY(%(portfolios)s::bigint[]) AND reverses IS NULL GROUP BY order_id) f ON f.order_id = o.id
WHERE o.id IS NULL OR (o.filled_qty, o.filled_value, o.filled_cash, o.fees)
    <> (coalesce(f.qty, 0), coalesce(f.value, 0), coalesce(f.cash, 0), coalesce(f.fee, 0))
  OR (o.status = 'filled') <> (o.filled_qty = o.qty)
  OR (o.status = 'new' AND o.filled_qty > 0) OR (o.status = 'partially_filled' AND o.filled_qty = 0);

-- I8 window: the legs of each match: cash one way, the asset the other, both once
SELECT 'match ' || f.match AS subject, f.buyer, f.seller, f.cash, f.qty, t.cash AS cash_moved, t.qty AS qty_moved
FROM (SELECT match, min(portfolio_id) FILTER (WHERE side = 'buy') AS buyer,
      min(portfolio_id) FILTER (WHERE side = 'sell') AS seller, max(cash) AS cash, max(qty) AS qty,
      min(symbol) AS symbol, count(*) AS sides, min(against) AS against, max(price) - min(price) AS apart,
      bool_or(coalesce((receipt::json ->> 'contract')::boolean, false)) AS contract
    FROM trading_fill WHERE id BETWEEN %(fill_low)s AND %(fill_high)s AND reverses IS NULL GROUP BY match) f
LEFT JOIN (SELECT fill_id,
      sum(amount) FILTER (WHERE code = 2) AS cash, min(debit_account) FILTER (WHERE code = 2) AS payer,
      min(credit_account) FILTER (WHERE code = 2) AS paid,
      sum(amount) FILTER (WHERE code = 3) AS qty, min(debit_account) FILTER (WHERE code = 3) AS giver,
      min(credit_account) FILTER (WHERE code = 3) AS taker, min(asset) FILTER (WHERE code = 3) AS asset
    FROM trading_transfer WHERE id BETWEEN %(transfer_low)s AND %(transfer_high)s AND fill_id IS NOT NULL GROUP BY fill_id) t
  ON t.fill_id = f.match
WHERE coalesce(t.cash, 0) <> CASE WHEN f.contract THEN 0 ELSE f.cash END OR coalesce(t.qty, 0) <> f.qty OR f.apart <> 0
  OR t.asset IS DISTINCT FROM f.symbol
  OR f.sides <> CASE f.against WHEN 'player' THEN 2 ELSE 1 END
  OR coalesce(f.buyer, -(%(world)s * 16 + 1)) <> t.taker OR coalesce(f.seller, -(%(world)s * 16 + 1)) <> t.giver
  OR (f.cash > 0 AND NOT f.contract AND (t.payer <> t.taker OR t.paid <> t.giver));

-- I8f window: the fee of each fill was paid, by its portfolio, to the fee account, and its lines add up
SELECT 'fill ' || f.id AS subject, f.portfolio_id, f.fee, t.paid
FROM trading_fill f LEFT JOIN (
    SELECT fill_id, debit_account, sum(amount)::bigint AS paid FROM trading_transfer
    WHERE id BETWEEN %(transfer_low)s AND %(transfer_high)s AND code = 4 AND credit_account = -(%(world)s * 16 + 2)
    GROUP BY fill_id, debit_account) t ON t.fill_id = f.id AND t.debit_account = f.portfolio_id
WHERE f.id BETWEEN %(fill_low)s AND %(fill_high)s AND f.reverses IS NULL AND (f.fee <> coalesce(t.paid, 0)
  OR f.fee <> (SELECT coalesce(sum((line ->> 1)::bigint), 0) FROM jsonb_array_elements(f.fees) AS line));

-- I8m window: results of contracts move between margin portfolios and the clearing account; interest and borrow
-- fees go from them to the lender
SELECT 'transfer ' || t.id AS subject, t.code, t.debit_account, t.credit_account, t.amount
FROM trading_transfer t
LEFT JOIN trading_portfolio p ON p.id = greatest(t.debit_account, t.credit_account) AND p.kind = 'margin'
WHERE t.id BETWEEN %(transfer_low)s AND %(transfer_high)s AND t.code BETWEEN 20 AND 24 AND (p.id IS NULL
  OR (t.code IN (20, 24) AND least(t.debit_account, t.credit_account) <> -(%(world)s * 16 + 8))
  OR (t.code IN (21, 22) AND t.credit_account <> -(%(world)s * 16 + 9)));

-- I9 window: no fill beyond the limit that held when it happened, nor off the price grid
SELECT 'fill ' || f.id AS subject, f.portfolio_id, f.side, f.price, f.receipt::json ->> 'limit_price' AS limit_price, i.tick
FROM trading_fill f JOIN market_instrument i ON i.world_id = %(world)s AND i.symbol = f.symbol
WHERE f.id BETWEEN %(fill_low)s AND %(fill_high)s AND f.reverses IS NULL AND (f.price %% i.tick <> 0
  OR (f.side = 'buy' AND f.price > (f.receipt::json ->> 'limit_price')::bigint)
  OR (f.side = 'sell' AND f.price < (f.receipt::json ->> 'limit_price')::bigint));

-- I11 state cheap: no crossed book at rest (orders that wait for trading to begin may cross)
SELECT 'instrument ' || b.symbol AS subject, b.bid, s.ask
FROM (SELECT symbol, max(limit_price) AS bid FROM trading_order WHERE world_id = %(world)s AND side = 'buy'
      AND status IN ('new', 'partially_filled') AND coalesce(receipt::json ->> 'waits', '') = '' GROUP BY symbol) b
JOIN (SELECT symbol, min(limit_price) AS ask FROM trading_order WHERE world_id = %(world)s AND side = 'sell'
      AND status IN ('new', 'partially_filled') AND coalesce(receipt::json ->> 'waits', '') = '' GROUP BY symbol) s
  ON s.symbol = b.symbol
WHERE b.bid >= s.ask;

-- I12 window: nobody trades with themselves
SELECT 'match ' || match AS subject, min(portfolio_id) AS portfolio
FROM trading_fill WHERE id BETWEEN %(fill_low)s AND %(fill_high)s AND against = 'player'
GROUP BY match HAVING count(DISTINCT portfolio_id) < 2;

-- I13 portfolios: an order is in a state that the table knows, has ended or not, and counts its events
SELECT 'order ' || o.id AS subject, o.portfolio_id, o.status, o.reason, o.closed_at, o.version, o.market_day
FROM trading_order o WHERE o.world_id = %(world)s
  AND o.portfolio_id = ANY(%(portfolios)s::bigint[])
  AND (o.version < 1 OR CASE WHEN o.status IN ('new', 'partially_filled', 'suspended', 'held') THEN o.closed_at IS NOT NULL
    WHEN o.status IN ('filled', 'canceled', 'rejected', 'expired') THEN o.closed_at IS NULL ELSE true END);

-- I14 window: the journal, the fills and the transfers have no holes
SELECT 'journal after ' || before - %(low)s AS subject, before + 1 AS first_missing, id - 1 AS last_missing
FROM (SELECT id, lag(id, 1, %(command_low)s::bigint - 1) OVER (ORDER BY id) AS before
    FROM trading_command WHERE id BETWEEN %(command_low)s AND %(command_high)s) r WHERE id <> before + 1
UNION ALL
SELECT 'fills after ' || before - %(low)s AS subject, before + 1 AS first_missing, id - 1 AS last_missing
FROM (SELECT id, lag(id, 1, %(fill_low)s::bigint - 1) OVER (ORDER BY id) AS before
    FROM trading_fill WHERE id BETWEEN %(fill_low)s AND %(fill_high)s) r WHERE id <> before + 1
UNION ALL
SELECT 'transfers after ' || before - %(low)s AS subject, before + 1 AS first_missing, id - 1 AS last_missing
FROM (SELECT id, lag(id, 1, %(transfer_low)s::bigint - 1) OVER (ORDER BY id) AS before
    FROM trading_transfer WHERE id BETWEEN %(transfer_low)s AND %(transfer_high)s) r WHERE id <> before + 1;

-- I14h state cheap: the last thousand rows of the journal have no holes
SELECT 'journal after ' || before - %(low)s AS subject, before + 1 AS first_missing, id - 1 AS last_missing
FROM (SELECT id, lag(id) OVER (ORDER BY id) AS before FROM (SELECT id FROM trading_command
    WHERE id BETWEEN %(low)s AND %(high)s ORDER BY id DESC LIMIT 1000) newest) r WHERE id <> before + 1;

-- I14s portfolios: every private stream is dense from 1
SELECT 'portfolio ' || portfolio_id AS subject, before + 1 AS first_missing, seq - 1 AS last_missing
FROM (SELECT portfolio_id, seq, lag(seq, 1, 0::bigint) OVER (PARTITION BY portfolio_id ORDER BY seq) AS before
    FROM trading_accountevent WHERE portfolio_id = ANY(%(portfolios)s::bigint[])) e WHERE seq <> before + 1;

-- I14e portfolios: each event of a private stream names a command of the journal
SELECT 'portfolio ' || e.portfolio_id AS subject, e.seq, e.command
FROM trading_accountevent e WHERE e.portfolio_id = ANY(%(portfolios)s::bigint[])
  AND NOT EXISTS (SELECT 1 FROM trading_command c WHERE c.id = e.command);

-- I14c window: each player's command that was executed told its portfolio
SELECT 'command ' || c.id AS subject, c.kind, c.portfolio_id
FROM trading_command c WHERE c.id BETWEEN %(command_low)s AND %(command_high)s
  AND (c.kind IN ('open_portfolio', 'new_order', 'cancel', 'replace', 'adjust')
       OR c.kind = 'freeze' AND (c.result::json -> 'portfolio') IS NOT NULL)  -- frozen twice is frozen once
  AND NOT EXISTS (SELECT 1 FROM trading_accountevent e WHERE e.command = c.id AND e.portfolio_id = c.portfolio_id);

-- I15 portfolios: each order has exactly the one command that made it, under the same key
SELECT 'order ' || o.id AS subject, o.portfolio_id, o.client_order_id, c.id AS command
FROM trading_order o LEFT JOIN trading_command c
  ON c.portfolio_id = o.portfolio_id AND c.kind = 'new_order' AND c.client_id = o.client_order_id
WHERE o.world_id = %(world)s AND o.portfolio_id = ANY(%(portfolios)s::bigint[])
  AND o.client_order_id NOT LIKE 'leg-%%' AND o.client_order_id NOT LIKE 'forced %%'
  AND (c.id IS NULL OR c.payload::json ->> 'order_id' IS DISTINCT FROM o.id::text);

-- I15f portfolios: an order that no player placed reduces a margin portfolio, says why, and names its command
SELECT 'order ' || o.id AS subject, o.portfolio_id, o.client_order_id, o.priority
FROM trading_order o JOIN trading_portfolio p ON p.id = o.portfolio_id
WHERE o.world_id = %(world)s AND o.portfolio_id = ANY(%(portfolios)s::bigint[]) AND o.client_order_id LIKE 'forced %%'
  AND (p.kind <> 'margin' OR coalesce(o.terms ->> 'forced', '') = ''
    OR o.terms ->> 'effect' NOT IN ('close', 'close_today')
    OR split_part(split_part(o.client_order_id, ' ', 2), '.', 1) <> o.priority::text
    OR NOT EXISTS (SELECT 1 FROM trading_command c WHERE c.id = %(low)s + o.priority));

-- I15l portfolios: each leg came with the command of one order, and says so
SELECT 'order ' || o.id AS subject, o.portfolio_id, o.client_order_id, c.id AS command
FROM trading_order o LEFT JOIN (
    SELECT id, portfolio_id, payload::json -> 'terms' -> leg ->> 'order_id' AS leg_id
    FROM trading_command, unnest(ARRAY['take_profit', 'stop_loss']) AS leg
    WHERE id BETWEEN %(low)s AND %(high)s AND kind = 'new_order' AND portfolio_id = ANY(%(portfolios)s::bigint[])
      AND payload::json -> 'terms' -> leg ->> 'order_id' IS NOT NULL) c
  ON c.leg_id = o.id::text AND c.portfolio_id = o.portfolio_id
WHERE o.world_id = %(world)s AND o.portfolio_id = ANY(%(portfolios)s::bigint[]) AND o.client_order_id LIKE 'leg-%%'
  AND (c.id IS NULL OR coalesce(o.terms ->> 'leg', '') = '');

-- I4h state cheap: only legs are held, and a held leg reserves nothing and has sold nothing
SELECT 'order ' || id AS subject, portfolio_id, status, reserved_cash, reserved_qty, filled_qty
FROM trading_order WHERE world_id = %(world)s AND status = 'held'
  AND (reserved_cash > 0 OR reserved_qty > 0 OR filled_qty > 0 OR coalesce(terms ->> 'leg', '') = '');

-- I4l state cheap: of a take profit and its stop loss at most one offers what they protect
SELECT 'order ' || o.id AS subject, o.portfolio_id, o.status, s.id AS sibling, s.status AS its_status
FROM trading_order o JOIN trading_order s ON s.id = (o.terms ->> 'sibling')::uuid
WHERE o.world_id = %(world)s AND o.terms ->> 'sibling' <> '' AND o.id < s.id
  AND o.status IN ('new', 'partially_filled', 'suspended')
  AND s.status IN ('new', 'partially_filled', 'suspended');

-- I16 window: the epoch never goes back along the journal
SELECT 'command ' || id AS subject, epoch, before FROM (
  SELECT id, epoch, lag(epoch) OVER (ORDER BY id) AS before FROM trading_command
  WHERE id BETWEEN %(command_low)s - 1 AND %(command_high)s) c WHERE before > epoch;

-- I17 window: engine time never goes back along the journal
SELECT 'command ' || id AS subject, at, before FROM (
  SELECT id, at, lag(at) OVER (ORDER BY id) AS before FROM trading_command
  WHERE id BETWEEN %(command_low)s - 1 AND %(command_high)s) c WHERE before > at;

-- I17d state: no order for one day is open when a later day has traded
SELECT 'order ' || o.id AS subject, o.portfolio_id, o.time_in_force, o.market_day, d.market_day AS traded_on
FROM trading_order o, (SELECT market_day FROM trading_fill WHERE id BETWEEN %(low)s AND %(high)s
    ORDER BY id DESC LIMIT 1) d
WHERE o.world_id = %(world)s AND o.status IN ('new', 'partially_filled', 'suspended', 'held')
  AND o.time_in_force IN ('day', 'opg', 'cls') AND o.market_day < d.market_day;
