// Small charts that several cards share.
import { s } from "./dom.js";
import { clamp } from "./format.js";

/** Points of a line through `values` in a box of `width` × `height`, `low` at the bottom. */
export function linePoints(values, width, height, low, high) {
  const span = high - low || 1;
  const step = values.length > 1 ? width / (values.length - 1) : 0;
  return values.map((value, index) => [index * step, height - clamp((value - low) / span, 0, 1) * height]);
}

export const path = (points) =>
  points.map(([x, y], index) => `${index ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`).join("");

/** A word-sized line of the last values, with a dot on the newest. Decorative: the number stands beside it. */
export function sparkline(values, { low = Math.min(...values), high = Math.max(...values) } = {}) {
  const width = 96;
  const height = 28;
  const svg = s("svg", {
    class: "spark",
    viewBox: `-3 -4 ${width + 6} ${height + 8}`,
    width: width + 6,
    height: height + 8,
    "aria-hidden": "true",
  });
  if (values.length < 2) return svg;
  // A flat line runs through the middle, not along the floor.
  const points =
    high > low ? linePoints(values, width, height, low, high) : linePoints(values, width, height, low - 1, low + 1);
  const [x, y] = points.at(-1);
  svg.append(
    s("path", { d: `${path(points)}L${width} ${height}L0 ${height}Z`, fill: "currentColor", opacity: 0.09 }),
    s("path", {
      d: path(points),
      fill: "none",
      stroke: "currentColor",
      "stroke-width": 1.6,
      "stroke-linejoin": "round",
      "stroke-linecap": "round",
    }),
    s("circle", { cx: x, cy: y, r: 2.6, fill: "currentColor" }),
  );
  return svg;
}

/** An arc of a circle from `from` to `to` degrees, clockwise, 0° at the top. */
export function arc(cx, cy, r, from, to) {
  const at = (degrees) => {
    const radians = ((degrees - 90) * Math.PI) / 180;
    return `${(cx + r * Math.cos(radians)).toFixed(2)} ${(cy + r * Math.sin(radians)).toFixed(2)}`;
  };
  return `M${at(from)}A${r} ${r} 0 ${to - from > 180 ? 1 : 0} 1 ${at(to)}`;
}
