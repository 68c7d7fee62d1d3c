// Takes one picture of each page for the README, in the middle of the recordings:
//
//   node src/apps/page/tests/pictures.mjs FOLDER
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openBrowser } from "./browser.mjs";
import { startServer } from "./server.mjs";

const MINUTE = 60_000;
const ATHLETE = "pull_ups_one_sided";
const SIZE = { width: 1440, height: 1500 };

const [folder = "target/pictures"] = process.argv.slice(2);
mkdirSync(folder, { recursive: true });
const events = (file) =>
  readFileSync(new URL(`../../${file}`, import.meta.url), "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
const { start_ms: start, bursts } = JSON.parse(
  readFileSync(new URL("../../live_insight/recordings/truth.json", import.meta.url), "utf8"),
);
// The stream is left in the minute of its last burst, the athlete in the middle of an exercise.
const minutes = Math.floor((bursts.at(-1).start_ms - start) / MINUTE) + 1;
const said = ["chat", "transcript"].flatMap((name) => events(`live_insight/recordings/${name}.ndjson`));
const seen = events(`form_coach/recordings/${ATHLETE}.ndjson`);
const part = [
  ...said.filter((event) => event.timestamp < start + minutes * MINUTE),
  ...seen.filter((event) => event.timestamp < start + 33_000),
];
const scratch = mkdtempSync(join(tmpdir(), "tidemill-pictures-"));
process.on("exit", () => rmSync(scratch, { recursive: true, force: true }));
const recording = join(scratch, "part.ndjson");
writeFileSync(recording, part.map((event) => JSON.stringify(event)).join("\n"));

const server = await startServer(["demo", recording, "--speed", "120"]);
const { page, close } = await openBrowser({ viewport: SIZE, colorScheme: "dark", reducedMotion: "reduce" });
const until = (condition, argument) => page.waitForFunction(condition, argument, { timeout: 120_000 });
const take = (name) =>
  page.screenshot({ path: join(folder, `${name}.png`), clip: { x: 0, y: 0, ...SIZE }, fullPage: true });

await page.goto(`${server.url}/live/${said[0].stream_id}`);
await until((all) => document.querySelectorAll("button.tl-col").length === all, minutes);
await take("live");
await page.goto(`${server.url}/coach/${ATHLETE}`);
await until(() => document.querySelector(".ring-number")?.textContent > "0" && document.querySelector("#progress svg"));
await take("coach");
await close();
await server.stop();
