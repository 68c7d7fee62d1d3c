// The vibe score: a dial with a mark for the last minute, the mood as a word, and the direction of the change.
import { h, s } from "/assets/shared/dom.js";
import { signed, windowWord } from "/assets/shared/format.js";
import { icon } from "/assets/shared/icons.js";
import { arc, sparkline } from "/assets/shared/chart.js";

const FROM = -120;
const SPAN = 240;
const at = (vibe) => FROM + (vibe / 100) * SPAN;

function tick(vibe) {
  const radians = ((at(vibe) - 90) * Math.PI) / 180;
  const point = (r) => ({ x: 100 + r * Math.cos(radians), y: 100 + r * Math.sin(radians) });
  const [inner, outer] = [point(67), point(93)];
  return s("line", { x1: inner.x, y1: inner.y, x2: outer.x, y2: outer.y, class: "g-tick" });
}

function trend(window, before) {
  if (!before) return h("span", { class: "chip" }, `first ${windowWord(window)}`);
  const change = Math.round(window.vibe) - Math.round(before.vibe);
  const tone = change >= 3 ? "good" : change <= -3 ? "bad" : "";
  const name = change > 0 ? "up" : change < 0 ? "down" : "flat";
  return h("span", { class: "chip", data: { tone } }, icon(name), `${signed(change)} since last ${windowWord(window)}`);
}

/**
 * Draws the dial for the newest window, or an empty one. `name` names what is shown instead of the last minute, and
 * `waits` says why there is nothing. */
export function drawGauge(box, session, name = "", waits = "Waiting") {
  const window = session.newest;
  const vibe = window?.vibe ?? 0;
  const before = window && session.before(window);
  const dial = s(
    "svg",
    { viewBox: "4 4 192 152", class: "g-dial", "aria-hidden": "true" },
    s("path", { d: arc(100, 100, 80, FROM, FROM + SPAN), class: "g-track" }),
    window && vibe > 0 && s("path", { d: arc(100, 100, 80, FROM, at(vibe)), class: "g-value" }),
    before && tick(before.vibe),
    s("text", { x: 100, y: 113, class: "g-number" }, window ? String(Math.round(vibe)) : "–"),
  );
  const meter = h(
    "div",
    {
      class: "g",
      role: "meter",
      "aria-labelledby": "vibe-title",
      "aria-valuemin": 0,
      "aria-valuemax": 100,
      "aria-valuenow": Math.round(vibe),
      "aria-valuetext": window ? `${Math.round(vibe)} of 100, ${window.moodWord}` : "no data yet",
      data: window ? { mood: window.mood } : { mood: "neutral", none: "" },
    },
    dial,
    h("strong", { class: "g-mood" }, window ? window.moodWord : waits),
  );
  const line = sparkline(
    session.windows.slice(-20).map((one) => one.vibe),
    { low: 0, high: 100 },
  );
  box.replaceChildren(
    meter,
    window ? h("div", { class: "g-foot" }, name ? h("span", { class: "chip" }, name) : trend(window, before), line) : h("div", { class: "g-foot" }),
  );
}
