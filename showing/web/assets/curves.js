// Line charts over the moves of a game.

import { svg } from "./draw.js";

const HEIGHT = 150;
const LEFT = 46;
const RIGHT = 12;
const TOP = 24;
const BOTTOM = 34;
const STEPS = 3; // of the vertical axis

/**
 * A chart of `values` (null where unknown), the first at move `start`, `width` pixels wide.
 * `range` fixes the vertical axis; without one it holds all values. `middle` is a value whose line stands out.
 */
export function drawCurve({ title, values, start = 0, range = null, middle = null }, width) {
  const known = values.map((value, index) => [start + index, value]).filter(([, value]) => value !== null);
  const [low, high] = range ?? spread(known.map(([, value]) => value));
  const last = Math.max(start + values.length - 1, 1);
  const x = (move) => LEFT + ((width - LEFT - RIGHT) * move) / last;
  const y = (value) => HEIGHT - BOTTOM - ((HEIGHT - TOP - BOTTOM) * (value - low)) / (high - low);
  const points = known.map(([move, value]) => `${x(move).toFixed(1)},${y(value).toFixed(1)}`);
  const end = known.at(-1);
  return svg(
    "svg",
    { viewBox: `0 0 ${width} ${HEIGHT}`, class: "curve", role: "img", "aria-label": title, "data-points": known.length },
    svg("text", { class: "title", x: LEFT, y: 14 }, title),
    ...ticks(low, high, STEPS).map((value) => rule(y(value), width, String(value), value === middle)),
    ...ticks(0, last, 5, true).map((move) => svg("text", { class: "tick", x: x(move), y: HEIGHT - BOTTOM + 14 }, move)),
    svg("text", { class: "axis", x: (LEFT + width - RIGHT) / 2, y: HEIGHT - 4 }, "move"),
    svg("polyline", { points: points.join(" ") }),
    end ? svg("circle", { cx: x(end[0]), cy: y(end[1]), r: 3 }) : null,
  );
}

function rule(y, width, label, isMiddle) {
  return svg(
    "g",
    { class: isMiddle ? "rule middle" : "rule" },
    svg("line", { x1: LEFT, x2: width - RIGHT, y1: y, y2: y }),
    svg("text", { class: "tick left", x: LEFT - 6, y }, label),
  );
}

/** A range from one round number to another that holds 0 and all `values`. */
function spread(values) {
  const low = Math.min(0, ...values);
  const high = Math.max(0, ...values);
  if (low === high) return [0, 1];
  const step = roundStep((high - low) / STEPS);
  return [step * Math.floor(low / step + 1e-9), step * Math.ceil(high / step - 1e-9)];
}

/** The least of 1, 2, 5, 10, 20, 50, … and of their tenths that is at least `size`. */
function roundStep(size) {
  const power = 10 ** Math.floor(Math.log10(size));
  return [1, 2, 5, 10].map((factor) => factor * power).find((step) => step >= size * 0.999);
}

/** Round numbers from `low` to `high`, at most about `count` steps apart. */
function ticks(low, high, count, whole = false) {
  const round = roundStep((high - low) / count);
  const step = whole ? Math.max(Math.round(round), 1) : round;
  const first = Math.ceil(low / step - 1e-9);
  const steps = Math.floor(high / step + 1e-9) - first;
  return Array.from({ length: steps + 1 }, (_, index) => Number(((first + index) * step).toPrecision(12)));
}
