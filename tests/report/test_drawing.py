"""Drawings inside HTML: they stand alone and take the colours of the page."""

import re
from xml.etree import ElementTree

import pytest

from sktandem.report._drawing import as_svg, draw_alone

pytest.importorskip("matplotlib")


def drawn(label="height", kind="broad"):
    figure = draw_alone(figsize=(3, 2))
    ax = figure.subplots()
    ax.plot([0, 1], [0, 1], color="#404040", marker="o", markerfacecolor="white")
    ax.set_title(label, parse_math=False)
    return as_svg(figure, f"What {label} is", kind)


def test_a_drawing_is_one_element_that_needs_nothing_from_outside():
    svg = drawn()

    # As a parser of HTML reads it, which knows this prefix.
    root = ElementTree.fromstring(svg.replace("xlink:", ""))
    assert root.tag == "svg"
    assert root.get("class") == "broad"
    assert root.get("aria-label") == "What height is"
    assert root.get("style") == "width:240px"
    assert root.get("viewBox")
    assert "http" not in svg


def test_black_and_white_are_those_of_the_page():
    svg = drawn()

    assert "currentColor" in svg
    assert "Canvas" in svg
    for color in ("#000000", "#404040", "#ffffff"):
        assert color not in svg


def test_it_is_the_same_each_time_and_shares_no_name_with_another():
    assert drawn() == drawn()
    broad, slim = (
        set(re.findall(r"url\(#([^)]*)\)", drawn(kind=kind)))
        for kind in ("broad", "slim")
    )
    assert broad
    assert not broad & slim


def test_names_are_escaped_and_not_in_comments():
    svg = drawn('<script>"--> & you')

    assert "<script" not in svg
    assert "<!--" not in svg
    assert '&lt;script&gt;"--&gt; &amp; you' in svg
    assert 'aria-label="What &lt;script&gt;&quot;--&gt; &amp; you is"' in svg


def test_what_the_user_set_for_pictures_stays():
    import matplotlib

    before = dict(matplotlib.rcParams)
    drawn()

    assert dict(matplotlib.rcParams) == before
