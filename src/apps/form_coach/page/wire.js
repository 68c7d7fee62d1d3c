// The format of a sent picture: its shape and 33 named points.
import { PARTS } from "./body.js";

const round = (value) => Math.round(value * 10_000) / 10_000;

/**
 * A frame in the server's format. MediaPipe gives x in picture widths and y in picture heights; the ratio of both makes
 * angles right. The camera's picture is not mirrored: the page mirrors only what it shows.
 */
export const toFrame = ({ user, timestamp, exercise, landmarks, width, height }) => ({
  user_id: user,
  timestamp,
  exercise,
  aspect_ratio: round(width / height),
  mirrored: false,
  landmarks: landmarks.map(({ x, y, z, visibility }, index) => ({
    part: PARTS[index],
    x: round(x),
    y: round(y),
    z: round(z ?? 0),
    visibility: round(visibility ?? 0),
  })),
});

/** The points `[x, y, visibility]` of a frame for the replay, which needs equal scales. */
export const toPoints = ({ aspect_ratio: ratio, landmarks }) =>
  landmarks.map(({ x, y, visibility }) => [x * ratio, y, visibility]);
