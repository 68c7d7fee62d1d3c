// The pages' line icons, drawn on a 24-unit grid.
import { s } from "./dom.js";

const PATHS = {
  alert: ["M12 4 2.8 19.5h18.4z", "M12 10v4.5", "M12 17.2v.1"],
  bolt: ["M13 3 5 13.5h6L10.5 21 19 10h-6.2z"],
  camera: ["M3.5 7.5h11v9.5h-11z", "M14.5 11l6-3.2v8.9l-6-3.2z"],
  chatOff: ["M4 5.5h16v11h-9l-4.5 3.5v-3.5H4z", "M3 3l18 18"],
  check: ["M5 12.5l4.5 4.5L19 7.5"],
  clip: ["M4 7.5h16v12H4z", "M4 11.5h16", "M7.5 7.5l2-4", "M13 7.5l2-4"],
  copy: ["M9 9h10.5v10.5H9z", "M15 9V4.5H4.5V15H9"],
  down: ["M12 5v14", "M6 13l6 6 6-6"],
  expand: ["M4 9V4h5", "M15 4h5v5", "M20 15v5h-5", "M9 20H4v-5"],
  flat: ["M5 12h14"],
  lock: ["M5.5 11h13v9h-13z", "M8.5 11V8a3.5 3.5 0 0 1 7 0v3"],
  micOff: ["M9 9V6.5a3 3 0 0 1 6 0V12", "M6 12a6 6 0 0 0 9.6 4.8", "M12 18v3", "M3 3l18 18"],
  moon: ["M19.5 14.5A8 8 0 0 1 9.5 4.5a8 8 0 1 0 10 10z"],
  pause: ["M8 5v14", "M16 5v14"],
  play: ["M7.5 4.5 19 12 7.5 19.5z"],
  speaker: ["M4 9.5h4l5-4.5v14l-5-4.5H4z", "M16.5 9a4 4 0 0 1 0 6", "M19 6.5a8 8 0 0 1 0 11"],
  stop: ["M6.5 6.5h11v11h-11z"],
  sun: [
    "M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8z",
    "M12 2.5v2",
    "M12 19.5v2",
    "M2.5 12h2",
    "M19.5 12h2",
    "M5.3 5.3l1.4 1.4",
    "M17.3 17.3l1.4 1.4",
    "M5.3 18.7l1.4-1.4",
    "M17.3 6.7l1.4-1.4",
  ],
  up: ["M12 19V5", "M6 11l6-6 6 6"],
  wheel: [
    "M12 3a7 7 0 1 0 0 14 7 7 0 0 0 0-14z",
    "M12 3v14",
    "M5 10h14",
    "M7 5l10 10",
    "M17 5 7 15",
    "M2 20.5c2.5-2 4.5-2 6.7 0s4.300 2 6.600 0 4.400-2 6.700 0",
  ],
};

/** An icon by name; decorative, so the text beside it must say the same. */
export function icon(name) {
  const props = {
    viewBox: "0 0 24 24",
    fill: "none",
    stroke: "currentColor",
    "stroke-width": 1.8,
    "stroke-linecap": "round",
    "stroke-linejoin": "round",
    "aria-hidden": "true",
    width: 18,
    height: 18,
  };
  return s(
    "svg",
    props,
    PATHS[name].map((d) => s("path", { d })),
  );
}
