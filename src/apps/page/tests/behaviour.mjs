// What the pages do, in a real browser against the stand-in server: node src/apps/page/tests/behaviour.mjs
import assert from "node:assert/strict";
import { complaints, openBrowser } from "./browser.mjs";
import { feedback } from "./coach_script.mjs";
import { startMock } from "./mock.mjs";

const mock = await startMock({ interval: 0, history: 12 });
const { context, page, close } = await openBrowser({
  viewport: { width: 1440, height: 960 },
  timezoneId: "UTC",
  locale: "en-GB",
  permissions: ["clipboard-read", "clipboard-write"],
});
const found = complaints(page, mock.url);
await context.addInitScript(() => {
  globalThis.spoken = [];
  Object.defineProperty(speechSynthesis, "speak", { value: (words) => globalThis.spoken.push(words.text) });
});
const text = (selector) => page.textContent(selector);
const until = (condition, argument) => page.waitForFunction(condition, argument, { timeout: 15_000 });
const columns = (count) => until((wanted) => document.querySelectorAll("button.tl-col").length === wanted, count);
const done = (name) => process.stdout.write(`ok  ${name}\n`);

await page.goto(mock.url);
await page.fill("#live-url", "nonsense");
await page.click("#watch-live button");
await until(() => document.querySelector("#live-problem").textContent.includes("is no address"));
assert.equal(await text("#live-problem"), "What you entered is no address. To do: send the address that the browser shows.");
// The browser notes the refusal as an error. It is the only one that is wanted.
assert.deepEqual(found.splice(0).map((line) => /422/.test(line)), [true]);
await page.fill("#live-url", "https://refused.test/bo");
await page.click("#watch-live button");
await page.waitForURL(`${mock.url}/live/bo`);
await until(() => document.querySelector("#source .chip")?.textContent === "Not possible");
assert.match(await text("#source"), /The chat is closed\. To do: open the chat\./);
assert.match(await text("#source .steps"), /Finding the streamfailedThe chat is closed\. To do: open the chat\.Chatnot yet/);
await page.click('#source [data-action="resume"]');
await until(() => document.querySelector("#source .chip").textContent === "Chat connected");
await page.click('#source [data-action="pause"]');
await until(() => document.querySelector("#source .chip").textContent === "Paused");
await page.goto(mock.url);
await until(() => document.querySelector('#streams a[href="/live/bo"] .chip')?.textContent === "Paused");

await page.fill("#live-url", "https://video.test/quiet");
await page.click("#watch-live button");
await page.waitForURL(`${mock.url}/live/quiet`);
await until(() => document.querySelector("#source .chip")?.textContent === "Not possible");
assert.match(await text("#source .steps"), /^Finding the streamdoneChatfailedThe chat's server did not send JSON\. To do: open the chat\.Audiodone/);
assert.match(await text("#instruction"), /^Listening/, "speech alone is enough");
await page.goto(mock.url);
assert.equal(await page.isVisible("#live-chat"), false);
await page.setViewportSize({ width: 360, height: 740 });
await page.fill("#live-url", "https://video.test/quiet");
await page.click("#watch-live summary");
await page.fill("#live-chat", "https://chat.test/quiet");
assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), "nothing is wider than a phone");
await page.keyboard.press("Enter");
await page.waitForURL(`${mock.url}/live/quiet`);
await until(() => document.querySelector("#source .chip")?.textContent === "Chat connected");
await page.setViewportSize({ width: 1440, height: 960 });
assert.ok(mock.asked.includes('options {"chat":"https://chat.test/quiet"}'));
assert.equal(await text("#source .steps"), "Speechis offThe setting sources.speech turns it on.");
await page.click('#source [data-action="pause"]');
await until(() => document.getElementById("instruction").textContent.startsWith("Paused"));
assert.deepEqual([await text("#status"), await text(".g-mood")], ["Connected", "Paused"]);
assert.doesNotMatch(await text("main"), /[Ll]istening|on its way/);
await page.goto(`${mock.url}/live/empty`);
await until(() => document.getElementById("instruction").textContent.startsWith("There is no result"));
await page.route("**/v1/streams", (route) => route.fulfill({ json: { streams: [] } }));
await page.goto(mock.url);
await until(() => document.querySelector("#streams")?.textContent === "No stream yetPaste the address of a live stream below.");
await page.unroute("**/v1/streams");
done("an address leads to the stream's page, which says what is connected, what failed and what to do");

await page.goto(`${mock.url}/live/aurora`);
await columns(12);
assert.match(await text("#instruction"), /second season/);
assert.equal(await text("#in-title"), "18:41 – 18:42");
done("history fills the page, and the newest window is followed");

// A neutral mood is 0, which must not pass for "no neighbour".
const quiet = mock.logOf("streams", "neutral-edge");
for (const [at, vibe] of [
  [0, 80],
  [1, 50],
].map(([step, score]) => [Date.UTC(2026, 2, 14, 20, 0) + step * 60_000, score])) {
  quiet.add("insight", { window: { start: at, end: at + 60_000 }, chats: 10, vibe });
}
await page.goto(`${mock.url}/live/neutral-edge`);
await columns(14);
const edges = await page.$$eval(".tl-line", (lines) =>
  lines.slice(-2).map((line) =>
    line
      .getAttribute("d")
      .split(/[ML]/)
      .map((pair) => pair.split(" ")[1]),
  ),
);
assert.equal(edges[0].at(-1), edges[1][1], "the line runs on across windows");
done("the mood line runs on into a neutral minute");
await page.goto(`${mock.url}/live/aurora`);
await columns(12);

await page.click(".tl-col[data-spike=true]");
await until(() => document.getElementById("in-title").textContent.startsWith("18:36"));
assert.match(await text("#inspector"), /lantern down/);
await page.keyboard.press("ArrowRight");
await page.keyboard.press("ArrowRight");
await until(() => document.getElementById("in-title").textContent.startsWith("18:38"));
assert.match(await text("#inspector"), /Your microphone was silent/);
assert.equal(await page.evaluate(() => document.activeElement.getAttribute("aria-pressed")), "true");
await page.keyboard.press("End");
await until(() => document.getElementById("in-tag").textContent === "Following live");
done("windows are inspected by pointer and by arrow keys; the last one follows again");

await until(() => document.querySelector("#next .next-do")?.textContent === "Keep going.");
assert.match(await text("#next"), /83 % sure.*Came true“Do your promotion or a poll now\.”.*7 of 9 predictions came true/);
await page.click("#frames button:nth-child(3)");
await until(() => document.getElementById("in-tag").textContent === "The last 15 minutes");
assert.equal(await text("#in-title"), "18:30 – 18:42");
assert.match(await text("#frame-line"), /^18:30–18:42 · 12 min with chat or speech$/);
assert.match(await text("#gauge"), /The last 15 minutes$/);
assert.match(await text("#stats"), /People chatting.*–/);
assert.equal(await page.getAttribute('#files [data-format="parquet"]', "href"), "/v1/streams/aurora/export?format=parquet&last=15m");
assert.match(await text("#instruction"), /second season/, "what to do now stays");
const [file] = await Promise.all([page.waitForEvent("download"), page.click('#files [data-format="csv"]')]);
assert.equal(file.suggestedFilename(), "aurora.csv");
const summed = await text("#stats");
const again = JSON.parse(mock.logOf("streams", "aurora").events.findLast(({ type }) => type === "insight").data);
mock.logOf("streams", "aurora").add("insight", again);
await until((was) => document.getElementById("stats").textContent !== was, summed);
assert.deepEqual(mock.asked.filter((one) => /frame/.test(one)), ["socket frame 15m"], "a new result brings the frame unasked");
assert.deepEqual([await text("#way-sign"), await text("#way")], ["⇄", "Connected both ways by WebSocket"]);
await page.click(".tl-col[data-spike=true]");
await until(() => document.getElementById("in-title").textContent.startsWith("18:36"));
assert.equal(await page.getAttribute("#frames button", "aria-pressed"), "true");
await page.click("#to-live");
await until(() => document.getElementById("in-tag").textContent === "Following live");
done("a time frame takes the place of the last minute until a window is chosen, and what comes next is told");

assert.equal(await page.isVisible("#clip-desk"), false, "without a source there is nothing to cut");
assert.equal(await page.isVisible("#clip-this"), false);
await page.goto(mock.url);
await page.fill("#live-url", "https://tv.test/nova");
await page.click("#watch-live button");
await page.waitForURL(`${mock.url}/live/nova`);
await columns(12);
const rowsOf = (state, count) =>
  until(([wanted, rows]) => document.querySelectorAll(`#clip-panel .cd-row[data-state="${wanted}"]`).length === rows, [state, count]);
await page.waitForSelector('#clip-panel [data-action="ask"]');
assert.match(await text("#clip-panel"), /Boss beaten without healing.*Kept for 7 days · 0 bytes of 10 GiB used/);
await page.click('#clip-panel [aria-label="9 to 16, portrait, for phones"]');
await page.focus('#clip-panel [data-action="ask"]');
await page.keyboard.press("Enter");
await rowsOf("cutting", 1);
await until(() => document.querySelector("#clip-panel progress")?.value === 0.75);
await rowsOf("done", 1);
await until(() => document.querySelector('#clip-panel [role="status"]').textContent.startsWith("Ready: Boss beaten"));
assert.deepEqual(mock.clipsOf("nova").asked[0].shape, "portrait");
await page.click(".tl-col[data-spike=true] + .tl-col + .tl-col");
await until(() => document.getElementById("clip-this").getAttribute("aria-label") === "Clip this: 18:38 to 18:39");
await page.click("#clip-this");
await rowsOf("done", 2);
assert.deepEqual(mock.clipsOf("nova").asked[1].end_ms - mock.clipsOf("nova").asked[1].start_ms, 60_000);
const [clip] = await Promise.all([page.waitForEvent("download"), page.click('#clip-panel [data-action="file"]')]);
assert.match(clip.suggestedFilename(), /^nova-.*\.mp4$/);
for (const box of await page.$$('#clip-panel [data-action="choose"]')) await box.check();
// The page draws with the next frame.
await until(() => document.querySelector("#clip-panel .cd-head a:not([hidden])")?.textContent === "Download 2 clips as zip");
const [zip] = await Promise.all([page.waitForEvent("download"), page.click("#clip-panel .cd-head a")]);
assert.equal(zip.suggestedFilename(), "nova-clips.zip");
assert.equal(mock.asked.at(-1).split("%2C").length, 2, "both are in the archive");
mock.clipsOf("nova").ask({ start_ms: 0, end_ms: 9_000, shape: "landscape", captions: true, reason: "fail <img src=x>" });
await rowsOf("failed", 1);
assert.match(await text("#clip-panel"), /fail <img src=x>.*The stream no longer has this part\./);
await page.focus('#clip-panel [data-action="retry"]');
await page.keyboard.press("Enter");
await rowsOf("done", 3);
assert.notEqual(await page.evaluate(() => document.activeElement.tagName), "BODY", "the focus stays in the row");
mock.clipsOf("nova").ask({ start_ms: 1, end_ms: 9_000, shape: "landscape", captions: true });
await page.click('#clip-panel [data-action="cancel"]');
await rowsOf("cancelled", 1);
await page.click('#clip-panel .cd-row[data-state="cancelled"] [data-action="delete"]');
await rowsOf("cancelled", 0);
await page.click("#clip-panel button:has-text('All when it ends')");
await until(() => document.querySelector("#clip-panel .cd-tools [aria-pressed]:last-child").getAttribute("aria-pressed") === "true");
await page.setViewportSize({ width: 360, height: 740 });
assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), "nothing is wider than a phone");
await page.setViewportSize({ width: 1440, height: 960 });
await page.goto(`${mock.url}/live/aurora`);
await columns(12);
done("clips are asked for, followed, downloaded, packed, repeated, cancelled and deleted, by pointer and by key");

mock.ways.socket = false;
await page.goto(`${mock.url}/live/one-way`);
await columns(12);
await until(() => document.getElementById("way-sign").textContent === "→");
assert.match(await text("#way"), /a WebSocket does not get through/);
await page.click("#frames button:nth-child(3)");
await until(() => document.getElementById("in-tag").textContent === "The last 15 minutes");
mock.logOf("streams", "one-way").add("insight", again);
const frames = () => mock.asked.filter((one) => one === "frame?last=15m").length;
for (let tries = 0; frames() < 2 && tries < 100; tries += 1) await new Promise((later) => setTimeout(later, 50));
assert.equal(frames(), 2, "a new result brings the frame again");
mock.ways.socket = true;
await page.goto(`${mock.url}/live/aurora`);
await columns(12);
done("where no WebSocket gets through, the page follows one way, and says so");

await page.focus("#past-list summary");
await page.keyboard.press("Enter");
await until(() => document.querySelectorAll("#past li").length === 2);
assert.match(await text("#past"), /Sat.* 14 March 2026, 18:30–18:42.*12 min · .*About <i>boss<\/i>, lantern.*18:30 Chat spike.*Fri.* 13 March/);
assert.match(await text("#past"), /stays here for 7 days; then it is deleted/);
assert.equal(await page.locator("#past i").count(), 0);
const [kept] = await Promise.all([page.waitForEvent("download"), page.click('#past li:first-child a[href*="parquet"]')]);
assert.equal(kept.suggestedFilename(), "aurora.csv");
await page.click("#past li:first-child .past-open");
await until(() => document.getElementById("in-tag").textContent === "The whole stream");
await columns(12);
assert.match(await text("#past-bar"), /A past stream: .*14 March 2026, 18:30–18:42/);
assert.equal(await page.isVisible(".now"), false, "advice for now is not about a stream that is over");
await page.click("#frames button:nth-child(2)");
await until(() => document.getElementById("in-tag").textContent === "The last 5 minutes");
const [from, to] = [Date.UTC(2026, 2, 14, 18, 37), Date.UTC(2026, 2, 14, 18, 42)];
assert.ok(mock.asked.includes(`frame?from=${from}&to=${to}`), "counted from the end of that stream");
await page.click(".tl-col[data-spike=true]");
await until(() => document.getElementById("in-tag").textContent === "Chosen");
await page.setViewportSize({ width: 360, height: 740 });
await page.click("#past-list summary");
await until(() => document.querySelectorAll("#past li").length === 2);
assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), "nothing is wider than a phone");
await page.setViewportSize({ width: 1440, height: 960 });
await page.click("#past-bar a");
await until(() => document.getElementById("in-tag").textContent === "Following live");
await columns(12);
done("past streams are listed with their files, and each opens with its timeline and time frames");

await page.click(".cl button");
assert.equal(await page.evaluate(() => navigator.clipboard.readText()), "00:06:14 – 00:06:47");
await page.fill("#began-at", "18:29:30");
await page.dispatchEvent("#began-at", "change");
await page.click("#copy-all");
assert.match(await page.evaluate(() => navigator.clipboard.readText()), /^00:06:44\t00:07:17\tBoss beaten/);
done("clip timestamps are copied, counted from the recording's start");

const opened = (name) =>
  until(
    (wanted) =>
      [...document.querySelectorAll(".why[open]")].some(
        (one) => one.firstChild.textContent === wanted && one.lastChild.hasChildNodes(),
      ),
    name,
  );
await page.click("#now-why summary");
await opened("Why: the advice");
assert.match(await text("#now-why"), /gemini-2\.5-flash, prompt live-insight@3, 1,420 \+ 88 tokens, 0\.0009 EUR, 1 attempt, 0\.8 s/);
assert.equal(await page.locator("#now-why li").count(), 2);
await page.focus("#inspector .block .why summary");
await page.keyboard.press("Enter");
await opened("Why: the topic chat is back");
assert.match(await text("#inspector .block .why[open]"), /\d\d:\d\d:\d\d/);
assert.match(await text("#cost"), /^0\.0108 EUR8 % drafts/);
assert.match(await page.getAttribute("#cost", "title"), /12 results of this page.*1 result shows the draft .*0 were answered by a fallback/);
await page.locator("#alerts .al", { hasText: "mood fell" }).locator("summary").click();
await until(() => document.querySelectorAll("#alerts .why[open] li").length === 5);
done("each statement says why, by pointer and by key, and the head tells what models cost");

mock.lastIds.length = 0;
mock.drop();
await until(
  () =>
    document.getElementById("status").dataset.phase === "reconnecting" ||
    document.getElementById("status").dataset.phase === "live",
);
const log = mock.logOf("streams", "aurora");
log.add("clip", {
  stream_id: "aurora",
  start: Date.UTC(2026, 2, 14, 18, 41),
  end: Date.UTC(2026, 2, 14, 18, 41, 20),
  reason: "Missed while away",
  score: 0.5,
});
await until(() => document.getElementById("clips").textContent.includes("Missed while away"));
assert.equal(mock.lastIds[0], String(log.events.length - 1), "reconnects behind the last event seen");
assert.equal(await page.locator("button.tl-col").count(), 12, "nothing came twice");
assert.equal(await text("#status"), "Connected");
done("a broken connection resumes where it broke");

// A result that comes again replaces itself: what is open stays open, what is withdrawn is gone, nothing is paid twice.
const last = JSON.parse(log.events.findLast((event) => event.type === "insight").data);
await page.focus("#inspector .block .why summary");
log.add("insight", {
  ...last,
  withdrawn: 1,
  evidence: [{ ...last.evidence[0], text: "<img src=x onerror=alert(1)> only this" }],
});
await until(() => document.getElementById("now-why").textContent.includes("only this"));
assert.equal(await page.locator("#now-why li").count(), 1);
assert.equal(await page.locator("#main img").count(), 0);
assert.match(await text("#cost"), /^0\.0108 EUR/);
assert.equal(await page.evaluate(() => document.activeElement.textContent), "Why: the topic chat is back");
done("evidence that is withdrawn leaves the page, and what is open stays open");

log.add("alert", {
  stream_id: "aurora",
  kind: "mood_drop",
  severity: "critical",
  message: "<img src=x onerror=alert(1)>",
  at: Date.UTC(2026, 2, 14, 18, 42, 3),
});
await until(() => document.querySelector(".now").dataset.tone === "alert");
assert.match(await text("#now-alert"), /18:42:03 {2}<img/);
assert.equal(await page.locator("#main img").count(), 0);
done("an alert shows at once, and text never becomes markup");

await page.goto(`${mock.url}/live/locked`);
await until(() => document.getElementById("status").dataset.phase === "denied");
await page.fill("#notice input", "let-me-in");
await page.click("#notice button");
await columns(12);
assert.match(page.url(), /#token=let-me-in$/);
done("a protected stream asks for its token, and opens with it");

await page.goto(`${mock.url}/live/missing#token=none`);
await until(() => document.getElementById("status").dataset.phase === "missing");
assert.match(await text("#notice"), /No stream named “missing” yet/);
done("an unknown stream is waited for");

await page.goto(`${mock.url}/coach/ines`);
await until(() => document.querySelector(".ring-number")?.textContent === "8.4");
assert.equal(await text("#sentence"), "Clean repetition: hold this tempo.");
const moved = () => page.$eval("#canvas", (canvas) => canvas.toDataURL().length);
const before = await moved();
await page.waitForFunction((was) => document.getElementById("canvas").toDataURL().length !== was, before);
await page.click("#play");
assert.equal(await page.getAttribute("#play", "aria-label"), "Play the replay");
done("feedback is shown, and the last movement plays");

await page.click("#why summary");
await until(() => document.querySelectorAll("#why .fr").length === 5);
assert.match(await text("#why"), /Knee: left \d+–\d+°, right \d+–\d+°.*gemini-2\.5-flash, prompt form-coach@3/s);
assert.match(await text("#cost"), /^0\.0108 EUR8 % drafts/);
await page.locator("#why .fr").last().click();
assert.equal(await page.inputValue("#scrub"), "1000");
await page.locator("#why .fr").first().focus();
await page.keyboard.press("Enter");
assert.equal(await page.inputValue("#scrub"), "0");
done("a verdict says why: its frames, its angles and its model");

const sentence = (index) => feedback("ines", 0, index, []).sentence;
const spoken = () => page.evaluate(() => globalThis.spoken);
const athlete = mock.logOf("users", "ines");
const began = Date.UTC(2026, 2, 14, 18, 30);
await page.click("#speak");
assert.deepEqual(await spoken(), [sentence(11)], "what was missed is not read aloud by itself");
await page.click("#speak-all");
assert.equal(await page.getAttribute("#speak-all", "aria-pressed"), "true");
await page.waitForTimeout(1600);
athlete.add("feedback", feedback("ines", began, 12, []));
await until((wanted) => document.getElementById("sentence").textContent === wanted, sentence(12));
assert.deepEqual(await spoken(), [sentence(11), sentence(11), sentence(12)]);
athlete.add("feedback", feedback("ines", began, 10, []));
done("a correction is read aloud on demand, or each as it comes");

const resting = { ...feedback("ines", began, 13, []), grade: null, phase: "resting", sentence: "Ready when you are." };
athlete.add("feedback", resting);
await until(() => document.getElementById("grade").textContent.includes("Resting now"));
assert.equal(await text("#sentence"), sentence(12));
assert.match(await text(".ring-number"), /^\d\.\d$/);
athlete.add("feedback", {
  ...resting,
  ...{ window: { start: began + 42_000, end: began + 45_000 } },
  phase: "out_of_sight",
});
await until(() => document.querySelector(".gr-word").textContent === "Out of sight");
assert.equal(await text(".ring-number"), "–");
const told = [sentence(11), sentence(11), sentence(12), "Ready when you are."];
assert.deepEqual(await spoken(), told, "what comes after its time is not read aloud");
done("who rests still sees the last movement, who is out of sight is told so");

athlete.add("feedback", {
  ...resting,
  ...{ window: { start: began + 45_000, end: began + 48_000 }, exercise: "squat", phase: "working" },
  ...{ obstacle: "mixed_frames", sentence: "Not graded: two cameras send frames for this athlete." },
});
await until(() => document.querySelector(".gr-word").textContent === "Not graded");
assert.match(await text("#sentence"), /two cameras/);
athlete.add("feedback", {
  ...resting,
  ...{ window: { start: began + 48_000, end: began + 51_000 }, exercise: "other", exercise_name: "biceps_curl" },
  ...{ phase: "working", repetitions: [{}], sentence: "1 repetition of biceps_curl: the elbows go through 120°." },
  earlier: [{ exercise: "squat", exercise_name: "squat", session_repetitions: 7, repetitions: [], grade: 9 }],
});
await until(() => document.querySelector(".gr-word").textContent === "Counted, not graded");
assert.match(await text("#grade"), /Biceps curl/);
assert.match(await text("#numbers"), /Squat before: 7 repetitions/);
done("what is not graded is told, and what ended is not forgotten");

await page.fill("#height", "182");
await page.fill("#injuries", "Left shoulder\nKnee");
await page.selectOption("#level", "advanced");
await page.click("#profile button");
await until(() => document.getElementById("saved").textContent.startsWith("Saved"));
assert.deepEqual(mock.profiles.get("ines"), { height_cm: 182, injuries: ["Left shoulder", "Knee"], level: "advanced" });
await page.reload();
assert.equal(await page.inputValue("#injuries"), "Left shoulder\nKnee");
done("the profile reaches the server, and the form remembers it");

await page.route("**/mediapipe/**", (route) => route.fulfill({ status: 404 }));
await page.click("#show-camera");
await page.click("#camera");
await until(() => document.getElementById("screen-empty").textContent.includes("not installed"));
const blank = () =>
  page.$eval("#canvas", (canvas) =>
    canvas
      .getContext("2d")
      .getImageData(0, 0, canvas.width, canvas.height)
      .data.every((value) => value === 0),
  );
assert.ok(await blank(), "the replay does not shine through the camera's message");
await page.click("#show-replay");
await until(() => document.querySelector(".ring-number") && !document.getElementById("replay-tools").hidden);
assert.ok(!(await blank()));
done("without the body model the page says so, and replay still works");

await page.click("#theme");
const theme = await page.evaluate(() => document.documentElement.dataset.theme);
await page.goto(`${mock.url}/`);
await page.waitForSelector("#streams a");
assert.equal(await page.evaluate(() => document.documentElement.dataset.theme), theme);
assert.equal(await page.getAttribute("#users a", "href"), "/coach/ines");
done("the chosen theme lasts, and the first page lists what there is");

await page.click("#operator");
await until(() => document.querySelectorAll(".op").length === 2);
const tile = (key) => text(`[id="app-live-insight-${key}"]`);
assert.equal(await tile("in_flight"), "6");
assert.equal(await tile("oldest"), "2 min");
assert.equal(await tile("p50"), "750 ms");
assert.equal(await tile("fallbacks"), "25 %");
await until(() => document.querySelectorAll(".op")[0].querySelectorAll(".letters li").length === 3);
const card = await page.innerText(".op");
assert.match(card, /gemini-2.5-pro\s+fails; tried again in 12 s/);
assert.match(card, /gemini-2.5-flash\s+works\s+6 attempts run · 150 requests answered · the last answers took 840 ms on average, the last one came 2 s ago/);
assert.match(card, /3 requests answered without a call/);
assert.match(card, /Unknown: up to 0.09 · 45,000 tokens · 3 calls today. A server ended while these calls ran/);
assert.match(card, /2 attempts never told what they used and count at the most: 0.06/);
assert.match(card, /Too small: one call may use more than this limit, so 5 calls were never made/);
assert.match(card, /Today: 1.8 · 2,100,000 tokens · 1,000 calls/);
assert.match(card, /1.85 of 2 today/);
assert.match(card, /6 of 16 calls in flight/);
assert.match(card, /At most 60 calls per minute/);
assert.equal(await page.getAttribute(".op meter", "value"), "1850000");
assert.match(card, /<img src=x/);
assert.equal(await page.locator("#main img").count(), 0);
done("the first page leads operators to the model calls: routes in words, budgets as bars, failures as text");

mock.operator.calls[0].stats.succeeded += 3;
mock.operator.calls[0].now_ms += 5_000;
await until(() => document.getElementById("app-live-insight-answers").textContent === "3");
page.once("dialog", (dialog) => dialog.dismiss());
await page.click(".letters li button");
page.once("dialog", (dialog) => dialog.accept());
await page.click(".letters li button");
await until(() => document.querySelector(".op").querySelectorAll(".letters li").length === 2);
assert.deepEqual(mock.operator.asked, [{ ids: ["0-17"] }], "what is not confirmed is not asked");
page.once("dialog", (dialog) => dialog.accept());
await page.click(".letters .head button");
await until(() => document.querySelector(".op .letters").innerText.includes("None"));
assert.deepEqual(mock.operator.asked[1], { all: true });
done("numbers follow the server, and dead letters are asked again after a question");

mock.operator.token = "for-operators";
await until(() => document.getElementById("status").dataset.phase === "denied");
await page.fill("#notice input", "for-operators");
await page.click("#notice button");
await until(() => document.getElementById("status").dataset.phase === "live");
assert.match(page.url(), /#token=for-operators$/);
await page.evaluate(() => sessionStorage.clear());
await page.goto(`${mock.url}/`);
await page.waitForSelector("#streams a");
assert.equal(await page.isVisible("#operator"), false);
mock.operator.token = null;
done("a protected server asks for an operator's token, and others are not led there");

await page.emulateMedia({ reducedMotion: "reduce" });
await page.goto(`${mock.url}/coach/ines`);
await until(() => document.querySelector(".ring-number"));
assert.equal(await page.getAttribute("#play", "aria-label"), "Play the replay");
await page.keyboard.press("Tab");
assert.equal(await page.evaluate(() => document.activeElement.className), "skip");
done("who asked for less motion starts the replay by hand, and the first key leads past the bar");

const nameless = [];
for (const path of ["/", "/operator", "/live/aurora", "/live/nova", "/coach/ines"]) {
  await page.goto(mock.url + path);
  await page.waitForTimeout(300);
  nameless.push(
    ...(await page.$$eval("button, input, select, textarea, a[href]", (all) =>
      all
        .filter(
          (one) =>
            one.checkVisibility() &&
            !(one.innerText || one.getAttribute("aria-label") || one.labels?.[0]?.innerText || "").trim(),
        )
        .map((one) => one.outerHTML.slice(0, 90)),
    )),
  );
}
assert.deepEqual(nameless, []);
done("every control has a name");

const serious = found.filter(
  // What is locked refuses a socket, too.
  (line) => !/40[134]|422|\/locked\/socket/.test(line) && !/ERR_INCOMPLETE_CHUNKED|ERR_CONNECTION|ERR_EMPTY/.test(line),
);
assert.deepEqual(serious, []);
done("no error on the console, no request to anywhere else");
await context.clearCookies();
await close();
await mock.stop();
