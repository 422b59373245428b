"""The program's own data for `dde.Model`: snapshot graphs, and collocation points.

`graph_data` serves batches of graphs with the RK4 terms, `point_data` points for Gauss-Newton.
`network_adapter` gives a plain torch module the attributes that DeepXDE asks of its networks.
"""
