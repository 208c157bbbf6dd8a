"""The price catalogue that comes with the product, read when asked for. Fetches nothing and holds no copy.

`catalogue.json` is written by `scripts/update_catalogue`; the licences of its sources stand inside it.
"""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Final

import msgspec

from ..core.price_catalogue import Catalogue, CatalogueOn

FILE: Final = Path(__file__).with_name("catalogue.json")


def read_catalogue(file: Path = FILE) -> Catalogue:
    """Every provider, model and price: some milliseconds of work, so only commands that need prices ask for it."""
    return msgspec.json.decode(file.read_bytes(), type=Catalogue)


def catalogue_today() -> CatalogueOn:
    """The catalogue as it is to be read on this day, UTC."""
    return CatalogueOn(catalogue=read_catalogue(), day=dt.datetime.now(dt.UTC).date().isoformat())
