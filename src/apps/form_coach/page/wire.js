// What the page sends for a picture: 33 named points.
import { PARTS } from "./body.js";

/**
 * Landmarks as the server takes them. MediaPipe gives x in picture widths and y in picture heights; here all three
 * axes are in picture heights, so that angles come out right whatever the camera's shape.
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
