// Plays the frames of the last window in a loop, at the speed of the movement.
import { clamp } from "/assets/shared/format.js";
import { faultJoints } from "./body.js";
import { colours, drawBody, fit, prepare } from "./skeleton.js";

const REST_MS = 450;

export class Replay {
  #frames = [];
  #length = 3000;
  #faults = new Set();
  #at = 0;
  #last = null;
  #paint = null;
  shown = true;

  /** `onMove(position 0…1)` follows the playback, for the slider. */
  constructor(canvas, onMove) {
    this.canvas = canvas;
    this.onMove = onMove;
    // If the user prefers reduced motion, the replay does not start by itself.
    this.playing = !matchMedia("(prefers-reduced-motion: reduce)").matches;
    addEventListener("themechange", () => {
      this.#paint = null;
      this.draw();
    });
    new ResizeObserver(() => this.draw()).observe(canvas);
    requestAnimationFrame((now) => this.#tick(now));
  }

  get empty() {
    return this.#frames.length === 0;
  }

  load(feedback) {
    this.#frames = feedback.frames;
    this.#length = Math.max(500, feedback.end - feedback.start);
    this.#faults = faultJoints(feedback.faults);
    // A paused replay shows the middle of the movement, which is more useful than its start.
    this.#at = this.playing ? 0 : this.#length / 2;
    this.draw();
  }

  seek(position) {
    this.#at = position * this.#length;
    this.draw();
  }

  #tick(now) {
    const passed = this.#last === null ? 0 : Math.min(100, now - this.#last);
    this.#last = now;
    if (this.playing && this.shown && !this.empty) {
      this.#at = (this.#at + passed) % (this.#length + REST_MS);
      this.draw();
    }
    requestAnimationFrame((next) => this.#tick(next));
  }

  /** The pose between two frames. It makes five frames a second move smoothly. */
  #pose() {
    const place = clamp(this.#at / this.#length, 0, 1) * (this.#frames.length - 1);
    const [before, after] = [this.#frames[Math.floor(place)], this.#frames[Math.ceil(place)]];
    const part = place - Math.floor(place);
    return before.map((point, index) => point.map((value, axis) => value + (after[index][axis] - value) * part));
  }

  draw() {
    if (!this.shown || this.canvas.clientWidth === 0) return;
    const { context, width, height } = prepare(this.canvas);
    if (this.empty) return;
    this.#paint ??= colours(this.canvas.parentElement);
    // The caption takes its space from the picture, so it never hides the feet.
    const caption = this.canvas.parentElement.querySelector(".caption")?.offsetHeight ?? 0;
    const place = fit(this.#frames, width, height - caption * 0.7);
    this.#ground(context, place, width);
    const deepest = this.#frames[Math.floor(this.#frames.length / 2)];
    for (const ghost of [this.#frames[0], deepest])
      drawBody(context, ghost, place, this.#paint, { ghost: true, alpha: 0.13, weight: 0.8 });
    drawBody(context, this.#pose(), place, this.#paint, { faults: this.#faults });
    this.onMove(clamp(this.#at / this.#length, 0, 1));
  }

  #ground(context, place, width) {
    const floor = Math.max(
      ...this.#frames.flatMap((frame) =>
        frame
          .slice(27)
          .filter(([, , seen]) => seen > 0.35)
          .map((point) => place(point)[1]),
      ),
    );
    if (!Number.isFinite(floor)) return;
    context.strokeStyle = this.#paint.line;
    context.lineWidth = 2;
    context.beginPath();
    context.moveTo(width * 0.12, floor + 9);
    context.lineTo(width * 0.88, floor + 9);
    context.stroke();
  }
}
