"""The program's own data for `dde.Model`: snapshot graphs, and collocation points.

In come the loss terms (`PhysicsLoss` of `pinn_ext.losses`) and what they are measured on
(`pinn_ext.datasets`); out come objects that DeepXDE takes for its data. They serve inputs batch by
batch, and return the raw loss of each term for the outputs of the network.

`mini_batches` serves graphs in an order that follows from the number of the step, so that a resumed
run sees the same ones; open it first. `graph_data` has those of snapshots, `family_data` the
problems of a family. `point_data` serves one set of collocation points, for Gauss-Newton. All of
them are `term_data`, which calls DeepXDE's loss functions on the residuals, and say what they know
of themselves by the protocol `pinn_ext.dde.model.data_protocol.DescribedData`. `network_adapter`
gives a plain torch module the attributes that DeepXDE asks of its networks.
"""
