"""Normalisation layers whose derivatives are right to any order, and who has torch's instead.

torch's kernels for layer, batch and instance normalisation treat mean and variance as constants in
the derivative of their second derivative (seen in torch 2.13). An equation with second derivatives
is trained by third ones: its loss is right, its gradient is not, and nothing says so.
"""

from __future__ import annotations

import functools
import warnings
import weakref
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.instancenorm import _InstanceNorm


class LayerNorm(nn.LayerNorm):
    """`torch.nn.LayerNorm` written out: the same arguments, parameters and values.

    Its derivatives of any order are right, in reverse and in forward mode.

    Example:
        >>> import torch
        >>> import pinn_ext
        >>> norm = pinn_ext.LayerNorm(3, dtype=torch.float64)
        >>> x = torch.tensor([[0.1, 0.4, 0.2]], dtype=torch.float64)
        >>> torch.autograd.gradcheck(norm, x.requires_grad_())
        True
        >>> torch.allclose(norm(x), torch.nn.LayerNorm(3, dtype=torch.float64)(x))
        True
    """

    def forward(self, input: Tensor) -> Tensor:
        """Return the input, normalised over its last axes.

        Args:
            input: `[..., *normalized_shape]`.

        Returns:
            The same shape, dimensionless before weight and bias.

        Raises:
            ValueError: if the last axes are others.
        """
        axes = len(self.normalized_shape)
        if tuple(input.shape[input.ndim - axes :]) != self.normalized_shape:
            raise ValueError(
                f"The last axes must be {list(self.normalized_shape)}, got {list(input.shape)}."
            )
        scaled = _standardised(input, tuple(range(-axes, 0)), self.eps)
        return _affine(scaled, self.weight, self.bias)


class BatchNorm(nn.BatchNorm1d):
    """`torch.nn.BatchNorm1d` written out: the same arguments, parameters, buffers and values.

    Its derivatives of any order are right, in reverse and in forward mode. It takes inputs with
    any number of axes in space, so it stands for `BatchNorm2d` and `BatchNorm3d` too.

    Example:
        >>> import torch
        >>> import pinn_ext
        >>> ours, theirs = pinn_ext.BatchNorm(4), torch.nn.BatchNorm1d(4)
        >>> x = torch.rand(8, 4)
        >>> torch.allclose(ours(x), theirs(x), atol=1e-6)
        True
        >>> ours.load_state_dict(theirs.state_dict())
        <All keys matched successfully>
    """

    def forward(self, input: Tensor) -> Tensor:
        """Return the input, normalised channel by channel.

        Args:
            input: `[N, num_features, ...]`.

        Returns:
            The same shape, dimensionless before weight and bias: by mean and variance of the
            batch in training mode or without running statistics, else by these.

        Raises:
            ValueError: if there are other features, or a batch with one value a channel.
        """
        if input.ndim < 2 or input.shape[1] != self.num_features:
            raise ValueError(
                f"The input must be [N, {self.num_features}, ...], got {list(input.shape)}."
            )
        axes = (0, *range(2, input.ndim))
        shape = [1, -1, *[1] * (input.ndim - 2)]
        mean, var = self.running_mean, self.running_var
        if self.training or mean is None or var is None:
            if input.numel() == self.num_features:
                raise ValueError(
                    f"A batch must have more than one value a channel, got {list(input.shape)}."
                )
            self._track(input, axes)
            scaled = _standardised(input, axes, self.eps)
        else:
            scaled = (input - mean.view(shape)) * torch.rsqrt(var.view(shape) + self.eps)
        weight, bias = self.weight, self.bias
        return _affine(
            scaled,
            None if weight is None else weight.view(shape),
            None if bias is None else bias.view(shape),
        )

    @torch.no_grad()
    def _track(self, input: Tensor, axes: tuple[int, ...]) -> None:
        """Let the running statistics follow a batch in training."""
        mean, var, count = self.running_mean, self.running_var, self.num_batches_tracked
        if not self.training or mean is None or var is None:
            return
        if count is not None:
            count.add_(1)
        part = self.momentum
        if part is None:  # the mean over all batches
            part = 1.0 / float(count) if count is not None else 0.0
        mean.lerp_(input.mean(axes).to(mean), part)
        var.lerp_(input.var(axes, correction=1).to(var), part)


def _standardised(values: Tensor, axes: tuple[int, ...], eps: float) -> Tensor:
    """Return values without their mean over some axes, over the root of their variance."""
    centred = values - values.mean(axes, keepdim=True)
    return centred * torch.rsqrt(centred.square().mean(axes, keepdim=True) + eps)


def _affine(values: Tensor, weight: Tensor | None, bias: Tensor | None) -> Tensor:
    scaled = values if weight is None else values * weight
    return scaled if bias is None else scaled + bias


# ---- who has torch's own -------------------------------------------------------------------------

_NODES = {
    "LayerNormBackwardBackward": ("layer", "pinn_ext.LayerNorm"),
    "BatchNormBackwardBackward": ("batch", "pinn_ext.BatchNorm"),
}
"""End of what torch calls the derivative of such a layer in a graph (`Native…0`, `Cudnn…0`): the
layer's kind, and what takes its place."""
_SAID: weakref.WeakSet[Any] = weakref.WeakSet()


class WrongLayer(NamedTuple):
    """A layer whose third derivatives are wrong.

    Attributes:
        path: of the layer in its network, as `named_modules` has it; empty for the network itself.
        kind: name of its class.
        cure: what takes its place.
    """

    path: str
    kind: str
    cure: str


def wrong_layers(network: nn.Module) -> list[WrongLayer]:
    """Return the normalisation layers of a network whose third derivatives torch gets wrong.

    Args:
        network: any module.

    Returns:
        One entry a layer, none where this torch has them right.
    """
    found = []
    for path, layer in network.named_modules():
        forward, kind = type(layer).forward, type(layer).__name__
        if forward is nn.LayerNorm.forward and _is_wrong("layer"):
            found.append(WrongLayer(path, kind, "pinn_ext.LayerNorm"))
        elif (
            forward is _BatchNorm.forward and not _is_frozen(layer, network) and _is_wrong("batch")
        ):
            found.append(WrongLayer(path, kind, "pinn_ext.BatchNorm"))
        elif forward is _InstanceNorm.forward and _is_wrong("batch"):
            n = layer.num_features
            found.append(
                WrongLayer(path, kind, f"torch.nn.GroupNorm({n}, {n}, affine={layer.affine})")
            )
    return found


def _is_frozen(layer: nn.Module, network: nn.Module) -> bool:
    """Return whether a layer has been left at its running statistics in a network in training."""
    return network.training and not layer.training and layer.running_mean is not None


def warn_of_layers(network: Any, owner: Any = None) -> None:
    """Warn once of the layers of a network whose third derivatives are wrong.

    Args:
        network: any object; only modules have layers.
        owner: to whom it is said once, None for the network.
    """
    owner = network if owner is None else owner
    if not isinstance(network, nn.Module) or owner in _SAID:
        return
    found = wrong_layers(network)
    if found:
        _SAID.add(owner)
        layers = ", ".join(f"{one.path or 'the network'} ({one.kind})" for one in found)
        cures = list(dict.fromkeys(one.cure for one in found))
        _warn(f"in the layers {layers}", cures)


def warn_of_graph(losses: Iterable[Tensor], owner: Any) -> None:
    """Warn once of such layers in a graph, where a function stands for the layer or none is known.

    Args:
        losses: with their graph, in which derivatives of the network's outputs were taken.
        owner: whose losses they are; its graph is looked at once.
    """
    if owner in _SAID:
        return
    waiting = [loss.grad_fn for loss in losses if loss.grad_fn is not None]
    if not waiting:
        return
    _SAID.add(owner)
    seen, cures = set(waiting), set()
    while waiting:
        node = waiting.pop()
        for end, (kind, cure) in _NODES.items():
            if end in node.name() and _is_wrong(kind):
                cures.add(cure)
        following = {other for other, _ in node.next_functions if other is not None} - seen
        seen |= following
        waiting += following
    if cures:
        _warn("of normalisations that the losses are made of", sorted(cures))


def _warn(what: str, cures: Sequence[str]) -> None:
    warnings.warn(
        f"torch {torch.__version__} has wrong third derivatives {what}, so that equations with "
        f"second derivatives train on wrong gradients: take {' and '.join(cures)} instead, which "
        "have the same parameters.",
        RuntimeWarning,
        stacklevel=4,  # whoever calls the caller of `warn_of_…`
    )


@functools.cache
def _is_wrong(kind: str) -> bool:
    """Return whether a third derivative of torch's own layer differs from that written out here."""
    makers: dict[str, tuple[Any, Any]] = {
        "layer": (nn.LayerNorm, LayerNorm),
        "batch": (nn.BatchNorm1d, BatchNorm),
    }
    with torch.inference_mode(False), torch.enable_grad():
        layers = [make(3, device="cpu", dtype=torch.float64) for make in makers[kind]]
        theirs, ours = map(_third_derivative, layers)
    return not abs(theirs - ours) <= 1e-9 * abs(ours)


def _third_derivative(layer: nn.Module) -> float:
    """Return a third derivative of a layer of three features along a line through its inputs."""
    rows = [[0.3, -0.2, 0.9], [-0.7, 0.4, 0.1], [0.5, 0.8, -0.6], [0.2, -0.9, 0.7]]
    start = torch.tensor(rows, dtype=torch.float64, device="cpu")
    place = torch.zeros((), dtype=torch.float64, device="cpu", requires_grad=True)
    value = (layer(start + place * start.flip(0).cos()) * start.sin()).sum()
    for _ in range(3):
        (value,) = torch.autograd.grad(value, place, create_graph=True)
    return value.item()
