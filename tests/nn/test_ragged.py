"""Rows of different lengths against lists of lists."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sktandem.nn import _ragged
from sktandem.nn._ragged import PADDING, Ragged, grouped_by_length

TOKENS = st.integers(0, 250_000)
ROWS = st.lists(st.lists(TOKENS, max_size=9), max_size=12)
SOME_ROWS = st.lists(st.lists(TOKENS, max_size=9), min_size=1, max_size=12)


def as_lists(ragged):
    return [row.tolist() for row in ragged.values.split(ragged.lengths.tolist())]


def matrix_of(rows):
    longest = max(map(len, rows), default=0)
    return [row + [PADDING] * (longest - len(row)) for row in rows]


def some_of(rows):
    return st.lists(st.integers(0, len(rows) - 1), max_size=15)


@given(ROWS)
def test_rows_come_back_as_they_were(rows):
    ragged = Ragged.of(rows)

    assert len(ragged) == len(rows)
    assert ragged.shape == (len(rows),)
    assert ragged.lengths.tolist() == [len(row) for row in rows]
    if rows:
        assert as_lists(ragged) == rows


@given(SOME_ROWS, st.data())
def test_rows_are_chosen_by_their_positions(rows, data):
    chosen = data.draw(some_of(rows))

    picked = Ragged.of(rows)[np.array(chosen, dtype=np.intp)]

    assert len(picked) == len(chosen)
    if chosen:
        assert as_lists(picked) == [rows[i] for i in chosen]


@given(SOME_ROWS, st.data())
def test_rows_are_chosen_by_a_slice_or_a_mask(rows, data):
    ragged, stop = Ragged.of(rows), data.draw(st.integers(1, len(rows)))
    mask = np.arange(len(rows)) < stop

    assert as_lists(ragged[:stop]) == rows[:stop]
    assert as_lists(ragged[mask]) == rows[:stop]


@given(SOME_ROWS, st.data())
def test_a_batch_is_as_wide_as_its_longest_row(rows, data):
    chosen = data.draw(some_of(rows))

    batch = Ragged.of(rows).index_select(0, torch.tensor(chosen, dtype=torch.long))

    assert batch.dtype == torch.long
    assert batch.tolist() == matrix_of([rows[i] for i in chosen])


@given(st.lists(SOME_ROWS, min_size=1, max_size=4))
def test_batches_are_stacked_as_wide_as_the_widest(batches):
    parts = []
    for rows in batches:
        ragged = Ragged.of(rows)
        parts.append(ragged.index_select(0, torch.arange(len(ragged))))

    stacked = Ragged.stacked(parts)

    assert stacked.tolist() == matrix_of([row for rows in batches for row in rows])


def test_a_device_takes_the_tokens_along():
    ragged = Ragged.of([[1, 2], [3]])

    moved = ragged.to("meta")

    assert moved.device.type == "meta"
    assert len(moved) == 2
    assert as_lists(ragged.to("cpu")) == [[1, 2], [3]]


@given(
    st.lists(st.integers(1, 60), max_size=80),
    st.integers(1, 10),
    st.integers(1, 200),
    st.randoms(),
)
def test_parts_hold_every_row_once_and_no_more_tokens_than_fit(
    lengths, least, most, random
):
    ragged = Ragged.of([[0] * n for n in lengths])
    places = list(range(len(lengths)))
    random.shuffle(places)
    places = places[: len(places) // 2 + 1]
    rows = torch.tensor(places, dtype=torch.long)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_ragged, "TOKENS_AT_ONCE", most)
        parts = list(ragged.split(rows, least))

    flat = [row for part in parts for row in part.tolist()]
    assert sorted(flat) == sorted(places)
    own = ragged.lengths[torch.tensor(flat, dtype=torch.long)]
    assert own.tolist() == sorted(own.tolist())
    for part in parts:
        n, longest = len(part), int(ragged.lengths[part].max())
        assert n * longest <= most or n <= least


@given(
    st.lists(st.integers(1, 60), min_size=1, max_size=200),
    st.integers(1, 12),
    st.integers(0, 2**31),
)
def test_a_grouped_order_is_a_permutation(lengths, size, seed):
    lengths = torch.tensor(lengths)

    order = grouped(torch.arange(len(lengths)).flip(0), lengths, size, seed)

    assert sorted(order.tolist()) == list(range(len(lengths)))


@pytest.mark.parametrize("n_rows", [64, 70, 79, 95])
def test_two_batches_are_the_halves_of_a_sorted_stretch(n_rows):
    generator = torch.Generator().manual_seed(0)
    lengths = torch.randperm(n_rows, generator=generator) + 1

    *whole, last = grouped(torch.arange(n_rows), lengths, 8, 0).split(8)

    for batch in [*whole, last]:
        (stretch,) = set((batch // 16).tolist())
        mates = torch.arange(16 * stretch, min(16 * stretch + 16, n_rows))
        ordered = mates[lengths[mates].argsort()].split(8)
        assert any(torch.equal(batch, half) for half in ordered)
    assert len(last) == n_rows % 8 or n_rows % 8 == 0


@pytest.mark.parametrize("n_rows", [5, 8, 13, 63, 70, 999])
def test_the_short_batch_is_the_last(n_rows):
    lengths = torch.arange(n_rows) + 1  # the last stretch has the longest rows

    for seed in range(5):
        order = grouped(torch.arange(n_rows), lengths, 8, seed)
        short = n_rows % 8
        assert lengths[order[n_rows - short :]].tolist() == sorted(
            range(n_rows - short + 1, n_rows + 1)
        )


def grouped(rows, lengths, size, seed):
    generator = torch.Generator().manual_seed(seed)
    return grouped_by_length(rows, lengths, size, generator)


def padding(order, lengths, size):
    """Return the places of the batches that hold no token."""
    return sum(
        int(len(own) * own.max() - own.sum()) for own in lengths[order].split(size)
    )


@pytest.mark.parametrize("size", [4, 16])
def test_grouping_wastes_less_than_a_third_of_the_padding(size):
    generator = torch.Generator().manual_seed(0)
    lengths = torch.randint(3, 100, (2000,), generator=generator)
    rows = torch.randperm(2000, generator=generator)

    wasted = padding(grouped(rows, lengths, size, 0), lengths, size)

    assert wasted < padding(rows, lengths, size) / 3


def test_no_length_comes_first():
    generator = torch.Generator().manual_seed(0)
    lengths = torch.randint(3, 100, (4000,), generator=generator)
    rows = torch.randperm(4000, generator=generator)

    order = grouped(rows, lengths, 16, 0)

    thirds = [part.double().mean().item() for part in lengths[order].split(1334)]
    assert max(thirds) - min(thirds) < 5


def test_a_grouped_order_depends_on_the_generator_alone():
    lengths = torch.arange(100) % 17 + 1
    rows = torch.arange(100)

    torch.manual_seed(0)
    first = grouped(rows, lengths, 8, 1)
    torch.manual_seed(1)
    before = torch.get_rng_state()
    again = grouped(rows, lengths, 8, 1)

    assert torch.equal(first, again)
    assert torch.equal(torch.get_rng_state(), before)
    assert not torch.equal(first, grouped(rows, lengths, 8, 2))
