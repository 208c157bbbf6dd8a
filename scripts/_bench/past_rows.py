"""The statements that make the rows of a long past, for both databases. Runs none of them.

`bench_payer` has a row for each customer, `bench_call` one for each call of a step. Steps end where days do, so no sum
is that of two. Every tenth call is the first customer's; the others are spread evenly.
"""

from __future__ import annotations

from typing import Final

from reseller_kit.core.days import QUARTER_US
from reseller_kit.core.ids import ALPHABET
from reseller_kit.core.times import DAY_US
from reseller_kit.db.tables import SUMMED

TIMELINE_TABLE: Final = (
    "CREATE TABLE IF NOT EXISTS bench_past (start_us BIGINT, step_us BIGINT, total BIGINT, made BIGINT)"
)

PAYER_TABLE: Final = """
CREATE TEMP TABLE bench_payer (
    number INTEGER PRIMARY KEY, tenant_id BIGINT, customer_id TEXT, key_id TEXT, wallet_id BIGINT,
    reseller_wallet_id BIGINT, reseller_revenue BIGINT, wholesale_revenue BIGINT, upstream_cost BIGINT,
    upstream_payable BIGINT, lot_id TEXT, retail_in BIGINT, retail_out BIGINT, wholesale_in BIGINT,
    wholesale_out BIGINT, cost_in BIGINT, cost_out BIGINT, retail_version TEXT, wholesale_version TEXT,
    cost_version TEXT, upstream TEXT, upstream_model TEXT, call TEXT
)
"""

LINE_TABLE: Final = (
    "CREATE TEMP TABLE bench_line (line INTEGER PRIMARY KEY)",
    "INSERT INTO bench_line VALUES (0), (1), (2), (3), (4), (5)",
)

_NO_CALLS: Final = "DROP TABLE IF EXISTS bench_call"
"""Not emptied: PostgreSQL reads over the rows that were, and a temporary table is never vacuumed."""

_RANDOM: Final = {"postgresql": "upper(substr(md5(random()::text), 1, 16))", "sqlite": "hex(randomblob(8))"}
"""Sixteen characters that are digits of base32 too: the half of an id that is not its moment."""


def _moment() -> str:
    """The first ten characters of an id: its millisecond in base32."""
    digit = f"substr('{ALPHABET}', CAST((made_at / 1000 >> {{}}) & 31 AS INTEGER) + 1, 1)"
    return " || ".join(digit.format(shift) for shift in range(45, -1, -5))


def _calls(backend: str, first: int, end: int) -> str:
    return f"""
CREATE TEMP TABLE bench_call AS
WITH RECURSIVE new (n) AS (
    SELECT CAST({first:d} AS BIGINT) UNION ALL SELECT n + 1 FROM new WHERE n + 1 < {end:d}
)
SELECT n, {_moment()} || {_RANDOM[backend]} AS ulid, number, made_at, made_at + 1500000 + n % 1000 * 1000 AS settled_at,
       CASE n / 7 % 4 WHEN 0 THEN 'gpt-5-mini' WHEN 1 THEN 'bench-fast' WHEN 2 THEN 'bench-large'
           ELSE 'bench-cheap' END AS model,
       read_tokens, written_tokens,
       (read_tokens * retail_in + written_tokens * retail_out + 999) / 1000 AS retail,
       (read_tokens * wholesale_in + written_tokens * wholesale_out + 999) / 1000 AS wholesale,
       (read_tokens * cost_in + written_tokens * cost_out + 999) / 1000 AS cost
FROM (
    SELECT n, start_us + n * step_us AS made_at, 100 + n * 7 % 900 AS read_tokens, 10 + n * 13 % 490 AS written_tokens,
           CASE WHEN n % 10 = 0 THEN 0
           ELSE 1 + n * 7919 % 100003 % ((SELECT count(*) FROM bench_payer) - 1) END AS payer
    FROM new CROSS JOIN bench_past
) AS numbered JOIN bench_payer ON number = payer
ORDER BY n
"""  # noqa: S608  # numbers and names of ours


_HOLDS: Final = """
INSERT INTO hold (request_id, tenant_id, kind, state, customer_id, wallet_id, reseller_wallet_id, key_id,
    window_started_at, model, retail_version, wholesale_version, output_limit, retail_nano, wholesale_nano, allocations,
    owner, epoch, call, checkpoint, created_at, resolved_at)
SELECT 'req_' || ulid, tenant_id, 'call', 'captured', customer_id, wallet_id, reseller_wallet_id, key_id,
    -1, model, retail_version, wholesale_version, 4096, retail * 3, wholesale * 3,
    '[["' || lot_id || '",' || retail * 3 || ']]', 'own_past', 1, call, NULL, made_at, settled_at
FROM bench_call JOIN bench_payer USING (number)
"""

_TXNS: Final = """
INSERT INTO txn (id, tenant_id, wallet_id, code, ref, balance_after_nano, reverses, created_at)
SELECT 'txn_' || ulid, p.tenant_id, p.wallet_id, 'call', 'req_' || ulid,
    a.balance_nano - CAST(sum(retail) OVER (PARTITION BY c.number ORDER BY n) AS BIGINT), NULL, settled_at
FROM bench_call c JOIN bench_payer p USING (number) JOIN account a ON a.id = p.wallet_id
"""

_ENTRIES: Final = """
INSERT INTO entry (txn_id, line, tenant_id, account_id, amount_nano)
SELECT 'txn_' || ulid, line, tenant_id,
    CASE line WHEN 0 THEN wallet_id WHEN 1 THEN reseller_revenue WHEN 2 THEN reseller_wallet_id
        WHEN 3 THEN wholesale_revenue WHEN 4 THEN upstream_cost ELSE upstream_payable END,
    CASE line WHEN 0 THEN -retail WHEN 1 THEN retail WHEN 2 THEN -wholesale WHEN 3 THEN wholesale
        WHEN 4 THEN -cost ELSE cost END
FROM bench_call JOIN bench_payer USING (number) CROSS JOIN bench_line
"""

_USAGE: Final = """
INSERT INTO usage_record (id, tenant_id, customer_id, key_id, model, public_model, upstream, upstream_model, dialect,
    stream, status, http_status, quantities, reasoning_tokens, usage_source, usage_capped, retail_nano, wholesale_nano,
    cost_nano, retail_version, wholesale_version, cost_version, attempts, latency_ms, first_byte_ms,
    delivered_characters, tokenizer, created_at, settled_at)
SELECT 'req_' || ulid, tenant_id, customer_id, key_id, model, 'gpt-5-mini', upstream, upstream_model, 'openai',
    false, 'ok', 200, '{"input":' || read_tokens || ',"output":' || written_tokens || ',"request":1}', 0, 'upstream',
    false, retail, wholesale, cost, retail_version, wholesale_version, cost_version, 1, 1500, 400, NULL, NULL,
    made_at, settled_at
FROM bench_call JOIN bench_payer USING (number)
"""

_WALLETS: Final = (
    """
    UPDATE account SET balance_nano = balance_nano - taken FROM (
        SELECT wallet_id, CAST(sum(retail) AS BIGINT) AS taken FROM bench_call JOIN bench_payer USING (number)
        GROUP BY wallet_id
    ) AS calls WHERE account.id = calls.wallet_id
    """,
    """
    UPDATE account SET balance_nano = balance_nano - taken FROM (
        SELECT reseller_wallet_id, CAST(sum(wholesale) AS BIGINT) AS taken
        FROM bench_call JOIN bench_payer USING (number) GROUP BY reseller_wallet_id
    ) AS calls WHERE account.id = calls.reseller_wallet_id
    """,
    """
    UPDATE lot SET remaining_nano = remaining_nano - taken, consumed_nano = consumed_nano + taken FROM (
        SELECT lot_id, CAST(sum(retail) AS BIGINT) AS taken FROM bench_call JOIN bench_payer USING (number)
        GROUP BY lot_id
    ) AS calls WHERE lot.id = calls.lot_id
    """,
)

_SUMS: Final = {
    "calls": "count(*)",
    "request": "count(*)",
    "input": "CAST(sum(read_tokens) AS BIGINT)",
    "output": "CAST(sum(written_tokens) AS BIGINT)",
    "retail_nano": "CAST(sum(retail) AS BIGINT)",
    "wholesale_nano": "CAST(sum(wholesale) AS BIGINT)",
    "cost_nano": "CAST(sum(cost) AS BIGINT)",
}


def _rollups(customer: str, key: str) -> str:
    """The sums by quarter of an hour, of each customer and key or of whole storefronts. In the order of the table."""
    grain = f"tenant_id, {customer}, made_at - made_at % {QUARTER_US}, model, {key}"
    sums = ", ".join(_SUMS.get(name, "0") for name in SUMMED)
    return (
        f"INSERT INTO usage_rollup (tenant_id, customer_id, quarter_at, model, key_id, {', '.join(SUMMED)})"
        f" SELECT {grain}, {sums} {_grouped(grain)}"
    )


def _totals() -> tuple[str, ...]:
    """The sums for customers' own pages: by quarter of all calls, and by day of each model and key."""
    made = []
    for grain, width, each in (("quarter", QUARTER_US, "'', ''"), ("day", DAY_US, "model, key_id")):
        at = f"made_at - made_at % {width}"
        sums = ", ".join(_SUMS[name] for name in ("calls", "input", "output", "retail_nano"))
        names = ("calls", "input_tokens", "output_tokens", "retail_nano")
        made.append(
            f"INSERT INTO usage_total (tenant_id, customer_id, grain, at, model, key_id, {', '.join(names)})"
            f" SELECT tenant_id, customer_id, '{grain}', {at}, {each}, {sums}"
            f" {_grouped(f'tenant_id, customer_id, {at}, {each}')}"
        )
    return tuple(made)


def _days() -> str:
    """How each model's calls of a day went: well."""
    grain = f"tenant_id, made_at - made_at % {DAY_US}, model"
    return (
        "INSERT INTO model_day (tenant_id, day_at, model, calls, failures)"
        f" SELECT {grain}, count(*), 0 {_grouped(grain)}"
    )


def _grouped(grain: str) -> str:
    names = ", ".join(part for part in grain.split(", ") if part != "''")
    return f"FROM bench_call JOIN bench_payer USING (number) GROUP BY {names} ORDER BY {names}"


_MARK: Final = (
    "UPDATE rollup_mark SET at = (SELECT max(settled_at) + 1 FROM bench_call)"
    " WHERE at < (SELECT max(settled_at) FROM bench_call)"
)


def statements(backend: str, first: int, end: int) -> tuple[str, ...]:
    """One step: every row, balance and sum of the calls from `first` until before `end`."""
    return (
        _NO_CALLS,
        _calls(backend, first, end),
        _HOLDS,
        _TXNS,
        _ENTRIES,
        _USAGE,
        *_WALLETS,
        _rollups("customer_id", "key_id"),
        _rollups("''", "''"),
        *_totals(),
        _days(),
        _MARK,
        f"UPDATE bench_past SET made = {end:d}",  # noqa: S608  # a number of ours
    )
