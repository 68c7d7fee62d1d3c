// The grade, the one sentence, and reading it aloud.
import { $, h, s, setText } from "/assets/shared/dom.js";
import { exerciseName, signed } from "/assets/shared/format.js";
import { icon } from "/assets/shared/icons.js";
import { arc } from "/assets/shared/chart.js";

const WORDS = ["Stop and reset", "Needs work", "Getting there", "Good", "Strong"];
const PHASES = { resting: "Resting", out_of_sight: "Out of sight" };
/** The word beside the dial for feedback without a grade. */
const ungraded = (feedback) => {
  if (feedback?.obstacle) return "Not graded";
  if (feedback && PHASES[feedback.phase]) return PHASES[feedback.phase];
  return feedback?.reps > 0 ? "Counted, not graded" : "Ready when you are";
};
const band = (grade) => Math.min(4, Math.floor(grade / 2));
const MOODS = ["negative", "tense", "neutral", "positive", "joyful"];

/** Draws grade, sentence and faults. `before` is the previous grade, `phase` is the athlete's current phase. */
export function drawVerdict(feedback, before, phase) {
  const graded = feedback !== null && feedback.grade !== null;
  const level = graded ? band(feedback.grade) : 2;
  const dial = s(
    "svg",
    { viewBox: "0 0 120 120", class: "ring", "aria-hidden": "true" },
    s("circle", { cx: 60, cy: 60, r: 50, class: "ring-track" }),
    graded &&
      feedback.grade > 0 &&
      s("path", { d: arc(60, 60, 50, 0, Math.min(359.9, feedback.grade * 36)), class: "ring-value" }),
    s("text", { x: 60, y: 73, class: "ring-number" }, graded ? feedback.grade.toFixed(1) : "–"),
  );
  const change = graded && before !== null ? feedback.grade - before : null;
  const tone = change >= 0.3 ? "good" : change <= -0.3 ? "bad" : "";
  $("grade").replaceChildren(
    h(
      "div",
      { class: "gr", data: graded ? { mood: MOODS[level] } : { mood: "neutral", none: "" } },
      dial,
      h(
        "div",
        {},
        h("strong", { class: "gr-word" }, graded ? WORDS[level] : ungraded(feedback)),
        h(
          "p",
          { class: "small muted" },
          feedback ? `${exerciseName(feedback.exercise)}, out of ten` : "Out of ten, every few seconds",
        ),
        graded && phase === "resting"
          ? h("span", { class: "chip" }, icon("pause"), "Resting now")
          : change !== null &&
              h(
                "span",
                { class: "chip", data: { tone } },
                icon(change > 0.05 ? "up" : change < -0.05 ? "down" : "flat"),
                `${signed(change, 1)} since the last`,
              ),
      ),
    ),
  );
  setText(
    $("sentence"),
    feedback ? feedback.sentence : "Your first correction appears here a few seconds after you start to move.",
  );
  $("sentence").dataset.waiting = String(!feedback);
  $("faults").replaceChildren(
    ...(feedback?.faults ?? []).map((fault) =>
      h("li", { class: "chip", title: fault.detail, data: { tone: "bad" } }, fault.name),
    ),
  );
}

/** Reads corrections aloud: one on demand, or every new one. */
export class Voice {
  every = false;
  #said = "";
  #synth = globalThis.speechSynthesis;

  get available() {
    return Boolean(this.#synth && globalThis.SpeechSynthesisUtterance);
  }

  say(sentence) {
    if (!this.available || !sentence) return;
    this.#synth.cancel();
    const words = new SpeechSynthesisUtterance(sentence);
    words.lang = "en";
    this.#synth.speak(words);
    this.#said = sentence;
  }

  /** Takes a new correction. It neither repeats the last sentence nor interrupts a sentence that is being read. */
  hear(sentence) {
    if (this.every && sentence !== this.#said && !this.#synth.speaking) this.say(sentence);
  }
}
