// The only place that knows the server's field names for the form coach.
import { clamp, list, num, text } from "/assets/shared/format.js";

const joint = (raw) => ({ joint: text(raw?.joint), low: num(raw?.degrees_min), high: num(raw?.degrees_max) });

/** Frames of 33 points `[x, y, visibility]`; a frame that is not whole is left out. */
const frame = (raw) => list(raw).map((point) => [num(point?.[0]), num(point?.[1]), num(point?.[2], 1)]);

/** One window's feedback. */
export function adaptFeedback(raw) {
  const start = num(raw?.window?.start);
  return {
    start,
    end: num(raw?.window?.end, start + 3000),
    exercise: text(raw?.exercise),
    grade: clamp(num(raw?.grade), 0, 10),
    sentence: text(raw?.sentence),
    reps: num(raw?.repetitions),
    sessionReps: num(raw?.session_repetitions),
    rom: list(raw?.range_of_motion).map(joint),
    tempo: num(raw?.tempo_s),
    symmetry: typeof raw?.symmetry === "number" ? clamp(raw.symmetry, 0, 1) : null,
    faults: list(raw?.faults)
      .map((fault) => text(fault))
      .filter(Boolean),
    frames: list(raw?.frames)
      .map(frame)
      .filter((points) => points.length === 33),
    progress: list(raw?.progress).map((point) => ({ at: num(point?.at), grade: clamp(num(point?.grade), 0, 10) })),
    analyst: text(raw?.analyst),
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
