// Form coach: receives the athlete's feedback and draws the newest, with the session's progress.
import { $, perFrame, setText } from "/assets/shared/dom.js";
import { analystName, exerciseName, isolated, plural, timeOfDaySeconds } from "/assets/shared/format.js";
import { icon } from "/assets/shared/icons.js";
import { lateView } from "/assets/shared/late.js";
import { connectionView, idFromPath, mountTheme, token } from "/assets/shared/shell.js";
import { EventStream } from "/assets/shared/stream.js";
import { Costs, drawCost, keepingFocus } from "/assets/shared/why.js";
import { adaptFeedback } from "./adapt.js";
import { whyVerdict } from "./evidence.js";
import { drawNumbers, drawProgress, drawRom, drawSymmetry } from "./numbers.js";
import { mountProfile } from "./profile.js";
import { Stage } from "./stage.js";
import { drawVerdict, Voice } from "./verdict.js";

// A pause longer than this starts a new session when the server sends no progress of its own.
const SESSION_GAP_MS = 30 * 60_000;
// Feedback that arrives this soon after connecting is older feedback. It is not read aloud.
const CATCH_UP_MS = 1500;

const id = idFromPath();
const voice = new Voice();
const costs = new Costs();
const showLate = lateView($("late"), "athlete", "coach");
/** The newest feedback, the newest feedback with a grade, and every grade of the session by its window's end. */
let newest = null;
let judged = null;
let grades = new Map();
let drawn = null;
let explained = null;
let liveSince = Infinity;

const progress = () =>
  newest?.progress.length
    ? newest.progress
    : [...grades].map(([at, grade]) => ({ at, grade })).sort((a, b) => a.at - b.at);

/** The feedback to show. While the athlete rests, the last graded movement stays until the next one is graded. */
function shown() {
  const silent = newest?.grade === null && newest.phase !== "out_of_sight" && !newest.obstacle;
  const holds = silent && judged?.exercise === newest.exercise;
  return holds ? judged : newest;
}

setText($("name"), id);
document.title = `${isolated(id)} · Form coach`;
mountTheme();
mountProfile(id);
const stage = new Stage(id);

const draw = perFrame(() => {
  const line = progress();
  const feedback = shown();
  drawVerdict(feedback, line.length > 1 ? line.at(-2).grade : null, newest?.phase);
  drawCost($("cost"), costs);
  if (feedback !== explained) {
    explained = feedback;
    const control = feedback ? [whyVerdict(feedback, (position) => stage.seek(position))] : [];
    keepingFocus($("why"), () => $("why").replaceChildren(...control));
  }
  drawNumbers($("numbers"), feedback, newest);
  drawRom($("rom"), feedback?.rom ?? []);
  const symmetry = feedback?.symmetry ?? null;
  setText($("sym-value"), symmetry === null ? "" : `${Math.round(symmetry * 100)} %`);
  drawSymmetry($("symmetry"), feedback);
  drawProgress($("progress"), line);
  const mean = line.reduce((sum, one) => sum + one.grade, 0) / (line.length || 1);
  setText(
    $("pro-note"),
    line.length > 1
      ? `${plural(line.length, "movement", "movements")}, mean ${mean.toFixed(1)}, best ${Math.max(...line.map((one) => one.grade)).toFixed(1)}`
      : "",
  );
  setText($("analyst"), newest?.analyst ? `Graded by ${analystName(newest.analyst)}` : "");
  $("speak").disabled = !feedback || !voice.available;
  if (feedback && feedback !== drawn) {
    drawn = feedback;
    stage.show(feedback);
    const when = timeOfDaySeconds(feedback.start);
    if (!stage.camera.running) setText($("stage-note"), `${exerciseName(feedback.exercise)}, ${when}`);
  }
});

function onEvent(type, raw) {
  if (type === "late") return showLate(raw);
  if (type !== "feedback") return;
  const feedback = adaptFeedback(raw);
  costs.add(feedback.start, feedback.provenance);
  const last = Math.max(0, ...grades.keys());
  if (feedback.start - last > SESSION_GAP_MS) [grades, judged] = [new Map(), null];
  if (feedback.grade !== null) grades.set(feedback.end, feedback.grade);
  // If the feedback has only one frame, the frames of this page's own camera are shown, if there are any.
  const own = feedback.frames.length < 2 ? stage.camera.framesBetween(feedback.start, feedback.end) : [];
  if (own.length > 1) feedback.frames = own;
  // Speech starts here and not while drawing, because a page in the background draws nothing but must still speak.
  // An analyst may answer in any order. Only the newest feedback is read aloud.
  const says = feedback.grade !== null || feedback.phase === "out_of_sight" || feedback.obstacle;
  const speaks = says && !(newest?.start > feedback.start);
  if (speaks && Date.now() - liveSince > CATCH_UP_MS) voice.hear(feedback.sentence);
  if (!newest || feedback.start >= newest.start) newest = feedback;
  if (feedback.grade !== null && !(judged?.start > feedback.start)) judged = feedback;
  draw();
}

$("speak").append(icon("speaker"), "Read aloud");
if (!voice.available) {
  $("speak").title = "This browser cannot speak";
  $("speak-all").hidden = true;
}
$("speak").addEventListener("click", () => newest && voice.say(shown().sentence));
$("speak-all").addEventListener("click", () => {
  voice.every = !voice.every;
  $("speak-all").setAttribute("aria-pressed", String(voice.every));
  if (voice.every && newest) voice.say(shown().sentence);
});
document.addEventListener("fullscreenchange", () => stage.draw());

const showState = connectionView("athlete", id, () => stream);
const stream = new EventStream({
  url: `/v1/users/${encodeURIComponent(id)}/events`,
  token: token(),
  onEvent,
  onState: (state) => {
    if (state.phase === "live") liveSince = Date.now();
    showState(state);
  },
});
stream.start();
draw();
