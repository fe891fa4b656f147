"""AdamW that clips and accumulates, against torch's own."""

import io
import pickle

import pytest
import torch
from torch import nn

from sktandem.text._optimizer import AccumulatedAdamW


def module_of():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Embedding(9, 6), nn.Flatten(), nn.LayerNorm(18), nn.Linear(18, 4)
    )


def batches(n, seed=0):
    generator = torch.Generator().manual_seed(seed)
    for _ in range(n):
        X = torch.randint(9, (5, 3), generator=generator)
        yield X, torch.randint(4, (5,), generator=generator)


def loss_of(module, batch):
    X, y = batch
    return nn.functional.cross_entropy(module(X), y)


def ours(module, **settings):
    groups = [
        {"params": list(module[:3].parameters()), "lr": 1e-2},
        {"params": list(module[3:].parameters())},
    ]
    return AccumulatedAdamW(groups, lr=5e-2, weight_decay=0.1, **settings)


def torchs(module):
    """Return torch's AdamW, in which what has one dimension does not decay."""
    embedding, _, norm, linear = module
    groups = [
        {"params": [embedding.weight], "lr": 1e-2, "weight_decay": 0.1},
        {"params": [norm.weight, norm.bias], "lr": 1e-2, "weight_decay": 0.0},
        {"params": [linear.weight], "lr": 5e-2, "weight_decay": 0.1},
        {"params": [linear.bias], "lr": 5e-2, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups)


def train(module, optimizer, some):
    for batch in some:
        optimizer.zero_grad()
        loss_of(module, batch).backward()
        optimizer.step()


def assert_same(module, other, atol=1e-6):
    for name, weight in module.state_dict().items():
        given = other.state_dict()[name]
        torch.testing.assert_close(weight, given, rtol=0, atol=atol)


def test_one_batch_at_a_time_is_torchs_own():
    module, other = module_of(), module_of()

    train(module, ours(module, max_norm=None), batches(20))
    train(other, torchs(other), batches(20))

    assert_same(module, other)


def test_a_closure_and_a_bare_step_are_the_same():
    module, other = module_of(), module_of()
    optimizer = ours(module, accumulation=2)

    for batch in batches(9):
        optimizer.zero_grad()

        def closure(batch=batch):  # as skorch has it
            optimizer.zero_grad()
            loss = loss_of(module, batch)
            loss.backward()
            return loss

        assert optimizer.step(closure).item() > 0
    train(other, ours(other, accumulation=2), batches(9))

    assert_same(module, other, atol=0)


@pytest.mark.parametrize("max_norm", [None, 0.1])
def test_accumulated_batches_are_one_step_on_their_mean_gradient(max_norm):
    module, other = module_of(), module_of()
    optimizer = torchs(other)

    train(module, ours(module, accumulation=4, max_norm=max_norm), batches(12))
    every = list(batches(12))
    for start in (0, 4, 8):
        optimizer.zero_grad()
        losses = [loss_of(other, batch) for batch in every[start : start + 4]]
        (sum(losses) / 4).backward()
        if max_norm is not None:
            nn.utils.clip_grad_norm_(other.parameters(), max_norm)
        optimizer.step()

    assert_same(module, other)


def test_weights_wait_for_the_last_batch():
    module, start = module_of(), module_of()
    optimizer = ours(module, accumulation=3)

    train(module, optimizer, batches(2))
    assert_same(module, start, atol=0)

    train(module, optimizer, batches(1))
    assert (module[3].weight - start[3].weight).abs().max() > 1e-3


def test_no_step_is_larger_than_the_norm_allows():
    module = module_of()
    optimizer = ours(module, max_norm=1e-3)

    train(module, optimizer, batches(1))

    norms = [weight.grad.norm() for weight in module.parameters()]
    assert torch.stack(norms).norm().item() <= 1e-3 * (1 + 1e-4)


def test_what_needs_no_gradient_is_left_out():
    module = module_of()
    module[0].requires_grad_(False)

    optimizer = ours(module)

    held = [w for group in optimizer.param_groups for w in group["params"]]
    assert len(held) == 4
    assert all(weight.requires_grad for weight in held)


def test_a_state_keeps_what_waits_and_the_first_rates():
    module = module_of()
    optimizer = ours(module, accumulation=3)
    for group in optimizer.param_groups:
        group["lr"] = 0.0  # as a schedule of rates leaves it
    train(module, optimizer, batches(2))

    file = io.BytesIO()
    torch.save(optimizer.state_dict(), file)
    file.seek(0)
    loaded = ours(module_of(), accumulation=3)
    loaded.load_state_dict(torch.load(file, weights_only=True))
    copied = pickle.loads(pickle.dumps(optimizer))

    for other in (loaded, copied):
        assert [group["waiting"] for group in other.param_groups] == [2] * 4
        rates = [group["initial_lr"] for group in other.param_groups]
        assert rates == [1e-2, 1e-2, 5e-2, 5e-2]


def test_a_state_goes_on_where_it_stopped():
    module, whole = module_of(), module_of()
    train(whole, ours(whole), batches(6))

    every = list(batches(6))
    first = ours(module)
    train(module, first, every[:3])
    second = ours(module)
    second.load_state_dict(first.state_dict())
    train(module, second, every[3:])

    assert_same(module, whole, atol=0)
