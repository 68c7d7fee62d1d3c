// Live insight: receives the stream's events, keeps the session, and draws the changes.
import { $, h, perFrame, setText } from "/assets/shared/dom.js";
import {
  analystName,
  clamp,
  count,
  duration,
  isolated,
  percent,
  timeOfDaySeconds,
  windowTimes,
  windowWord,
} from "/assets/shared/format.js";
import { icon } from "/assets/shared/icons.js";
import { lateView } from "/assets/shared/late.js";
import { connectionView, idFromPath, mountTheme, token } from "/assets/shared/shell.js";
import { sparkline } from "/assets/shared/chart.js";
import { Costs, drawCost, keepingFocus } from "/assets/shared/why.js";
import { adaptAlert, adaptClip, adaptInsight } from "./adapt.js";
import { ClipPanel } from "./clip_panel.js";
import { drawGauge } from "./gauge.js";
import { explains, whyInstruction } from "./evidence.js";
import { FrameChooser, FRAMES, peopleRange } from "./frames.js";
import { drawInspector } from "./inspector.js";
import { Line, WAYS } from "./line.js";
import { followOutlook } from "./outlook.js";
import { drawPastBar, listPast, showPast, spanOf } from "./past.js";
import { Session } from "./session.js";
import { followSource } from "./source_view.js";
import { copyAll, drawAlerts, drawClips, FEW } from "./side.js";
import { drawTimeline } from "./timeline.js";
import { asking } from "./views.js";
import { standsStill, waitsOf } from "./waits.js";

const id = idFromPath();
/** The time of the past stream that the page shows; null for the stream that runs. */
const past = spanOf(location.search);
const session = new Session();
const costs = new Costs();
const showLate = lateView($("late"), "stream", "live");
/** What is read of the stream: null if nothing, undefined until the server has told. */
let source;
let lastEventAt = null;
let allAlerts = false;
/** The start of the recording: the start of the first window, unless the streamer has entered a time. */
let began = null;
const beganAt = () => began ?? session.windows[0]?.start ?? session.clips[0]?.start ?? 0;

function stat(name, value, note, values, tone) {
  return h(
    "div",
    { class: "stat", data: { tone } },
    h("dt", { class: "eyebrow" }, name, note && h("span", {}, ` ${note}`)),
    h(
      "dd",
      { data: value === "–" ? { none: "" } : {} },
      h("b", { class: "num" }, value),
      values.length > 1 && sparkline(values),
    ),
  );
}

const direction = (change, level = 0.05) => (change >= level ? "good" : change <= -level ? "bad" : "");

/** What the page shows in the place of the last minute: a time frame, or the session itself. */
function scene() {
  const { frame } = frames;
  if (!frame) return session;
  const { window } = frame;
  const windows = session.windows.filter((one) => one.start < window.end && one.end > window.start);
  return { ...{ windows, newest: window, alerts: window.alerts, clips: window.clips }, before: () => null };
}

function drawStats(shown) {
  const now = shown.newest;
  const recent = shown.windows.slice(frames.frame ? -60 : -20);
  const line = (pick) => recent.map(pick);
  $("stats").replaceChildren(
    stat(
      "Chats per minute",
      now ? count(now.perMinute) : "–",
      "",
      line((one) => one.perMinute),
    ),
    stat(
      "People chatting",
      now ? count(now.users) : "–",
      frames.frame ? peopleRange(frames.frame) : "",
      line((one) => one.users),
    ),
    stat(
      "Engagement",
      now ? percent(now.engagement) : "–",
      "vs recent",
      line((one) => one.engagement),
      now && direction(now.engagement),
    ),
    stat(
      "Mood shift",
      now ? percent(now.moodChange) : "–",
      "vs recent",
      line((one) => one.moodChange),
      now && direction(now.moodChange),
    ),
  );
}

function drawNow() {
  const now = session.newest;
  if (!now) return setText($("instruction"), waitsOf(source).instruction);
  $("instruction").dataset.waiting = "false";
  setText($("instruction"), now.instruction || "Carry on: nothing needs changing.");
  const still = standsStill(source);
  const flags = [
    still && h("span", { class: "chip", data: { tone: still.tone } }, still.word),
    now.silentMic && h("span", { class: "chip", data: { tone: "warn" } }, icon("micOff"), "Microphone silent"),
    now.silentChat && h("span", { class: "chip", data: { tone: "warn" } }, icon("chatOff"), "Chat silent"),
    now.spike && h("span", { class: "chip", data: { tone: "good" } }, icon("bolt"), "Chat spike"),
  ];
  $("now-meta").replaceChildren(
    h("span", {}, `From ${windowTimes(now)}`),
    ...flags.filter(Boolean),
  );
  setText($("analyst"), now.analyst ? `Read by ${analystName(now.analyst)}` : "");
  keepingFocus($("now-why"), () =>
    $("now-why").replaceChildren(...(explains(now) ? [whyInstruction(now, "now")] : [])),
  );
  // An alert may arrive before its window closes. It is shown until a window without an alert follows.
  const alert = session.alerts.findLast((one) => one.tone !== "good" && one.at >= now.start);
  document.querySelector(".now").dataset.tone = alert ? "alert" : "";
  $("now-alert").hidden = !alert;
  if (alert)
    $("now-alert").replaceChildren(
      icon("alert"),
      h("span", {}, `${timeOfDaySeconds(alert.at)}  `, h("bdi", {}, alert.message)),
    );
}

function drawInspected() {
  const window = frames.frame?.window ?? session.inspected;
  if (window) setText($("in-title"), windowTimes(window, " – "));
  const tag = $("in-tag");
  const live = !past && !frames.frame && session.following;
  setText(tag, frames.frame ? frames.name : live ? (standsStill(source) ? "The newest" : "Following live") : past ? "Chosen" : "Pinned");
  tag.hidden = !window;
  tag.dataset.tone = live && !standsStill(source) ? "good" : "";
  if (window) $("clip-this").setAttribute("aria-label", `Clip this: ${windowTimes(window, " to ")}`);
  $("to-live").hidden = live || past !== null;
  drawInspector($("inspector"), window);
}

function drawAlertsCard() {
  const { alerts } = scene();
  const button = $("all-alerts");
  button.hidden = alerts.length <= FEW;
  setText(button, allAlerts ? "Show fewer" : `Show all ${count(alerts.length)}`);
  drawAlerts($("alerts"), { alerts, windows: session.windows }, allAlerts, select);
}

function drawClipsCard() {
  const { clips } = scene();
  $("copy-all").hidden = $("began").hidden = clips.length === 0;
  if (clips.length && document.activeElement !== $("began-at")) {
    const at = new Date(beganAt());
    $("began-at").value = [at.getHours(), at.getMinutes(), at.getSeconds()]
      .map((part) => String(part).padStart(2, "0"))
      .join(":");
  }
  drawClips($("clips"), clips, beganAt());
}

const draw = perFrame(() => {
  drawNow();
  drawCost($("cost"), costs);
  const shown = scene();
  $("frame-bar").hidden = session.newest === null;
  const name = frames.frame ? frames.name : `The last ${windowWord(session.newest)}`;
  $("stats-card").setAttribute("aria-label", `${name} in numbers`);
  const waits = waitsOf(source);
  drawGauge($("gauge"), shown, frames.frame ? frames.name : "", waits.mood);
  drawStats(shown);
  drawTimeline($("timeline"), session, select, waits);
  drawInspected();
  drawAlertsCard();
  drawClipsCard();
});

const line = new Line({
  address: `/v1/streams/${encodeURIComponent(id)}`,
  token: token(),
  onEvent,
  onPush,
  onState: connectionView("stream", id, () => line),
  onWay,
});
const asked = asking(line, id);
const frames = new FrameChooser({
  ...{ box: $("frames"), line: $("frame-line"), files: $("files"), id, onChange: draw, asked },
  onLive: () => void line.ask("live"),
  span: past,
});
const panel = new ClipPanel({ box: $("clip-panel"), button: $("clip-this"), id, line, onShown: draw });
const lookAhead = followOutlook($("next"), asked, session);
const showSource = followSource($("source"), id, () => past !== null || line.way === "socket", (told) => {
  const before = source?.state;
  source = told;
  draw();
  if (before !== source?.state) void fillPast();
});

/** Pins a window. If it is the newest window, the page follows the stream again. A time frame gives way to it. */
function select(window, byKey = false) {
  frames.choose();
  session.selected = window === session.newest ? null : window.start;
  draw();
  if (!byKey) return;
  requestAnimationFrame(() => {
    const column = document.querySelector(`.tl-col[data-start="${window.start}"]`);
    column?.focus();
    column?.scrollIntoView({ block: "nearest", inline: "nearest" });
  });
}

function onEvent(type, raw) {
  lastEventAt = Date.now();
  if (type === "insight") {
    const window = adaptInsight(raw);
    session.addWindow(window);
    costs.add(window.start, window.provenance);
    // A socket brings the frame by itself.
    if (line.way !== "socket" && !past) frames.refresh();
    if (!past) lookAhead();
    if (!past) panel.rank();
  } else if (type === "clip") session.addClip(adaptClip(raw));
  else if (type === "alert") session.addAlert(adaptAlert(raw));
  else if (type === "clip_progress") return panel.news(raw);
  else if (type === "late") return showLate(raw);
  else return;
  draw();
}

function onPush(kind, told) {
  if (kind === "frame") frames.take(told);
  else if (kind === "source" && !told.problem) showSource(told.value);
  else if (kind === "clip_progress") panel.news(told.value);
}

function onWay(way) {
  const [sign, words] = WAYS[way] ?? ["", ""];
  setText($("way-sign"), sign);
  setText($("way"), words);
  $("way-sign").title = words;
  // The server pushes only what this connection has asked for.
  if (way === "socket") frames.refresh();
  // News that came meanwhile are missed.
  if (way) panel.look();
}

setText($("name"), id);
document.title = `${isolated(id)} · Live insight`;
mountTheme();
const fillPast = listPast($("past-list"), $("past"), asked, id, () => source);
if (past) {
  document.body.dataset.past = "";
  drawPastBar($("past-bar"), past);
  const onInsight = (raw) => onEvent("insight", raw);
  void showPast({ id, span: past, status: $("status"), notice: $("notice"), onInsight }).then(() =>
    frames.choose(FRAMES.at(-1)),
  );
} else line.start();
draw();

$("to-live").addEventListener("click", () => {
  frames.choose();
  session.selected = null;
  draw();
});
$("clip-this").addEventListener("click", () => {
  const window = frames.frame?.window ?? session.inspected;
  if (window) void panel.clip(window, session.clips);
});
$("all-alerts").addEventListener("click", () => {
  allAlerts = !allAlerts;
  draw();
});
$("copy-all").addEventListener("click", () => copyAll(scene().clips, beganAt()));
$("began-at").addEventListener("change", (event) => {
  const [hours, minutes, seconds = 0] = event.target.value.split(":").map(Number);
  if (!Number.isFinite(hours)) return;
  const day = new Date(session.windows[0]?.start ?? Date.now());
  day.setHours(hours, minutes, seconds, 0);
  // If the stream ran past midnight, the recording began on the day before.
  began = day.getTime() > (session.clips[0]?.start ?? Infinity) ? day.getTime() - 86_400_000 : day.getTime();
  drawClipsCard();
});
setInterval(() => {
  if (lastEventAt && !past) setText($("seen"), `Last update ${duration(clamp(Date.now() - lastEventAt, 0, Infinity))} ago`);
}, 1000);
