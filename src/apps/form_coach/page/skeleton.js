// Draws a skeleton on a canvas: over the camera's picture, or fitted to the stage for the replay.
import { BONES, JOINTS } from "./body.js";

const SEEN = 0.35;

/** The theme's colours as resolved values, because a canvas does not support custom properties. */
export function colours(element) {
  const probe = document.createElement("i");
  element.append(probe);
  const read = (name) => {
    probe.style.color = `var(${name})`;
    return getComputedStyle(probe).color;
  };
  const found = {
    left: read("--side-left"),
    right: read("--side-right"),
    middle: read("--muted"),
    fault: read("--coral"),
    line: read("--line"),
    surface: read("--stage"),
  };
  probe.remove();
  return found;
}

/** Sizes the canvas to its box in device pixels and returns a context that takes CSS pixels. */
export function prepare(canvas) {
  const ratio = Math.min(3, devicePixelRatio || 1);
  const width = canvas.clientWidth;
  const height = canvas.clientHeight;
  if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
  }
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  return { context, width, height };
}

/** A mapping that fits every visible point of these frames into the box, with one scale for both axes. */
export function fit(frames, width, height) {
  const seen = frames.flat().filter(([, , visibility]) => visibility >= SEEN);
  const xs = seen.map(([x]) => x);
  const ys = seen.map(([, y]) => y);
  const [left, right, top, bottom] = [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)];
  const scale = Math.min((width * 0.8) / (right - left || 1), (height * 0.78) / (bottom - top || 1));
  const x0 = width / 2 - ((left + right) / 2) * scale;
  const y0 = height * 0.5 - ((top + bottom) / 2) * scale;
  return ([x, y, visibility]) => [x * scale + x0, y * scale + y0, visibility];
}

/** Draws one body; `place` turns a landmark into canvas coordinates. */
export function drawBody(
  context,
  points,
  place,
  paint,
  { faults = new Set(), weight = 1, alpha = 1, ghost = false } = {},
) {
  const at = points.map(place);
  const body = Math.hypot(at[11][0] - at[24][0], at[11][1] - at[24][1]) || 80;
  const bone = Math.max(3, Math.min(11, body * 0.062)) * weight;
  context.lineCap = "round";
  context.lineJoin = "round";
  for (const [from, to, side] of BONES) {
    const visibility = Math.min(at[from][2], at[to][2]);
    if (visibility < SEEN) continue;
    context.globalAlpha = alpha * (0.35 + 0.65 * visibility);
    context.strokeStyle = ghost ? paint.middle : paint[side];
    context.lineWidth = bone;
    context.beginPath();
    context.moveTo(at[from][0], at[from][1]);
    context.lineTo(at[to][0], at[to][1]);
    context.stroke();
  }
  if (at[0][2] >= SEEN) {
    const [x, y] = [(at[7][0] + at[8][0]) / 2, (at[7][1] + at[8][1]) / 2];
    context.globalAlpha = alpha;
    context.strokeStyle = paint.middle;
    context.lineWidth = bone * 0.8;
    context.beginPath();
    context.arc(x, y, body * 0.2, 0, Math.PI * 2);
    context.stroke();
  }
  if (!ghost) {
    for (const joint of JOINTS) {
      if (at[joint][2] < SEEN) continue;
      const wrong = faults.has(joint);
      context.globalAlpha = alpha;
      context.fillStyle = wrong ? paint.fault : paint.surface;
      context.strokeStyle = wrong ? paint.fault : joint % 2 ? paint.left : paint.right;
      context.lineWidth = bone * 0.45;
      context.beginPath();
      context.arc(at[joint][0], at[joint][1], wrong ? bone * 1.05 : bone * 0.62, 0, Math.PI * 2);
      context.fill();
      context.stroke();
      if (!wrong) continue;
      context.globalAlpha = alpha * 0.4;
      context.beginPath();
      context.arc(at[joint][0], at[joint][1], bone * 2, 0, Math.PI * 2);
      context.stroke();
    }
  }
  context.globalAlpha = 1;
}
