// The page: one game, whose position the server keeps. The address holds the game's name, so that a tab that is
// loaded again shows it again, and a tab without one begins a game of its own.

import { PLAYERS } from "./board.js";
import { byId, html } from "./draw.js";
import { note, showBalance, showCurves, showThoughts } from "./panel.js";
import * as server from "./server.js";
import { personMoves, SEATS, Stage } from "./stage.js";
import { chance, shares } from "./thought.js";

const GROWTH = 300; // milliseconds in which a search is shown to grow
const LOOK = 350; // for which a move of a watched game for two is shown
const FRAME = 40; // for which a move of a watched game for one is shown
const SOON = 400; // after which it is said that somebody thinks
const PATIENCE = 500; // before a game that another tab changes is looked at again
const OTHER_POSITION = 409;

const OPPONENTS = { agent: "the agent", expert: "the game’s expert", random: "random moves" };
const still = matchMedia("(prefers-reduced-motion: reduce)");
const sleep = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

let about;
let stage;
let position;
let analysis = null;
let moment = 0;
let paused = false;
let underWay = null; // the promise of a change that was asked for
let turn = 0; // counts arrivals: who waits for something of an earlier one gives up

const asksAgent = () => position.opponent === "agent";
const isBrowsing = () => position.ahead.length > 0; // a move would end what lies ahead: only a person makes it
const opponentMoves = () =>
  (about.agent !== null || !asksAgent()) && !position.over && !isBrowsing() && !personMoves(position);
const thoughtsWanted = () => about.agent !== null && byId("thoughts").checked;

function settings() {
  const simulations = byId("simulations").valueAsNumber;
  if (!Number.isInteger(simulations)) {
    throw new Error(`Simulations per move: type a whole number from 0 to ${about.most_simulations}.`);
  }
  return { seat: byId("seat").value, simulations, opponent: byId("opponent").value };
}

// --- arriving at a position ---

/** Shows a position, lets the agent think about it, and move if it is its turn. */
async function arrive(next) {
  turn += 1;
  const mine = turn;
  const before = position;
  position = next;
  analysis = null;
  history.replaceState(null, "", `#${position.id}`);
  show(before);
  if (position.over) return;
  const isToMove = opponentMoves() && !paused;
  if (about.agent !== null && (thoughtsWanted() || (isToMove && asksAgent()))) {
    const found = await busy(server.analyse(position)).catch((error) => {
      if (mine === turn) throw error;
    });
    if (mine !== turn) return;
    note(position, found);
    await grow(found, mine);
  }
  if (mine !== turn || !opponentMoves() || paused) return;
  const found = analysis;
  await change(() => (asksAgent() ? server.play(position, found.action) : busy(server.reply(position))));
}

/** What `answer` comes to; where that takes longer than a moment, the page says that somebody thinks. */
async function busy(answer) {
  const timer = setTimeout(() => {
    byId("busy").hidden = false;
  }, SOON);
  try {
    return await answer;
  } finally {
    clearTimeout(timer);
    byId("busy").hidden = true;
  }
}

/** Shows a search from its first simulation to its last. */
async function grow(found, mine) {
  const watching = position.seat === "none";
  const last = found.milestones.length - 1;
  const animated = thoughtsWanted() && !still.matches && !(watching && about.players === 1);
  analysis = found;
  for (moment = animated ? 0 : last; moment < last; moment += 1) {
    showAnalysis();
    await sleep(GROWTH / last);
    if (mine !== turn) return;
  }
  showAnalysis();
  if (watching && !paused) await sleep(about.players === 1 ? FRAME : LOOK);
}

/** Arrives at the position that `request` leads to; nothing happens while another change is under way. */
async function change(request) {
  if (underWay) return;
  say("");
  underWay = stage.pictured.then(request).finally(() => {
    underWay = null;
  });
  await arrive(await underWay);
}

// --- showing ---

function show(before) {
  stage.show(position, !position.over && (personMoves(position) || !canAnswer()));
  showButtons();
  // what a person is typing stays, unless it is settled
  if (position.simulations !== before?.simulations) showSimulations();
  byId("view").hidden = !thoughtsWanted();
  byId("thoughts-title").textContent = position.over
    ? "What the agent thought before the last move"
    : "What the agent thinks";
  showThoughts(null);
  showCourse();
}

/** Whether there is anybody but people to move. */
const canAnswer = () => about.agent !== null || !asksAgent();

function showButtons() {
  byId("back").disabled = position.ply === 0;
  byId("forward").disabled = !isBrowsing();
  byId("advance").disabled = position.over || !canAnswer();
  byId("advance").textContent = asksAgent() ? "Agent’s move" : `Move of ${position.opponent}`;
  byId("opponent").value = position.opponent;
  byId("pause").hidden = position.seat !== "none";
  byId("pause").disabled = position.over;
  byId("pause").textContent = paused ? "Go on" : "Pause";
  byId("seat").value = position.seat;
}

function showSimulations() {
  byId("simulations").value = position.simulations;
}

function showAnalysis() {
  if (thoughtsWanted()) {
    stage.think(shares(analysis, moment), analysis.action);
    showThoughts(analysis, moment, about, PLAYERS);
  }
  showCourse();
}

function showCourse() {
  byId("history").hidden = about.agent === null && about.players === 2 && position.ply === 0;
  if (thoughtsWanted() || about.players === 1) showCurves(position, about, PLAYERS);
  else byId("curves").replaceChildren();
  showBalance(thoughtsWanted() && about.players === 2 ? firstChance() : null, PLAYERS);
}

/** The first player's chance of winning by the newest value that is known; at the end the outcome. */
function firstChance() {
  if (position.over) return chance(Math.sign(position.returns[0]));
  return chance(position.values.findLast((value) => value !== null) ?? 0);
}

function say(text) {
  byId("notice").textContent = text;
}

// --- what a person does ---

/** Back to where the person can try another move; where the agent plays alone, by one move. */
async function stepBack() {
  const back = await server.undo(position, 1);
  return back.ply > 0 && back.seat !== "none" && !personMoves(back) ? server.undo(back, 1) : back;
}

async function advance() {
  const at = position;
  if (!asksAgent()) return busy(server.reply(at));
  const found = analysis ?? (await busy(server.analyse(at)));
  return server.play(at, found.action);
}

function togglePause() {
  if (paused) return resume();
  paused = true;
  showButtons();
  return undefined;
}

/** Goes on with a watched game, from where it had come to before any steps back. */
function resume() {
  paused = false;
  if (!isBrowsing()) return arrive(position);
  return change(() => server.place(position, position.ply + position.ahead.length));
}

/** Carries out what a person starts; what goes wrong is said on the page. */
async function doing(work) {
  try {
    await work();
  } catch (error) {
    say(error.message);
    if (position) {
      showButtons();
      showSimulations();
    } else byId("status").textContent = "There is nothing to play.";
    if (error.status === OTHER_POSITION) await follow();
  }
}

/** Shows the game as another tab has left it. */
async function follow() {
  await sleep(PATIENCE);
  await doing(async () => arrive(await server.find(position.id)));
}

/** A change that a person starts: it waits for one that is under way. A watched game stops, or goes on. */
const changing = (request, stops) => () =>
  doing(async () => {
    paused = stops && position.seat === "none";
    while (underWay) await underWay.catch(() => {});
    await change(request);
  });

/**
 * The person's move, in the position that was clicked: of two clicks at once, the second does nothing, nor does
 * one that was followed by another seat or a new game.
 */
const pick = (action) =>
  doing(async () => {
    const { id, revision } = position;
    while (underWay) await underWay.catch(() => {});
    if (position.id !== id || position.revision !== revision || !stage.playable) return;
    await change(() => server.play(position, action));
  });

function connect() {
  const on = (id, event, does) => byId(id).addEventListener(event, does);
  const settle = () => {
    let wanted;
    try {
      wanted = settings(); // now: an answer to an earlier choice may set them back
    } catch (error) {
      say(error.message);
      showSimulations();
      return undefined;
    }
    return changing(() => server.settle(position, wanted), false)();
  };
  on("back", "click", changing(stepBack, true));
  on("forward", "click", changing(() => server.place(position, position.ply + 1), true));
  on("advance", "click", changing(advance, true));
  on("new", "click", changing(() => server.open(about.game, settings()), false));
  on("seat", "change", settle);
  on("opponent", "change", settle);
  on("simulations", "change", settle);
  on("pause", "click", () => doing(togglePause));
  on("thoughts", "change", () => doing(() => arrive(position)));
  on("moment", "input", () => {
    moment = byId("moment").valueAsNumber;
    if (analysis) showAnalysis();
  });
  addEventListener("hashchange", () => location.reload());
  return {
    pick,
    goTo: (ply) => changing(() => server.place(position, ply), true)(),
    refuse: say,
  };
}

function describe() {
  const agent = about.agent ? `Agent: ${about.agent.name}, ${about.agent.updates.toLocaleString("en")} updates` : "";
  document.title = `${about.game} – MuZero`;
  byId("game").textContent = about.game;
  const isForTwo = about.players === 2;
  byId("agent").textContent = agent || (isForTwo ? "No agent of this game yet." : "No agent: you play.");
  const seats = Object.entries(about.agent || isForTwo ? SEATS[about.players] : { both: SEATS[2].both });
  byId("opponent").replaceChildren(
    ...about.opponents.map((value) => html("option", { value }, OPPONENTS[value] ?? value)),
  );
  byId("opponent-choice").hidden = !isForTwo;
  byId("simulations-choice").hidden = about.agent === null;
  byId("thoughts-choice").hidden = about.agent === null;
  byId("seat").replaceChildren(...seats.map(([value, label]) => html("option", { value }, label)));
  byId("simulations").max = about.most_simulations;
  byId("settings").hidden = about.agent === null && !isForTwo;
  byId("advance").hidden = about.agent === null && !isForTwo;
}

/** Lets a person choose among the games that there are; another one begins on a page of its own. */
function offer(games, chosen) {
  byId("which").replaceChildren(...games.map((value) => html("option", { value }, value)));
  byId("which").value = chosen;
  byId("which-choice").hidden = games.length < 2;
  byId("which").addEventListener("change", () => location.assign(`/?game=${encodeURIComponent(byId("which").value)}`));
}

async function start() {
  const { games } = await server.offered();
  const name = location.hash.slice(1);
  const known = name ? await server.find(name).catch((error) => error) : null;
  const chosen = known?.game ?? new URLSearchParams(location.search).get("game") ?? games[0];
  offer(games, chosen);
  about = await server.about(chosen);
  describe();
  const first = known?.id ? known : await server.open(about.game, about.defaults);
  stage = new Stage(about, connect());
  paused = first === known && known.seat === "none" && known.ply > 0;
  const arriving = arrive(first);
  if (known && first !== known) say(`A new game: ${known.message}.`);
  await arriving;
}

doing(start);
