// What a grade rests on: the frames that were seen, the angles that were measured, and how the window was judged.
import { h, s } from "/assets/shared/dom.js";
import { label, plural } from "/assets/shared/format.js";
import { provenanceView, why } from "/assets/shared/why.js";
import { BONES, faultJoints } from "./body.js";
import { pairs } from "./numbers.js";
import { fit } from "./skeleton.js";

/** So many frames of a window are shown. */
const FRAMES = 5;
const SEEN = 0.35;
const [WIDTH, HEIGHT] = [72, 96];

/** The places of up to `most` frames, spread evenly, with the first and the last. */
export const spread = (length, most = FRAMES) =>
  length <= most
    ? Array.from({ length }, (_, index) => index)
    : Array.from({ length: most }, (_, index) => Math.round((index * (length - 1)) / (most - 1)));

function picture(points, place, faults) {
  const at = points.map(place);
  const seen = (index) => at[index][2] >= SEEN;
  const bone = ([from, to, side]) =>
    seen(from) &&
    seen(to) &&
    s("path", { d: `M${at[from].slice(0, 2).join(" ")}L${at[to].slice(0, 2).join(" ")}`, class: "fr-bone", data: { side } });
  const dot = (index) => seen(index) && s("circle", { cx: at[index][0], cy: at[index][1], r: 3.5, class: "fr-fault" });
  return s("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, "aria-hidden": "true" }, BONES.map(bone), [...faults].map(dot));
}

function frames(feedback, onFrame) {
  if (feedback.frames.length === 0) return h("p", { class: "small muted" }, "No frame is kept of this window.");
  const faults = faultJoints(feedback.faults);
  const shown = spread(feedback.frames.length);
  const place = fit(
    shown.map((index) => feedback.frames[index]),
    WIDTH,
    HEIGHT,
  );
  const last = Math.max(1, feedback.frames.length - 1);
  const after = (index) => `${(((index / last) * (feedback.end - feedback.start)) / 1000).toFixed(1)} s`;
  const row = (index) =>
    h(
      "li",
      {},
      h(
        "button",
        {
          class: "fr",
          type: "button",
          "aria-label": `Show the frame at ${after(index)} in the replay`,
          onClick: () => onFrame(index / last),
        },
        picture(feedback.frames[index], place, faults),
        h("span", { class: "small muted num", "aria-hidden": "true" }, after(index)),
      ),
    );
  return h("ol", { class: "frs" }, shown.map(row));
}

const degrees = (one, side) => one && `${side === "middle" ? "" : `${side} `}${Math.round(one.low)}–${Math.round(one.high)}°`;

/** What was measured, as lines of text. */
export function measured(feedback) {
  const angles = pairs(feedback.rom).map((row) => {
    const sides = ["left", "right", "middle"].map((side) => degrees(row[side], side)).filter(Boolean);
    return `${label(row.name)}: ${sides.join(", ")}`;
  });
  return [
    ...feedback.faults.map((fault) => (fault.detail ? `${fault.name}: ${fault.detail}` : fault.name)),
    feedback.reps > 0 && `${plural(feedback.reps, "repetition", "repetitions")} ended in this window`,
    feedback.tempo > 0 && `${feedback.tempo.toFixed(1)} s per repetition`,
    feedback.symmetry !== null && `Symmetry: ${Math.round(feedback.symmetry * 100)} %`,
    ...angles,
  ].filter(Boolean);
}

/** The control beside a verdict. `onFrame(position 0…1)` shows a frame in the replay. */
export const whyVerdict = (feedback, onFrame) =>
  why("verdict", "the grade and the advice", () => {
    const facts = measured(feedback);
    return [
      frames(feedback, onFrame),
      facts.length
        ? h("ul", { class: "facts small" }, facts.map((fact) => h("li", {}, h("bdi", {}, fact))))
        : h("p", { class: "small muted" }, "Nothing was measured in this window."),
      provenanceView(feedback.provenance),
    ];
  });
