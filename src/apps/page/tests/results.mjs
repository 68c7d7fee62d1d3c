// Both pages before the binary: what is true of the recordings appears, also after the server was killed.
//
//   node src/apps/page/tests/results.mjs [FOLDER]     pictures of the pages are kept in FOLDER
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { complaints, openBrowser } from "./browser.mjs";
import { takePictures } from "./screenshots.mjs";
import { post, results, startServer } from "./server.mjs";

const recorded = (file) => readFileSync(new URL(`../../${file}`, import.meta.url), "utf8");
const truth = JSON.parse(recorded("live_insight/recordings/truth.json"));
const sessions = JSON.parse(recorded("form_coach/recordings/truth.json")).sessions;
const { stream_id: STREAM, windows: WINDOWS, window_ms: MINUTE } = truth;
const ATHLETE = "squats_clean";
const TOKEN = "a-token-for-one-test";
const LIMIT = 120_000;

const [pictures] = process.argv.slice(2);
const folder = mkdtempSync(join(tmpdir(), "tidemill-results-"));
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
const data = ["--data-dir", join(folder, "data")];
const done = (name) => process.stdout.write(`ok  ${name}\n`);
const is = (type) => (event) => event.type === type;
// An analyst answers in any order: what comes last need not be of the last window.
const byWindow = (a, b) => a.data.window_start_ms - b.data.window_start_ms;
const ofLastWindow = (events) => events.toSorted(byWindow).at(-1)?.data;

// At this speed a machine that is busy for a second seems silent for a minute: silence must last, to close a window.
const patient = ["live", "coach"].flatMap((app) => ["--set", `${app}.idle_after=10s`]);
let server = await startServer(["demo", "--speed", "60", ...patient, ...data]);
const { url, port } = server;
const { context, page, close } = await openBrowser({ viewport: { width: 1440, height: 960 } });
const coach = await context.newPage();
const found = [complaints(page, url), complaints(coach, url)];
const until = (where, condition, argument) => where.waitForFunction(condition, argument, { timeout: LIMIT });
const columns = () => page.locator("button.tl-col").count();
const phase = (where, wanted) =>
  until(where, (name) => document.getElementById("status").dataset.phase === name, wanted);
const live = (enough, options) => results(`${url}/v1/streams/${STREAM}/events`, enough, options);
const feedback = (user, enough, options) => results(`${url}/v1/users/${user}/events`, enough, options);

await page.goto(url);
await page.waitForSelector('#operator[href="/operator"]', { timeout: LIMIT });
await page.click(`#streams a[href="/live/${STREAM}"]`, { timeout: LIMIT });
await coach.goto(`${url}/coach/${ATHLETE}`);
await until(page, (all) => document.querySelectorAll("button.tl-col").length === all, WINDOWS);
done("the first page leads to the stream, and its minutes appear as they close");

const told = await live((events) => events.filter(is("insight")).length === WINDOWS);
const insights = told
  .filter(is("insight"))
  .sort(byWindow)
  .map((event) => event.data);
const last = insights.at(-1);
assert.equal(await page.textContent("#instruction"), last.instruction);
assert.equal(await page.getAttribute("#gauge [role=meter]", "aria-valuenow"), String(last.vibe_score));
const names = await page.$$eval("button.tl-col", (all) => all.map((one) => one.getAttribute("aria-label")));
for (const [index, insight] of insights.entries()) {
  assert.match(names[index], new RegExp(`vibe ${insight.vibe_score}, `));
  assert.match(names[index], insight.silent_chat ? /chat silent/ : new RegExp(`, ${insight.chats} chats?, `));
}
for (const quiet of truth.silent_microphone) assert.match(names[quiet], /microphone silent/);
for (const quiet of truth.silent_chat) assert.match(names[quiet], /chat silent/);
for (const { start_ms: at } of truth.bursts)
  assert.match(names[Math.floor((at - truth.start_ms) / MINUTE)], /spike.*clip candidate/);
done("the timeline shows each minute's chat, mood and silence, and both bursts as clips");

const inspect = async (window) => {
  await page.locator("button.tl-col").nth(window).click();
  await until(
    page,
    (start) => document.querySelector(".tl-col[aria-pressed=true]").dataset.start === start,
    String(insights[window].window_start_ms),
  );
  await until(page, () => document.getElementById("in-title").textContent.includes(":"));
  return page.evaluate(() => {
    const texts = (selector) => [...document.querySelectorAll(`#inspector ${selector}`)].map((one) => one.innerText);
    return {
      topics: texts(".m-name"),
      chats: texts(".chat q"),
      people: texts(".people li"),
      said: texts("blockquote"),
    };
  });
};
for (const { window, term } of truth.topics) {
  const seen = await inspect(window);
  assert.ok(seen.topics.includes(term), `${term} among ${seen.topics}`);
  assert.deepEqual(
    seen.topics,
    insights[window].hot_topics.slice(0, 6).map((topic) => topic.term),
  );
  assert.deepEqual(seen.chats.length, Math.min(5, insights[window].top_chats.length));
  assert.match(seen.people[0], new RegExp(insights[window].active_users[0].user_name));
  const spoken = new Set(insights[window].phrases.map((phrase) => phrase.text));
  assert.ok(seen.said.length > 0 && seen.said.every((line) => spoken.has(line)));
}
done("a minute shows its planted topic, top chats, most active people, and what was said with its answers");

const [first] = truth.topics;
await inspect(first.window);
const aboutTopic = page.locator("#inspector .block li", { hasText: first.term }).first();
await aboutTopic.locator("summary").click();
const lines = insights[first.window].evidence.filter((line) => line.behind.some((one) => one.name === first.term));
assert.ok(lines.length > 0 && lines.length <= 5);
await aboutTopic.locator(".why-lines li").first().waitFor();
for (const line of lines) assert.ok((await aboutTopic.textContent()).includes(line.text), line.text);
assert.match(await page.innerText("#inspector .source"), /The built-in analyst; no model was asked/);
assert.ok(await page.isHidden("#cost"), "no model, no cost");
done("a topic leads to the messages about it, and the minute tells who read it");

const fell = told.find((event) => event.type === "alert" && event.data.kind === "mood_drop").data;
assert.match(fell.message, /mood fell/i);
// It was told while its minute was open; the minute, once it is over, knows what it was about.
const explained = insights[truth.mood_drop.window].alerts.find((alert) => alert.kind === "mood_drop");
assert.match(explained.message, new RegExp(truth.mood_drop.about));
if (await page.isVisible("#all-alerts")) await page.click("#all-alerts");
await until(page, (message) => document.getElementById("alerts").innerText.includes(message), fell.message);
await page.locator("#alerts li", { hasText: fell.message }).locator("button").click();
await until(
  page,
  (start) => document.querySelector(".tl-col[aria-pressed=true]").dataset.start === start,
  String(insights[truth.mood_drop.window].window_start_ms),
);
done("the alert of the change in mood leads to its minute");

for (const { name, repetitions, half_repetitions: halves, fault } of sessions) {
  const events = await feedback(name, (all) => {
    const { session_repetitions: full, session_half_repetitions: half } = ofLastWindow(all) ?? {};
    return full === repetitions && half === halves;
  });
  const faults = events.flatMap((event) => event.data.faults.map((one) => one.kind));
  assert.ok(fault === null || faults.includes(fault), `${name}: ${fault} among ${faults}`);
}
const graded = (await feedback(ATHLETE, (all) => all.filter((event) => event.data.grade !== null).length > 1)).length;
assert.ok(graded > 1);
const { repetitions } = sessions.find((session) => session.name === ATHLETE);
await until(coach, (wanted) => document.querySelector("#numbers b")?.textContent === String(wanted), repetitions);
const judged = await coach.evaluate(() => ({
  grade: Number(document.querySelector(".ring-number").textContent),
  sentence: document.getElementById("sentence").textContent,
  progress: document.querySelector("#progress [role=img]").getAttribute("aria-label"),
  joints: [...document.querySelectorAll(".rom-name")].map((one) => one.textContent),
}));
assert.ok(judged.grade > 0 && judged.grade <= 10);
assert.ok(judged.sentence.length > 10);
assert.match(judged.progress, /mean \d/);
assert.ok(judged.joints.includes("Knee") && judged.joints.includes("Hip"));
const drawn = () =>
  coach.$eval("#canvas", (canvas) =>
    canvas
      .getContext("2d")
      .getImageData(0, 0, canvas.width, canvas.height)
      .data.some((value) => value !== 0),
  );
await coach.bringToFront();
await until(coach, () => !document.getElementById("replay-tools").hidden);
assert.ok(await drawn());
await coach.click("#why summary");
await coach.locator("#why .fr").first().waitFor();
assert.match(await coach.innerText("#why"), /Knee: /);
done("the coach shows grade, sentence, skeleton, repetitions, joints and progress");

await coach.fill("#height", "182");
await coach.fill("#injuries", "Left knee");
await coach.selectOption("#level", "advanced");
await coach.click("#profile button");
await until(coach, () => document.getElementById("saved").textContent.startsWith("Saved"));
let profile;
for (const before = Date.now(); !profile && Date.now() - before < LIMIT;) {
  const answer = await fetch(`${url}/state/stores/profiles/${ATHLETE}`);
  if (answer.ok) profile = (await answer.json()).value;
}
assert.deepEqual(profile, { ...profile, height_cm: 182, injuries: ["Left knee"], level: "advanced" });
done("a profile saved on the page is what the server knows");

await coach.click("#show-camera");
await coach.click("#camera");
await until(coach, () => document.getElementById("screen-empty").textContent.includes("not installed"));
await coach.click("#show-replay");
done("without the pose model the camera says so, and the replay still works");

const tardy = (ago) => ({ stream_id: "tardy", user_id: "u", text: "hello", timestamp: Date.now() - ago });
await post(`${url}/v1/chat`, [tardy(300_000), tardy(100_000), tardy(290_000), tardy(280_000)]);
await page.goto(`${url}/live/tardy`);
await until(page, () => !document.getElementById("late").hidden);
assert.match(await page.textContent("#late"), /^2 chat events came too late .* up to (189|190) s behind the newest event of this stream.* raise live\.grace\.$/);
if (pictures) await page.screenshot({ path: join(pictures, "late-light-desktop.png") });
await page.goto(`${url}/live/${STREAM}`);
await until(page, (all) => document.querySelectorAll("button.tl-col").length === all, WINDOWS);
done("a page tells that events came too late, and how late");

if (pictures) await takePictures(url, pictures);

await server.stop("SIGKILL");
await phase(page, "reconnecting");
await phase(coach, "reconnecting");
await context.setOffline(true);
// Results that come while the pages are away.
server = await startServer(["serve", "--set", "limits.clock_ahead=10m", ...data], { port });
const frames = recorded(`form_coach/recordings/${ATHLETE}.ndjson`)
  .trim()
  .split("\n")
  .map((line) => JSON.parse(line));
// Silence has moved event time on with the clock: what comes now must lie behind that, or it is late.
const next = Math.ceil(Date.now() / MINUTE + 1) * MINUTE;
const later = next - Math.floor(frames[0].timestamp / MINUTE) * MINUTE;
await post(
  `${url}/v1/pose`,
  frames.map((frame) => ({ ...frame, user_id: "newcomer", timestamp: frame.timestamp + later })),
);
// Near the end of their minute: from there, silence closes it within seconds.
const spoken = next + MINUTE - 2000;
await post(`${url}/v1/chat`, [
  { stream_id: STREAM, user_id: "u1", user_name: "late_bird", text: "did I miss the record?", timestamp: spoken },
  { stream_id: STREAM, user_id: "u2", user_name: "owl", text: "you did, great run", timestamp: spoken + 1000 },
]);
await live((events) => events.some((event) => event.data.window_start_ms === next));
await feedback("newcomer", (events) => ofLastWindow(events)?.session_repetitions === repetitions);
assert.equal(await columns(), WINDOWS);
await context.setOffline(false);
await phase(page, "live");
await phase(coach, "live");
await until(page, (all) => document.querySelectorAll("button.tl-col").length === all, WINDOWS + 1);
const starts = await page.$$eval("button.tl-col", (all) => all.map((one) => Number(one.dataset.start)));
assert.deepEqual(starts, [...insights.map((insight) => insight.window_start_ms), next]);
await coach.goto(`${url}/coach/newcomer`);
await until(coach, (wanted) => document.querySelector("#numbers b")?.textContent === String(wanted), repetitions);
done("killed and started again on its data, the server tells the pages what they missed, and nothing twice");

await server.stop();
writeFileSync(
  join(folder, "tenants.toml"),
  `[[tenant]]\nname = "ada"\ntoken = "${TOKEN}"\nstreams = []\nusers = ["${ATHLETE}"]\n`,
);
server = await startServer(["form-coach", "--config", join(folder, "tenants.toml"), ...data], { port });
await coach.goto(`${url}/coach/${ATHLETE}`);
await phase(coach, "denied");
await coach.fill("#notice input", TOKEN);
await coach.click("#notice button");
await until(coach, (wanted) => document.querySelector("#numbers b")?.textContent === String(wanted), repetitions);
await coach.goto(`${url}/#token=${TOKEN}`);
await until(coach, () => document.querySelector("#users a"));
assert.deepEqual(await coach.$$eval("#users a", (all) => all.map((one) => one.textContent)), [ATHLETE]);
assert.equal(await coach.isVisible("#operator"), false);
await coach.goto(`${url}/operator#token=${TOKEN}`);
await phase(coach, "denied");
done("with tenants a page asks for its token, and lists what the token opens; calls are for the operator");

// What a dead or protected server answers is not a complaint about a page.
const serious = found.flat().filter((line) => !/40[134]|net::ERR_|HTTP Authentication failed/.test(line));
assert.deepEqual(serious, []);
done("no error on the console, no request to anywhere else");
await close();
await server.stop();
