// The camera: finds 33 body points in the browser and sends them five times a second; the picture stays here.
import { ServerClock } from "/assets/shared/clock.js";
import { headers } from "/assets/shared/shell.js";
import { PARTS } from "./body.js";
import { colours, drawBody, prepare } from "./skeleton.js";
import { toFrame, toPoints } from "./wire.js";

const MODEL = "/mediapipe/pose/";
const SEND_EVERY_MS = 200;
// If a picture takes longer than this, the browser uses the smaller model: five frames a second are more important.
const SLOW_MS = 160;
const TRIAL = 8;
// Half a minute of sent frames is kept for the replay, because a model may take that long to answer.
const KEPT = 150;
const FULL = 1;
const LITE = 0;

/** The reason why the camera cannot start, as a text for the athlete. */
export class CameraError extends Error {}

const REASONS = {
  NotAllowedError: "The browser was not allowed to use the camera. Allow it in the address bar and start again.",
  NotFoundError: "No camera was found. Connect one and start again.",
  NotReadableError: "Another program is using the camera. Close it there and start again.",
};

/**
 * Whether this browser draws with the CPU. The model then runs on the CPU directly, because it would take ten times as
 * long through WebGL.
 */
function drawsInSoftware() {
  const context = document.createElement("canvas").getContext("webgl2");
  const names = context?.getExtension("WEBGL_debug_renderer_info");
  const renderer = context?.getParameter(names ? names.UNMASKED_RENDERER_WEBGL : context.RENDERER);
  context?.getExtension("WEBGL_lose_context")?.loseContext();
  return /swiftshader|llvmpipe|softpipe|software|basic render/i.test(renderer ?? "");
}

async function loadModel() {
  const address = `${MODEL}pose.js`;
  const answer = await fetch(address, { method: "HEAD" }).catch(() => null);
  if (!answer?.ok)
    throw new CameraError(
      "The body model is not installed on this server, so the camera cannot be used. Replays work without it. To install it there, run make pose-model and start the server again.",
    );
  if (!globalThis.Pose) {
    await new Promise((resolve, reject) => {
      const script = document.createElement("script");
      script.src = address;
      script.onload = resolve;
      script.onerror = () =>
        reject(new CameraError("The body model could not be loaded. Reload the page to try again."));
      document.head.append(script);
    });
  }
  const pose = new globalThis.Pose({ locateFile: (file) => MODEL + file });
  pose.setOptions({
    modelComplexity: FULL,
    useCpuInference: drawsInSoftware(),
    smoothLandmarks: true,
    minDetectionConfidence: 0.5,
    minTrackingConfidence: 0.5,
  });
  await pose.initialize();
  return pose;
}

async function openCamera() {
  if (!navigator.mediaDevices?.getUserMedia)
    throw new CameraError("Browsers give the camera only to pages served over HTTPS or from this machine itself.");
  try {
    return await navigator.mediaDevices.getUserMedia({
      audio: false,
      video: { facingMode: "user", width: { ideal: 640 }, height: { ideal: 480 } },
    });
  } catch (error) {
    throw new CameraError(REASONS[error.name] ?? `The camera did not start (${error.name}).`);
  }
}

export class Camera {
  #pose = null;
  #run = 0;
  #stream = null;
  #due = 0;
  #times = [];
  #recent = [];
  #sending = false;
  #clock = new ServerClock();

  /** `onCount({ sent, body, failed })` runs after each picture: frames sent, body seen or not, sending failed or not. */
  constructor({ video, canvas, user, exercise, onCount, onEnd }) {
    Object.assign(this, { video, canvas, user, exercise, onCount, onEnd, sent: 0, failed: false });
  }

  get running() {
    return this.#stream !== null;
  }

  async start() {
    const run = ++this.#run;
    this.#pose ??= await loadModel();
    if (run !== this.#run) return;
    const stream = await openCamera();
    if (run !== this.#run) return stream.getTracks().forEach((track) => track.stop());
    this.#stream = stream;
    stream.getVideoTracks()[0].addEventListener("ended", () => this.stop());
    this.video.srcObject = stream;
    await this.video.play();
    this.#pose.onResults((results) => this.#result(results));
    await this.#clock.measure();
    if (run !== this.#run) return;
    void this.#loop(run);
  }

  stop() {
    this.#run += 1;
    this.#stream?.getTracks().forEach((track) => track.stop());
    this.#stream = null;
    this.video.srcObject = null;
    prepare(this.canvas);
    this.onEnd();
  }

  #keep(frame) {
    this.sent += 1;
    this.#recent = [...this.#recent.slice(1 - KEPT), frame];
  }

  /** The frames that were sent in an interval, for the replay. */
  framesBetween(start, end) {
    const sent = this.#recent.filter((frame) => frame.timestamp >= start && frame.timestamp < end);
    return sent.map(toPoints);
  }

  async #loop(run) {
    while (run === this.#run) {
      const begun = performance.now();
      this.capturedAt = this.#clock.now();
      try {
        if (this.video.videoWidth) await this.#pose.send({ image: this.video });
        this.#judgePace(performance.now() - begun);
      } catch (error) {
        console.error("Pose estimation stopped:", error);
        return this.stop();
      }
      // Waits for the next picture. A hidden page gets no pictures.
      await new Promise((resolve) => requestAnimationFrame(resolve));
    }
  }

  /** Chooses the smaller model for a slow browser. The first picture does not count, because it starts the model. */
  #judgePace(took) {
    if (this.#times.length > TRIAL || this.#times.push(took) <= TRIAL) return;
    const middle = this.#times.slice(1).sort((a, b) => a - b)[TRIAL >> 1];
    if (middle > SLOW_MS) this.#pose.setOptions({ modelComplexity: LITE });
  }

  #result({ poseLandmarks: landmarks }) {
    if (!this.running) return;
    const { context, width, height } = prepare(this.canvas);
    if (landmarks?.length === PARTS.length) {
      this.#draw(context, landmarks, width, height);
      void this.#send(landmarks);
    }
    this.onCount({ sent: this.sent, body: Boolean(landmarks), failed: this.failed });
  }

  /** Draws the points over the picture, which `object-fit: contain` has placed. */
  #draw(context, landmarks, width, height) {
    const scale = Math.min(width / this.video.videoWidth, height / this.video.videoHeight);
    const [w, h] = [this.video.videoWidth * scale, this.video.videoHeight * scale];
    const place = ([x, y, seen]) => [x * w + (width - w) / 2, y * h + (height - h) / 2, seen];
    drawBody(
      context,
      landmarks.map(({ x, y, visibility }) => [x, y, visibility ?? 0]),
      place,
      colours(this.canvas.parentElement),
      { weight: 0.8 },
    );
  }

  async #send(landmarks) {
    if (this.#sending || this.capturedAt < this.#due) return;
    this.#sending = true;
    // The next frame is due at a fixed interval, so the delays of single frames do not add up.
    this.#due = Math.max(this.#due + SEND_EVERY_MS, this.capturedAt + SEND_EVERY_MS / 2);
    const frame = toFrame({
      user: this.user,
      timestamp: this.capturedAt,
      exercise: this.exercise(),
      landmarks,
      width: this.video.videoWidth,
      height: this.video.videoHeight,
    });
    try {
      const answer = await fetch("/v1/pose", {
        method: "POST",
        headers: headers({ "Content-Type": "application/json" }),
        body: JSON.stringify(frame),
        signal: AbortSignal.timeout(3000),
      });
      this.failed = !answer.ok;
      if (answer.ok) this.#keep(frame);
      void this.#clock.measure();
    } catch {
      // The frame is lost. The window still gets the next frames.
      this.failed = true;
    } finally {
      this.#sending = false;
    }
  }
}
