// The pages' pure parts: node --test src/apps/page/tests/page.test.mjs
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { sseParser } from "../sse.js";
import { duration, isolated, label, percent, signed, timecode } from "../format.js";
import { feedback } from "./coach_script.mjs";
import { minute } from "./live_script.mjs";

// The pages import each other by the address at which the server has them.
const local = (file) => new URL(file, import.meta.url);
async function load(file) {
  const source = await readFile(local(file), "utf8");
  const found = source
    .replaceAll(/from "\/assets\/shared\/([^"]+)"/g, (_, name) => `from "${local(`../${name}`).href}"`)
    .replaceAll(/from "\.\/([^"]+)"/g, (_, name) => `from "${new URL(name, local(file)).href}"`);
  return import(`data:text/javascript,${encodeURIComponent(found)}`);
}

const parsed = (...chunks) => {
  const events = [];
  const feed = sseParser((event) => events.push(event));
  chunks.forEach(feed);
  return events;
};

test("an event split anywhere, even inside a line ending, is one event", () => {
  const whole = 'id: 7\r\nevent: clip\r\ndata: {"a":\r\ndata: 1}\r\n\r\n';
  for (let at = 0; at <= whole.length; at += 1) {
    assert.deepEqual(
      parsed(whole.slice(0, at), whole.slice(at)),
      [{ id: "7", type: "clip", data: '{"a":\n1}' }],
      `split at ${at}`,
    );
  }
});

test("comments and events without data are not delivered, and an id stays in force", () => {
  assert.deepEqual(parsed(": keep-alive\n\nid: 3\n\ndata: x\n\n"), [{ id: "3", type: "message", data: "x" }]);
});

/** As much of an element as the pages use to build one. */
class Element {
  dataset = {};
  style = { setProperty: () => {} };
  children = [];
  attributes = {};
  constructor(tag) {
    this.tag = tag;
  }
  setAttribute = (name, value) => (this.attributes[name] = value);
  append = (...children) => this.children.push(...children);
  replaceChildren = (...children) => (this.children = children);
  addEventListener = () => {};
}

/** The texts below an element that share a line with others and have no direction of their own. */
function mixed(element, own = false) {
  const isolates = own || element.tag === "bdi" || element.attributes.dir === "auto";
  const inner = element.children.filter((child) => child instanceof Element);
  const texts = element.children.filter((child) => typeof child === "string" && !isolates);
  return [...texts, ...inner.flatMap((child) => mixed(child, isolates))];
}

test("names and texts of viewers have a direction of their own", async () => {
  globalThis.document = {
    createElement: (tag) => new Element(tag),
    createElementNS: (_, tag) => new Element(tag),
    activeElement: null,
  };
  const { adaptInsight } = await load("../../live_insight/page/adapt.js");
  const { drawInspector } = await load("../../live_insight/page/inspector.js");
  const window = adaptInsight({
    ...{ window_start_ms: 0, window_end_ms: 60_000, chats: 4, users: 2 },
    hot_topics: [{ term: "معبد", chats: 3, users: 2 }],
    top_chats: [{ user_name: "שרה", text: "مرحبا", echoes: 2 }],
    active_users: [{ user_name: "שרה", chats: 3 }],
    phrases: [{ text: "مرحبا بالجميع", start_ms: 0, reactions: 2, mood: 0, samples: ["سلام"] }],
  });
  const box = new Element("div");
  drawInspector(box, window);
  delete globalThis.document;
  const loose = mixed(box).filter((text) => /[\u0590-\u08ff]/.test(text));
  assert.deepEqual(loose, []);
  assert.equal(isolated("\u202eشرة\u2069"), "\u2068شرة\u2069");
  assert.equal(isolated("ada"), "ada");
});

test("an unfinished event is not delivered", () => assert.deepEqual(parsed("data: half\n"), []));

test("numbers read as people write them", () => {
  assert.equal(signed(-0.4, 0), "0");
  assert.equal(signed(-3), "−3");
  assert.equal(percent(0.184), "+18 %");
  assert.equal(timecode(3_723_400), "01:02:03");
  assert.equal(duration(7_500_000), "2 h 5 min");
  assert.equal(label("left_knee"), "Left knee");
});

test("support is told in a line, and nothing of none", async () => {
  const { adaptInsight } = await load("../../live_insight/page/adapt.js");
  const { supportLine } = await load("../../live_insight/page/inspector.js");
  const supporters = [{ user_id: "a", user_name: "Ada", micros: 5_000_000 }];
  const sums = [{ currency: "EUR", micros: 5_990_000, messages: 2, supporters }];
  const support = { paid: 2, sums, new_members: 1, gifted_members: 5, milestones: 0 };
  const window = adaptInsight({ support, withdrawn: 2 });
  assert.match(supportLine(window.support), /5[.,]99.* in 2 messages · 1 new member · 5 gifted memberships · Ada$/);
  assert.equal(window.withdrawn, 2);
  assert.equal(supportLine(adaptInsight({}).support), "");
});

test("a withdrawal replaces the words of an alert, a repetition does not", async () => {
  const { adaptInsight } = await load("../../live_insight/page/adapt.js");
  const { Session } = await load("../../live_insight/page/session.js");
  const session = new Session();
  const insight = (message, withdrawn) =>
    adaptInsight({ window_start_ms: 0, window_end_ms: 60_000, withdrawn, alerts: [{ kind: "mood_drop", at_ms: 5, message }] });
  session.addWindow(insight("first", 0));
  session.addWindow(insight("repeated", 0));
  assert.deepEqual(session.alerts.map((alert) => alert.message), ["first"]);
  session.addWindow(insight("without the topic", 1));
  assert.deepEqual(session.alerts.map((alert) => alert.message), ["without the topic"]);
});

test("an insight without any field but its window is still a window", async () => {
  const { adaptInsight } = await load("../../live_insight/page/adapt.js");
  const window = adaptInsight({ window: { start: 60_000, end: 120_000 } });
  assert.equal(window.vibe, 50);
  assert.deepEqual(window.series, [{ at: 60_000, chats: 0, mood: 0 }]);
  assert.deepEqual([window.phrases, window.alerts, window.topics], [[], [], []]);
});

test("a window that comes again replaces itself, and windows stay in order of time", async () => {
  const { adaptInsight } = await load("../../live_insight/page/adapt.js");
  const { Session } = await load("../../live_insight/page/session.js");
  const session = new Session();
  for (const [start, chats] of [
    [120_000, 5],
    [60_000, 3],
    [120_000, 9],
  ])
    session.addWindow(adaptInsight({ window: { start, end: start + 60_000 }, chats }));
  assert.deepEqual(
    session.windows.map((one) => [one.start, one.chats]),
    [
      [60_000, 3],
      [120_000, 9],
    ],
  );
  assert.equal(session.inspected.chats, 9);
  session.selected = 60_000;
  assert.equal(session.inspected.chats, 3);
});

test("an alert that runs ahead of its window is kept once", async () => {
  const { adaptAlert, adaptInsight } = await load("../../live_insight/page/adapt.js");
  const { Session } = await load("../../live_insight/page/session.js");
  const session = new Session();
  for (const [type, data] of minute("aurora", 0, 3))
    type === "alert" ? session.addAlert(adaptAlert(data)) : type === "insight" && session.addWindow(adaptInsight(data));
  assert.equal(session.alerts.length, 1);
  assert.equal(session.marks(session.newest).alerts.length, 1);
});

test("a clip across two windows marks both", async () => {
  const { adaptClip, adaptInsight } = await load("../../live_insight/page/adapt.js");
  const { Session } = await load("../../live_insight/page/session.js");
  const session = new Session();
  for (const start of [0, 60_000]) session.addWindow(adaptInsight({ window: { start, end: start + 60_000 } }));
  session.addClip(adaptClip({ start: 50_000, end: 70_000, reason: "spike", score: 1 }));
  assert.deepEqual(
    session.windows.map((window) => session.marks(window).clips.length),
    [1, 1],
  );
});

test("a feedback keeps whole frames only, and faults point at their side's joints", async () => {
  const { adaptFeedback, profileBody } = await load("../../form_coach/page/adapt.js");
  const { faultJoints, PARTS } = await load("../../form_coach/page/body.js");
  const raw = feedback("ines", 0, 1, []);
  assert.equal(adaptFeedback({ ...raw, frames: [...raw.frames, [[0, 0, 1]]] }).frames.length, raw.frames.length);
  assert.deepEqual(
    [...faultJoints([{ name: "Left knee drifts", detail: "" }])].map((index) => PARTS[index]),
    ["left_knee"],
  );
  assert.deepEqual(profileBody({ height: NaN, injuries: "left shoulder\n\n knee ", level: "beginner" }), {
    height_cm: null,
    injuries: ["left shoulder", "knee"],
    level: "beginner",
  });
});

test("the profile's form stands at the level of a profile without a level", async () => {
  const form = await readFile(local("../../form_coach/page/index.html"), "utf8");
  const selected = [...form.matchAll(/<option value="(\w+)" selected>/g)].map(([, level]) => level);
  assert.deepEqual(selected, ["intermediate"]);
});

test("frames leave with the picture's shape, so that a wide picture bends no angle", async () => {
  const { toFrame, toPoints } = await load("../../form_coach/page/wire.js");
  const landmarks = [{ x: 0.5, y: 0.25, z: -0.3, visibility: 0.98765 }];
  const frame = toFrame({ user: "ines", timestamp: 1, exercise: "squat", landmarks, width: 640, height: 480 });
  assert.deepEqual(frame, {
    user_id: "ines",
    timestamp: 1,
    exercise: "squat",
    aspect_ratio: 1.3333,
    mirrored: false,
    landmarks: [{ part: "nose", x: 0.5, y: 0.25, z: -0.3, visibility: 0.9877 }],
  });
  assert.deepEqual(toPoints({ ...frame, aspect_ratio: 2 }), [[1, 0.25, 0.9877]]);
});

test("what keeps a movement from being judged is read, and so are exercises without rules and those that ended", async () => {
  const { adaptFeedback } = await load("../../form_coach/page/adapt.js");
  const mixed = adaptFeedback({ exercise: "squat", exercise_name: "Squats", obstacle: "mixed_frames", grade: null });
  assert.deepEqual([mixed.obstacle, mixed.exercise, mixed.grade, mixed.earlier], ["mixed_frames", "squat", null, []]);
  const changed = adaptFeedback({
    ...{ exercise: "other", exercise_name: "biceps_curl", obstacle: null },
    earlier: [{ exercise: "squat", exercise_name: "squat", session_repetitions: 7, grade: 9.5, repetitions: [{}] }],
  });
  assert.deepEqual([changed.exercise, changed.obstacle], ["biceps_curl", ""]);
  assert.deepEqual(changed.earlier, [{ exercise: "squat", sessionReps: 7, grade: 9.5 }]);
});

test("the engine's own field names are read as well as the page's", async () => {
  const { adaptAlert, adaptInsight } = await load("../../live_insight/page/adapt.js");
  const window = adaptInsight({
    ...{
      window_start_ms: 60_000,
      window_end_ms: 120_000,
      chats: 120,
      chats_per_second: 2,
      users: 40,
      vibe_score: 80,
      mood: "hyped",
    },
    hot_topics: [{ term: "boss", chats: 9, users: 7, lift: 3, mood: 0.5 }],
    active_users: [{ user_id: "1", user_name: "vee", chats: 4 }],
    phrases: [{ text: "Hello", start_ms: 61_000, reactions: 3, mood: 0.4, samples: ["hi"] }],
    trend: { engagement: "rising", usual_chats_per_second: 1, usual_vibe_score: 55 },
    spikes: [{ start_ms: 1 }],
  });
  assert.deepEqual([window.start, window.perMinute, window.mood, window.moodWord], [60_000, 120, "joyful", "Hyped"]);
  assert.deepEqual([window.engagement, window.moodChange, window.spike], [1, 0.5, true]);
  assert.deepEqual(window.topics, [{ name: "boss", count: 9, users: 7 }]);
  assert.deepEqual(window.active, [{ name: "vee", count: 4 }]);
  assert.deepEqual(window.phrases[0].chats, [{ user: "", text: "hi" }]);
  assert.equal(adaptAlert({ kind: "mood_rise", severity: 0.9, at_ms: 5 }).tone, "good");
  assert.equal(adaptAlert({ kind: "mood_drop", severity: 0.9, at_ms: 5 }).tone, "bad");

  const { adaptFeedback } = await load("../../form_coach/page/adapt.js");
  const resting = adaptFeedback({
    ...{ window_start_ms: 3000, window_end_ms: 6000, phase: "resting", grade: null },
    repetitions: [{}, {}],
    tempo: { work_s: 1, per_minute: 20 },
  });
  assert.deepEqual(
    [resting.grade, resting.phase, resting.reps, resting.tempo, resting.start],
    [null, "resting", 2, 3, 3000],
  );
  const seen = adaptFeedback({
    skeleton: [{ part: "nose", x: 0.5, y: 0.1, visibility: 1 }],
    faults: [{ kind: "knees_caving", detail: "12° inwards" }],
    symmetry: { score: 0.8, stronger: "left" },
  });
  assert.deepEqual(
    [seen.frames.length, seen.frames[0].length, seen.frames[0][0], seen.symmetry],
    [1, 33, [0.5, 0.1, 1], 0.8],
  );
  assert.deepEqual(seen.faults, [{ name: "Knees caving", detail: "12° inwards" }]);
});
