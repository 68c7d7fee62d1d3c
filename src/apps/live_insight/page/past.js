// Past streams of this id: a list, each with its files and a way to its timeline; and the one that the page shows.
import { empty, h, setText } from "/assets/shared/dom.js";
import { openFile } from "/assets/shared/download.js";
import { clamp, count, duration, label, list, num, plural, text, timeOfDay } from "/assets/shared/format.js";
import { headers } from "/assets/shared/shell.js";
import { problemOf } from "/assets/shared/source.js";
import { FILES } from "./files.js";
import { addressOf } from "./views.js";

const DAY_MS = 86_400_000;
const HOUR_MS = 3_600_000;
/** The most topics, and the most moments of a stream in the list. */
const FEW = 3;

const day = new Intl.DateTimeFormat(undefined, { weekday: "short", day: "numeric", month: "long", year: "numeric" });
export const dayOf = (ms) => day.format(ms);

/** The part of the stream's time that an address names; null for the stream that runs. */
export function spanOf(search) {
  const query = new URLSearchParams(search);
  const [from, to] = ["from", "to"].map((name) => (query.has(name) ? Number(query.get(name)) : NaN));
  return Number.isSafeInteger(from) && Number.isSafeInteger(to) && from < to ? { from, to } : null;
}

/** A past stream from the server's summary. */
export function adaptStream(raw) {
  const from = num(raw?.started_ms);
  const least = num(raw?.users_range?.least, num(raw?.users));
  return {
    ...{ from, to: Math.max(from, num(raw?.ended_ms, from)), windows: num(raw?.windows), chats: num(raw?.chats) },
    people: { least, most: Math.max(least, num(raw?.users_range?.most, least)) },
    vibe: clamp(Math.round(num(raw?.vibe_score, 50)), 0, 100),
    mood: text(raw?.mood),
    topics: list(raw?.hot_topics).filter((topic) => typeof topic === "string").slice(0, FEW),
    moments: list(raw?.moments)
      .slice(0, FEW)
      .map((moment) => ({ at: num(moment?.start_ms), reason: text(moment?.reason) })),
  };
}

/** A longer pause than this begins another stream. */
const PAUSE_MS = 30 * 60_000;

/** The streams that are over: all, except the newest one while its source is read or something may still follow. */
export function overOf(streams, source, now = Date.now()) {
  const newest = Math.max(...streams.map(({ to }) => to));
  const isRead = ["resolving", "connected", "waiting"].includes(source?.state);
  const isOver = ["ended", "stopped"].includes(source?.state);
  return streams.filter(({ to }) => to < newest || isOver || (!isRead && now - to >= PAUSE_MS));
}

/** How long results stay, in words. */
export function keptWords(ms) {
  if (ms === null) return "Streams stay here until somebody erases them.";
  const time =
    ms >= DAY_MS && ms % DAY_MS === 0
      ? plural(ms / DAY_MS, "day", "days")
      : ms >= HOUR_MS && ms % HOUR_MS === 0
        ? plural(ms / HOUR_MS, "hour", "hours")
        : duration(ms);
  return `Each minute of a stream stays here for ${time}; then it is deleted. Download what you want to keep.`;
}

/** What a stream was, in a line. */
export function streamWords({ chats, people, vibe, mood, from, to }) {
  const { least, most } = people;
  const range = least < most ? `${count(least)}–${count(most)} people` : plural(least, "person", "people");
  return [duration(to - from), plural(chats, "message", "messages"), range, `vibe ${vibe}${mood && `, ${label(mood).toLowerCase()}`}`].join(" · ");
}

export const timeWords = ({ from, to }) => `${dayOf(from)}, ${timeOfDay(from)}–${timeOfDay(to)}`;

/** The address of the page that shows a past stream; the token stays where it is. */
const pageOf = ({ from, to }) => `?from=${from}&to=${to}${location.hash}`;

function item(stream, id) {
  const { from, to, topics, moments } = stream;
  const moment = ({ at, reason }) => [timeOfDay(at), " ", h("bdi", {}, reason)];
  return h(
    "li",
    {},
    h("a", { class: "past-open", href: pageOf(stream) }, timeWords(stream)),
    h("p", { class: "small muted" }, streamWords(stream)),
    topics.length > 0 && h("p", { class: "small" }, "About ", topics.map((topic, at) => [at > 0 && ", ", h("bdi", {}, topic)])),
    moments.length > 0 && h("p", { class: "small" }, "Moments: ", moments.map((one, at) => [at > 0 && "; ", moment(one)])),
    h(
      "p",
      { class: "small past-files" },
      h("span", { class: "muted" }, "Download "),
      FILES.map(([format, word]) =>
        h(
          "a",
          { href: addressOf(id, "export", { format, from, to }), download: "", "aria-label": `${word} of ${timeWords(stream)}`, onClick: openFile },
          word,
        ),
      ),
    ),
  );
}

/** Draws the list of the streams that are over. `problem` says why there is none, `source` what is read now. */
export function drawPast(box, raw, id, problem = "", source = null) {
  if (problem) return box.replaceChildren(h("p", { class: "small muted" }, problem));
  const streams = overOf(list(raw?.streams).map(adaptStream), source);
  const kept = h("p", { class: "small muted" }, keptWords(typeof raw?.kept_ms === "number" ? raw.kept_ms : null));
  if (streams.length === 0)
    return box.replaceChildren(empty("None yet", "A stream appears here when it is over."), kept);
  box.replaceChildren(h("ol", { class: "past" }, streams.map((stream) => item(stream, id))), kept);
}

/**
 * Fills the list each time when it is opened: it reads all that is kept. `asked(view)` asks the server, `sourceOf()` tells
 * what is read now. Returns a function that fills an open list anew, for when a stream has ended.
 */
export function listPast(details, box, asked, id, sourceOf = () => null) {
  const fill = async () => {
    if (!details.open) return;
    if (!box.firstChild) box.replaceChildren(h("p", { class: "small muted" }, "Reading …"));
    const { value, problem } = await asked("past");
    drawPast(box, value, id, problem, sourceOf());
  };
  details.addEventListener("toggle", fill);
  return fill;
}

/** Says which stream the page shows, and leads back to the one that runs. */
export function drawPastBar(bar, span) {
  bar.hidden = false;
  bar.replaceChildren(
    h("p", {}, h("strong", {}, "A past stream: "), timeWords(span)),
    h("a", { class: "btn tiny", href: `${location.pathname}${location.hash}` }, "Back to the stream that runs"),
  );
}

/** The minutes of a past stream, from its file: `{ insights }`, or `{ problem }` in words. */
export async function minutesOf(id, { from, to }) {
  try {
    const response = await fetch(addressOf(id, "export", { format: "jsonl", from, to }), { headers: headers(), cache: "no-store" });
    if (!response.ok) return { status: response.status, problem: problemOf(await response.json().catch(() => null), response.status) };
    const lines = (await response.text()).split("\n").filter(Boolean);
    return { insights: lines.map((line) => JSON.parse(line)) };
  } catch {
    return { problem: "The server does not answer. Try it again in a moment." };
  }
}

/** Shows a past stream: `onInsight` gets each of its minutes. */
export async function showPast({ id, span, status, notice, onInsight }) {
  setText(status, "Past");
  status.dataset.phase = "past";
  const { insights = [], problem } = await minutesOf(id, span);
  insights.forEach(onInsight);
  if (!problem) return;
  notice.hidden = false;
  notice.dataset.tone = "warn";
  notice.replaceChildren(h("p", {}, problem), h("button", { class: "btn", type: "button", onClick: () => location.reload() }, "Try now"));
}
