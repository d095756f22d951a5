"""The kinds of networks: what each needs to know, what it can do, and how it is made.

Nothing below knows them: a configuration names one, and finds it through `core/network_kinds.py:NETWORKS`.
Read `fully_connected` and `residual` first, one kind each; what they make is in `fully_connected_network` and
`residual_network`. `fast_inference` and `fused_update` are what fully connected networks can do beyond
others, `perceptrons` the sizes of their layers. A kind may as well lie in somebody else's module.
"""
