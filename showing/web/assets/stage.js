// The game itself: board, picture or text, the buttons for actions, whose turn it is, and the moves so far.

import { Board, PLAYERS } from "./board.js";
import { byId, html, percent, signed } from "./draw.js";
import * as server from "./server.js";

const MOST_MOVES = { 1: 16, 2: 400 }; // that are listed, by the number of players

export const SEATS = {
  1: { none: "no: watch the agent", first: "yes" },
  2: {
    first: `${PLAYERS[0]}, who begins`,
    second: `${PLAYERS[1]}`,
    both: "both sides",
    none: "no side: watch the agent",
  },
};

/** Whether a person decides the next move. */
export const personMoves = ({ seat, to_play: player }) =>
  seat === "both" || (seat === "first" && player === 0) || (seat === "second" && player === 1);

export class Stage {
  /** `on` has `pick(action)`, `refuse(why)` and `goTo(ply)`. */
  constructor(about, on) {
    this.about = about;
    this.on = on;
    this.pictured = Promise.resolve(); // once the position's picture is there
    const { kind, passing } = about.layout;
    if (kind !== "none") this.board = new Board(byId("board"), about, (action) => this.#clicked(action));
    const offered = kind === "none" ? about.actions.map((_, action) => action) : passing === null ? [] : [passing];
    this.buttons = offered.map((action) => {
      const button = html("button", { type: "button", "data-action": action });
      button.addEventListener("click", () => on.pick(action));
      return button;
    });
    byId("choices").replaceChildren(...this.buttons);
  }

  #clicked(action) {
    const { position, playable } = this;
    if (position.over) this.on.refuse("The game is over: start a new one, or step back.");
    else if (!playable) this.on.refuse("It is not your turn.");
    else if (!position.legal.includes(action)) this.on.refuse("That is not a legal move.");
    else this.on.pick(action);
  }

  /** Shows a position; `playable` says whether a person may move now. */
  show(position, playable) {
    this.position = position;
    this.playable = playable;
    if (this.board) this.board.show(position, playable);
    else this.#showPicture(position);
    this.think(null, null);
    byId("status").textContent = this.#status();
    byId("status").dataset.over = position.over;
    this.#showMoves(position);
  }

  /** Shows the agent's policy, a share for each action; `best` is what it would play. */
  think(shares, best) {
    this.board?.think(shares, best);
    for (const button of this.buttons) {
      const action = Number(button.dataset.action);
      const share = shares?.get(action);
      button.disabled = !this.playable || !this.position.legal.includes(action);
      button.classList.toggle("best", shares !== null && action === best);
      button.textContent =
        this.about.actions[action] + (share === undefined || this.board ? "" : ` ${percent(share)}`);
    }
  }

  /**
   * The picture is replaced once the next one is loaded, so that it does not flicker. The server draws the
   * position as it is then: it may change once `pictured` is settled.
   */
  #showPicture(position) {
    const text = html("pre", {}, position.text);
    this.pictured = position.picture ? this.#loaded(position).catch(() => text) : Promise.resolve(text);
    this.pictured.then((element) => {
      if (this.position === position) byId("board").replaceChildren(element);
    });
  }

  async #loaded(position) {
    const image = html("img", { src: server.picture(position), alt: position.text, "data-ply": position.ply });
    await image.decode();
    return image;
  }

  #status() {
    const { position, about } = this;
    if (about.players === 1) {
      const soFar = signed(position.returns[0]);
      return position.over
        ? `Over: ${position.outcome}`
        : `Move ${position.ply + 1}, return so far ${soFar}`;
    }
    if (position.over) return this.#result();
    const mover = PLAYERS[position.to_play];
    if (position.seat === "both") return `${mover} to move`;
    const other = position.opponent === "agent" ? "the agent" : position.opponent;
    return personMoves(position) ? `Your turn: you are ${mover}` : `${mover}, ${other}, is to move`;
  }

  #result() {
    const { returns, seat } = this.position;
    if (returns[0] === 0) return "A draw";
    const winner = returns[0] > 0 ? 0 : 1;
    if (seat === "both" || seat === "none") return `${PLAYERS[winner]} wins`;
    const other = this.position.opponent === "agent" ? "The agent" : this.position.opponent;
    return personMoves({ seat, to_play: winner }) ? "You win" : `${other} wins`;
  }

  /** All moves that were made; those ahead of the position that is shown stay until another one is made. */
  #showMoves({ moves, ahead, ply: here }) {
    const known = [...moves, ...ahead];
    const skipped = Math.max(here - MOST_MOVES[this.about.players], 0);
    const shown = known.slice(skipped, skipped + MOST_MOVES[this.about.players] + ahead.length);
    byId("moves-title").textContent = skipped ? `Moves ${skipped + 1} to ${known.length}` : "Moves";
    byId("record").hidden = known.length === 0;
    byId("moves").replaceChildren(
      ...shown.map((action, index) => {
        const ply = skipped + index + 1;
        const classes = ply > here ? "ahead" : null;
        const told = { type: "button", class: classes, title: `Go to move ${ply}`, "data-ply": ply };
        const button = html("button", told, this.about.actions[action]);
        if (ply === here) button.setAttribute("aria-current", "step");
        button.addEventListener("click", () => this.on.goTo(ply));
        return html("li", {}, button);
      }),
    );
  }
}
