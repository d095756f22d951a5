"""The games. A file `games/<name>.py` defines `Game` and `MuZeroConfig`; its name is the game's name.

`Game(seed)` needs `reset()` and `step(action)`; `reset` may take a `seed` keyword, and the constructor a
`config` keyword, if the game depends on options such as `board_size`. `step` returns
`observation, reward, done` or gymnasium's five values. Optional: `legal_actions()`, `to_play()`, `close()`;
and for people `text()` (or `render()`, which prints it), `action_to_string(action)`, `frame()` (a picture,
[H, W, 3] uint8), `symbols` (of the two players in the text) and `expert_agent()`. The reward belongs to the
player who moved; a game for more than two may return one for each player instead. `MuZeroConfig` is a
subclass of `config.MuZeroConfig` that states what differs, or muzero-general's plain class.
`python muzero.py new-game` writes such a file, `check-game` checks one; see docs/your-own-game.md.
"""
