"""Adaptive weights inside of a DeepXDE training step.

In come the losses that DeepXDE computes, by a recorder in the place of `data.losses_train`
(`loss_recorder`); out go `model.loss_weights` (`model_weights`) or factors of points
(`point_weights`). `kernel_meter` adds to the measurements those that need DeepXDE's residual rows,
`nonfinite_guard` and `step_snapshot` undo a step whose losses or gradients are not finite.
`training_state` holds all that changes from step to step, and saves it; read it first. The
callback and the pilots of `auto` both work on it.
"""
