"""Path → line number of every key, table and array item in a TOML text. Reads no values and judges no syntax.

`tomllib` gives values without places, so error reports need this beside it. The text must be one that `tomllib`
accepts: the scanner follows the grammar of TOML 1.0 and checks nothing that the parser has checked already.
"""

from __future__ import annotations

import re
import tomllib
from typing import Final

Path = tuple[str | int, ...]

_SPACE: Final = re.compile(r"[ \t]*")
_BLANK: Final = re.compile(r"(?:[ \t\n]|#[^\n]*)*")
_BARE_KEY: Final = re.compile(r"[A-Za-z0-9_-]+")
_BASIC: Final = re.compile(r'"(?:[^"\\\n]|\\.)*"')
_LITERAL: Final = re.compile(r"'[^'\n]*'")
# Up to two quotes may stand before the closing three, and belong to the string (TOML 1.0, "String").
_LONG_BASIC: Final = re.compile(r'"""(?:[^"\\]|\\.|"(?!""))*"""(?:"(?!")|""(?!"))?', re.DOTALL)
_LONG_LITERAL: Final = re.compile(r"'''(?:[^']|'(?!''))*'''(?:'(?!')|''(?!'))?", re.DOTALL)
_SCALAR: Final = re.compile(r"[^,\]}\n#]+")


def scan(text: str) -> dict[Path, int]:
    """The 1-based line at which each path of a valid TOML text is first written.

    A path is a tuple of keys and array indices, as one would index the value of `tomllib.loads(text)`. A table
    that only appears as part of a dotted name has the line of that name until its own header comes.
    """
    return _Scanner(text.replace("\r\n", "\n")).run()


class _Scanner:
    """A cursor over the text that notes where each path begins."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.lines: dict[Path, int] = {}
        self.array_lengths: dict[Path, int] = {}
        self._counted_to = 0
        self._line = 1

    def run(self) -> dict[Path, int]:
        table: Path = ()
        while self.skip(_BLANK) < len(self.text):
            if self.text[self.at] == "[":
                table = self.header()
            else:
                self.pair(table)
        return self.lines

    def line(self) -> int:
        """The line of the cursor, counted on from the last time it was asked."""
        self._line += self.text.count("\n", self._counted_to, self.at)
        self._counted_to = self.at
        return self._line

    def skip(self, pattern: re.Pattern[str]) -> int:
        match = pattern.match(self.text, self.at)
        if match is not None:
            self.at = match.end()
        return self.at

    def header(self) -> Path:
        """`[a.b]` or `[[a.b]]`: notes the table and returns its path, array items with their index."""
        line = self.line()
        is_array = self.text.startswith("[[", self.at)
        self.at += 2 if is_array else 1
        *parents, last = self.dotted_key()
        self.at += 2 if is_array else 1
        path: Path = ()
        for key in parents:
            path = self.newest_item((*path, key), line)
        path = (*path, last)
        if not is_array:
            self.lines[path] = line
            return path
        self.lines.setdefault(path, line)
        index = self.array_lengths.get(path, 0)
        self.array_lengths[path] = index + 1
        self.lines[(*path, index)] = line
        return (*path, index)

    def newest_item(self, path: Path, line: int) -> Path:
        """The path itself, or that of the last item when it is an array of tables."""
        self.lines.setdefault(path, line)
        length = self.array_lengths.get(path)
        return path if length is None else (*path, length - 1)

    def pair(self, table: Path) -> None:
        """`a.b = value` below `table`."""
        line = self.line()
        path = table
        for key in self.dotted_key():
            path = (*path, key)
            self.lines.setdefault(path, line)
        self.at += 1
        self.value(path)

    def dotted_key(self) -> list[str]:
        keys = []
        while True:
            self.skip(_SPACE)
            keys.append(self.key())
            self.skip(_SPACE)
            if not self.text.startswith(".", self.at):
                return keys
            self.at += 1

    def key(self) -> str:
        start = self.at
        quote = self.text[start]
        if quote not in "\"'":
            self.skip(_BARE_KEY)
            return self.text[start : self.at]
        self.skip(_BASIC if quote == '"' else _LITERAL)
        # The parser knows the escapes; a quoted key is written like a string value.
        return str(tomllib.loads(f"k = {self.text[start : self.at]}")["k"])

    def value(self, path: Path) -> None:
        self.skip(_SPACE)
        opening = self.text[self.at]
        if opening == "[":
            self.array(path)
        elif opening == "{":
            self.inline_table(path)
        elif opening == '"':
            self.skip(_LONG_BASIC if self.text.startswith('"""', self.at) else _BASIC)
        elif opening == "'":
            self.skip(_LONG_LITERAL if self.text.startswith("'''", self.at) else _LITERAL)
        else:
            self.skip(_SCALAR)

    def array(self, path: Path) -> None:
        self.at += 1
        index = 0
        while self.text[self.skip(_BLANK)] != "]":
            self.lines[(*path, index)] = self.line()
            self.value((*path, index))
            index += 1
            self.separator()
        self.at += 1

    def inline_table(self, path: Path) -> None:
        self.at += 1
        while self.text[self.skip(_BLANK)] != "}":
            self.pair(path)
            self.separator()
        self.at += 1

    def separator(self) -> None:
        self.skip(_BLANK)
        if self.text[self.at] == ",":
            self.at += 1
