// Clips as the server tells them, for the stand-in: asked for, fetched, cut step by step, done.

const KEEP_MS = 7 * 86_400_000;
const STEPS = [
  { state: "fetching", progress: 0 },
  { state: "cutting", progress: 0.25 },
  { state: "cutting", progress: 0.75 },
  { state: "done", progress: 1 },
];

/** The clips of one stream. `tell(news)` is called for each change; a clip with the reason "fail" fails. */
export class Clips {
  all = new Map();
  wish = null;
  asked = [];
  #timers = new Set();

  constructor(id, tell, step) {
    Object.assign(this, { id, tell, step });
  }

  list(hasSource) {
    const used_bytes = [...this.all.values()].reduce((sum, clip) => sum + (clip.file?.bytes ?? 0), 0);
    const problem = { error: "there is no source of this stream", fix: "POST /v1/streams with the stream's url" };
    return {
      clips: [...this.all.values()].reverse(),
      has_source: hasSource,
      can_ask: hasSource,
      problem: hasSource ? null : problem,
      all: this.wish,
      keep_ms: KEEP_MS,
      quota_bytes: 10 * 2 ** 30,
      used_bytes,
      longest_ms: 300_000,
      lead_in_ms: 0,
    };
  }

  ask(wanted) {
    this.asked.push(wanted);
    const id = `${wanted.start_ms}-${wanted.end_ms - wanted.start_ms}-${wanted.shape}`;
    if (this.all.has(id)) return this.all.get(id);
    const { start_ms, end_ms, shape, captions } = wanted;
    const fresh = { id, stream_id: this.id, start_ms, end_ms, shape, captions, reason: wanted.reason ?? "" };
    this.all.set(id, { ...fresh, created_ms: this.all.size, state: "queued", progress: 0 });
    this.work(id);
    return this.all.get(id);
  }

  put(id, change) {
    const clip = { ...this.all.get(id), ...change };
    this.all.set(id, clip);
    this.tell({ id, clip });
    return clip;
  }

  work(id) {
    let at = 0;
    const timer = setInterval(() => {
      const clip = this.all.get(id);
      const step = STEPS[at];
      at += 1;
      if (!clip || clip.state === "cancelled" || !step) return clearInterval(timer);
      if (clip.reason.startsWith("fail") && at === 2) {
        clearInterval(timer);
        return this.put(id, { state: "failed", trouble: "The stream no longer has this part." });
      }
      const duration_ms = clip.end_ms - clip.start_ms;
      const file = { bytes: 3 << 20, start_ms: clip.start_ms, duration_ms, finished_ms: 0, expires_ms: KEEP_MS };
      this.put(id, { ...step, ...(step.state === "done" ? { file } : {}) });
    }, this.step);
    this.#timers.add(timer);
  }

  remove(id) {
    this.all.delete(id);
    this.tell({ id, clip: null });
  }

  stop() {
    this.#timers.forEach(clearInterval);
  }
}
