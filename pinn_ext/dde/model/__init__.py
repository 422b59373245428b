"""What is read of a `dde.Model`, its data and its optimiser, and what is set in them.

The seam to DeepXDE: one file a question. Names of the loss terms (`loss_terms`), their residual
vectors as rows (`residual_rows`), the points of these rows (`row_points`), sizes of the fields
(`field_scales`), what kind of optimiser is at work (`optimizers`), how long the training will be
(`training_length`), the whole state to put back later (`state`), the best parameters by raw losses
(`best`). `data_protocol` says what a data object may tell about itself. Nothing here knows of
strategies or of callbacks.
"""
