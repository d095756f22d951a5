"""What a game must keep to, and what to change where it does not.

Read `conformance` first: it lists the checks of `form`, `meaning` and `behaviour`, which look at `evidence`:
random games, each kept as one of the `traces`.
"""
