"""What a person sees of a game, at the terminal, in the browser or as a film, and of an agent's thoughts.

Read `analysis` (what an agent thinks) and `interactive` (a game that can be taken back) first. People play in
`terminal`, `screen` and `web`; they watch by `moments`, `frames`, `films` and `background_film`.
"""
