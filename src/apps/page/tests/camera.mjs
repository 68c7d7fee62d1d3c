// The camera before the binary: footage plays, MediaPipe finds the body, its points become feedback on the page.
//
//   node src/apps/page/tests/camera.mjs FOOTAGE.mjpeg [FOLDER]     a picture of the page is kept in FOLDER
import assert from "node:assert/strict";
import { join } from "node:path";
import { complaints, openBrowser } from "./browser.mjs";
import { results, startServer } from "./server.mjs";

const [footage, pictures] = process.argv.slice(2);
assert.ok(footage, "footage for the fake camera is missing");
const LIMIT = 180_000;
const done = (name) => process.stdout.write(`ok  ${name}\n`);

// Windows that hold some frames even where a picture takes a second.
const server = await startServer(["form-coach", "--set", "coach.window=5s"], {
  env: { TIDEMILL_PAGES_MEDIAPIPE_DIR: process.env.TIDEMILL_PAGES_MEDIAPIPE_DIR },
});
const { context, page, close } = await openBrowser({
  viewport: { width: 1440, height: 960 },
  colorScheme: "dark",
  flags: [
    "--use-fake-ui-for-media-stream",
    "--use-fake-device-for-media-stream",
    `--use-file-for-fake-video-capture=${footage}`,
    "--use-gl=angle",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
  ],
});
const found = complaints(page, server.url);
const sent = [];
context.on("request", (request) => !["GET", "HEAD"].includes(request.method()) && sent.push(request));
const sockets = [];
page.on("websocket", (socket) => sockets.push(socket.url()));
const until = (condition, argument) => page.waitForFunction(condition, argument, { timeout: LIMIT });

await page.goto(`${server.url}/coach/ines`);
await page.click("#show-camera");
await page.selectOption("#exercise", "squat");
await page.click("#camera");
await until(() => /^\d+ frames sent$/.test(document.getElementById("sent").textContent));
await until(() => document.getElementById("sentence").dataset.waiting === "false");
if (pictures) await page.screenshot({ path: join(pictures, "camera-dark-desktop.png") });
await page.click("#camera");
assert.equal(await page.evaluate(() => document.getElementById("video").srcObject), null);
done("a body before the camera gets feedback, and stopping releases the camera");

const points = ({ landmarks }) => landmarks.map(({ x, y, visibility }) => [x, y, visibility]);
const frames = sent.map((request) => request.postDataJSON());
const [event] = await results(`${server.url}/v1/users/ines/events`, (events) => events.length > 0);
const { window_start_ms: start, window_end_ms: end, skeleton, exercise } = event.data;
assert.equal(event.type, "feedback");
assert.equal(exercise, "squat");
assert.equal(skeleton.length, 33);
const last = frames.findLast((frame) => frame.timestamp >= start && frame.timestamp < end);
for (const [index, [x, y, visibility]] of points(last).entries()) {
  const seen = skeleton[index];
  assert.equal(seen.part, last.landmarks[index].part);
  assert.ok(Math.max(Math.abs(seen.x - x), Math.abs(seen.y - y), Math.abs(seen.visibility - visibility)) < 1e-4);
}
const point = (part) => skeleton.find((one) => one.part === part);
// Where the person is in the footage, in picture heights.
assert.ok(Math.abs(point("nose").x * last.aspect_ratio - 0.6) < 0.12 && Math.abs(point("nose").y - 0.23) < 0.12, "the nose is the nose");
assert.ok(point("left_shoulder").x > point("right_shoulder").x, "the person's left is on the picture's right");
assert.ok(point("nose").y < point("left_shoulder").y, "the head is above the shoulders");
done("the skeleton of the result is the one that was seen");

assert.ok(frames.length > 0);
for (const [index, request] of sent.entries()) {
  assert.equal(`${request.method()} ${request.url()}`, `POST ${server.url}/v1/pose`);
  assert.equal(request.headers()["content-type"], "application/json");
  assert.deepEqual(Object.keys(frames[index]).sort(), ["aspect_ratio", "exercise", "landmarks", "mirrored", "timestamp", "user_id"]);
  for (const landmark of frames[index].landmarks) {
    assert.deepEqual(Object.keys(landmark), ["part", "x", "y", "z", "visibility"]);
    assert.ok(Object.values(landmark).slice(1).every(Number.isFinite));
  }
  assert.ok(request.postData().length < 4096, "33 points are no picture");
}
assert.deepEqual(sockets, []);
const foreign = found.filter((line) => !/^[IWE]\d{4}|gl_context|WebGL|OpenGL|pose_solution|GPU stall/i.test(line));
assert.deepEqual(foreign, []);
done(`nothing leaves the browser but points: ${frames.length} frames, each below 4 kB`);

await page.click("#show-replay");
await until(() => !document.getElementById("replay-tools").hidden);
const drawn = () =>
  page.$eval("#canvas", (canvas) =>
    canvas
      .getContext("2d")
      .getImageData(0, 0, canvas.width, canvas.height)
      .data.some((value) => value !== 0),
  );
assert.ok(await drawn());
done("the replay shows the body that the camera saw");

await close();
await server.stop();
