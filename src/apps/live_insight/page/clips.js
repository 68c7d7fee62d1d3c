// Clips in words: their states, how they are kept, and what a choice on the page asks for.
import { clamp, count, duration, list, num, plural, text, timeOfDaySeconds } from "/assets/shared/format.js";

const STATES = {
  queued: ["Waits for its turn", ""],
  fetching: ["Fetching the footage", "warn"],
  cutting: ["Cutting", "warn"],
  waiting: ["Waits after trouble", "warn"],
  done: ["Ready", "good"],
  failed: ["Failed", "bad"],
  cancelled: ["Cancelled", ""],
};

const FINAL = ["done", "failed", "cancelled"];

/** A clip as the server tells it, with what is missing filled in; null if it is none. */
export function adaptClipView(raw) {
  if (!text(raw?.id)) return null;
  const state = raw.state in STATES ? raw.state : "queued";
  const file = raw.file && {
    bytes: num(raw.file.bytes),
    ms: num(raw.file.duration_ms),
    expires: num(raw.file.expires_ms),
  };
  return {
    id: raw.id,
    start: num(raw.start_ms),
    end: num(raw.end_ms),
    reason: text(raw.reason),
    portrait: raw.shape === "portrait",
    captions: raw.captions === true,
    created: num(raw.created_ms),
    state,
    progress: clamp(num(raw.progress), 0, 1),
    trouble: text(raw.trouble),
    file: state === "done" && file ? file : null,
  };
}

/** Whether nothing more happens to a clip by itself. */
export const isFinal = (clip) => FINAL.includes(clip.state);

/** A word and a tone for the state of a clip, and the sentence behind it. */
export function stateOfClip(clip) {
  const [word, tone] = STATES[clip.state];
  const share = clip.state === "cutting" ? ` ${Math.round(clip.progress * 100)} %` : "";
  return { word: `${word}${share}`, tone, sentence: clip.trouble };
}

/** What a clip shows: its time, its length, its shape, and its size when there is a file. */
export function clipFacts(clip) {
  const ms = clip.file?.ms ?? clip.end - clip.start;
  return [
    timeOfDaySeconds(clip.start),
    duration(ms),
    clip.portrait ? "9:16" : "16:9",
    clip.captions && "captions",
    clip.file && bytes(clip.file.bytes),
  ]
    .filter(Boolean)
    .join(" · ");
}

/** A size in the unit that fits. */
export function bytes(number) {
  const units = ["bytes", "KiB", "MiB", "GiB", "TiB"];
  const step = number > 0 ? clamp(Math.floor(Math.log2(number) / 10), 0, units.length - 1) : 0;
  const value = number / 1024 ** step;
  return `${step > 0 && value < 10 ? value.toFixed(1) : count(value)} ${units[step]}`;
}

/** How clips are kept, in a sentence. */
export function keptWords(raw) {
  const keep = num(raw?.keep_ms);
  const days = keep / 86_400_000;
  const long = days >= 2 ? plural(Math.round(days), "day", "days") : duration(keep);
  return `Kept for ${long} · ${bytes(num(raw?.used_bytes))} of ${bytes(num(raw?.quota_bytes))} used on this server`;
}

/** The candidates of the whole stream, the best one first. */
export const adaptCandidates = (raw) =>
  list(raw?.candidates)
    .map((one) => ({
      start: num(one?.start_ms),
      end: num(one?.end_ms),
      score: num(one?.score),
      reason: list(one?.reasons).map((reason) => text(reason)).filter(Boolean).join("; "),
    }))
    .filter((one) => one.end > one.start);

/**
 * What "clip this" means for a window: its best moment if it has one, else the whole window, from its beginning as far as a
 * clip may last.
 */
export function partOf(window, clips, longest) {
  const inside = clips.filter((clip) => clip.start < window.end && clip.end > window.start);
  const best = inside.reduce((first, clip) => (!first || clip.score > first.score ? clip : first), null);
  const { start, end } = best ?? window;
  return { start, end: Math.min(end, start + longest), reason: best?.reason ?? "" };
}

/** The body of a request for a clip. A reason may have 500 bytes. */
export const clipBody = ({ start, end, reason }, { portrait, captions }) => ({
  start_ms: Math.round(start),
  end_ms: Math.round(end),
  shape: portrait ? "portrait" : "landscape",
  captions,
  ...(reason ? { reason: [...reason].slice(0, 120).join("") } : {}),
});

/** Clips by id with a change put in: `{ id, clip }`, where a clip that is gone is null. */
export function withNews(clips, news) {
  const id = text(news?.id);
  const next = new Map(clips);
  const clip = adaptClipView(news?.clip);
  if (clip) next.set(clip.id, clip);
  else if (id) next.delete(id);
  return next;
}

/** Clips in the order of the queue: the newest wish first. */
export const inOrder = (clips) => [...clips.values()].sort((a, b) => b.created - a.created || b.start - a.start);

/** What is said to a screen reader when something has changed for good; nothing for steps on the way. */
export function newsWords(before, after) {
  if (!after || before?.state === after.state || !isFinal(after) || !before) return "";
  const name = after.reason || `the clip from ${timeOfDaySeconds(after.start)}`;
  return `${stateOfClip(after).word}: ${name}${after.state === "failed" ? `. ${after.trouble}` : ""}`;
}
