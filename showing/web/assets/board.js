// A board that is played by clicking: one action for each cell, or one for each column.

import { percent, svg } from "./draw.js";

const CELL = 10; // length of a cell's side in the drawing's own units
const RIM = 5; // room for coordinates
const BARS = 9; // room above the columns for the agent's policy
const SMALL = 4; // columns, on which text would be too large
const SMALLEST_SHARE = 0.005;

export const PLAYERS = ["Red", "Blue"];

export class Board {
  /** Draws `about.layout` into `parent`; `onPick(action, cell)` is told every click on a cell. */
  constructor(parent, about, onPick) {
    this.about = about;
    this.layout = about.layout;
    this.byColumn = this.layout.kind === "columns";
    const { rows, columns } = this.layout;
    this.rim = this.byColumn ? null : coordinates(about.actions, rows, columns);
    const left = this.rim ? RIM : 0;
    const above = this.byColumn ? BARS : 0;
    const below = this.byColumn || this.rim ? RIM : 0;
    const box = [-left - 1, -above - 1, columns * CELL + left + 2, rows * CELL + above + below + 2];
    this.cells = Array.from({ length: rows * columns }, (_, cell) => this.#cell(cell, onPick));
    this.policy = svg("g", { class: "policy" });
    this.svg = svg(
      "svg",
      { viewBox: box.join(" "), class: `board ${this.layout.kind} ${columns <= SMALL ? "small" : ""}`, role: "group", "aria-label": "Board" },
      svg("rect", { class: "wood", x: -0.6, y: -0.6, width: columns * CELL + 1.2, height: rows * CELL + 1.2, rx: 1.6 }),
      ...this.cells,
      this.policy,
      ...this.#labels(rows, columns),
    );
    parent.replaceChildren(this.svg);
  }

  #cell(cell, onPick) {
    const { column, x, y } = this.#place(cell);
    const action = this.byColumn ? column : cell;
    const group = svg(
      "g",
      { class: "cell", role: "button", "data-cell": cell, "data-action": action, transform: `translate(${x} ${y})` },
      svg("rect", { class: "square", width: CELL, height: CELL }),
      svg("circle", { class: "disc", cx: CELL / 2, cy: CELL / 2, r: 0.4 * CELL }),
      svg("circle", { class: "newest", cx: CELL / 2, cy: CELL / 2, r: 0.1 * CELL }),
    );
    group.addEventListener("click", () => onPick(action, cell));
    group.addEventListener("keydown", (event) => {
      if (event.key === "Enter" || event.key === " ") {
        event.preventDefault();
        onPick(action, cell);
      }
    });
    return group;
  }

  #place(cell) {
    const row = Math.floor(cell / this.layout.columns);
    const column = cell % this.layout.columns;
    return { row, column, x: column * CELL, y: row * CELL };
  }

  #labels(rows, columns) {
    const label = (x, y, text) => svg("text", { class: "rim", x, y }, text);
    const middle = (index) => (index + 0.5) * CELL;
    const below = rows * CELL + RIM / 2 + 0.6;
    if (this.byColumn) return this.about.actions.map((name, i) => label(middle(i), below, name));
    if (!this.rim) return this.cells.map((_, cell) => this.#name(cell));
    return [
      ...this.rim.columns.map((name, i) => label(middle(i), below, name)),
      ...this.rim.rows.map((name, i) => label(-RIM / 2 - 0.6, middle(i), name)),
    ];
  }

  #name(cell) {
    const { x, y } = this.#place(cell);
    return svg("text", { class: "name", x: x + 1, y: y + 1.2 }, this.about.actions[cell]);
  }

  /** Shows a position; `playable` says whether a person may move now. */
  show(position, playable) {
    const newest = newestCell(position, this.layout);
    const open = playable ? new Set(position.legal) : new Set();
    const won = new Set(position.line);
    // where it cannot be seen which empty cells are legal, those that are get a dot
    const isHint = !this.byColumn && position.cells.some((stone, cell) => !stone && !open.has(cell));
    const landing = this.byColumn ? this.#landing(position.cells) : null;
    this.svg.dataset.mover = position.to_play;
    this.svg.classList.toggle("playable", playable);
    this.cells.forEach((group, cell) => {
      const stone = position.cells[cell];
      const action = Number(group.dataset.action);
      group.dataset.stone = stone;
      group.classList.toggle("open", open.has(action) && !(this.byColumn && landing[action] !== cell));
      group.classList.toggle("last", cell === newest);
      group.classList.toggle("won", won.has(cell));
      group.classList.toggle("hint", isHint && open.has(action));
      group.setAttribute("tabindex", open.has(action) && (!this.byColumn || cell < this.layout.columns) ? 0 : -1);
      const more = [cell === newest ? ", newest" : "", won.has(cell) ? ", in the row that won" : ""].join("");
      group.setAttribute("aria-label", `${this.#spoken(cell)}: ${["empty", ...PLAYERS][stone]}${more}`);
    });
  }

  /** What a square is called; those of a column, which are one move, by their rows from below. */
  #spoken(cell) {
    const { row, column } = this.#place(cell);
    const move = this.about.actions[this.byColumn ? column : cell];
    return this.byColumn ? `${move}, row ${this.layout.rows - row}` : move;
  }

  /** For each column the cell that a stone would fall to. */
  #landing(cells) {
    const { rows, columns } = this.layout;
    return Array.from({ length: columns }, (_, column) => {
      let row = 0;
      while (row < rows && cells[row * columns + column] === 0) row += 1;
      return (row - 1) * columns + column;
    });
  }

  /** Shows the agent's policy, a share for each action; `best` is what it would play. */
  think(shares, best) {
    const marks = [...(shares ?? [])].filter(([, share]) => share >= SMALLEST_SHARE);
    const mark = this.byColumn ? bar : (...drawn) => this.#spot(...drawn);
    this.policy.replaceChildren(
      ...marks
        .filter(([action]) => action !== this.layout.passing)
        .map(([action, share]) => mark(action, share, action === best)),
    );
  }

  #spot(cell, share, isBest) {
    const { x, y } = this.#place(cell);
    const wide = share >= 0.035 || this.cells.length <= 100;
    return svg(
      "g",
      { class: isBest ? "share best" : "share", "data-action": cell, transform: `translate(${x} ${y})` },
      svg("circle", { cx: CELL / 2, cy: CELL / 2, r: CELL * (0.12 + 0.3 * Math.sqrt(share)) }),
      wide ? svg("text", { x: CELL / 2, y: CELL / 2 }, percent(share).replace(" %", "")) : null,
    );
  }
}

function bar(column, share, isBest) {
  const height = (BARS - 4.6) * share;
  return svg(
    "g",
    { class: isBest ? "share best" : "share", "data-action": column, transform: `translate(${column * CELL} -1.2)` },
    svg("rect", { x: 1.5, y: -height, width: CELL - 3, height, rx: 0.4 }),
    svg("text", { x: CELL / 2, y: -height - 1.9 }, percent(share)),
  );
}

/** The coordinates at the rim of a board whose cells are called like `c4`; null on other boards. */
function coordinates(names, rows, columns) {
  const cells = names.slice(0, rows * columns).map((name) => name.match(/^([a-z]+)(\d+)$/));
  if (cells.some((match) => match === null)) return null;
  return {
    columns: cells.slice(0, columns).map((match) => match[1]),
    rows: Array.from({ length: rows }, (_, row) => cells[row * columns][2]),
  };
}

/** The cell that the newest move filled: the topmost stone of its column, or the cell itself. */
function newestCell(position, layout) {
  const action = position.moves.at(-1);
  if (action === undefined || action === layout.passing) return null;
  if (layout.kind === "cells") return action;
  let cell = action;
  while (position.cells[cell] === 0) cell += layout.columns;
  return cell;
}
