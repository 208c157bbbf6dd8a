"""The function that writes a batch of calls where nobody else writes its wallets: what locks a row is what writes it.

Fixed by the version that made it, as the types of its rows are.
"""

from __future__ import annotations

from typing import Final

from alembic import op

revision = "0044"
down_revision = "0043"
branch_labels = None
depends_on = None

_TYPES: Final = {
    "account_row_2": (
        "version xid, balance_nano bigint, reserved_nano bigint, debt_nano bigint, id bigint, tenant_id bigint"
    ),
    "lot_row_3": (
        "version xid, remaining_nano bigint, reserved_nano bigint, consumed_nano bigint, expired_nano bigint,"
        " clawed_back_nano bigint, accrued_nano bigint, id text, wallet_id bigint"
    ),
    "key_window_row_1": (
        "version xid, spent_nano bigint, reserved_nano bigint, key_id text, started_at bigint, tenant_id bigint"
    ),
    "lot_day_row_1": "lot_id text, tenant_id bigint, day bigint, used_nano bigint",
    "hold_checkpoint_row_1": "checkpoint text, request_id text, tenant_id bigint",
    "hold_end_row_1": "state text, resolved_at bigint, request_id text, tenant_id bigint",
}
_WRITE: Final = """\
CREATE FUNCTION ledger_write_3(
    p_tenants text, p_owner text, p_epoch bigint,
    p_accounts account_row_2[], p_windows key_window_row_1[], p_lots lot_row_3[], p_days lot_day_row_1[],
    p_several bigint[], p_newest bigint[],
    p_checkpoints hold_checkpoint_row_1[], p_holds hold_row_1[], p_ends hold_end_row_1[], p_txns txn_row_1[],
    p_entry_txns integer[], p_entry_lines integer[], p_entry_accounts bigint[], p_entry_amounts bigint[],
    p_records usage_record_row_1[]
) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    stamped_from bigint;
    affected bigint;
BEGIN
    p_tenants := set_config('rk.tenants', p_tenants, true);
    SELECT settled_from INTO stamped_from FROM lease WHERE owner = p_owner AND epoch = p_epoch FOR SHARE;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    IF cardinality(p_accounts) > 0 THEN
        UPDATE account
        SET balance_nano = account.balance_nano + v.balance_nano,
            reserved_nano = account.reserved_nano + v.reserved_nano, debt_nano = account.debt_nano + v.debt_nano
        FROM unnest(p_accounts) AS v
        WHERE account.id = v.id AND account.tenant_id = v.tenant_id AND account.xmin = v.version;
        GET DIAGNOSTICS affected = ROW_COUNT;
        IF affected <> cardinality(p_accounts) THEN
            RAISE 'ledger: a wallet was written by others' USING ERRCODE = 'serialization_failure';
        END IF;
    END IF;
    IF cardinality(p_windows) > 0 THEN
        UPDATE key_window
        SET spent_nano = key_window.spent_nano + v.spent_nano,
            reserved_nano = key_window.reserved_nano + v.reserved_nano
        FROM unnest(p_windows) AS v
        WHERE key_window.key_id = v.key_id AND key_window.started_at = v.started_at
            AND key_window.tenant_id = v.tenant_id AND key_window.xmin = v.version;
        GET DIAGNOSTICS affected = ROW_COUNT;
        IF affected <> cardinality(p_windows) THEN
            RAISE 'ledger: a key window was written by others' USING ERRCODE = 'serialization_failure';
        END IF;
    END IF;
    IF cardinality(p_several) > 0 THEN
        PERFORM FROM unnest(p_several, p_newest) AS known(wallet_id, newest)
        WHERE known.newest IS DISTINCT FROM (
            SELECT max(lot.xmin::text::bigint) FROM lot WHERE NOT lot.used_up AND lot.wallet_id = known.wallet_id
        );
        IF FOUND THEN
            RAISE 'ledger: one of several lots was written by others' USING ERRCODE = 'serialization_failure';
        END IF;
    END IF;
    IF cardinality(p_lots) > 0 THEN
        UPDATE lot
        SET remaining_nano = lot.remaining_nano + v.remaining_nano,
            reserved_nano = lot.reserved_nano + v.reserved_nano,
            consumed_nano = lot.consumed_nano + v.consumed_nano, expired_nano = lot.expired_nano + v.expired_nano,
            clawed_back_nano = lot.clawed_back_nano + v.clawed_back_nano,
            accrued_nano = lot.accrued_nano + v.accrued_nano, used_up = lot.remaining_nano + v.remaining_nano = 0
        FROM unnest(p_lots) AS v
        WHERE lot.id = v.id AND lot.wallet_id = v.wallet_id AND (v.version IS NULL OR lot.xmin = v.version);
        GET DIAGNOSTICS affected = ROW_COUNT;
        IF affected <> cardinality(p_lots) THEN
            RAISE 'ledger: a lot was written by others' USING ERRCODE = 'serialization_failure';
        END IF;
    END IF;
    IF cardinality(p_days) > 0 THEN
        INSERT INTO lot_day (lot_id, tenant_id, day, used_nano)
        SELECT v.lot_id, v.tenant_id, v.day, v.used_nano FROM unnest(p_days) AS v
        ON CONFLICT (lot_id) DO UPDATE SET day = excluded.day, used_nano = excluded.used_nano;
    END IF;
    IF cardinality(p_checkpoints) > 0 THEN
        UPDATE hold SET checkpoint = v.checkpoint FROM unnest(p_checkpoints) AS v
        WHERE hold.request_id = v.request_id AND hold.tenant_id = v.tenant_id
            AND hold.state IS NOT DISTINCT FROM 'open';
    END IF;
    IF cardinality(p_holds) > 0 THEN
        INSERT INTO hold (
            request_id, tenant_id, kind, state, customer_id, wallet_id, reseller_wallet_id, key_id, window_started_at,
            model, retail_version, wholesale_version, output_limit, retail_nano, wholesale_nano, allocations, owner,
            epoch, call, checkpoint, created_at, resolved_at
        ) SELECT v.* FROM unnest(p_holds) AS v;
    END IF;
    IF cardinality(p_ends) > 0 THEN
        UPDATE hold SET state = v.state, resolved_at = v.resolved_at FROM unnest(p_ends) AS v
        WHERE hold.request_id = v.request_id AND hold.tenant_id = v.tenant_id
            AND hold.state IS NOT DISTINCT FROM 'open';
        GET DIAGNOSTICS affected = ROW_COUNT;
        IF affected <> cardinality(p_ends) THEN
            RAISE 'holds: % of % rows were there to write', affected, cardinality(p_ends);
        END IF;
    END IF;
    IF cardinality(p_txns) > 0 THEN
        INSERT INTO txn (id, tenant_id, wallet_id, code, ref, balance_after_nano, reverses, created_at)
        SELECT v.* FROM unnest(p_txns) AS v;
        INSERT INTO entry (txn_id, line, tenant_id, account_id, amount_nano)
        SELECT (p_txns[v.txn]).id, v.line, (p_txns[v.txn]).tenant_id, v.account_id, v.amount_nano
        FROM (
            SELECT unnest(p_entry_txns) AS txn, unnest(p_entry_lines) AS line, unnest(p_entry_accounts) AS account_id,
                unnest(p_entry_amounts) AS amount_nano
        ) AS v;
    END IF;
    IF cardinality(p_records) > 0 THEN
        INSERT INTO usage_record (
            id, tenant_id, customer_id, key_id, model, public_model, upstream, upstream_model, dialect, stream, status,
            http_status, quantities, reasoning_tokens, usage_source, usage_capped, retail_nano, wholesale_nano,
            cost_nano, retail_version, wholesale_version, cost_version, attempts, latency_ms, first_byte_ms,
            delivered_characters, tokenizer, created_at, settled_at
        ) SELECT
            v.id, v.tenant_id, v.customer_id, v.key_id, v.model, v.public_model, v.upstream, v.upstream_model,
            v.dialect, v.stream, v.status, v.http_status, v.quantities, v.reasoning_tokens, v.usage_source,
            v.usage_capped, v.retail_nano, v.wholesale_nano, v.cost_nano, v.retail_version, v.wholesale_version,
            v.cost_version, v.attempts, v.latency_ms, v.first_byte_ms, v.delivered_characters, v.tokenizer,
            v.created_at, greatest(v.settled_at, stamped_from)
        FROM unnest(p_records) AS v;
    END IF;
    RETURN pg_current_xact_id()::xid::text::bigint;
END $$
"""
"""What it does in this order: the tenants, the lease, the wallets and key windows, which it locks in the order of all
others, by writing them; where one is not at the version that its row was worked out from, it fails as a transaction
that can't be serialized (40001), and nothing is written. NULL where the lease is another one's. NULL stands for no
rows.

The difference of a wallet or a key window has the version of its row. That of a lot has one where it is the only one
that calls of its wallet can spend; for other wallets `p_several` says at which version the newest lot is. An entry
names its transaction by its place among `p_txns`, from 1. It runs with its caller's rights, so the policies hold in it
as they do everywhere.
"""


def upgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        for name, members in _TYPES.items():
            op.execute(f"CREATE TYPE {name} AS ({members})")
        op.execute(_WRITE)
