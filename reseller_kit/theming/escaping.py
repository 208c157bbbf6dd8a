"""How templates escape what they put out: to plain text that is joined at once. What is escaped is as ever.

Jinja makes a `Markup` of every value that it puts out, only to join them all. That took longer than escaping them: a
fourth of the processor time of a page with many cells.
"""

from __future__ import annotations

from typing import Any

from jinja2 import nodes
from jinja2.compiler import CodeGenerator, Frame
from markupsafe import Markup, _escape_inner, escape  # type: ignore[attr-defined]  # `escape` without its `Markup`


def escaped(value: Any) -> str:
    """The text of a value in HTML; markup stays as it is."""
    kind = type(value)
    if kind is str:
        return _escape_inner(value)
    if kind is Markup:
        return value  # type: ignore[no-any-return]  # as `kind` says
    return escape(value)


class QuickOutput(CodeGenerator):
    """Compiles templates so that they call the environment's `escaped` where they put out a value."""

    def _output_child_pre(self, node: nodes.Expr, frame: Frame, finalize: CodeGenerator._FinalizeInfo) -> None:
        if frame.eval_ctx.volatile or not frame.eval_ctx.autoescape:
            super()._output_child_pre(node, frame, finalize)
        else:
            self.write(f"environment.escaped({finalize.src or ''}")
