// What comes next: the one thing to do, why, how sure that is, and whether the last prediction came true.
import { empty, h } from "/assets/shared/dom.js";
import { clamp, count, list, num, plural, text, timeOfDay } from "/assets/shared/format.js";
import { calmly } from "./views.js";

/** A prediction needs so many minutes, and a longer pause than this begins another stream. */
const LEAST = 3;
const PAUSE_MS = 30 * 60_000;

const MOMENTUM = { rising: "Chat is rising", steady: "Chat is steady", falling: "Chat is falling" };

const adaptPrediction = (raw) => ({
  at: num(raw?.at_ms),
  until: num(raw?.until_ms),
  instruction: text(raw?.advice?.instruction),
  reason: text(raw?.advice?.reason),
  confidence: clamp(num(raw?.advice?.confidence), 0, 1),
  above: raw?.advice?.claim?.side !== "below",
  claimed: num(raw?.advice?.claim?.chats_per_second) * 60,
  momentum: MOMENTUM[raw?.engagement?.momentum] ?? "",
});

/** The newest prediction, the last earlier one whose time is over, and how many came true. */
export function adaptOutlook(raw) {
  const over = list(raw?.earlier).find((told) => ["came_true", "did_not"].includes(told?.outcome));
  return {
    ...adaptPrediction(raw?.prediction),
    judged: num(raw?.judged),
    cameTrue: num(raw?.came_true),
    last: over
      ? { ...adaptPrediction(over.prediction), isTrue: over.outcome === "came_true", seen: num(over.chats_per_second) * 60 }
      : null,
  };
}

/** Messages a minute, with a digit behind the point if there are few. */
const rate = (perMinute) => (perMinute < 10 ? String(Number(perMinute.toFixed(1))) : count(perMinute));

export const sureWords = ({ confidence }) => `${Math.round(confidence * 100)} % sure`;

/** What was claimed for a time that is over, and what came: said of the same messages, so that it can be checked. */
export function lastWords(last) {
  if (!last) return "";
  const claim = `${last.above ? "at least" : "fewer than"} ${rate(last.claimed)} messages a minute`;
  return `until ${timeOfDay(last.until)}: ${claim} expected, ${rate(last.seen)} came.`;
}

/** Whether there are enough minutes since the last long pause. Without them the server has no prediction. */
export function isEnough(windows) {
  const recent = windows.slice(-LEAST);
  return (
    recent.length === LEAST && recent.every((window, at) => at === 0 || window.start - recent[at - 1].end < PAUSE_MS)
  );
}

/** Draws the newest prediction. `problem` says why there is none. */
export function drawOutlook(box, outlook, problem = "") {
  if (!outlook) {
    box.replaceChildren(
      problem
        ? h("p", { class: "small muted" }, problem)
        : empty("Not yet", "After three minutes with chat or speech, the next five minutes are predicted here."),
    );
    return;
  }
  const { last } = outlook;
  const chips = [sureWords(outlook), `until ${timeOfDay(outlook.until)}`, outlook.momentum].filter(Boolean);
  const parts = [
    h("p", { class: "next-do", dir: "auto" }, outlook.instruction),
    h("p", { class: "next-why", dir: "auto" }, outlook.reason),
    h("p", { class: "next-chips" }, ...chips.map((words) => h("span", { class: "chip" }, words))),
    last &&
      h(
        "p",
        { class: "next-last small" },
        h("span", { class: "chip", data: { tone: last.isTrue ? "good" : "warn" } }, last.isTrue ? "Came true" : "Did not come true"),
        h("span", {}, "“", h("bdi", {}, last.instruction), `” ${lastWords(last)}`),
      ),
    outlook.judged > 0 &&
      h(
        "p",
        { class: "small muted" },
        `${count(outlook.cameTrue)} of ${plural(outlook.judged, "prediction", "predictions")} came true in this stream.`,
      ),
  ];
  box.replaceChildren(...parts.filter(Boolean));
}

/** Keeps the panel up to date; `asked(view)` asks the server. Call the result after each minute. */
export function followOutlook(box, asked, session) {
  let outlook = null;
  const look = async () => {
    if (document.visibilityState !== "visible" || !isEnough(session.windows)) return;
    const { value, problem } = await asked("prediction");
    // The last prediction stays if the next one is late.
    if (value) outlook = adaptOutlook(value);
    drawOutlook(box, outlook, problem);
  };
  const refresh = calmly(look, 300, 2_000);
  document.addEventListener("visibilitychange", refresh);
  drawOutlook(box, null);
  return refresh;
}
