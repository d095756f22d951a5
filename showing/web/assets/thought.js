// Reading an analysis: what the agent thinks at a moment of its search.

/** The share of each legal action at a moment: of the visits, or without a search the network's prior. */
export function shares(analysis, moment) {
  const visits = analysis.moves.map((move) => move.growth[moment] ?? 0);
  const all = visits.reduce((sum, number) => sum + number, 0);
  return new Map(
    analysis.moves.map((move, index) => [move.action, all ? visits[index] / all : move.prior]),
  );
}

/** The value to the first player, whoever moves. */
export const toFirst = (value, player) => (player === 0 ? value : -value);

/** The first player's chance of winning (a draw is half a win), from the value to that player. */
export const chance = (value) => Math.min(Math.max((value + 1) / 2, 0), 1);
