// Talking to the server that this page came from. The API is described at the head of showing/web/app.py.

/** A request that was answered with an error: its status, and one line that says why. */
export class Refused extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

async function ask(method, path, body) {
  const request = { method };
  if (body) {
    request.headers = { "Content-Type": "application/json" };
    request.body = JSON.stringify(body);
  }
  let answer;
  try {
    answer = await fetch(path, request);
  } catch {
    throw new Refused(0, "The server does not answer: was it ended?");
  }
  const said = await answer.json().catch(() => ({ error: `the server says ${answer.status}` }));
  if (!answer.ok) throw new Refused(answer.status, said.error);
  return said;
}

let pictures = 0; // numbered, since a browser may show an image again that it knows by its address

const path = (position, rest) => `/api/games/${encodeURIComponent(position.id)}/${rest}`;

const named = (game) => `?game=${encodeURIComponent(game)}`;

export const offered = () => ask("GET", "/api/offered");
export const about = (game) => ask("GET", `/api/game${named(game)}`);
export const open = (game, settings) => ask("POST", `/api/games${named(game)}`, settings);
export const find = (id) => ask("GET", `/api/games/${encodeURIComponent(id)}`);
export const play = (at, action) => ask("POST", path(at, "moves"), { revision: at.revision, action });
export const undo = (at, moves) => ask("POST", path(at, "undo"), { revision: at.revision, moves });
export const place = (at, ply) => ask("POST", path(at, "place"), { revision: at.revision, ply });
export const reply = (at) => ask("POST", path(at, "reply"), { revision: at.revision });
export const settle = (at, settings) => ask("PUT", path(at, "settings"), settings);
export const analyse = (at) => ask("GET", path(at, `analysis?revision=${at.revision}`));
export const picture = (at) => path(at, `frame?revision=${at.revision}&number=${(pictures += 1)}`);
