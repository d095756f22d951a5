"""The rules of the search, a file each, as sets of compiled functions: `rule` says what they consist of.

`puct` is MuZero's, `gumbel` Gumbel MuZero's, `uct` searches real games. `scoring` has what several share.
"""
