// Form coach: takes the athlete's feedback as it comes and draws the newest, with the session behind it.
import { $, perFrame, setText } from "/assets/shared/dom.js";
import { label, plural, timeOfDaySeconds } from "/assets/shared/format.js";
import { icon } from "/assets/shared/icons.js";
import { connectionView, idFromPath, mountTheme, token } from "/assets/shared/shell.js";
import { EventStream } from "/assets/shared/stream.js";
import { adaptFeedback } from "./adapt.js";
import { drawNumbers, drawProgress, drawRom, drawSymmetry } from "./numbers.js";
import { mountProfile } from "./profile.js";
import { Stage } from "./stage.js";
import { drawVerdict, Voice } from "./verdict.js";

// A pause longer than this starts a new session when the server sends no progress of its own.
const SESSION_GAP_MS = 30 * 60_000;
// Corrections older than this are history that the connection caught up with; they are not read aloud.
const FRESH_MS = 15_000;

const id = idFromPath();
const voice = new Voice();
/** The newest feedback, and every grade of the session by its window's end. */
let newest = null;
let grades = new Map();
let drawn = null;

const progress = () =>
  newest?.progress.length
    ? newest.progress
    : [...grades].map(([at, grade]) => ({ at, grade })).sort((a, b) => a.at - b.at);

setText($("name"), id);
document.title = `${id} · Form coach`;
mountTheme();
mountProfile(id);
const stage = new Stage(id);

const draw = perFrame(() => {
  const line = progress();
  drawVerdict(newest, line.length > 1 ? line.at(-2).grade : null);
  drawNumbers($("numbers"), newest);
  drawRom($("rom"), newest?.rom ?? []);
  setText($("sym-value"), newest?.symmetry === null || !newest ? "" : `${Math.round(newest.symmetry * 100)} %`);
  drawSymmetry($("symmetry"), newest);
  drawProgress($("progress"), line);
  const mean = line.reduce((sum, one) => sum + one.grade, 0) / (line.length || 1);
  setText(
    $("pro-note"),
    line.length > 1
      ? `${plural(line.length, "movement", "movements")}, mean ${mean.toFixed(1)}, best ${Math.max(...line.map((one) => one.grade)).toFixed(1)}`
      : "",
  );
  setText($("analyst"), newest?.analyst ? `Graded by ${newest.analyst}` : "");
  $("speak").disabled = !newest || !voice.available;
  if (newest && newest !== drawn) {
    drawn = newest;
    stage.show(newest);
    if (!stage.camera.running) setText($("stage-note"), `${label(newest.exercise)}, ${timeOfDaySeconds(newest.start)}`);
  }
});

function onEvent(type, raw) {
  if (type !== "feedback") return;
  const feedback = adaptFeedback(raw);
  const last = Math.max(0, ...grades.keys());
  if (feedback.start - last > SESSION_GAP_MS) grades = new Map();
  if (feedback.grade !== null) grades.set(feedback.end, feedback.grade);
  // A server that sends one frame gets its movement from this page's own camera, if that made it.
  const own = feedback.frames.length < 2 ? stage.camera.framesBetween(feedback.start, feedback.end) : [];
  if (own.length > 1) feedback.frames = own;
  // Speaks here and not while drawing: a page in the background draws nothing, its athlete still listens.
  if (Date.now() - feedback.end < FRESH_MS) voice.hear(feedback.sentence);
  if (!newest || feedback.start >= newest.start) newest = feedback;
  draw();
}

$("speak").append(icon("speaker"), "Read aloud");
if (!voice.available) {
  $("speak").title = "This browser cannot speak";
  $("speak-all").hidden = true;
}
$("speak").addEventListener("click", () => newest && voice.say(newest.sentence));
$("speak-all").addEventListener("click", () => {
  voice.every = !voice.every;
  $("speak-all").setAttribute("aria-pressed", String(voice.every));
  if (voice.every && newest) voice.say(newest.sentence);
});
document.addEventListener("fullscreenchange", () => stage.draw());

const stream = new EventStream({
  url: `/v1/users/${encodeURIComponent(id)}/events`,
  token: token(),
  onEvent,
  onState: connectionView("athlete", id, () => stream),
});
stream.start();
draw();
