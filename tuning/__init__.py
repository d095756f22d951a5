"""Hyperparameter search, in reading order.

space      what is searched: parameters, their scales and bounds
ledger     what has happened: events, one JSON line each, and nothing else is kept
suggester  nevergrad: which values to try next
halving    which trials are stopped early (ASHA)
study      what the events add up to
wanted     the search that is asked for, checked
trial      a training and its evaluation as processes; `tether` ends them with the search
tuner      the loop: starts trials, reads their progress, stops them, records
display    what a person sees
report     results.csv, best.json, TensorBoard's HParams
picture    the search as a PNG
sitting    a search in its folder: opened or gone on with, run, drawn
"""
