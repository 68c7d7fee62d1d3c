// The stage: replay or camera, its buttons, and full screen.
import { $, empty, h, setText } from "/assets/shared/dom.js";
import { count } from "/assets/shared/format.js";
import { icon } from "/assets/shared/icons.js";
import { Camera, CameraError } from "./camera.js";
import { Replay } from "./replay.js";
import { prepare } from "./skeleton.js";

const EXERCISE = "tidemill.exercise";

export class Stage {
  #mode = "replay";
  #trouble = "";
  #starting = false;

  constructor(user) {
    this.replay = new Replay($("canvas"), (position) => ($("scrub").value = String(Math.round(position * 1000))));
    this.camera = new Camera({
      video: $("video"),
      canvas: $("canvas"),
      user,
      exercise: () => $("exercise").value,
      onCount: (state) => this.#count(state),
      onEnd: () => this.draw(),
    });
    this.#listen();
    this.draw();
  }

  /** Shows a window's feedback: its frames and the caption over the picture. */
  show(feedback) {
    this.replay.load(feedback);
    const [grade, sentence] = $("caption").children;
    setText(grade, feedback.grade?.toFixed(1) ?? "–");
    setText(sentence, feedback.sentence);
    $("caption").dataset.ready = "true";
    this.draw();
  }

  /** Stops the replay at a position from 0 to 1. The camera's picture is not replaced. */
  seek(position) {
    if (this.#mode !== "replay") return;
    this.replay.playing = false;
    this.replay.seek(position);
    this.draw();
  }

  #listen() {
    $("full").append(icon("expand"));
    $("lock").append(icon("lock"));
    $("show-replay").addEventListener("click", () => this.#switch("replay"));
    $("show-camera").addEventListener("click", () => this.#switch("camera"));
    $("play").addEventListener("click", () => {
      this.replay.playing = !this.replay.playing;
      this.draw();
    });
    $("scrub").addEventListener("input", (event) => this.seek(event.target.valueAsNumber / 1000));
    $("camera").addEventListener("click", () => (this.camera.running ? this.camera.stop() : this.#start()));
    $("full").hidden = !document.fullscreenEnabled;
    $("full").addEventListener("click", () =>
      document.fullscreenElement ? document.exitFullscreen() : document.querySelector(".stage").requestFullscreen(),
    );
    const known = localStorage.getItem(EXERCISE);
    if ([...$("exercise").options].some((option) => option.value === known)) $("exercise").value = known;
    $("exercise").addEventListener("change", (event) => localStorage.setItem(EXERCISE, event.target.value));
  }

  #switch(mode) {
    if (mode === "replay" && this.camera.running) this.camera.stop();
    this.#mode = mode;
    this.#trouble = "";
    this.draw();
  }

  async #start() {
    this.#trouble = "";
    this.#starting = true;
    this.draw();
    try {
      await this.camera.start();
    } catch (error) {
      this.#trouble =
        error instanceof CameraError
          ? error.message
          : "The body model did not start. This browser may lack WebGL; replays work without it.";
      if (!(error instanceof CameraError)) console.warn(error);
    }
    this.#starting = false;
    this.draw();
  }

  #count({ sent, body, failed }) {
    const words = failed
      ? "The server does not answer; frames are being lost."
      : body
        ? `${count(sent)} frames sent`
        : "Step back until your whole body is in the picture.";
    // The count is not announced, because it changes all the time. Other messages are announced.
    $("sent").setAttribute("aria-live", body && !failed ? "off" : "polite");
    setText($("sent"), words);
    setText($("stage-note"), "");
  }

  #placeholder() {
    if (this.#mode === "replay")
      return this.replay.empty
        ? empty(
            "No movement yet",
            "Start the camera, or send pose frames to this athlete's id; the last movement plays here.",
          )
        : null;
    if (this.#trouble) return h("div", { role: "alert" }, empty("The camera is off", this.#trouble));
    if (this.#starting)
      return empty(
        "Starting the camera",
        "The body model loads once, about 16 MB; then it stays in the browser's cache.",
      );
    return this.camera.running
      ? null
      : empty("The camera is off", "Place it so that your whole body is in the picture, two to three metres away.");
  }

  draw() {
    const camera = this.#mode === "camera";
    const live = camera && this.camera.running;
    this.replay.shown = !camera;
    $("show-replay").setAttribute("aria-pressed", String(!camera));
    $("show-camera").setAttribute("aria-pressed", String(camera));
    $("replay-tools").hidden = camera || this.replay.empty;
    $("camera-tools").hidden = !camera;
    $("video").hidden = !live;
    $("screen").dataset.mirror = String(live);
    $("caption").hidden = !((live || document.fullscreenElement) && $("caption").dataset.ready);
    $("play").replaceChildren(icon(this.replay.playing ? "pause" : "play"));
    $("play").setAttribute("aria-label", this.replay.playing ? "Pause the replay" : "Play the replay");
    $("camera").replaceChildren(
      icon(this.camera.running ? "stop" : "camera"),
      this.camera.running ? "Stop camera" : this.#starting ? "Starting…" : "Start camera",
    );
    $("camera").disabled = this.#starting;
    if (!this.camera.running) setText($("sent"), "");
    const placeholder = this.#placeholder();
    $("screen-empty").hidden = placeholder === null;
    if (placeholder) $("screen-empty").replaceChildren(placeholder);
    if (camera && !live) prepare($("canvas"));
    this.replay.draw();
  }
}
