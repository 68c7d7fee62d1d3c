// The measures of a movement: repetitions, tempo, ranges of joints, symmetry, and progress.
import { empty, h, s } from "/assets/shared/dom.js";
import { count, exerciseName, label, plural, timeOfDaySeconds } from "/assets/shared/format.js";
import { linePoints, path } from "/assets/shared/chart.js";

const figure = (name, value, unit, note) =>
  h(
    "div",
    { class: "figure" },
    h("dt", { class: "eyebrow" }, name),
    h(
      "dd",
      { data: value === "–" ? { none: "" } : {} },
      h("b", { class: "num" }, value),
      h("span", { class: "small muted" }, unit),
    ),
    h("dd", { class: "small muted" }, note),
  );

const pace = (tempo) => (tempo < 1.5 ? "Quick: move more slowly" : tempo > 5 ? "Slow and controlled" : "Controlled");

/** What is said of an exercise that ended while the window was open. */
const before = ({ exercise, sessionReps }) =>
  `${exerciseName(exercise)} before: ${plural(sessionReps, "repetition", "repetitions")}`;

/** `feedback` is the shown movement; `newest` has the session's count, and the exercises that ended before. */
export function drawNumbers(box, feedback, newest) {
  const seconds = feedback && Math.round((feedback.end - feedback.start) / 1000);
  const tempo = feedback?.tempo;
  box.replaceChildren(
    figure(
      "Repetitions",
      newest?.sessionReps ? count(newest.sessionReps) : "–",
      newest && !newest.sessionReps ? "none counted in this session yet" : "this session",
      newest?.earlier.length
        ? newest.earlier.map(before).join(", ")
        : feedback
          ? `${feedback.reps} in the last movement, ${seconds} s`
          : "",
    ),
    figure("Tempo", tempo ? tempo.toFixed(1) : "–", "s per repetition", tempo ? pace(tempo) : ""),
  );
}

/** Groups joints by name: `left_knee` and `right_knee` become one row. */
export function pairs(rom) {
  const rows = new Map();
  for (const one of rom) {
    const side = one.joint.startsWith("left_") ? "left" : one.joint.startsWith("right_") ? "right" : "middle";
    const name = one.joint.replace(/^(left|right)_/, "");
    rows.set(name, { ...rows.get(name), [side]: one });
  }
  return [...rows].map(([name, sides]) => ({ name, ...sides }));
}

const SIDES = ["left", "right", "middle"];

export function drawRom(box, rom) {
  if (rom.length === 0)
    return box.replaceChildren(empty("No joints measured yet", "Each joint's smallest and largest angle appear here."));
  const segment = (one, side) =>
    one &&
    h("i", {
      class: "rom-seg",
      data: { side },
      style: { left: `${(one.low / 180) * 100}%`, width: `${Math.max(1, ((one.high - one.low) / 180) * 100)}%` },
    });
  const words = (one, side) =>
    one &&
    h(
      "span",
      { class: "num", data: { side } },
      side === "middle" ? "" : h("span", { class: "sr" }, `${side} `),
      `${Math.round(one.low)}–${Math.round(one.high)}°`,
    );
  const rows = pairs(rom).map((row) =>
    h(
      "li",
      { class: "rom" },
      h("span", { class: "rom-name" }, label(row.name)),
      h(
        "span",
        { class: "rom-track", "aria-hidden": "true" },
        SIDES.map((side) => row[side] && h("span", {}, segment(row[side], side))),
      ),
      h(
        "span",
        { class: "rom-words small" },
        SIDES.map((side) => words(row[side], side)),
      ),
    ),
  );
  box.replaceChildren(
    h("ul", {}, rows),
    h(
      "div",
      { class: "rom-scale small muted", "aria-hidden": "true" },
      ["0°", "90°", "180°"].map((mark) => h("span", {}, mark)),
    ),
  );
}

export function drawSymmetry(box, feedback) {
  const rows = pairs(feedback?.rom ?? []).filter((row) => row.left && row.right);
  if (rows.length === 0)
    return box.replaceChildren(
      empty("Nothing to compare yet", "Left and right stand side by side here, as far as each joint moves."),
    );
  const span = (one) => one.high - one.low;
  const most = Math.max(1, ...rows.flatMap((row) => [span(row.left), span(row.right)]));
  const bar = (one, side) =>
    h("span", { class: "sy-half", data: { side } }, h("i", { style: { width: `${(span(one) / most) * 100}%` } }));
  box.replaceChildren(
    h(
      "ul",
      {},
      rows.map((row) =>
        h(
          "li",
          { class: "sy" },
          h(
            "span",
            { class: "small num" },
            h("span", { class: "sr" }, `${label(row.name)} left `),
            `${Math.round(span(row.left))}°`,
          ),
          bar(row.left, "left"),
          h("span", { class: "sy-name small" }, label(row.name)),
          bar(row.right, "right"),
          h("span", { class: "small num" }, h("span", { class: "sr" }, "right "), `${Math.round(span(row.right))}°`),
        ),
      ),
    ),
  );
}

export function drawProgress(box, progress) {
  if (progress.length < 2)
    return box.replaceChildren(
      empty("Your line starts here", "After two grades, a line shows whether your form improves."),
    );
  const [width, height] = [720, 150];
  const points = linePoints(
    progress.map((one) => one.grade),
    width,
    height,
    0,
    10,
  );
  const mean = progress.reduce((sum, one) => sum + one.grade, 0) / progress.length;
  const best = progress.reduce((top, one, index) => (one.grade > progress[top].grade ? index : top), 0);
  const at = (index) => ({
    style: { left: `${(points[index][0] / width) * 100}%`, top: `${(points[index][1] / height) * 100}%` },
  });
  const dot = (index, name) => h("i", { class: "pr-dot", ...at(index), data: { name } });
  const words = `Grades from ${progress[0].grade.toFixed(1)} to ${progress.at(-1).grade.toFixed(1)}; best ${progress[best].grade.toFixed(1)}, mean ${mean.toFixed(1)}, ${progress.length} movements.`;
  box.replaceChildren(
    h(
      "figure",
      { class: "pr", role: "img", "aria-label": words },
      h(
        "span",
        { class: "pr-axis small muted", "aria-hidden": "true" },
        ["10", "5", "0"].map((mark) => h("span", {}, mark)),
      ),
      h(
        "div",
        { class: "pr-plot" },
        s(
          "svg",
          { viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: "none", "aria-hidden": "true" },
          [0, 75, 150].map((y) => s("path", { d: `M0 ${y}H${width}`, class: "pr-grid" })),
          s("path", { d: `${path(points)}L${width} ${height}L0 ${height}Z`, class: "pr-area" }),
          s("path", { d: path(points), class: "pr-line" }),
        ),
        dot(best, "best"),
        dot(points.length - 1, "now"),
      ),
      h(
        "span",
        { class: "pr-time small muted", "aria-hidden": "true" },
        h("span", {}, timeOfDaySeconds(progress[0].at)),
        h("span", {}, timeOfDaySeconds(progress.at(-1).at)),
      ),
    ),
  );
}
