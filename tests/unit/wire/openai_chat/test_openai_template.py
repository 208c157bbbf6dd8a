"""Forms of streamed events: what is of a form, and the near misses that are not."""

from __future__ import annotations

import pytest

from reseller_kit.wire.openai_chat.template import NO_TEMPLATE, Template, match_template, run_of, template_of


def make_template(*, padded: bool = False) -> Template:
    pad = b',"p":"xy"' if padded else b""
    template = template_of(
        b'data: {"up":"id","t":"text"' + pad + b"}",
        b'data: {"our":"id","t":"text"' + pad + b"}\n\n",
        b'"text"',
        b'"xy"' if padded else b"",
    )
    assert template is not None
    return template


def make_block(text: bytes, tail: bytes = b"}") -> bytes:
    return b'data: {"up":"id","t":"' + text + b'"' + tail


def test_another_text_gets_the_same_surroundings() -> None:
    match = match_template(make_template(), make_block(b'a\\n\\"\\u6f22\\"'))
    assert match == ('a\n"漢"', b'data: {"our":"id","t":"a\\n\\"\\u6f22\\""}\n\n')


@pytest.mark.parametrize(
    "block",
    [
        b"",
        b'data: {"up":"id","t":',
        make_block(b""),
        make_block(b'a","t":"b'),
        make_block(b"a\n"),
        make_block(b"a\xff"),
        make_block(b"a\\"),
        make_block(b"a\\ud800"),
        make_block(b"a", b',"x":1}'),
        make_block(b"a").replace(b"id", b"ie"),
        make_block(b"a").replace(b'"a"', b"1"),
        make_block(b"a").replace(b'"a"', b"null"),
        make_block(b"a").replace(b'"a"', b'["a"]'),
    ],
)
def test_a_near_miss_is_of_no_form(block: bytes) -> None:
    assert match_template(make_template(), block) is None
    assert run_of(make_template(), [block], 0) is None
    assert run_of(make_template(), [make_block(b"a"), block, make_block(b"b")], 0) is None
    assert match_template(NO_TEMPLATE, block) is None


def test_a_run_ends_where_the_form_does() -> None:
    blocks = [b"skipped", make_block(b"a"), make_block(b"b"), b"data: [DONE]"]
    run = run_of(make_template(), blocks, 1)
    assert run is not None
    assert run.texts == ["a", "b"]
    assert run.sent == b'data: {"our":"id","t":"a"}\n\ndata: {"our":"id","t":"b"}\n\n'


def test_a_run_with_other_bytes_around_one_of_its_texts_is_none() -> None:
    other = make_block(b"b").replace(b'"up"', b'"UP"')
    assert run_of(make_template(), [make_block(b"a"), other, make_block(b"c")], 0) is None


@pytest.mark.parametrize(
    "raws", [(b'"a","b"', b""), (b'"a', b'b"'), (b'"a",', b'"b"'), (b'"a"', b"", b'"b","c"'), (b'["a"]', b'"b"')]
)
def test_texts_that_are_strings_only_together_are_no_run(raws: tuple[bytes, ...]) -> None:
    assert run_of(make_template(), [b'data: {"up":"id","t":' + raw + b"}" for raw in raws], 0) is None


@pytest.mark.parametrize(
    ("pad", "fits"),
    [(b'"z"', True), (b'""', True), (b'"z', False), (b'z"', False), (b'"\n"', False), (b'"a" "b"', False)],
)
def test_padding_has_to_be_one_short_string(pad: bytes, fits: bool) -> None:  # noqa: FBT001
    match = match_template(make_template(padded=True), make_block(b"a", b',"p":' + pad + b"}"))
    assert match == (("a", b'data: {"our":"id","t":"a","p":' + pad + b"}\n\n") if fits else None)


def test_padding_that_is_too_long_to_pass_on_is_of_no_form() -> None:
    block = make_block(b"a", b',"p":"' + b"z" * 200 + b'"}')
    assert match_template(make_template(padded=True), block) is None


@pytest.mark.parametrize(
    ("block", "sent", "text", "pad"),
    [
        (b'{"a":"x","t":"x"}', b'{"t":"x"}', b'"x"', b""),
        (b'{"t":"x"}', b'{"m":"x","t":"x"}', b'"x"', b""),
        (b'{"p":"y","q":"y","t":"x"}', b'{"t":"x","p":"y"}', b'"x"', b'"y"'),
        (b'{"p":"y","t":"x"}', b'{"t":"x","p":"y"}', b'"x"', b'"y"'),
        (b'{"t":"x"}', b'{"t":"z"}', b'"x"', b""),
    ],
)
def test_an_ambiguous_event_teaches_nothing(block: bytes, sent: bytes, text: bytes, pad: bytes) -> None:
    assert template_of(block, sent, text, pad) is None
