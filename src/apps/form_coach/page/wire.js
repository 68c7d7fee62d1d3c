// The format of a sent picture: 33 named points.
import { PARTS } from "./body.js";

/**
 * Landmarks in the server's format. MediaPipe gives x in picture widths and y in picture heights. The server needs all
 * three axes in picture heights, so that angles are right for every aspect ratio.
 */
export function toWire(landmarks, aspect) {
  const round = (value) => Math.round(value * 10_000) / 10_000;
  return landmarks.map(({ x, y, z, visibility }, index) => ({
    part: PARTS[index],
    x: round(x * aspect),
    y: round(y),
    z: round((z ?? 0) * aspect),
    visibility: round(visibility ?? 0),
  }));
}
