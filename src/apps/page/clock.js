// The server's clock. Events are judged by it, and the clock of a phone may be a minute off.

const ASKED = 3;
const AGAIN_MS = 60_000;

/** Tells the server's time: this machine's clock, plus its measured offset. Without an answer, the offset stays. */
export class ServerClock {
  #offset = 0;
  #measured = -Infinity;

  now = () => Date.now() + this.#offset;

  /** Measures the offset if the last measurement is old. The quickest of a few answers counts. */
  async measure() {
    if (performance.now() - this.#measured < AGAIN_MS) return;
    this.#measured = performance.now();
    let quickest = Infinity;
    for (let asked = 0; asked < ASKED; asked++) {
      const sent = Date.now();
      try {
        const answer = await fetch("/v1/time", { cache: "no-store", signal: AbortSignal.timeout(2000) });
        const took = Date.now() - sent;
        const { now_ms: now } = await answer.json();
        if (took >= quickest || !Number.isFinite(now)) continue;
        quickest = took;
        this.#offset = Math.round(now - (sent + took / 2));
      } catch {
        return;
      }
    }
  }
}
