"""Statements that are made once: which calls share one, and that values never become a part of it."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Column, Integer, MetaData, Select, Table, Text, create_engine, insert, select

from reseller_kit.db.kept import kept

FRUIT = Table("fruit", MetaData(), Column("id", Integer, primary_key=True), Column("name", Text))
ROWS = [{"id": number, "name": name} for number, name in enumerate(("apple", "plum", "plum"))]


@kept
def named(limit: int, name: str | None, after: int | None = None, *, backwards: bool = False) -> Select[Any]:
    statement = select(FRUIT.c.id)
    if name is not None:
        statement = statement.where(FRUIT.c.name == name)
    if after is not None:
        statement = statement.where(FRUIT.c.id > after)
    return statement.order_by(FRUIT.c.id.desc() if backwards else FRUIT.c.id).limit(limit)


def test_calls_that_differ_in_their_values_share_a_statement() -> None:
    one, values = named(1, "plum")
    other, others = named(2, "apple")
    assert one is other
    assert (values, others) == ({"limit": 1, "name": "plum"}, {"limit": 2, "name": "apple"})
    assert "plum" not in str(one)


def test_what_is_not_given_makes_another_one() -> None:
    statements = [named(1, "plum"), named(1, None), named(1, None, 1), named(1, None, backwards=True)]
    assert len({id(statement) for statement, _ in statements}) == len(statements)
    assert named(2, None, backwards=False)[0] is not named(2, None, backwards=True)[0]


def test_each_finds_its_own_rows() -> None:
    engine = create_engine("sqlite://")
    with engine.begin() as connection:
        FRUIT.metadata.create_all(connection)
        connection.execute(insert(FRUIT), ROWS)

        def found(*values: Any, **named_values: Any) -> list[int]:
            return list(connection.execute(*named(*values, **named_values)).scalars())

        assert found(9, "plum") == [1, 2]
        assert found(9, "apple") == [0]
        assert found(1, "plum") == [1]
        assert found(9, None, 0, backwards=True) == [2, 1]
        assert found(9, name=None, after=1) == [2]
    engine.dispose()
