"""The make-believe device does what CUDA does: it refuses mixtures, is late, and has an end."""

import copy
import io

import pytest
import torch

from tests.device import pretend

MIXED = "Expected all tensors to be on the same device"


@pytest.fixture
def x(device):
    return torch.arange(6.0, device=device).reshape(2, 3)


def test_tensors_lie_where_they_were_put(x, device):
    assert x.device == device and x.is_pretend and x.t().contiguous().device == device
    assert x.to("pretend:1").device.index == 1
    with pretend.device(1):
        assert torch.ones(2, device="pretend").device.index == 1
    assert torch.ones(2, device="pretend").device.index == 0
    with pytest.raises(RuntimeError, match="invalid device ordinal"):
        torch.ones(2, device="pretend:7")
    with pytest.raises(TypeError, match=r"Use Tensor\.cpu\(\)"):
        x.numpy()


@pytest.mark.parametrize(
    "mix",
    [
        lambda x, y: x + y,
        lambda x, y: y + x,
        lambda x, y: torch.cat([x, y]),
        lambda x, y: x @ y.t(),
        lambda x, y: torch.where(x > 1, x, y),
        lambda x, y: torch.stack([x[0, 0], torch.tensor(1.0)]),
        lambda x, y: torch.tensor(1.0).add_(x[0, 0]),
        lambda x, y: y[0, 0].mul_(x[0, 0]),
        lambda x, y: x.index_select(0, torch.tensor([0])),
        lambda x, y: torch.ones(2)[torch.tensor([0], device=x.device)] + x[0, 0],
        lambda x, y: x + x.to("pretend:1"),
        lambda x, y: torch.mm(x, x.to("pretend:1").t()),
        lambda x, y: torch.addcmul(x, torch.tensor(1.0), torch.tensor(2.0)),
        lambda x, y: x.index_add_(0, torch.tensor([0]), x[:1]),
        lambda x, y: torch.nn.functional.linear(x, y),
    ],
)
def test_mixed_devices_are_refused(x, mix):
    with pytest.raises((RuntimeError, IndexError), match=f"{MIXED}|Too many CPU|too many CPU|cpu"):
        mix(x, torch.ones(2, 3))


def test_numbers_and_indices_of_the_host_are_taken_as_cuda_takes_them(x):
    number = torch.tensor(2.0)
    assert torch.equal((x * number).cpu(), x.cpu() * 2)
    assert torch.equal(x.clone().fill_(number).cpu(), torch.full((2, 3), 2.0))
    assert torch.equal(x[torch.tensor([1])].cpu(), x.cpu()[1:])
    y = x.clone()
    y[torch.tensor([0])] = number
    assert y[0].tolist() == [2.0] * 3


def test_generators_belong_to_a_kind_of_device(x, device):
    own, hosts = torch.Generator(device), torch.Generator()
    for tensor, generator in ((x.clone(), hosts), (torch.ones(2), own)):
        with pytest.raises(RuntimeError, match=r"Expected a '\w+' device type for generator"):
            tensor.normal_(generator=generator)
    with pytest.raises(RuntimeError, match="device type for generator"):
        torch.randint(3, (2,), generator=hosts, device=device)
    with pytest.raises(RuntimeError, match="device type for generator"):
        torch.randperm(3, generator=hosts, device=device)
    first = torch.rand(3, generator=own.manual_seed(4), device=device)
    assert torch.equal(first, torch.rand(3, generator=own.manual_seed(4), device=device))


def test_random_states_are_kept_apart(device):
    torch.manual_seed(3)
    state, hosts = pretend.get_rng_state_all(), torch.get_rng_state()
    assert len(state) == 2
    drawn = torch.randn(4, device=device)
    assert torch.equal(hosts, torch.get_rng_state())
    pretend.set_rng_state_all(state)
    assert torch.equal(drawn, torch.randn(4, device=device))
    torch.manual_seed(3)  # seeds all devices too
    assert torch.equal(drawn, torch.randn(4, device=device))
    with pytest.raises(RuntimeError, match="RNG state is wrong size"):
        pretend.set_rng_state(hosts)
    with pytest.raises(RuntimeError, match="state"):
        torch.set_rng_state(state[0])
    with pytest.raises(TypeError, match=r"must be a torch\.ByteTensor"):
        pretend.set_rng_state(state[0].to(device))


@pytest.mark.parametrize(
    ("kind", "work"),
    [
        ("item", lambda x: x.sum().item()),
        ("item", lambda x: float(x[0, 0])),
        ("item", lambda x: bool((x > 0).all())),
        ("item", lambda x: torch.isfinite(x).all().item()),
        ("to_host", lambda x: x.cpu()),
        ("to_host", lambda x: x.tolist()),
        ("to_device", lambda x: torch.tensor([1.0], device=x.device)),
        ("to_device", lambda x: x.new_tensor([1.0])),
        ("to_device", lambda x: torch.ones(3).to(x.device, non_blocking=True)),
        ("to_device", lambda x: x[torch.tensor([1])]),
        ("mask", lambda x: x[x > 2]),
        ("mask", lambda x: x.masked_select(x > 2)),
        ("mask", lambda x: x.clone().index_put_((x > 2,), x[0, 0])),
        ("nonzero", lambda x: x.nonzero()),
        ("nonzero", lambda x: torch.where(x > 2)),
        ("other", lambda x: x.unique()),
        ("other", lambda x: torch.equal(x, x)),
        ("other", lambda x: torch.linalg.svd(x)),
        (None, lambda x: torch.where(x > 2, x, 0.0)),
        (None, lambda x: x.masked_fill(x > 2, 1.0)),
        (None, lambda x: x.index_select(0, torch.zeros(1, dtype=torch.long, device=x.device))),
        (None, lambda x: torch.full((3,), 2.0, device=x.device) + x.new_full((3,), 1.0)),
        (None, lambda x: torch.ones(3).pin_memory().to(x.device, non_blocking=True)),
        (None, lambda x: x.to("cpu", non_blocking=True)),
        (None, lambda x: x.detach().clone().copy_(x) + torch.tensor(1.0)),
    ],
)
def test_waits_are_counted_by_kind(x, kind, work):
    with pretend.count_waits() as waits:
        work(x)
    assert waits == ({} if kind is None else {kind: 1})


def test_waits_know_where_they_came_from(x):
    with pretend.count_waits(places=True) as waits:
        x.sum().item()
        for _ in range(2):
            x.cpu()
    assert waits.total() == 3 == len(waits.places)
    kind, stack = waits.places[0]
    assert kind == "item" and stack[-1].line == "x.sum().item()"
    assert "2 x to_host" in str(waits) and "x.cpu()" in str(waits) and __file__ in str(waits)
    x.cpu()
    assert waits.total() == 3


def test_copies_to_the_host_come_late(x):
    target = torch.zeros(2, 3, pin_memory=True)
    target.copy_(x + 1, non_blocking=True)
    x.zero_()  # the values are those of the moment when the copy was asked for
    assert not target.any()
    event = pretend.Event()
    event.record()
    assert not event.query() and event.query()  # asked twice, it has gone on
    assert target.tolist() == [[1, 2, 3], [4, 5, 6]]
    target.copy_(x, non_blocking=True)
    event.record()
    with pretend.count_waits() as waits:
        event.synchronize()
        event.synchronize()
    assert waits == {"event": 1} and not target.any()
    target.copy_(x + 2, non_blocking=True)
    event.record()
    x.sum().item()  # any wait will do
    with pretend.count_waits() as waits:
        event.synchronize()
        pretend.synchronize()
    assert not waits and target[0, 0] == 2
    x.add_(1)
    with pretend.count_waits() as waits:
        torch.accelerator.synchronize()
        pretend.synchronize(0)
    assert waits == {"synchronize": 1}


def test_an_event_knows_work_done_before_it_from_work_after(x):
    early, late = torch.zeros(2, 3, pin_memory=True), torch.zeros(2, 3, pin_memory=True)
    early.copy_(x + 1, non_blocking=True)
    event = pretend.Event(enable_timing=True)
    event.record()
    late.copy_(x + 1, non_blocking=True)
    assert not event.query() and early.all() and not late.any()
    end = pretend.Event(enable_timing=True)
    end.record(pretend.current_stream())
    end.synchronize()
    assert late.all() and event.elapsed_time(end) >= 0


def test_pinned_memory_is_the_devices_until_it_was_read(device):
    source = torch.ones(3).pin_memory()
    assert source.is_pinned() and source[1:].is_pinned() and not torch.ones(3).is_pinned()
    copied = source.to(device, non_blocking=True)
    source.zero_()
    with pytest.raises(RuntimeError, match="written to before the device had read it"):
        pretend.synchronize()
    assert copied.tolist() == [1, 1, 1]
    copied = source.to(device, non_blocking=True)
    pretend.synchronize()
    source.fill_(float("nan"))
    assert copied.tolist() == [0, 0, 0]
    with pytest.raises(RuntimeError, match="only dense CPU tensors can be pinned"):
        copied.pin_memory()


def test_streams_are_lines_of_the_same_work(x):
    with pretend.Stream() as stream:
        assert pretend.current_stream() == stream
        target = x.to("cpu", non_blocking=True)
        stream.synchronize()
        assert torch.equal(target, torch.arange(6.0).reshape(2, 3))
    assert pretend.current_stream() != stream


def test_memory_ends(device):
    before = pretend.memory_allocated()
    kept = torch.ones(1000, device=device)
    assert pretend.memory_allocated() == before + 4000 <= pretend.memory_reserved()
    del kept
    assert pretend.memory_allocated() == before < pretend.memory_reserved()
    free, total = pretend.mem_get_info()
    assert free == total - pretend.memory_reserved()
    with pretend.memory_limit(10_000):
        assert pretend.mem_get_info()[0] == 10_000
        torch.ones(2500, device=device)
        with pytest.raises(
            torch.OutOfMemoryError, match=r"PRETEND out of memory. Tried to allocate 0\.01 MiB"
        ):
            torch.ones(2501, device=device)
        torch.ones(2501, device="pretend:1")
    assert pretend.mem_get_info()[1] == total
    pretend.empty_cache()
    assert pretend.memory_allocated() == pretend.memory_reserved()


def test_memory_that_nobody_wrote_is_no_number(device):
    assert torch.empty(5, device=device).isnan().all()


def test_saving_loading_and_copying(x, device):
    net = torch.nn.Linear(3, 2).to(device)
    file = io.BytesIO()
    torch.save({"net": net.state_dict(), "x": x}, file)
    for place, wanted in ((None, device), ("cpu", "cpu"), ("pretend:1", "pretend:1")):
        file.seek(0)
        loaded = torch.load(file, map_location=place)
        assert loaded["x"].device == torch.device(wanted) == loaded["net"]["bias"].device
        assert torch.equal(loaded["x"].cpu(), x.cpu())
    file = io.BytesIO()
    torch.save(x.cpu(), file)
    file.seek(0)
    assert torch.load(file, map_location="pretend:1").device.index == 1
    twin = copy.deepcopy(net)
    assert twin.weight.device == device and twin.weight.data_ptr() != net.weight.data_ptr()
    assert torch.equal(twin.weight, net.weight)
    assert net.cpu().weight.device.type == "cpu"


@pytest.mark.parametrize("optimizer", ["Adam", "SGD", "RMSprop", "LBFGS", "AdamW"])
def test_training_is_that_of_the_cpu(device, optimizer):
    vectors = []
    for place in (device, "cpu"):
        torch.manual_seed(0)
        layers = torch.nn.Linear(2, 5), torch.nn.Tanh(), torch.nn.Linear(5, 1)
        net = torch.nn.Sequential(*layers).to(place)
        x = torch.linspace(0, 1, 8).reshape(4, 2).to(place)
        steps = getattr(torch.optim, optimizer)(net.parameters(), lr=1e-2)

        def closure(net=net, x=x, steps=steps):
            steps.zero_grad()
            loss = (net(x) - x[:, :1]).square().mean()
            loss.backward()
            return loss

        for _ in range(3):
            steps.step(closure)
        vectors.append(torch.nn.utils.parameters_to_vector(net.parameters()).cpu())
    assert torch.equal(*vectors)


def test_derivatives_of_functions(x):
    func = torch.func

    def f(a):
        return torch.sin(a).sum()

    cases = [
        lambda a: func.vmap(func.grad(f))(a),
        lambda a: func.jvp(f, (a,), (a,))[1],
        lambda a: func.vjp(torch.sin, a)[1](a)[0],
        lambda a: func.jacfwd(func.jacrev(f))(a),
        lambda a: func.linearize(torch.sin, a)[1](a),
        lambda a: func.vmap(lambda row: func.jvp(torch.tanh, (row,), (row,))[1])(a),
    ]
    for case in cases:
        here, there = case(x), case(x.cpu())
        assert here.device == x.device and torch.equal(here.cpu(), there)


def test_views_share_memory_and_results_have_their_sizes(x, device):
    x.t()[0] = 7.0
    x.unfold(1, 2, 1)[1, 1] = -1.0
    x.view(torch.int32)[0, 1] = 0
    assert x.tolist() == [[7, 0, 2], [7, -1, -1]]
    out = torch.empty(0, device=device)
    torch.cat([x, x], out=out)
    assert out.shape == (4, 3) and torch.equal(out[2:], x)
    parts = out.new_empty(0), torch.empty(0, dtype=torch.long, device=device)
    torch.sort(x[1], out=parts)
    assert parts[0].tolist() == [-1, -1, 7]
    complex_ = torch.complex(x, x).conj()
    assert complex_.imag.tolist() == (-x).tolist() == complex_.cpu().imag.tolist()
    assert x.resize_(3, 4).shape == (3, 4)
