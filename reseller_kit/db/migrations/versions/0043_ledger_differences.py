"""The function that writes a batch of calls by differences, so that several processes may write the same wallets.

Fixed by the version that made it, as the types of its rows are.
"""

from __future__ import annotations

from typing import Final

from alembic import op

revision = "0043"
down_revision = "0042"
branch_labels = None
depends_on = None

_LOT: Final = """\
CREATE TYPE lot_row_2 AS (
    remaining_nano bigint, reserved_nano bigint, consumed_nano bigint, expired_nano bigint, clawed_back_nano bigint,
    accrued_nano bigint, id text, wallet_id bigint
)
"""
_WRITE: Final = """\
CREATE FUNCTION ledger_write_2(
    p_tenants text, p_owner text, p_epoch bigint,
    p_wallets bigint[], p_versions bigint[], p_newest bigint[],
    p_window_keys text[], p_window_starts bigint[], p_window_versions bigint[],
    p_accounts account_row_1[], p_lots lot_row_2[], p_holds hold_row_1[], p_txns txn_row_1[],
    p_entries entry_row_1[], p_records usage_record_row_1[],
    p_checkpoints text[], p_checkpoint_ids text[], p_checkpoint_tenants bigint[],
    p_states text[], p_resolved bigint[], p_resolved_ids text[], p_resolved_tenants bigint[],
    p_day_lots text[], p_day_tenants bigint[], p_days bigint[], p_used bigint[],
    p_spent_keys text[], p_spent_starts bigint[], p_spent_tenants bigint[], p_spent bigint[], p_reserved bigint[],
    p_balances bigint[], p_least bigint[], p_window_most bigint[],
    p_lot_wallets bigint[], p_lot_ids text[], p_lot_least bigint[],
    OUT written bigint, OUT found_wallets bigint[], OUT found_lots bigint[], OUT found_windows bigint[]
) LANGUAGE plpgsql AS $$
DECLARE
    stamped_from bigint;
    found_versions bigint[];
    found_newest bigint[];
    moved bigint[];
    moved_by bigint[];
    ids text[];
    affected bigint;
    is_alike boolean;
BEGIN
    PERFORM set_config('rk.tenants', p_tenants, true);
    SELECT settled_from INTO stamped_from FROM lease WHERE owner = p_owner AND epoch = p_epoch FOR SHARE;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    SELECT coalesce(array_agg(version), '{}'), coalesce(array_agg(newest), '{}') INTO found_versions, found_newest
    FROM (
        SELECT account.xmin::text::bigint AS version, (
            SELECT max(lot.xmin::text::bigint) FROM lot WHERE NOT lot.used_up AND lot.wallet_id = account.id
        ) AS newest FROM account WHERE account.id = ANY(p_wallets) ORDER BY account.id FOR UPDATE
    ) AS locked;
    IF cardinality(found_versions) <> cardinality(p_wallets) THEN
        RETURN;
    END IF;
    IF found_versions <> p_versions OR found_newest IS DISTINCT FROM p_newest THEN
        SELECT array_agg(known.id), array_agg(account.balance_nano - known.balance), array_agg(ARRAY[
            known.position, account.balance_nano, account.reserved_nano
        ]), bool_and(
            known.version <> known.found AND known.least IS NOT NULL AND account.debt_nano = 0
            AND account.balance_nano - account.reserved_nano >= known.least
        ) INTO moved, moved_by, found_wallets, is_alike
        FROM unnest(p_wallets, p_versions, p_newest, p_balances, p_least, found_versions, found_newest)
            WITH ORDINALITY AS known(id, version, newest, balance, least, found, found_newest, position)
        JOIN account ON account.id = known.id
        WHERE known.version <> known.found OR known.newest IS DISTINCT FROM known.found_newest;
        IF NOT is_alike THEN
            RETURN;
        END IF;
        SELECT array_agg(id ORDER BY id) INTO ids
        FROM unnest(p_lot_wallets, p_lot_ids) AS known(wallet_id, id) WHERE wallet_id = ANY(moved);
        IF ids IS DISTINCT FROM (
            SELECT array_agg(id ORDER BY id) FROM lot WHERE NOT used_up AND wallet_id = ANY(moved)
        ) THEN
            RETURN;
        END IF;
        SELECT array_agg(ARRAY[
            known.position, lot.remaining_nano, lot.reserved_nano, lot.consumed_nano, lot.expired_nano,
            lot.clawed_back_nano, lot.accrued_nano
        ]), bool_and(lot.remaining_nano - lot.reserved_nano >= known.least) INTO found_lots, is_alike
        FROM unnest(p_lot_wallets, p_lot_ids, p_lot_least) WITH ORDINALITY AS known(wallet_id, id, least, position)
        JOIN lot ON lot.id = known.id WHERE known.wallet_id = ANY(moved);
        IF NOT is_alike THEN
            RETURN;
        END IF;
        SELECT coalesce(array_agg(ROW(
            v.id, v.tenant_id, v.wallet_id, v.code, v.ref, v.balance_after_nano + coalesce(shift.by_nano, 0),
            v.reverses, v.created_at
        )::txn_row_1), '{}') INTO p_txns
        FROM unnest(p_txns) AS v LEFT JOIN unnest(moved, moved_by) AS shift(wallet_id, by_nano) USING (wallet_id);
    END IF;
    IF cardinality(p_window_keys) > 0 THEN
        SELECT coalesce(array_agg(version ORDER BY key_id COLLATE "C", started_at), '{}') INTO found_versions FROM (
            SELECT key_id, started_at, key_window.xmin::text::bigint AS version FROM key_window
            WHERE (key_id, started_at) IN (SELECT * FROM unnest(p_window_keys, p_window_starts))
            ORDER BY key_id, started_at FOR UPDATE
        ) AS locked;
        IF cardinality(found_versions) <> cardinality(p_window_keys) THEN
            RETURN;
        END IF;
        IF found_versions <> p_window_versions THEN
            SELECT array_agg(ARRAY[
                known.position, key_window.spent_nano, key_window.reserved_nano
            ]), bool_and(known.most IS NOT NULL AND key_window.spent_nano + key_window.reserved_nano <= known.most)
            INTO found_windows, is_alike
            FROM unnest(p_window_keys, p_window_starts, p_window_versions, p_window_most)
                WITH ORDINALITY AS known(key_id, started_at, version, most, position)
            JOIN key_window ON key_window.key_id = known.key_id AND key_window.started_at = known.started_at
            WHERE key_window.xmin::text::bigint <> known.version;
            IF NOT is_alike THEN
                RETURN;
            END IF;
        END IF;
    END IF;
    IF cardinality(p_checkpoints) > 0 THEN
        UPDATE hold SET checkpoint = v.checkpoint
        FROM unnest(p_checkpoints, p_checkpoint_ids, p_checkpoint_tenants) AS v(checkpoint, request_id, tenant_id)
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
    IF cardinality(p_accounts) > 0 THEN
        UPDATE account
        SET balance_nano = account.balance_nano + v.balance_nano,
            reserved_nano = account.reserved_nano + v.reserved_nano, debt_nano = account.debt_nano + v.debt_nano
        FROM unnest(p_accounts) AS v WHERE account.id = v.id AND account.tenant_id = v.tenant_id;
        GET DIAGNOSTICS affected = ROW_COUNT;
        IF affected <> cardinality(p_accounts) THEN
            RAISE 'accounts: % of % rows were there to write', affected, cardinality(p_accounts);
        END IF;
    END IF;
    IF cardinality(p_lots) > 0 THEN
        UPDATE lot
        SET remaining_nano = lot.remaining_nano + v.remaining_nano,
            reserved_nano = lot.reserved_nano + v.reserved_nano,
            consumed_nano = lot.consumed_nano + v.consumed_nano, expired_nano = lot.expired_nano + v.expired_nano,
            clawed_back_nano = lot.clawed_back_nano + v.clawed_back_nano,
            accrued_nano = lot.accrued_nano + v.accrued_nano, used_up = lot.remaining_nano + v.remaining_nano = 0
        FROM unnest(p_lots) AS v WHERE lot.id = v.id AND lot.wallet_id = v.wallet_id;
        GET DIAGNOSTICS affected = ROW_COUNT;
        IF affected <> cardinality(p_lots) THEN
            RAISE 'lots: % of % rows were there to write', affected, cardinality(p_lots);
        END IF;
    END IF;
    IF cardinality(p_day_lots) > 0 THEN
        INSERT INTO lot_day (lot_id, tenant_id, day, used_nano)
        SELECT * FROM unnest(p_day_lots, p_day_tenants, p_days, p_used)
        ON CONFLICT (lot_id) DO UPDATE SET day = excluded.day, used_nano = excluded.used_nano;
    END IF;
    IF cardinality(p_spent_keys) > 0 THEN
        UPDATE key_window
        SET spent_nano = key_window.spent_nano + v.spent_nano,
            reserved_nano = key_window.reserved_nano + v.reserved_nano
        FROM unnest(p_spent_keys, p_spent_starts, p_spent_tenants, p_spent, p_reserved)
            AS v(key_id, started_at, tenant_id, spent_nano, reserved_nano)
        WHERE key_window.key_id = v.key_id AND key_window.started_at = v.started_at
            AND key_window.tenant_id = v.tenant_id;
        GET DIAGNOSTICS affected = ROW_COUNT;
        IF affected <> cardinality(p_spent_keys) THEN
            RAISE 'key windows: % of % rows were there to write', affected, cardinality(p_spent_keys);
        END IF;
    END IF;
    IF cardinality(p_states) > 0 THEN
        UPDATE hold SET state = v.state, resolved_at = v.resolved_at
        FROM unnest(p_states, p_resolved, p_resolved_ids, p_resolved_tenants)
            AS v(state, resolved_at, request_id, tenant_id)
        WHERE hold.request_id = v.request_id AND hold.tenant_id = v.tenant_id
            AND hold.state IS NOT DISTINCT FROM 'open';
        GET DIAGNOSTICS affected = ROW_COUNT;
        IF affected <> cardinality(p_states) THEN
            RAISE 'holds: % of % rows were there to write', affected, cardinality(p_states);
        END IF;
    END IF;
    IF cardinality(p_txns) > 0 THEN
        INSERT INTO txn (id, tenant_id, wallet_id, code, ref, balance_after_nano, reverses, created_at)
        SELECT v.* FROM unnest(p_txns) AS v;
        INSERT INTO entry (txn_id, line, tenant_id, account_id, amount_nano) SELECT v.* FROM unnest(p_entries) AS v;
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
    written := pg_current_xact_id()::xid::text::bigint;
END $$
"""
"""What it does in this order: the tenants, the lease, the wallets and key windows, which it locks in the order of all
others; `written` is NULL, and nothing is written, unless all was decided as it would be on what is there. Rows of
wallets, lots and key windows are differences.

`p_least`, `p_lot_least`: what must be free at least of a wallet, of a lot, if others wrote it meanwhile;
`p_window_most`: what may be spent and reserved at most; NULL for what must be as it was remembered. `p_lot_ids` are all
lots of which something was left. What others wrote is answered, as it was found and by its place among the parameters.
It runs with its caller's rights, so the policies hold in it as they do everywhere.
"""


def upgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute(_LOT)
        op.execute(_WRITE)
