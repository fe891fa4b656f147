"""The page of all benchmarks: what each printed, and how it ended."""

import re

import pytest
from benchmarks.run_all import main

SCRIPTS = {
    "bench_good": "print('way  ratio'); print('ours 0.50')",
    "bench_broken": "print('first'); raise ValueError('no | rows')",
    "bench_long": "import time; print('begun', flush=True); time.sleep(600)",
    "bench_asking": "import argparse; p = argparse.ArgumentParser()\n"
    "p.add_argument('--data', required=True); p.parse_args()",
    "other": "raise ValueError('never run')",
}


@pytest.fixture
def folder(tmp_path):
    for name, code in SCRIPTS.items():
        (tmp_path / f"{name}.py").write_text(code, encoding="utf-8")
    return tmp_path


def paged(folder, *arguments):
    page = folder / "build" / "page.md"
    status = main(["--folder", str(folder), "--page", str(page), *arguments])
    return status, page.read_text(encoding="utf-8")


def row_of(name, page):
    return re.search(rf"^\| {name} \| \d+ \| (.*) \|$", page, re.MULTILINE)[1]


def test_a_page_holds_what_each_printed_and_how_it_ended(folder):
    (folder / "bench_long.py").unlink()

    status, page = paged(folder)

    assert status == 1
    assert row_of("bench_good", page) == "done"
    assert row_of("bench_broken", page) == "FAILED: ValueError: no \\| rows"
    assert row_of("bench_asking", page).startswith("not run: bench_asking.py: error")
    for printed in ("way  ratio\nours 0.50", "first"):
        assert f".py\n{printed}\n```" in page
    assert "scikit-learn" in page
    assert "other" not in page


def test_what_takes_too_long_is_ended_and_keeps_what_it_printed(folder):
    status, page = paged(folder, "bench_long", "--minutes", "0.08")

    assert status == 1
    assert row_of("bench_long", page) == "ended after 0.08 minutes"
    assert ".py\nbegun\n```" in page


def test_one_is_run_by_its_name_and_the_status_tells_that_all_went_well(folder):
    status, page = paged(folder, "bench_good", "bench_asking")

    assert status == 0
    assert "## bench_good" in page
    assert "bench_broken" not in page
