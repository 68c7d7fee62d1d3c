// The timeline: one button per window, with its mood, its chat, its marks and its main spoken line.
import { empty, h, s } from "/assets/shared/dom.js";
import { duration, isolated, plural, windowTime, windowTimes } from "/assets/shared/format.js";
import { icon } from "/assets/shared/icons.js";
import { path } from "/assets/shared/chart.js";

const WIDTH = 120;
const moodY = (mood) => 50 - mood * 46;

/** The mood line of a window. It meets its neighbours halfway, so that the line continues across columns. */
function moodChart(window, before, after) {
  const step = WIDTH / window.series.length;
  const edge = (own, other) => (other === undefined ? own : (own + other) / 2);
  const first = window.series[0].mood;
  const last = window.series.at(-1).mood;
  const points = [
    [0, moodY(edge(first, before?.end === window.start ? before.series.at(-1).mood : undefined))],
    ...window.series.map((point, index) => [(index + 0.5) * step, moodY(point.mood)]),
    [WIDTH, moodY(edge(last, after?.start === window.end ? after.series[0].mood : undefined))],
  ];
  const line = path(points);
  return s(
    "svg",
    { class: "tl-mood", viewBox: `0 0 ${WIDTH} 100`, preserveAspectRatio: "none", "aria-hidden": "true" },
    s("path", { d: `M0 50H${WIDTH}`, class: "tl-mid" }),
    s("path", { d: `${line}L${WIDTH} 50L0 50Z`, fill: "url(#mood-line)", opacity: 0.13 }),
    s("path", { d: line, class: "tl-line", stroke: "url(#mood-line)" }),
  );
}

function chatChart(window, busiest) {
  const step = WIDTH / window.series.length;
  const bars = window.series.map((point, index) => {
    const height = (point.chats / busiest) * 100;
    return s("rect", { x: index * step + step * 0.14, width: step * 0.72, y: 100 - height, height, rx: 1 });
  });
  return s(
    "svg",
    { class: "tl-chat", viewBox: `0 0 ${WIDTH} 100`, preserveAspectRatio: "none", "aria-hidden": "true" },
    bars,
  );
}

function clipLane(window, clips) {
  const part = (ms) => `${((ms - window.start) / (window.end - window.start)) * 100}%`;
  return h(
    "span",
    { class: "tl-clips" },
    clips.map((clip) => {
      const from = Math.max(clip.start, window.start);
      const to = Math.min(clip.end, window.end);
      const style = { left: part(from), width: part(window.start + to - from) };
      return h("i", {
        style,
        data: { open: `${clip.start < window.start ? "l" : ""}${clip.end > window.end ? "r" : ""}` },
      });
    }),
  );
}

/** The spoken line with the most answers. The timeline shows it to identify the window. */
const headline = (window) =>
  window.phrases.reduce((best, phrase) => (!best || phrase.reactions > best.reactions ? phrase : best), null);

function said(window) {
  if (window.silentMic) return h("span", { class: "tl-said silent" }, icon("micOff"), "Microphone silent");
  const phrase = headline(window);
  return h("span", { class: "tl-said", dir: "auto" }, phrase ? `“${phrase.text}”` : "");
}

function describe(window, marks) {
  const parts = [
    windowTimes(window, " to "),
    window.silentChat ? "chat silent" : plural(window.chats, "chat", "chats"),
    `vibe ${Math.round(window.vibe)}, ${window.moodWord}`,
  ];
  if (window.spike) parts.push("spike");
  if (window.silentMic) parts.push("microphone silent");
  if (marks.alerts.length) parts.push(plural(marks.alerts.length, "alert", "alerts"));
  if (marks.clips.length) parts.push("clip candidate");
  const said = headline(window);
  if (said) parts.push(`said: ${isolated(said.text)}`);
  return parts.join(", ");
}

function column(session, window, index, busiest, onSelect) {
  const marks = session.marks(window);
  const current = window === session.inspected;
  const previous = session.windows[index - 1];
  const gap = previous && window.start > previous.end ? window.start - previous.end : 0;
  const button = h(
    "button",
    {
      class: "tl-col",
      type: "button",
      tabindex: current ? 0 : -1,
      "aria-pressed": String(current),
      "aria-label": describe(window, marks),
      data: { spike: window.spike, start: window.start },
      onClick: () => onSelect(window),
    },
    h(
      "span",
      { class: "tl-flags" },
      marks.alerts.some((alert) => alert.tone !== "good") && h("span", { class: "f-alert" }, icon("alert")),
      (window.spike || marks.alerts.some((alert) => alert.tone === "good")) &&
        h("span", { class: "f-spike" }, icon("bolt")),
    ),
    moodChart(window, previous, session.windows[index + 1]),
    window.silentChat
      ? h("span", { class: "tl-chat silent" }, icon("chatOff"), "Chat silent")
      : chatChart(window, busiest),
    clipLane(window, marks.clips),
    said(window),
    h("span", { class: "tl-time" }, windowTime(window)),
  );
  return gap
    ? [h("span", { class: "tl-gap", role: "note" }, `${duration(gap)} without speech or chat`), button]
    : [button];
}

/** Draws the timeline into `box`; `waits` has the words for why it is empty. Keeps the focus, and keeps the newest window in view while the page follows it. */
export function drawTimeline(box, session, onSelect, waits) {
  const old = box.querySelector(".tl-scroll");
  const focused = old?.contains(document.activeElement) ? document.activeElement.dataset.start : null;
  const scroller = h("div", {
    class: "tl-scroll",
    role: "group",
    "aria-label": "Windows of the stream, oldest first; arrow keys move",
  });
  const busiest = session.busiest;
  scroller.append(...session.windows.flatMap((window, index) => column(session, window, index, busiest, onSelect)));
  scroller.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1, Home: -Infinity, End: Infinity }[event.key];
    // Moves from the chosen window, not from the focused one, because a held key repeats before the focus follows.
    const at = session.windows.indexOf(session.inspected);
    if (step === undefined || at < 0) return;
    event.preventDefault();
    onSelect(session.windows[Math.min(session.windows.length - 1, Math.max(0, at + step))], true);
  });
  if (session.windows.length === 0) {
    const ghosts = Array.from({ length: 12 }, () => h("span", { class: "tl-col ghost-col" }));
    scroller.removeAttribute("role");
    scroller.setAttribute("aria-hidden", "true");
    scroller.append(...ghosts);
  }
  scroller.addEventListener("scroll", () => (scroller.dataset.more = String(scroller.scrollLeft > 4)), {
    passive: true,
  });
  const left = old?.scrollLeft ?? 0;
  box.replaceChildren(
    h(
      "div",
      { class: "tl-axis small muted", "aria-hidden": "true" },
      h("span", { class: "tl-flags" }),
      h("span", { class: "tl-mood" }, "mood"),
      h("span", { class: "tl-chat" }, h("b", {}, session.windows.length ? `${busiest}` : ""), h("b", {}, "chat")),
      h("span", { class: "tl-clips" }),
      h("span", {}, "said"),
    ),
    scroller,
    ...(session.windows.length
      ? []
      : [
          h(
            "div",
            { class: "tl-empty" },
            empty(waits.title, waits.detail),
          ),
        ]),
  );
  scroller.scrollLeft = session.following ? scroller.scrollWidth : left;
  if (focused)
    scroller.querySelector(`[data-start="${session.inspected.start}"]`)?.focus({ preventScroll: session.following });
}
