// The page's one connection to the server: a WebSocket, and server-sent events where something between here and there
// does not let a WebSocket through.
import { num, text } from "/assets/shared/format.js";
import { withRemedy } from "/assets/shared/sentences.js";
import { EventStream } from "/assets/shared/stream.js";

/** A socket that is not open after so long is not let through. */
const OPEN_MS = 5_000;
const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 10_000;
/** A socket that lived so long was let through. Its end does not count as a break. */
const STEADY_MS = 60_000;
/** After so many breaks, server-sent events take over. */
const BREAKS = 2;
/** So long after that, a socket is tried again, later and later. */
const AGAIN_MS = 60_000;
const LONGEST_AGAIN_MS = 15 * 60_000;
/** After so long without a message the page asks whether somebody is there, and waits so long for the answer. */
const QUIET_MS = 25_000;
const ANSWER_MS = 10_000;
/** An ask is given up after so long. */
const PATIENCE_MS = 20_000;
/** The server stops, or starts anew. */
const AWAY = 1001;

const PROTOCOL = "tidemill.v1";
/** The token as a protocol: a page can set no other header of a socket, and addresses end up in logs. */
const protocolsOf = (token) => {
  if (!token) return [PROTOCOL];
  const digits = [...new TextEncoder().encode(token)].map((byte) => byte.toString(16).padStart(2, "0"));
  return [PROTOCOL, `tidemill.token.${digits.join("")}`];
};

/** What the line is called on the page, and what it means. */
export const WAYS = {
  socket: ["⇄", "Connected both ways by WebSocket"],
  events: ["→", "Connected one way by server-sent events: a WebSocket does not get through. It is tried again"],
};

/**
 * `onEvent(type, value)` gets results, `onPush(kind, { value, leftOut, problem })` what else is pushed, `onState` what
 * `EventStream` tells, too, and `onWay` "socket", "events" or null.
 */
export class Line {
  way = null;
  #lastId = null;
  #attempt = null;
  #events = null;
  #breaks = 0;
  #wait = FIRST_WAIT_MS;
  #again = AGAIN_MS;
  #timer = 0;
  #watch = 0;
  #asked = new Map();
  #number = 0;

  constructor({ address, token = null, onEvent, onPush, onState, onWay = () => {}, Events = EventStream }) {
    Object.assign(this, { address, token, onEvent, onPush, onState, onWay, Events });
    globalThis.addEventListener?.("online", () => this.way !== "socket" && !this.#attempt && this.retry());
  }

  start() {
    this.onState({ phase: this.#lastId === null ? "connecting" : "reconnecting" });
    this.#open();
  }

  /** Connects again now, with a new token if one is given. */
  retry(token = this.token) {
    this.token = token;
    [this.#breaks, this.#wait, this.#again] = [0, FIRST_WAIT_MS, AGAIN_MS];
    clearTimeout(this.#timer);
    this.#drop();
    this.#events?.stop();
    this.#events = null;
    this.start();
  }

  /**
   * Asks over the socket: `{ value, leftOut }`, or `{ problem }` in words; null if there is no socket, so that the
   * question has to go another way.
   */
  ask(word, fields = {}) {
    const socket = this.way === "socket" ? this.#attempt?.socket : null;
    if (socket?.readyState !== 1) return Promise.resolve(null);
    const id = (this.#number += 1);
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.#answer(id, null), PATIENCE_MS);
      this.#asked.set(id, (answer) => {
        clearTimeout(timer);
        resolve(answer);
      });
      socket.send(JSON.stringify({ ...fields, id, ask: word }));
    });
  }

  #answer(id, answer) {
    this.#asked.get(id)?.(answer);
    this.#asked.delete(id);
  }

  #open() {
    const last = this.#lastId ?? "0";
    const url = new URL(`${this.address}/socket?after=${encodeURIComponent(last)}`, location.href);
    url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
    const attempt = { socket: null, opened: null, heard: 0, pinged: 0 };
    this.#attempt = attempt;
    const ended = (code) => this.#attempt === attempt && this.#ended(attempt, code);
    let socket;
    try {
      socket = attempt.socket = new WebSocket(url.href, protocolsOf(this.token));
    } catch {
      // The browser or the page's rules know no sockets.
      return ended(0);
    }
    const late = setTimeout(() => {
      ended(0);
      socket.close();
    }, OPEN_MS);
    socket.onopen = () => {
      clearTimeout(late);
      if (this.#attempt !== attempt) return socket.close();
      this.#opened(attempt);
    };
    socket.onmessage = ({ data }) => this.#attempt === attempt && this.#take(attempt, data);
    socket.onclose = ({ code }) => {
      clearTimeout(late);
      ended(code);
    };
  }

  #opened(attempt) {
    attempt.opened = attempt.heard = Date.now();
    this.#events = null;
    this.#again = AGAIN_MS;
    this.#set("socket");
    this.onState({ phase: "live" });
    this.#watch = setInterval(() => this.#look(attempt), ANSWER_MS / 2);
  }

  /** A connection may die without saying so. Pings of the server do not show here, so the page asks. */
  #look(attempt) {
    const now = Date.now();
    if (attempt.pinged > attempt.heard) {
      if (now - attempt.pinged > ANSWER_MS) this.#ended(attempt, 0);
    } else if (now - attempt.heard > QUIET_MS) {
      attempt.pinged = now;
      void this.ask("ping");
    }
  }

  #take(attempt, data) {
    attempt.heard = Date.now();
    let message;
    try {
      message = JSON.parse(data);
    } catch {
      // One unreadable message must not stop the ones behind it.
      console.warn("Message is not JSON, skipped");
      return;
    }
    const { message: error, remedy } = message.error ?? {};
    const problem = message.error && withRemedy(text(error, "the server failed"), text(remedy, "try it again"));
    const leftOut = num(message.left_out);
    if (typeof message.push !== "string")
      return this.#answer(message.id, problem ? { problem } : { value: message.answer, leftOut });
    this.#wait = FIRST_WAIT_MS;
    if (typeof message.id !== "string") return this.onPush(message.push, { value: message.data, leftOut, problem });
    this.#lastId = message.id;
    this.onEvent(message.push, message.data);
  }

  #ended(attempt, code) {
    this.#drop();
    const wasOpen = attempt.opened !== null;
    if (!wasOpen) return this.#fallBack();
    const isBreak = code !== AWAY && Date.now() - attempt.opened < STEADY_MS;
    this.#breaks = isBreak ? this.#breaks + 1 : 0;
    if (this.#breaks >= BREAKS) return this.#fallBack();
    const wait = this.#wait * (0.75 + Math.random() / 2);
    this.#wait = Math.min(LONGEST_WAIT_MS, this.#wait * 2);
    this.onState({ phase: "reconnecting", retryAt: Date.now() + wait });
    this.#timer = setTimeout(() => this.#open(), wait);
  }

  /** Ends what is left of an attempt, before another one begins. */
  #drop() {
    clearInterval(this.#watch);
    const socket = this.#attempt?.socket;
    this.#attempt = null;
    if (socket && socket.readyState < 2) socket.close();
    for (const id of [...this.#asked.keys()]) this.#answer(id, null);
    this.#set(null);
  }

  #fallBack() {
    this.#breaks = 0;
    let wasAway = false;
    const again = (wait) => {
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => {
        // Not both at once: what comes twice would count twice.
        this.#events?.stop();
        this.#events = null;
        this.#open();
      }, wait);
    };
    const events = new this.Events({
      url: `${this.address}/events`,
      token: this.token,
      lastId: this.#lastId,
      onEvent: (type, value, id) => {
        this.#lastId = id ?? this.#lastId;
        this.onEvent(type, value);
      },
      onState: (state) => {
        if (this.#events !== events) return;
        this.#set(state.phase === "live" ? "events" : null);
        this.onState(state);
        // It was the server that was away, not the socket that was kept out.
        if (state.phase === "live" && wasAway) again(FIRST_WAIT_MS);
        wasAway = state.phase === "reconnecting" && Boolean(state.retryAt);
        if (state.phase === "denied") clearTimeout(this.#timer);
      },
    });
    this.#events = events;
    again(this.#again);
    this.#again = Math.min(LONGEST_AGAIN_MS, this.#again * 2);
    events.start();
  }

  #set(way) {
    if (way === this.way) return;
    this.way = way;
    this.onWay(way);
  }
}
