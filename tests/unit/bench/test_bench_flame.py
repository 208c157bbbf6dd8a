"""Pictures of samples: shares, names, and what is too small to be seen."""

from __future__ import annotations

import xml.etree.ElementTree as ET

from scripts._bench import flame

STACKS = (
    "run (uvloop/__init__.py:1);answer (/s/reseller_kit/web/gateway/app.py:10);decode (/s/reseller_kit/wire/x.py:1) 60",
    "run (uvloop/__init__.py:99);answer (/s/reseller_kit/web/gateway/app.py:30) 30",
    "run (uvloop/__init__.py:12);write (/v/lib/site-packages/uvicorn/h.py:3) 9",
    "rare (/srv/other.py:3) 1",
    "py-spy> a line that is no stack",
)  # fmt: skip


def test_a_function_is_one_frame_wherever_in_it_a_sample_fell() -> None:
    root = flame.tree(STACKS)
    assert root.samples == 100
    run = root.called["run (uvloop/__init__.py)"]
    assert (run.samples, set(run.called)) == (
        99,
        {"answer (reseller_kit/web/gateway/app.py)", "write (uvicorn/h.py)"},
    )
    assert run.called["answer (reseller_kit/web/gateway/app.py)"].samples == 90


def test_no_place_on_the_machine_is_named() -> None:
    places = ("/root/.pyenv/versions/3.11.7/lib/python3.11", "/x/.venv/lib/python3.11/site-packages", "/x/.venv/bin")
    root = flame.tree([f"wait ({place}/a/b.py:1) 1" for place in places])
    assert set(root.called) == {"wait (a/b.py)"}


def test_the_picture_is_xml_with_widths_by_share_and_the_share_in_each_title() -> None:
    drawn = ET.fromstring(flame.draw(flame.tree(STACKS)))
    space = {"s": "http://www.w3.org/2000/svg"}
    found = {}
    for group in drawn.findall("s:g", space):
        title, box = group.find("s:title", space), group.find("s:rect", space)
        assert title is not None
        assert box is not None
        found[title.text] = float(box.attrib["width"])
    assert found["all: 100.0 %"] == flame.WIDTH
    assert found["decode (reseller_kit/wire/x.py): 60.0 %"] == flame.WIDTH * 0.6
    assert found["rare (/srv/other.py): 1.0 %"] == 12


def test_what_is_too_small_to_be_seen_is_left_out_and_names_are_escaped() -> None:
    drawn = flame.draw(flame.tree(["<module> (a.py:1) 9999", "tiny (b.py:1) 1"]))
    assert "&lt;module&gt;" in drawn
    assert "tiny" not in drawn


def test_no_samples_are_an_empty_picture() -> None:
    assert "<g>" not in flame.draw(flame.tree([]))
