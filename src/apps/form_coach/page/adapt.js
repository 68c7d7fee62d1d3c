// The only place that knows the server's field names for the form coach.
import { clamp, label, list, num, text } from "/assets/shared/format.js";
import { adaptProvenance } from "/assets/shared/why.js";
import { PARTS } from "./body.js";

/** The value of the first of these fields that exists. */
const first = (raw, ...names) =>
  names.map((name) => raw?.[name]).find((value) => value !== undefined && value !== null);

const joint = (raw) => ({
  joint: text(raw?.joint),
  low: num(first(raw, "degrees_min", "min_deg")),
  high: num(first(raw, "degrees_max", "max_deg")),
});

/** A frame of 33 points `[x, y, visibility]`. */
const frame = (raw) => list(raw).map((point) => [num(point?.[0]), num(point?.[1]), num(point?.[2], 1)]);

/** A frame from named points. A missing part counts as out of sight. */
function named(points) {
  const known = new Map(
    list(points).map((point) => [point?.part, [num(point?.x), num(point?.y), num(point?.visibility, 1)]]),
  );
  return known.size ? [PARTS.map((part) => known.get(part) ?? [0, 0, 0])] : [];
}

/** Seconds per repetition. The server sends this number, or repetitions per minute. */
const tempoOf = (raw) => (typeof raw === "number" ? raw : num(raw?.per_minute) > 0 ? 60 / raw.per_minute : 0);

function symmetryOf(raw) {
  const score = typeof raw === "number" ? raw : raw?.score;
  return typeof score === "number" ? clamp(score, 0, 1) : null;
}

const fault = (raw) =>
  typeof raw === "string"
    ? { name: label(raw), detail: "" }
    : { name: label(text(raw?.kind)), detail: text(raw?.detail) };

/** The exercise's own name, where the server has no rules for it; otherwise the name of the rules. */
const exerciseOf = (raw) => (raw?.exercise === "other" && text(raw?.exercise_name)) || text(raw?.exercise);

/** An exercise that ended in the window, with the repetitions of its whole session. */
const ended = (raw) => ({
  exercise: exerciseOf(raw),
  sessionReps: num(raw?.session_repetitions),
  grade: typeof raw?.grade === "number" ? clamp(raw.grade, 0, 10) : null,
});

/** One window's feedback. If `grade` is null, there is nothing to judge, and `phase` gives the reason. */
export function adaptFeedback(raw) {
  const start = num(raw?.window?.start ?? raw?.window_start_ms);
  const frames = list(raw?.frames)
    .map(frame)
    .filter((points) => points.length === PARTS.length);
  return {
    start,
    end: num(raw?.window?.end ?? raw?.window_end_ms, start + 3000),
    exercise: exerciseOf(raw),
    obstacle: text(raw?.obstacle),
    phase: text(raw?.phase, "working"),
    grade: typeof raw?.grade === "number" ? clamp(raw.grade, 0, 10) : null,
    sentence: text(raw?.sentence),
    reps: Array.isArray(raw?.repetitions) ? raw.repetitions.length : num(raw?.repetitions),
    sessionReps: num(raw?.session_repetitions),
    rom: list(first(raw, "range_of_motion", "joints")).map(joint),
    tempo: tempoOf(first(raw, "tempo_s", "tempo")),
    symmetry: symmetryOf(raw?.symmetry),
    faults: list(raw?.faults)
      .map(fault)
      .filter((one) => one.name),
    frames: frames.length ? frames : named(raw?.skeleton),
    progress: list(raw?.progress).map((point) => ({ at: num(point?.at), grade: clamp(num(point?.grade), 0, 10) })),
    earlier: list(raw?.earlier).map(ended),
    analyst: text(raw?.analyst),
    provenance: adaptProvenance(raw?.provenance),
  };
}

/** The body of PUT /v1/users/{id}/profile. */
export const profileBody = ({ height, injuries, level }) => ({
  height_cm: Number.isFinite(height) && height > 0 ? height : null,
  injuries: injuries
    .split(/[\n,;]/)
    .map((injury) => injury.trim())
    .filter(Boolean),
  level,
});
