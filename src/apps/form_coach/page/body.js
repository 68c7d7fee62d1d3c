// The 33 points of a body, their names and the bones between them, in MediaPipe's order.

export const PARTS = [
  "nose",
  "left_eye_inner",
  "left_eye",
  "left_eye_outer",
  "right_eye_inner",
  "right_eye",
  "right_eye_outer",
  "left_ear",
  "right_ear",
  "mouth_left",
  "mouth_right",
  "left_shoulder",
  "right_shoulder",
  "left_elbow",
  "right_elbow",
  "left_wrist",
  "right_wrist",
  "left_pinky",
  "right_pinky",
  "left_index",
  "right_index",
  "left_thumb",
  "right_thumb",
  "left_hip",
  "right_hip",
  "left_knee",
  "right_knee",
  "left_ankle",
  "right_ankle",
  "left_heel",
  "right_heel",
  "left_foot_index",
  "right_foot_index",
];

const LEFT = [
  [11, 13],
  [13, 15],
  [15, 19],
  [11, 23],
  [23, 25],
  [25, 27],
  [27, 29],
  [29, 31],
  [27, 31],
];
const onRight = (index) => index + 1;

/** Bones as `[from, to, side]`. */
export const BONES = [
  [11, 12, "middle"],
  [23, 24, "middle"],
  ...LEFT.map(([from, to]) => [from, to, "left"]),
  ...LEFT.map(([from, to]) => [onRight(from), onRight(to), "right"]),
];

/** The points that are drawn as dots. The face and the fingers have no dots. */
export const JOINTS = [11, 12, 13, 14, 15, 16, 23, 24, 25, 26, 27, 28, 31, 32];

const WORDS = {
  shoulder: [11, 12],
  elbow: [13, 14],
  wrist: [15, 16],
  hip: [23, 24],
  knee: [25, 26],
  ankle: [27, 28],
  heel: [29, 30],
  chest: [11, 12],
  back: [11, 12, 23, 24],
  torso: [11, 12, 23, 24],
  leaning: [11, 12],
  "bent body": [23, 24],
  swinging: [23, 24],
};

/** The joints that a list of faults names. "left knee drifts" means only the left knee. */
export function faultJoints(faults) {
  const found = new Set();
  for (const fault of faults.map((one) => `${one.name} ${one.detail}`.toLowerCase())) {
    for (const [word, points] of Object.entries(WORDS)) {
      if (!fault.includes(word)) continue;
      const side = fault.includes("left") ? 1 : fault.includes("right") ? 0 : null;
      points.filter((point) => side === null || point % 2 === side).forEach((point) => found.add(point));
    }
  }
  return found;
}
