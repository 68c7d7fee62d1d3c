// Follows one server-sent event stream: with a token, resumed where it broke, and honest about its state.
import { sseParser } from "./sse.js";

const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 10_000;
// Nothing at all for this long, not even a keep-alive, means a connection that died without saying so.
const SILENCE_MS = 90_000;

const phaseOf = (status) => {
  if (status === 401 || status === 403) return "denied";
  return status === 404 ? "missing" : "reconnecting";
};

/**
 * `fetch` instead of EventSource: it can send the token in a header, where no log keeps it, and it tells a
 * refusal (401) from a stream that does not exist (404) from a server that is down.
 *
 * `onEvent(type, value, id)` gets each event. `onState({ phase, retryAt })`: connecting, live, reconnecting, missing (asked again), denied (waits for a token).
 */
export class EventStream {
  #lastId = null;
  #wait = FIRST_WAIT_MS;
  #attempt = null;
  #timer = 0;

  constructor({ url, token = null, lastId = null, onEvent, onState }) {
    Object.assign(this, { url, token, onEvent, onState });
    this.#lastId = lastId;
    addEventListener("online", () => this.#timer && this.retry());
  }

  start() {
    this.onState({ phase: this.#lastId === null ? "connecting" : "reconnecting" });
    void this.#follow();
  }

  /** Connects again now, with a new token if one is given. */
  retry(token = this.token) {
    this.token = token;
    this.#wait = FIRST_WAIT_MS;
    clearTimeout(this.#timer);
    this.#timer = 0;
    this.#attempt?.abort();
    this.start();
  }

  /** Ends it without a word. */
  stop() {
    clearTimeout(this.#timer);
    this.#timer = 0;
    const attempt = this.#attempt;
    this.#attempt = null;
    attempt?.abort();
  }

  async #follow() {
    const attempt = new AbortController();
    this.#attempt = attempt;
    let phase = "reconnecting";
    try {
      phase = await this.#read(attempt);
    } catch {
      // The network or the server went away; the phase says so, and the next attempt follows.
    }
    if (this.#attempt !== attempt) return;
    if (phase === "denied") return this.onState({ phase });
    const wait = this.#wait * (0.75 + Math.random() / 2);
    this.#wait = Math.min(LONGEST_WAIT_MS, this.#wait * 2);
    this.onState({ phase, retryAt: Date.now() + wait });
    this.#timer = setTimeout(() => {
      this.#timer = 0;
      void this.#follow();
    }, wait);
  }

  async #read(attempt) {
    const headers = { Accept: "text/event-stream" };
    if (this.token) headers.Authorization = `Bearer ${this.token}`;
    if (this.#lastId !== null) headers["Last-Event-ID"] = this.#lastId;
    const url = this.#lastId === null ? `${this.url}?after=0` : this.url;
    const response = await fetch(url, { headers, signal: attempt.signal, cache: "no-store" });
    if (!response.ok || !response.body) return phaseOf(response.status);

    this.#wait = FIRST_WAIT_MS;
    this.onState({ phase: "live" });
    const parse = sseParser((event) => this.#deliver(event));
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let watchdog = 0;
    try {
      for (;;) {
        clearTimeout(watchdog);
        watchdog = setTimeout(() => attempt.abort(), SILENCE_MS);
        const { done, value } = await reader.read();
        if (done) return "reconnecting";
        parse(value);
      }
    } finally {
      clearTimeout(watchdog);
    }
  }

  #deliver({ id, type, data }) {
    if (id !== "") this.#lastId = id;
    let value;
    try {
      value = JSON.parse(data);
    } catch {
      // One unreadable event must not stop the ones behind it.
      console.warn("Event is not JSON, skipped:", type, id);
      return;
    }
    this.onEvent(type, value, this.#lastId);
  }
}
