// The camera path in a real browser: a fake camera plays footage, MediaPipe finds the body, landmarks arrive.
//
//   node src/apps/page/tests/camera.mjs FOOTAGE.mjpeg [SCREENSHOT.png]
import assert from "node:assert/strict";
import { complaints, openBrowser } from "./browser.mjs";
import { startMock } from "./mock.mjs";

const [footage, picture] = process.argv.slice(2);
assert.ok(footage, "footage for the fake camera is missing");

const mock = await startMock({ interval: 3000, history: 3 });
const { page, close } = await openBrowser({
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
const found = complaints(page, mock.url);
await page.goto(`${mock.url}/coach/ines`);
await page.click("#show-camera");
await page.selectOption("#exercise", "squat");
await page.click("#camera");
try {
  await page.waitForFunction(
    () =>
      /^\d+ frames sent$/.test(document.getElementById("sent").textContent) &&
      parseInt(document.getElementById("sent").textContent, 10) >= 8,
    null,
    { timeout: 120_000 },
  );
} finally {
  process.stdout.write(`${await page.textContent("#sent")} | ${await page.textContent("#screen-empty")}\n`);
  if (picture) await page.screenshot({ path: picture });
}

const poses = [...mock.poses];
await page.click("#camera");
for (const pose of poses) {
  assert.equal(pose.user_id, "ines");
  assert.equal(pose.exercise, "squat");
  assert.equal(pose.landmarks.length, 33);
  assert.ok(
    pose.landmarks.every(
      (point) => typeof point.part === "string" && [point.x, point.y, point.z, point.visibility].every(Number.isFinite),
    ),
  );
}
const gaps = poses.slice(1).map((pose, index) => pose.timestamp - poses[index].timestamp);
assert.ok(
  poses.at(-1).timestamp - poses[0].timestamp >= 200 * (gaps.length - 1),
  "frames come about five times a second, not more",
);
const point = (part) => poses.at(-1).landmarks.find((one) => one.part === part);
assert.ok(point("left_shoulder").x > point("right_shoulder").x, "the person's left is on the picture's right");
assert.ok(point("nose").y < point("left_shoulder").y, "the head is above the shoulders");
assert.equal(
  await page.evaluate(() => document.getElementById("video").srcObject),
  null,
  "stopping releases the camera",
);
process.stdout.write(
  `${poses.length} poses, ${Math.min(...gaps)}–${Math.max(...gaps)} ms apart, ${JSON.stringify(poses.at(-1)).length} bytes each\n${JSON.stringify(["nose", "left_shoulder", "right_shoulder", "left_elbow", "left_hip"].map(point))}\n`,
);
const serious = found.filter((line) => !/^[IWE]\d{4}|gl_context|WebGL|OpenGL|pose_solution/i.test(line));
assert.deepEqual(serious, []);
await close();
await mock.stop();
