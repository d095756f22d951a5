// What the agent thinks: value, candidate moves, principal variation, search tree, and the game's curves.

import { drawCurve } from "./curves.js";
import { byId, html, percent, signed } from "./draw.js";
import { chance, shares, toFirst } from "./thought.js";
import { drawTree } from "./tree.js";

const MOST_CANDIDATES = 8;
const LONGEST_LINE = 8;
const WIDEST_CURVE = 640; // pixels

/** Shows an analysis at a moment of its search, or with null that there is none yet. */
export function showThoughts(analysis, moment, about, names) {
  byId("view").classList.toggle("waiting", analysis === null);
  if (analysis === null) return;
  byId("view").classList.add("filled");
  byId("value").replaceChildren(...valueInWords(analysis, about, names));
  byId("line").replaceChildren(
    html("span", { class: "label" }, "Expected line "),
    ...analysis.line.slice(0, LONGEST_LINE).map((action) => html("span", { class: "move" }, about.actions[action])),
    ...(analysis.line_end && analysis.line.length <= LONGEST_LINE
      ? [html("span", { class: "label" }, ` ${analysis.line_end}`)]
      : []),
  );
  showCandidates(analysis, moment, about);
  showTree(analysis, moment, about);
}

function valueInWords(analysis, about, names) {
  const strong = (text) => html("strong", {}, text);
  if (about.players === 1) {
    return [
      "Return expected from here, discounted: ",
      strong(signed(analysis.value)),
      ` (before the search ${signed(analysis.network_value)})`,
    ];
  }
  const winning = (value) => percent(chance(value));
  return [
    `${names[analysis.to_play]} to move wins with `,
    strong(winning(analysis.value)),
    ` (before the search ${winning(analysis.network_value)}); a draw counts half`,
  ];
}

function showCandidates(analysis, moment, about) {
  const share = shares(analysis, moment);
  const worth = (value) => (about.players === 2 ? percent(chance(value)) : signed(value));
  byId("worth").textContent = about.players === 2 ? "Wins" : "Value";
  const ranked = [...analysis.moves].sort(
    (one, other) => share.get(other.action) - share.get(one.action) || other.prior - one.prior,
  );
  const rows = ranked.slice(0, MOST_CANDIDATES).map((move) => {
    const bar = html("div", { class: "bar" });
    bar.style.width = `${100 * share.get(move.action)}%`;
    return html(
      "tr",
      { class: move.action === analysis.action ? "best" : null, "data-action": move.action },
      html("th", { scope: "row" }, about.actions[move.action]),
      html("td", { class: "track" }, bar, html("span", {}, percent(share.get(move.action)))),
      html("td", {}, String(move.growth[moment] ?? 0)),
      html("td", {}, percent(move.prior)),
      html("td", {}, move.value === null ? "–" : worth(move.value)),
    );
  });
  byId("candidates").tBodies[0].replaceChildren(...rows);
}

function showTree(analysis, moment, about) {
  const searched = analysis.simulations > 0;
  byId("search").hidden = !searched;
  if (!searched) return;
  byId("moment").max = analysis.milestones.length - 1;
  byId("moment").value = moment;
  byId("grown").textContent = analysis.milestones[moment];
  const tree = drawTree(analysis, moment, about);
  byId("tree").replaceChildren(tree);
  byId("tree-hint").textContent =
    `${tree.dataset.nodes} most visited of ${analysis.milestones[moment] + 1} positions. ` +
    "The number beside a move, and its line's width, are its visits; the expected line is in bold.";
}

/** The bar that divides the chances of winning between the players; `first` is the first player's. */
export function showBalance(first, names) {
  byId("balance").hidden = first === null;
  if (first === null) return;
  byId("balance-part").style.width = `${100 * first}%`;
  byId("balance-first").textContent = `${names[0]} ${percent(first)}`;
  byId("balance-second").textContent = `${names[1]} ${percent(1 - first)}`;
}

/** Value and reward over the moves so far. */
export function showCurves(position, about, names) {
  const { values, rewards } = position;
  const curves =
    about.players === 2
      ? [
          {
            title: `Chance of winning for ${names[0]}, in %`,
            values: values.map((value) => (value === null ? null : 100 * chance(value))),
            range: [0, 100],
            middle: 50,
          },
        ]
      : [
          { title: "Value: discounted return expected from here", values },
          { title: "Reward of each move", values: rewards, start: 1 },
        ];
  const wanted = about.agent ? curves : curves.slice(1);
  const width = Math.min(byId("curves").clientWidth || WIDEST_CURVE, WIDEST_CURVE);
  byId("curves").replaceChildren(...wanted.map((curve) => drawCurve(curve, width)));
}

/** Books the value of the position that was just analysed, as the server does. */
export function note(position, analysis) {
  position.values[analysis.ply] = toFirst(analysis.value, analysis.to_play);
}
