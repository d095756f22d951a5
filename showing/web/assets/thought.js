// Reading an analysis: what the agent thinks at a moment of its search.

/**
 * The share of each legal action at a moment: while the search grows that of its visits (without any the network's
 * prior), at its end what it prefers, as Gumbel's search has to visit bad actions too.
 */
export function shares(analysis, moment) {
  if (moment === analysis.milestones.length - 1) {
    return new Map(analysis.moves.map((move) => [move.action, move.policy]));
  }
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
