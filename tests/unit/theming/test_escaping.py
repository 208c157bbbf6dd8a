"""Templates put out what Jinja's own way of escaping would: every kind of value, wherever it stands."""

from __future__ import annotations

import jinja2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup

from reseller_kit import theming
from reseller_kit.theming.render import _Environment

TEMPLATE = """
{%- macro cell(value) %}<td title="{{ value }}">{{ caller() if caller is defined else value|upper }}</td>{% endmacro -%}
{{ value }}{{ value ~ "<" }}{{ cell(value) }}{% call cell("<b>") %}{{ value }}{% endcall %}
{%- set told = "<i>" ~ value %}{% set block %}<p>{{ value }}</p>{% endset %}{{ told }}{{ block }}{{ value|safe }}
{%- filter upper %}{{ value }}{% endfilter %}{% autoescape false %}{{ value }}{% endautoescape %}
{%- for each in [value] %}{{ each }}{{ "<" if each else ">" }}{% endfor -%}
"""


class Drawn:
    """What knows itself as HTML."""

    def __html__(self) -> str:
        return "<svg/>"

    def __str__(self) -> str:
        return "<not this>"


def put_out(environment: type[jinja2.Environment], value: object, *, autoescape: bool = True) -> str:
    made = environment(autoescape=autoescape, undefined=jinja2.StrictUndefined)
    return made.from_string(TEMPLATE).render(value=value)


@given(st.text() | st.text(alphabet="<>&'\"a").map(Markup) | st.integers() | st.floats() | st.booleans() | st.none())
def test_every_value_is_written_as_jinja_writes_it(value: object) -> None:
    assert put_out(_Environment, value) == put_out(jinja2.Environment, value)
    assert put_out(_Environment, value, autoescape=False) == put_out(jinja2.Environment, value, autoescape=False)


def test_what_knows_itself_as_html_is_asked() -> None:
    assert put_out(_Environment, Drawn()) == put_out(jinja2.Environment, Drawn())
    assert "<svg/>" in put_out(_Environment, Drawn())


def test_what_is_not_there_is_an_error() -> None:
    environment = theming.load().environment
    with pytest.raises(jinja2.UndefinedError):
        environment.from_string("{{ nothing }}").render()
    assert environment.from_string("{{ value }}").render(value="<'\"&>") == "&lt;&#39;&#34;&amp;&gt;"
