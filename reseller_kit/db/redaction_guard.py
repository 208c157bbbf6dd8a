"""The lock on what append-only tables said: at PostgreSQL only the erasure of a person may change it, by taking out.

The application role may update the columns of `REDACTABLE`. These triggers see to it that nothing but an erasure comes
of that: words give way to the id of a customer or to nothing, in a row about a customer who is deleted when the
transaction ends. Nothing can be said that was not said, no number, name of a member or order of a list changes.
"""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Connection, text

from .tables import REDACTABLE

_TRIGGER = "only_redacted"
_SHAPE = "redaction_of"

# Every string that differs is empty, or the old one with pieces replaced by ids of customers: as a pattern, in which
# each id stands for anything, the new text fits the old.
_SHAPE_BODY = r"""
BEGIN
    IF after IS NOT DISTINCT FROM before THEN
        RETURN true;
    ELSIF before IS NULL OR after IS NULL OR jsonb_typeof(before) <> jsonb_typeof(after) THEN
        RETURN false;
    END IF;
    CASE jsonb_typeof(after)
    WHEN 'string' THEN
        RETURN after #>> '{}' = '' OR before #>> '{}' LIKE regexp_replace(
            replace(replace(replace(after #>> '{}', '\', '\\'), '%', '\%'), '_', '\_'),
            'cus\\_[0-9A-Z]{26}', '%', 'g');
    WHEN 'object' THEN
        RETURN (SELECT array_agg(k ORDER BY k) FROM jsonb_object_keys(before) k)
                   IS NOT DISTINCT FROM (SELECT array_agg(k ORDER BY k) FROM jsonb_object_keys(after) k)
               AND NOT EXISTS (SELECT FROM jsonb_each(after) e
                               WHERE NOT {schema}.redaction_of(before -> e.key, e.value));
    WHEN 'array' THEN
        RETURN jsonb_array_length(before) = jsonb_array_length(after)
               AND NOT EXISTS (SELECT FROM jsonb_array_elements(after) WITH ORDINALITY e(value, n)
                               WHERE NOT {schema}.redaction_of(before -> (e.n - 1)::int, e.value));
    ELSE
        RETURN false;
    END CASE;
END"""

_CHECK_BODY = r"""
DECLARE
    named text;
    said text := to_jsonb(OLD)::text || to_jsonb(NEW)::text;
BEGIN
    FOREACH named IN ARRAY TG_ARGV LOOP
        IF NOT {schema}.redaction_of(to_jsonb(OLD) -> named, to_jsonb(NEW) -> named) THEN
            RAISE insufficient_privilege USING
                MESSAGE = format('%s is append-only: %s may lose words about a person, and change in no other way',
                                 TG_TABLE_NAME, named);
        END IF;
    END LOOP;
    IF to_jsonb(OLD) - TG_ARGV IS DISTINCT FROM to_jsonb(NEW) - TG_ARGV THEN
        RAISE insufficient_privilege USING MESSAGE = format('%s is append-only', TG_TABLE_NAME);
    END IF;
    IF NOT EXISTS (
        SELECT FROM {schema}.customer c WHERE c.tenant_id = OLD.tenant_id AND c.status = 'deleted' AND c.id IN (
            SELECT m[1] FROM regexp_matches(said, 'cus_[0-9A-Z]{26}', 'g') m
            UNION ALL SELECT o.customer_id FROM {schema}.purchase_order o
                WHERE o.tenant_id = OLD.tenant_id AND o.id IN (to_jsonb(OLD) ->> 'ref', to_jsonb(OLD) ->> 'order_id')
            UNION ALL SELECT k.customer_id FROM {schema}.api_key k
                WHERE k.tenant_id = OLD.tenant_id AND k.id = to_jsonb(OLD) ->> 'ref'
            UNION ALL SELECT s.customer_id FROM {schema}.support_case s
                WHERE s.tenant_id = OLD.tenant_id AND s.id = to_jsonb(OLD) ->> 'ref')
    ) THEN
        RAISE insufficient_privilege USING
            MESSAGE = format('%s is append-only: the row is about no customer who is deleted', TG_TABLE_NAME);
    END IF;
    RETURN NULL;
END"""

_FOUND = text(
    """
    SELECT c.relname AS name, f.prosrc AS body, s.prosrc AS shape, f.prosecdef AS sees_all,
           t.tgenabled = 'O' AND t.tgdeferrable AND t.tginitdeferred AND t.tgtype = 17 AS fires,
           encode(t.tgargs, 'escape') AS arguments
    FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_proc f ON f.oid = t.tgfoid
    LEFT JOIN pg_proc s ON s.pronamespace = n.oid AND s.proname = :shape
    WHERE n.nspname = :schema AND t.tgname = :trigger AND NOT t.tgisinternal
    """
)


def install(connection: Connection, schema: str) -> None:
    """Make the functions and triggers anew, in the transaction of the upgrade. `schema`: of the tables, unquoted."""
    quote = connection.dialect.identifier_preparer.quote_identifier
    within = quote(schema)
    path = f"SET search_path = {within}, pg_temp"
    for head, body in (
        (
            f"{within}.{_SHAPE}(before jsonb, after jsonb) RETURNS boolean LANGUAGE plpgsql IMMUTABLE {path}",
            _SHAPE_BODY,
        ),
        # It looks for the customer whatever tenants the transaction works for by then.
        (f"{within}.{_TRIGGER}() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER {path}", _CHECK_BODY),
    ):
        _run(connection, f"CREATE OR REPLACE FUNCTION {head} AS $guard${_in(body, within)}$guard$")
    for name, columns in REDACTABLE.items():
        table = f"{within}.{quote(name)}"
        arguments = ", ".join(f"'{column}'" for column in columns)
        _run(connection, f"DROP TRIGGER IF EXISTS {_TRIGGER} ON {table}")
        # Deferred: whose row it is may be deleted later in the transaction that takes the words out.
        _run(
            connection,
            f"CREATE CONSTRAINT TRIGGER {_TRIGGER} AFTER UPDATE ON {table} DEFERRABLE INITIALLY DEFERRED"
            f" FOR EACH ROW EXECUTE FUNCTION {within}.{_TRIGGER}({arguments})",
        )


def problems(connection: Connection, schema: str) -> Iterator[str]:
    """The append-only tables whose words could be changed at will, a sentence each."""
    within = connection.dialect.identifier_preparer.quote_identifier(schema)
    looked_for = {"schema": schema, "shape": _SHAPE, "trigger": _TRIGGER}
    found = {row.name: row for row in connection.execute(_FOUND, looked_for)}
    for name, columns in REDACTABLE.items():
        row = found.get(name)
        right = (
            row is not None
            and row.fires
            and row.sees_all
            and row.arguments == "".join(f"{column}\\000" for column in columns)
            and (row.body, row.shape) == (_in(_CHECK_BODY, within), _in(_SHAPE_BODY, within))
        )
        if not right:
            yield f"Nothing keeps the words of the append-only table {name} from being changed."


def _in(body: str, schema: str) -> str:
    return body.replace("{schema}", schema)


def _run(connection: Connection, statement: str) -> None:
    """As it is: percent signs and colons are PL/pgSQL's."""
    connection.execute(text(statement.replace(":", "\\:")))
