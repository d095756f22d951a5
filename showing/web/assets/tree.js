// The search tree as it grows: moves from left to right, the most visited branches drawn thickest.

import { percent, svg } from "./draw.js";

const ROW = 20; // between two leaves
const LETTER = 7.2; // width
const BRANCH = 40; // length of a line between a label and the next node
const MARGIN = 12;
const WIDEST = 600;
const STANDINGS = {
  over: "the game's end",
  illegal: "illegal: the model only believes in it",
  beyond: "behind the game's end or an illegal move",
};

/** The tree of an analysis at a moment of the search. All places are those of the grown tree. */
export function drawTree(analysis, moment, about) {
  const label = labelWidth(analysis, about);
  const deepest = Math.max(Math.floor((WIDEST - 2 * MARGIN) / (label + BRANCH)), 1);
  const nodes = arrange(analysis.tree, label + BRANCH, deepest);
  const onLine = mainLine(nodes, analysis.line);
  const placed = nodes.filter((node) => node.depth <= deepest);
  const present = placed.filter((node) => node.growth[moment] > 0);
  const all = Math.max(nodes[0].growth[moment], 1);
  const width = Math.max(...placed.map((node) => node.x)) + label + MARGIN;
  const height = Math.max(...placed.map((node) => node.y)) + MARGIN;
  const edges = present.slice(1).map((node) => {
    const parent = nodes[node.parent];
    return edge(parent, parent.action === null ? 0 : label, node, all, moment, onLine);
  });
  const knots = present.map((node) => knot(node, all, moment, onLine, about));
  const size = { viewBox: `0 0 ${width} ${height}`, width, height };
  const named = { class: "tree", role: "img", "aria-label": "Search tree", "data-nodes": present.length };
  return svg("svg", { ...size, ...named }, ...edges, ...knots);
}

/** Room for a move's name and its visits, to the right of its node. */
function labelWidth(analysis, about) {
  const names = analysis.tree.slice(1).map((node) => about.actions[node.action].length);
  return 22 + LETTER * (Math.max(1, ...names) + String(analysis.simulations).length);
}

/** Gives every node its depth and place: leaves one below the other, parents beside the middle of theirs. */
function arrange(tree, step, deepest) {
  const nodes = tree.map((node) => ({ ...node, children: [] }));
  nodes.slice(1).forEach((node) => nodes[node.parent].children.push(node));
  let leaves = 0;
  const place = (node, depth) => {
    node.depth = depth;
    node.x = MARGIN + (depth === 0 ? 0 : BRANCH + (depth - 1) * step);
    node.children.forEach((child) => place(child, depth + 1));
    const { children } = node;
    const isLeaf = children.length === 0 || depth === deepest;
    if (depth <= deepest) node.y = isLeaf ? MARGIN + ROW * leaves++ : (children[0].y + children.at(-1).y) / 2;
  };
  place(nodes[0], 0);
  return nodes;
}

/** The nodes of the principal variation, with the root. */
function mainLine(nodes, line) {
  const found = new Set([nodes[0]]);
  let node = nodes[0];
  for (const action of line) {
    node = node.children.find((child) => child.action === action);
    if (!node) break;
    found.add(node);
  }
  return found;
}

function edge(parent, label, node, all, moment, onLine) {
  const start = parent.x + label;
  const middle = (start + node.x) / 2;
  return svg("path", {
    class: onLine.has(node) ? "edge main" : "edge",
    d: `M${start} ${parent.y}C${middle} ${parent.y} ${middle} ${node.y} ${node.x} ${node.y}`,
    "stroke-width": (1 + 7 * Math.sqrt(node.growth[moment] / all)).toFixed(2),
  });
}

function knot(node, all, moment, onLine, about) {
  const visits = node.growth[moment];
  const isRoot = node.action === null;
  const name = isRoot ? "" : about.actions[node.action];
  const mover = about.players === 2 && !isRoot ? `player${1 - node.to_play}` : "";
  const told = [
    isRoot ? "this position" : name,
    `${visits} visits`,
    `value ${node.value.toFixed(2)} to the player to move`,
    isRoot ? "" : `prior ${percent(node.prior)}`,
    isRoot || !node.reward ? "" : `reward ${node.reward.toFixed(2)}`,
    STANDINGS[node.standing],
  ];
  return svg(
    "g",
    { class: `node ${mover} ${node.standing} ${onLine.has(node) ? "main" : ""}`, transform: `translate(${node.x} ${node.y})` },
    svg("title", {}, told.filter(Boolean).join(", ")),
    svg("circle", { r: (3 + 5 * Math.sqrt(visits / all)).toFixed(2) }),
    isRoot ? null : svg("text", { x: 10, y: 0 }, name, svg("tspan", { class: "visits", dx: 4 }, visits)),
  );
}
