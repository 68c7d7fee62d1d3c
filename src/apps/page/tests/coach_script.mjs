// A training session as it might go: squats by a jointed figure, window by window.
import { provenance, seeded } from "./live_script.mjs";

const WINDOW = 3000;
const PARTS = 33;
const SCENES = [
  [6.2, "Push your knees out over your toes as you go down.", ["knees cave inward"], 0.81],
  [6.8, "Better: keep pushing the left knee out, it still drifts.", ["left knee drifts"], 0.85],
  [7.4, "Good depth. Keep your chest up when you start to rise.", ["chest drops"], 0.9],
  [8.3, "Clean repetition: hold this tempo.", [], 0.95],
  [8.9, "Strong and even. Two more like this one.", [], 0.97],
  [7.1, "You are getting quicker: take two seconds down.", ["tempo too fast"], 0.92],
  [5.4, "Your left hip sinks first; shorten the depth for a moment.", ["left hip drops", "heels lift"], 0.74],
  [7.8, "Level again. Breathe out on the way up.", [], 0.93],
];

/** A person of 1.75 m at squat depth 0…1, seen from the front at 35°, in picture heights. */
export function pose(depth, lean = 0) {
  const yaw = 0.6;
  const hipY = 0.95 - depth * 0.42;
  const hipZ = -depth * 0.28;
  const chest = { y: hipY + 0.47 * Math.cos(depth * 0.6), z: hipZ + 0.47 * Math.sin(depth * 0.6) };
  const points = Array.from({ length: PARTS }, () => [0, 0, 0]);
  const set = (index, x, y, z) => (points[index] = [x, y, z]);
  const head = { y: chest.y + 0.24, z: chest.z + 0.05 };
  set(0, 0, head.y, head.z + 0.12);
  [
    [1, 0.02],
    [2, 0.035],
    [3, 0.05],
    [4, -0.02],
    [5, -0.035],
    [6, -0.05],
  ].forEach(([index, x]) => set(index, x, head.y + 0.035, head.z + 0.1));
  set(7, 0.075, head.y + 0.01, head.z);
  set(8, -0.075, head.y + 0.01, head.z);
  set(9, 0.025, head.y - 0.045, head.z + 0.1);
  set(10, -0.025, head.y - 0.045, head.z + 0.1);
  for (const [side, sign] of [
    [0, 1],
    [1, -1],
  ]) {
    const sink = side === 0 ? lean : 0;
    const reach = 0.25 + depth * 0.25;
    const raise = depth * 0.1;
    set(11 + side, sign * 0.19, chest.y - sink, chest.z);
    set(13 + side, sign * 0.23, chest.y - 0.2 + raise - sink, chest.z + reach * 0.5);
    set(15 + side, sign * 0.1, chest.y - 0.13 + raise - sink, chest.z + reach);
    for (const index of [17, 19, 21])
      set(index + side, sign * 0.07, chest.y - 0.1 + raise - sink, chest.z + reach + 0.06);
    set(23 + side, sign * 0.12, hipY - sink, hipZ);
    set(25 + side, sign * (0.16 + depth * 0.06 - sink), 0.52 - depth * 0.04, 0.03 + depth * 0.24);
    set(27 + side, sign * 0.16, 0.09, 0);
    set(29 + side, sign * 0.16, 0.03, -0.05);
    set(31 + side, sign * 0.19, 0.02, 0.17);
  }
  return points.map(([x, y, z]) => {
    const turned = x * Math.cos(yaw) + z * Math.sin(yaw);
    return [Number((0.62 + turned * 0.48).toFixed(4)), Number((0.93 - y * 0.48).toFixed(4)), 0.97];
  });
}

/** The feedback for window `index`. */
export function feedback(id, base, index, progress) {
  const random = seeded(index * 104_729 + 5);
  const [about, sentence, faults, symmetry] = SCENES[index % SCENES.length];
  const grade = Math.round((about + (random() - 0.5) * 0.4) * 10) / 10;
  const start = base + index * WINDOW;
  const frames = Array.from({ length: 15 }, (_, frame) =>
    pose((1 - Math.cos((frame / 15) * 2 * Math.PI)) / 2, faults.length ? 0.02 : 0),
  );
  const joint = (name, low, high) => ({
    joint: name,
    degrees_min: Math.round(low + random() * 4),
    degrees_max: Math.round(high + random() * 4),
  });
  const loss = (1 - symmetry) * 60;
  progress.push({ at: start + WINDOW, grade });
  return {
    user_id: id,
    exercise: "squat",
    window: { start, end: start + WINDOW },
    grade,
    sentence,
    repetitions: 1,
    session_repetitions: index + 1,
    range_of_motion: [
      joint("left_knee", 74 + loss, 168),
      joint("right_knee", 72, 170),
      joint("left_hip", 62 + loss, 164),
      joint("right_hip", 60, 166),
      joint("left_elbow", 128, 161),
      joint("right_elbow", 126, 163),
      joint("torso", 8, 38),
    ],
    tempo_s: Math.round((2.7 + random() * 0.5) * 10) / 10,
    symmetry,
    faults,
    frames,
    progress: progress.slice(-200),
    analyst: "gemini-2.5-flash",
    provenance: provenance(index, "form-coach"),
  };
}
