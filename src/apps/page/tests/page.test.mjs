// The pages' pure parts: node --test src/apps/page/tests/page.test.mjs
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { sseParser } from "../sse.js";
import { duration, isolated, label, percent, signed, timecode } from "../format.js";
import { adaptProvenance, Costs, costWords, inputsLine, provenanceLine } from "../why.js";
import { feedback } from "./coach_script.mjs";
import { minute } from "./live_script.mjs";

// The pages import each other by the address at which the server has them.
const local = (file) => new URL(file, import.meta.url);
async function address(file) {
  let source = await readFile(file, "utf8");
  source = source.replaceAll(/from "\/assets\/shared\/([^"]+)"/g, (_, name) => `from "${local(`../${name}`).href}"`);
  for (const [all, name] of source.matchAll(/from "\.\/([^"]+)"/g))
    source = source.replaceAll(all, `from "${await address(new URL(name, file))}"`);
  return `data:text/javascript,${encodeURIComponent(source)}`;
}
const load = async (file) => import(await address(local(file)));

const parsed = (...chunks) => {
  const events = [];
  const feed = sseParser((event) => events.push(event));
  chunks.forEach(feed);
  return events;
};

test("a histogram tells within which time a share of the answers came", async () => {
  const { latencyWords, quantile } = await load("../calls.js");
  const bounds = [100, 500, 1000];
  assert.equal(quantile([0, 0, 0, 0], bounds, 0.5), null);
  assert.deepEqual(quantile([0, 10, 0, 0], bounds, 0.5), { ms: 300, above: false });
  assert.deepEqual(quantile([5, 5, 0, 0], bounds, 0.5), { ms: 100, above: false });
  assert.deepEqual(quantile([5, 4, 0, 1], bounds, 0.99), { ms: 1000, above: true });
  assert.deepEqual(
    [null, { ms: 40 }, { ms: 1234 }, { ms: 30_000, above: true }].map(latencyWords),
    ["–", "40 ms", "1.2 s", "over 30.0 s"],
  );
});

test("answers are counted over the last minute, and anew after a restart", async () => {
  const { answersPerMinute } = await load("../calls.js");
  const perMinute = answersPerMinute();
  const told = [
    [10, 0],
    [15, 30_000],
    [20, 61_000],
    [20, 100_000],
    [2, 101_000],
    [4, 102_000],
  ].map(([answered, at]) => perMinute(answered, at));
  assert.deepEqual(told, [0, 5, 5, 0, 0, 2]);
});

test("what routes spent is added up by tenant, and an unknown use is not called nothing", async () => {
  const { breakerWords, byTenant, limitWords } = await load("../calls.js");
  const spent = (cost_micros) => ({ calls: 1, usage: { input_tokens: 2, output_tokens: 1, cost_micros } });
  const rows = ["bob", "ada", "bob"].map((tenant, index) => ({ tenant, hour: spent(index), day: spent(10 * index) }));
  const sums = byTenant(rows);
  assert.deepEqual(
    sums.map(({ tenant, hour, day }) => [tenant, hour.calls, hour.usage.cost_micros, day.usage.cost_micros]),
    [
      ["ada", 1, 1, 10],
      ["bob", 2, 2, 20],
    ],
  );
  const limit = { quantity: "calls", period: "minute", most: 60, used: null };
  assert.deepEqual(limitWords(limit), { words: "At most 60 calls per minute", used: null, most: 60 });
  const budget = { quantity: "micros", period: "day", route: "large", most: 2_000_000, used: 1_850_000 };
  assert.equal(limitWords(budget).words, "1.85 of 2 today on large");
  assert.equal(breakerWords({ breaker: "open", tried_again_in_ms: 12_000 })[0], "fails; tried again in 12 s");
  assert.equal(breakerWords({})[0], "has no breaker");
});

test("spending that nobody knows is told with its most, and a limit that lets nothing through says so", async () => {
  const { byTenant, tooSmallWords, unknownWords, untoldWords } = await load("../calls.js");
  const unknown = { input_tokens: 900, output_tokens: 100, cost_micros: 250_000 };
  const spent = { calls: 1, usage: {}, unknown_calls: 1, unknown };
  const [{ hour, day }] = byTenant([{ tenant: "ada", route: "a", hour: {}, day: spent }, { tenant: "ada", route: "b", hour: {}, day: spent }]);
  assert.equal(unknownWords(hour), "");
  assert.equal(unknownWords(day), `Unknown: up to ${(0.5).toLocaleString()} · ${(2000).toLocaleString()} tokens · 2 calls`);
  assert.equal(untoldWords({ untold: 0 }), "");
  assert.match(untoldWords({ untold: 1, untold_usage: unknown }), /^1 attempt never told what it used and counts at the most: 0.25/);
  assert.equal(tooSmallWords({ never_fit: 0 }), "");
  assert.match(tooSmallWords({ never_fit: 2 }), /^Too small: .* 2 calls were never made/);
});

test("a route tells its answers, and how old the measured time of an answer is", async () => {
  const { routeWords } = await load("../calls.js");
  assert.equal(routeWords({ in_flight: 0, succeeded: 0, latency_ms: null }), "0 attempts run · 0 requests answered");
  assert.equal(
    routeWords({ in_flight: 1, succeeded: 1, latency_ms: 840, last_answer_ago_ms: 600_000 }),
    "1 attempt runs · 1 request answered · the last answers took 840 ms on average, the last one came 10 min ago",
  );
  assert.match(routeWords({ latency_ms: 840, last_answer_ago_ms: 20 }), /the last one came just now$/);
});

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
  get firstChild() {
    return this.children[0];
  }
  append = (...children) => this.children.push(...children);
  replaceChildren = (...children) => (this.children = children);
  listeners = {};
  addEventListener = (type, listener) => (this.listeners[type] = listener);
}

/** Runs `test` with as much of a document as the pages need to build elements. */
async function withDocument(test) {
  globalThis.document = {
    createElement: (tag) => new Element(tag),
    createElementNS: (_, tag) => new Element(tag),
    activeElement: null,
  };
  try {
    return await test();
  } finally {
    delete globalThis.document;
  }
}

/** All elements below an element that fit, itself included. */
const all = (element, fits) => [
  ...(fits(element) ? [element] : []),
  ...element.children.filter((child) => child instanceof Element).flatMap((child) => all(child, fits)),
];
const textOf = (element) =>
  element.children.map((child) => (child instanceof Element ? textOf(child) : String(child))).join("");

/** Opens a control as a click on its word does. */
function opened(control) {
  control.open = true;
  control.listeners.toggle();
  return textOf(control.children[1]);
}

/** The texts below an element that share a line with others and have no direction of their own. */
function mixed(element, own = false) {
  const isolates = own || element.tag === "bdi" || element.attributes.dir === "auto";
  const inner = element.children.filter((child) => child instanceof Element);
  const texts = element.children.filter((child) => typeof child === "string" && !isolates);
  return [...texts, ...inner.flatMap((child) => mixed(child, isolates))];
}

test("names and texts of viewers have a direction of their own", () => withDocument(async () => {
  const { adaptInsight } = await load("../../live_insight/page/adapt.js");
  const { drawInspector } = await load("../../live_insight/page/inspector.js");
  const behind = [{ kind: "hot_topic", name: "معبد" }];
  const window = adaptInsight({
    ...{ window_start_ms: 0, window_end_ms: 60_000, chats: 4, users: 2 },
    hot_topics: [{ term: "معبد", chats: 3, users: 2 }],
    top_chats: [{ user_name: "שרה", text: "مرحبا", echoes: 2 }],
    active_users: [{ user_name: "שרה", chats: 3 }],
    phrases: [{ text: "مرحبا بالجميع", start_ms: 0, reactions: 2, mood: 0, samples: ["سلام"] }],
    evidence: [{ user_id: "u", user_name: "שרה", text: "معبد الماء", timestamp: 5, behind }],
  });
  const box = new Element("div");
  drawInspector(box, window);
  // The word that only people hear who do not see the page stands alone in its label.
  const controls = all(box, (element) => element.tag === "details");
  controls.forEach((control) => {
    opened(control);
    control.children = [control.children[1]];
  });
  const loose = mixed(box).filter((text) => /[\u0590-\u08ff]/.test(text));
  assert.deepEqual(loose, []);
  assert.equal(isolated("\u202eشرة\u2069"), "\u2068شرة\u2069");
  assert.equal(isolated("ada"), "ada");
}));

const ANSWERED = {
  ...{ outcome: "answered", model: "gemini-2.5-flash", prompt: "live-insight@3 a1b2c3", route: "gemini" },
  ...{ input_tokens: 1420, output_tokens: 88, cost_micros: 900, currency: "EUR", attempts: 1, latency_ms: 800 },
  inputs: [{ topic: "live-chat", partition: 2, offset: 4100 }],
};

test("provenance is told in a line: whose answer, of which prompt, at which cost", () => {
  const line = (more) => provenanceLine(adaptProvenance({ ...ANSWERED, ...more }));
  const count = (number) => new Intl.NumberFormat().format(number);
  const used = `${count(1420)} + 88 tokens, 0.0009 EUR, 1 attempt, 0.8 s`;
  assert.equal(line({}), `gemini-2.5-flash, prompt live-insight@3, ${used}`);
  assert.equal(line({ currency: "", repeated: true, attempts: 2 }).split(" tokens, ")[1], "cost 0.0009, 2 attempts, 0.8 s, may have been paid twice");
  assert.match(line({ outcome: "cached", input_tokens: 0, output_tokens: 0, cost_micros: 0 }), /an earlier answer to the same content, 1 attempt/);
  assert.match(
    line({ outcome: "fallback", model: "flash-lite", reason: "Answered by flash-lite: the route before it did not answer." }),
    /^flash-lite, .*\. Fallback: Answered by flash-lite/,
  );
  assert.equal(
    provenanceLine(adaptProvenance({ outcome: "expired", reason: "The model's answer came too late." })),
    "Draft: the model's answer came too late.",
  );
  assert.match(line({ outcome: "expired", reason: "Too late." }), /^Draft: too late\. \(.*0\.0009 EUR/, "a late answer is paid, too");
  assert.match(provenanceLine(adaptProvenance({ outcome: "debated" })), /^A model$/, "an outcome of the future");
  assert.match(provenanceLine(adaptProvenance({ outcome: "offline" })), /no model was asked/);
  assert.equal(adaptProvenance(undefined), null);
  assert.match(provenanceLine(null), /older than its provenance/);
  assert.equal(inputsLine(adaptProvenance(ANSWERED)), `live-chat 2 up to ${count(4100)}`);
});

test("the session's cost counts each result once, and tells drafts and fallbacks apart", () => {
  const costs = new Costs();
  const add = (key, more) => costs.add(key, adaptProvenance({ ...ANSWERED, ...more }));
  assert.equal(costWords(costs.total).short, "");
  add(1, { outcome: "offline", cost_micros: 0 });
  assert.equal(costWords(costs.total).short, "", "nothing is shown while no model is asked");
  add(2, {});
  add(2, {});
  add(3, { cost_micros: 2_100 });
  add(4, { outcome: "fallback", cost_micros: 0 });
  add(5, { outcome: "superseded", cost_micros: 500 });
  costs.add(6, null);
  const { asked, drafts, fallbacks, share, sums } = costs.total;
  assert.deepEqual([asked, drafts, fallbacks, share, sums], [4, 1, 1, 0.25, [["EUR", 3_500]]]);
  assert.deepEqual([costWords(costs.total).short, costWords(costs.total).more], ["0.0035 EUR", "25 % drafts"]);
  assert.match(costWords(costs.total).sentence, /1 result shows the draft \(25 %\).*1 was answered by a fallback/);
  add(7, { currency: "USD", cost_micros: 12_000_000 });
  assert.match(costWords(costs.total).short, /^0\.0035 EUR \+ .*12/, "currencies are not added");
});

test("each statement of a minute leads to its messages, as text", () => withDocument(async () => {
  const { adaptInsight } = await load("../../live_insight/page/adapt.js");
  const { drawInspector } = await load("../../live_insight/page/inspector.js");
  const { drawAlerts } = await load("../../live_insight/page/side.js");
  const { Session } = await load("../../live_insight/page/session.js");
  const said = (text, ...behind) => ({ user_id: "u", user_name: "Ada", text, timestamp: 5_000, behind });
  const raw = {
    ...{ window_start_ms: 0, window_end_ms: 60_000, chats: 4, users: 2, instruction: "Talk about the boss." },
    hot_topics: [{ term: "boss", chats: 3, users: 2 }],
    phrases: [{ text: "Look.", start_ms: 1_000, reactions: 2, mood: 0, samples: ["wow"] }],
    alerts: [{ kind: "mood_drop", at_ms: 4_000, message: "The mood fell", severity: 0.9 }],
    evidence: [
      said("<img src=x onerror=alert(1)> the boss", { kind: "hot_topic", name: "boss" }, { kind: "instruction" }),
      said("wow", { kind: "phrase", at_ms: 1_000 }),
      said("awful", { kind: "alert", name: "mood_drop", at_ms: 4_000 }),
    ],
    provenance: ANSWERED,
  };
  const box = new Element("div");
  drawInspector(box, adaptInsight(raw));
  const controls = all(box, (element) => element.tag === "details");
  const why = Object.fromEntries(controls.map((control) => [textOf(control.children[0]), opened(control)]));
  assert.deepEqual(Object.keys(why), ["Why: the answers to Look.", "Why: the topic boss", "Why: the advice"]);
  assert.match(why["Why: the answers to Look."], /\d\d:\d\d:\d\dAdawow$/);
  assert.match(why["Why: the topic boss"], /Ada<img src=x onerror=alert\(1\)> the boss$/);
  assert.match(why["Why: the advice"], /the boss$/);
  assert.match(textOf(box), /How this minute was read.*gemini-2\.5-flash, prompt live-insight@3/);
  assert.deepEqual(all(box, (element) => element.tag === "img" || element.innerHTML !== undefined), []);

  const session = new Session();
  session.addWindow(adaptInsight(raw));
  Element.prototype.querySelectorAll = () => [];
  Element.prototype.querySelector = () => null;
  const side = new Element("div");
  drawAlerts(side, session, true, () => {});
  const [control] = all(side, (element) => element.tag === "details");
  assert.match(opened(control), /AdaawfulAlerts come from the built-in analyst/);

  // A result of before provenance has nothing to show.
  drawInspector(box, adaptInsight({ ...raw, evidence: undefined, provenance: undefined }));
  assert.deepEqual(all(box, (element) => element.tag === "details"), []);
}));

test("a verdict leads to its frames, its angles and the model", () => withDocument(async () => {
  const { adaptFeedback } = await load("../../form_coach/page/adapt.js");
  const { measured, spread, whyVerdict } = await load("../../form_coach/page/evidence.js");
  assert.deepEqual([spread(0), spread(3), spread(15)], [[], [0, 1, 2], [0, 4, 7, 11, 14]]);
  const raw = { ...feedback("ines", 0, 1, []), faults: [{ kind: "half_repetition", detail: "<b>the knee stops at 120°</b>" }] };
  const told = adaptFeedback({ ...raw, provenance: { outcome: "expired", reason: "The model's answer came too late." } });
  assert.ok(measured(told).includes("Half repetition: <b>the knee stops at 120°</b>"));
  assert.ok(measured(told).some((fact) => /^Knee: left \d+–\d+°, right \d+–\d+°$/.test(fact)), measured(told).join());
  const seen = [];
  const control = whyVerdict(told, (position) => seen.push(position));
  assert.match(opened(control), /Draft: the model's answer came too late\.$/);
  const frames = all(control, (element) => element.tag === "button");
  frames.forEach((frame) => frame.listeners.click());
  assert.deepEqual([seen.length, seen[0], seen.at(-1)], [5, 0, 1]);
  assert.ok(all(control, (element) => element.tag === "path").length > 5);
  const nothing = adaptFeedback({ window_start_ms: 0, window_end_ms: 3_000 });
  assert.match(opened(whyVerdict(nothing, () => {})), /No frame is kept.*Nothing was measured.*older than its provenance/s);
}));

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

test("a source says what happens, what follows and what helps", async () => {
  const { actionsOf, problemOf, sentenceOf, stateOf } = await load("../source.js");
  assert.deepEqual(stateOf({ state: "connected" }), { word: "Chat connected", tone: "good" });
  assert.equal(stateOf({ state: "of another version" }).word, "Unknown");
  const refused = { state: "refused", reason: "the key is wrong", remedy: "set another key" };
  assert.equal(sentenceOf(refused), "The key is wrong. To do: set another key.");
  assert.match(sentenceOf({ state: "waiting", until_ms: 0, reason: "not live" }), /^Not live\. The next attempt is at /);
  assert.deepEqual(actionsOf({ state: "paused" })[0], ["resume", "Resume"]);
  const records = [{ index: 0, field: "url", problem: "is no address", fix: "send one" }];
  assert.equal(problemOf({ error: "not valid", fix: "x", records }, 422), "What you entered is no address. To do: send one.");
  assert.equal(problemOf({ error: "too fast", fix: "wait" }, 429), "Too fast. To do: wait.");
  assert.match(problemOf(null, 502), /502/);
});

test("the speech of a source has words of its own beside the chat", async () => {
  const { speechOf } = await load("../source.js");
  const of = (speech) => speechOf({ state: "connected", speech });
  assert.equal(of(undefined), null);
  assert.equal(of({ state: "paused" }), null);
  assert.deepEqual(of({ state: "listening" }), { word: "Listening", tone: "good", sentence: "" });
  const missing = of({ state: "refused", reason: "the program ffmpeg is not installed", remedy: "install it" });
  assert.equal(missing.sentence, "The program ffmpeg is not installed. To do: install it.");
  assert.match(of({ state: "waiting", reason: "not live", until_ms: 0 }).sentence, /^Not live\. The next attempt is at /);
  assert.equal(of({ state: "waiting", reason: "not live" }).sentence, "Not live.");
});

const FRAME = {
  insight: {
    ...{ window_start_ms: 0, window_end_ms: 900_000, chats: 900, chats_per_second: 1.25, users: 130, segments: 4 },
    ...{ vibe_score: 61, mood: "happy", series: [], phrases: [], clips: [] },
    alerts: [{ kind: "mood_drop", at_ms: 5_000, message: "<b>fell</b>", severity: 0.9 }],
  },
  note: {
    ...{ windows: 12, covered_ms: 720_000, users: { least: 120, most: 141 }, alerts: 3, clips: 0, phrases: 0 },
    gaps: [{ from_ms: 300_000, to_ms: 480_000 }],
  },
};

test("a time frame stands in the place of a minute, and says what it is made of", async () => {
  const { adaptFrame, frameWords, peopleRange } = await load("../../live_insight/page/frames.js");
  const frame = adaptFrame(FRAME, 2);
  assert.deepEqual([frame.window.chats, frame.window.users, frame.window.perMinute, frame.window.vibe], [900, 130, 75, 61]);
  assert.deepEqual([frame.windows, peopleRange(frame)], [12, "120–141"]);
  assert.match(
    frameWords(frame),
    /^\d\d:\d\d–\d\d:\d\d · 12 min with chat or speech · 3 min without · 1 of 3 alerts · 2 older minutes are left out$/,
  );
  const exact = adaptFrame({ ...FRAME, note: { ...FRAME.note, users: { least: 130, most: 130 }, gaps: [], alerts: 1 } });
  assert.equal(peopleRange(exact), "");
  assert.match(frameWords(exact), /^\d\d:\d\d–\d\d:\d\d · 12 min with chat or speech$/);
  const empty = adaptFrame({});
  assert.deepEqual([empty.window.chats, empty.people, empty.gapMs], [0, { least: 0, most: 0 }, 0], "an answer without fields");
});

test("a frame in detail speaks of its time and not of a minute", () => withDocument(async () => {
  const { adaptFrame } = await load("../../live_insight/page/frames.js");
  const { drawInspector } = await load("../../live_insight/page/inspector.js");
  const evidence = [{ user_id: "u", text: "<i>boss</i>", timestamp: 5, behind: [{ kind: "hot_topic", name: "boss" }] }];
  const insight = { ...FRAME.insight, hot_topics: [{ term: "boss", chats: 3, users: 2 }], evidence, instruction: "Go on." };
  const box = new Element("div");
  drawInspector(box, adaptFrame({ ...FRAME, insight }).window);
  assert.match(textOf(box), /heard in this time.*No chat in this time.*Nobody wrote in this time/);
  assert.doesNotMatch(textOf(box), /this minute/);
  const [control] = all(box, (element) => element.tag === "details");
  assert.match(opened(control), /<i>boss<\/i>$/, "a topic leads to its messages, as text");
}));

test("files have the address of what is chosen, whatever the stream's id holds", async () => {
  const { FRAMES, fileAddress } = await load("../../live_insight/page/frames.js");
  assert.equal(fileAddress("ada", "csv", null), "/v1/streams/ada/export?format=csv");
  assert.equal(fileAddress("a/b?c d", "jsonl", "15m"), "/v1/streams/a%2Fb%3Fc%20d/export?format=jsonl&last=15m");
  assert.deepEqual(FRAMES.map(({ last }) => last), [null, "5m", "15m", "60m", "all"]);
});

const TOLD = (instruction, side = "above") => ({
  at_ms: 600_000,
  until_ms: 900_000,
  engagement: { momentum: "falling" },
  advice: { instruction, reason: "Because.", confidence: 0.826, claim: { side, chats_per_second: 0.75 } },
});

test("what comes next is told with its certainty, and whether the last prediction came true", async () => {
  const { adaptOutlook, lastWords, sureWords } = await load("../../live_insight/page/outlook.js");
  const outlook = adaptOutlook({
    ...{ prediction: TOLD("Keep going."), judged: 9, came_true: 7 },
    earlier: [
      { prediction: TOLD("Open."), outcome: "open" },
      { prediction: TOLD("Ask.", "below"), outcome: "did_not", chats_per_second: 0.9 },
      { prediction: TOLD("Older."), outcome: "came_true", chats_per_second: 1 },
    ],
  });
  assert.deepEqual([outlook.instruction, outlook.reason, outlook.momentum], ["Keep going.", "Because.", "Chat is falling"]);
  assert.deepEqual([sureWords(outlook), outlook.judged, outlook.cameTrue], ["83 % sure", 9, 7]);
  assert.deepEqual([outlook.last.instruction, outlook.last.isTrue], ["Ask.", false], "the last one whose time is over");
  assert.match(lastWords(outlook.last), /^until \d\d:\d\d: fewer than 45 messages a minute expected, 54 came\.$/);
  const none = adaptOutlook({ prediction: TOLD("Go on.") });
  assert.deepEqual([none.last, lastWords(none.last)], [null, ""]);
  assert.equal(adaptOutlook({}).instruction, "", "an answer without fields");
});

test("the panel of what comes next shows words of viewers as text", () => withDocument(async () => {
  const { adaptOutlook, drawOutlook } = await load("../../live_insight/page/outlook.js");
  const box = new Element("div");
  drawOutlook(box, null);
  assert.match(textOf(box), /After three minutes/);
  drawOutlook(box, null, "too many views: wait.");
  assert.equal(textOf(box), "too many views: wait.");
  const prediction = TOLD("Win viewers back: ask “<img src=x>” something.");
  const earlier = [{ prediction: TOLD("שלום"), outcome: "came_true", chats_per_second: 0.8 }];
  drawOutlook(box, adaptOutlook({ prediction, judged: 1, came_true: 1, earlier }));
  assert.match(textOf(box), /<img src=x>.*Because\.83 % sure.*Came true“שלום” until .*48 came\.1 of 1 prediction came true/);
  assert.deepEqual(all(box, (element) => element.tag === "img" || element.innerHTML !== undefined), []);
  assert.deepEqual(mixed(box).filter((text) => /[\u0590-\u08ff]/.test(text)), []);
  assert.ok(box.children.every((child) => child instanceof Element), "nothing empty is drawn");
}));

test("a prediction is asked for after three minutes without a long pause between them", async () => {
  const { isEnough } = await load("../../live_insight/page/outlook.js");
  const at = (...minutes) => minutes.map((minute) => ({ start: minute * 60_000, end: (minute + 1) * 60_000 }));
  assert.deepEqual(
    [at(), at(0, 1), at(0, 1, 2), at(0, 20, 40), at(0, 1, 31), at(0, 1, 32, 33)].map(isEnough),
    [false, false, true, true, true, false],
  );
});

test("many wishes become one, and one that comes meanwhile is done afterwards", async (t) => {
  const { calmly } = await load("../../live_insight/page/views.js");
  t.mock.timers.enable({ apis: ["setTimeout"] });
  let finish = () => {};
  let done = 0;
  const wish = calmly(() => new Promise((resolve) => ((done += 1), (finish = resolve))), 300);
  for (let times = 0; times < 5; times += 1) wish();
  t.mock.timers.tick(299);
  assert.equal(done, 0);
  t.mock.timers.tick(1);
  assert.equal(done, 1);
  wish();
  t.mock.timers.tick(300);
  assert.equal(done, 1, "never two at the same time");
  finish();
  for (let turn = 0; turn < 5; turn += 1) await Promise.resolve();
  t.mock.timers.tick(300);
  assert.equal(done, 2);
});

test("a frame that comes after another one was chosen is not shown, and a late one keeps what is there", () => withDocument(async () => {
  const { FrameChooser, FRAMES } = await load("../../live_insight/page/frames.js");
  const { asking } = await load("../../live_insight/page/views.js");
  const requests = [];
  const settle = async () => {
    for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
  };
  const answer = async (at, status, value) => {
    requests[at].resolve({ ok: status === 200, status, headers: new Map(), json: async () => value });
    await settle();
  };
  const before = { fetch: globalThis.fetch, location: globalThis.location, sessionStorage: globalThis.sessionStorage };
  const fetch = (address) => new Promise((resolve) => requests.push({ address, resolve }));
  Object.assign(globalThis, { fetch, location: { hash: "" }, sessionStorage: { getItem: () => null } });
  try {
    let changes = 0;
    const [box, files, line] = ["div", "span", "p"].map((tag) => new Element(tag));
    // Without a socket, questions go over HTTP.
    const asked = asking({ ask: () => Promise.resolve(null) }, "ada");
    const chooser = new FrameChooser({ box, files, line, id: "ada", onChange: () => (changes += 1), asked });
    assert.deepEqual([chooser.frame, chooser.name, textOf(box)], [null, "The last minute", "Live5 min15 min60 minWhole stream"]);
    box.children[1].listeners.click();
    box.children[2].listeners.click();
    await settle();
    assert.deepEqual(requests.map(({ address }) => address), ["5m", "15m"].map((last) => `/v1/streams/ada/frame?last=${last}`));
    await answer(1, 200, FRAME);
    await answer(0, 200, { insight: { chats: 1 } });
    assert.deepEqual([chooser.frame.window.chats, chooser.name], [900, "The last 15 minutes"]);
    assert.deepEqual(box.children.map((button) => button.attributes["aria-pressed"]), ["false", "false", "true", "false", "false"]);
    assert.match(files.children[2].attributes.href, /\?format=parquet&last=15m$/);

    chooser.choose(FRAMES[4]);
    await settle();
    await answer(2, 429, { error: "too many views", fix: "ask again" });
    assert.deepEqual([chooser.frame, line.textContent], [null, "Too many views. To do: ask again."], "another frame is not in its place");
    const seen = changes;
    chooser.choose();
    assert.deepEqual([chooser.frame, line.textContent, changes], [null, "", seen + 1]);
    assert.equal(requests.length, 3, "the last minute is there already");
  } finally {
    Object.assign(globalThis, before);
  }
}));

test("a frame that is chosen while the page is about to ask again is asked for once", (t) => withDocument(async () => {
  const { FrameChooser, FRAMES } = await load("../../live_insight/page/frames.js");
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const [box, files, line] = ["div", "span", "p"].map((tag) => new Element(tag));
  const queries = [];
  const asked = async (view, query) => queries.push(query.last) && { value: FRAME };
  const chooser = new FrameChooser({ box, files, line, id: "ada", onChange: () => {}, asked });
  const wait = async () => {
    t.mock.timers.tick(1_000);
    for (let turn = 0; turn < 5; turn += 1) await Promise.resolve();
  };
  // The connection has just opened.
  chooser.refresh();
  chooser.choose(FRAMES[2]);
  await wait();
  assert.deepEqual(queries, ["15m"]);
  chooser.refresh();
  await wait();
  assert.deepEqual(queries, ["15m", "15m"], "the connection has opened anew");
}));

const CLIP = {
  ...{ id: "1-2-l", stream_id: "ada", start_ms: 60_000, end_ms: 90_000, reason: "<b>goal</b>", shape: "portrait" },
  ...{ captions: true, created_ms: 5, state: "cutting", progress: 0.254 },
};

test("a clip's state, facts and sizes are told in words, and a clip without fields is none", async () => {
  const { adaptClipView, bytes, clipFacts, isFinal, keptWords, stateOfClip } = await load("../../live_insight/page/clips.js");
  const clip = adaptClipView(CLIP);
  assert.deepEqual([stateOfClip(clip).word, isFinal(clip)], ["Cutting 25 %", false]);
  assert.match(clipFacts(clip), /^\d\d:\d\d:\d\d · 30 s · 9:16 · captions$/);
  const file = { bytes: 3_565_158, start_ms: 58_000, duration_ms: 32_000, finished_ms: 1, expires_ms: 2 };
  const done = adaptClipView({ ...CLIP, state: "done", progress: 1, file });
  assert.match(clipFacts(done), / · 32 s · 9:16 · captions · 3\.4 MiB$/);
  const failed = adaptClipView({ ...CLIP, state: "failed", trouble: "No footage. Wait." });
  assert.deepEqual(stateOfClip(failed), { word: "Failed", tone: "bad", sentence: "No footage. Wait." });
  assert.deepEqual([undefined, {}, { id: 7 }].map(adaptClipView), [null, null, null]);
  assert.equal(adaptClipView({ id: "x", state: "new in a later version" }).state, "queued");
  assert.deepEqual([0, 1023, 1024, 12 << 20, 10 * 2 ** 30].map(bytes), ["0 bytes", "1,023 bytes", "1.0 KiB", "12 MiB", "10 GiB"]);
  assert.equal(keptWords({ keep_ms: 7 * 86_400_000, used_bytes: 0, quota_bytes: 2 ** 30 }), "Kept for 7 days · 0 bytes of 1.0 GiB used on this server");
});

test("a choice on the timeline asks for its best moment, or for the whole minute as far as a clip may last", async () => {
  const { clipBody, partOf } = await load("../../live_insight/page/clips.js");
  const window = { start: 60_000, end: 120_000 };
  const clips = [
    { start: 0, end: 50_000, reason: "before", score: 0.99 },
    { start: 55_000, end: 80_000, reason: "a goal", score: 0.5 },
    { start: 90_000, end: 130_000, reason: "a save", score: 0.7 },
  ];
  assert.deepEqual(partOf(window, clips, 300_000), { start: 90_000, end: 130_000, reason: "a save" });
  assert.deepEqual(partOf(window, [], 45_000), { start: 60_000, end: 105_000, reason: "" });
  assert.deepEqual(clipBody(partOf(window, [], 300_000), { portrait: true, captions: false }), {
    ...{ start_ms: 60_000, end_ms: 120_000, shape: "portrait", captions: false },
  });
  assert.equal(clipBody({ start: 0, end: 9, reason: "é".repeat(400) }, {}).reason.length, 120);
});

test("news of clips put one in, change it and take it away, and only what is final is spoken", async () => {
  const { adaptClipView, inOrder, newsWords, withNews } = await load("../../live_insight/page/clips.js");
  const one = withNews(new Map(), { id: CLIP.id, clip: CLIP });
  const two = withNews(one, { id: "later", clip: { ...CLIP, id: "later", created_ms: 9 } });
  assert.deepEqual(inOrder(two).map(({ id }) => id), ["later", CLIP.id]);
  assert.equal(one.size, 1, "what is shown does not change under the hand");
  assert.equal(withNews(two, { id: "later", clip: null }).size, 1);
  assert.equal(withNews(two, {}).size, 2);
  const done = adaptClipView({ ...CLIP, state: "done" });
  assert.equal(newsWords(adaptClipView(CLIP), done), "Ready: <b>goal</b>");
  assert.equal(newsWords(undefined, done), "");
  assert.equal(newsWords(done, adaptClipView(CLIP)), "");
});

test("the steps to the first words say what is done, what is in progress and what failed", async () => {
  const { stepsOf } = await load("../source.js");
  const short = (source) => stepsOf(source).map(({ name, state }) => `${name.split(" ")[0]} ${state}`).join(", ");
  const refused = { state: "refused", reason: "the chat is closed", remedy: "open the chat" };
  for (const [source, steps] of [
    [{ state: "resolving" }, "Finding now, Chat later, Audio later, First later"],
    [{ state: "waiting", reason: "away", until_ms: 0 }, "Finding waiting, Chat later, Audio later, First later"],
    [{ state: "waiting", reason: "away", until_ms: 0, messages: 3 }, "Finding done, Chat waiting, Audio later, First later"],
    [refused, "Finding failed, Chat later, Audio later, First later"],
    [{ state: "resolving", listens: false }, "Finding now, Chat later, Speech unset"],
    [{ state: "connected", speech: { state: "connecting" } }, "Finding done, Chat done, Audio now, First later"],
    [{ state: "connected", speech: { state: "listening", segments: 0 } }, "Finding done, Chat done, Audio done, First now"],
    [{ state: "connected", speech: { state: "listening", captions: true, segments: 0 } }, "Finding done, Chat done, Captions done, First now"],
    [{ state: "connected", speech: { ...refused, segments: 0 } }, "Finding done, Chat done, Audio failed, First off"],
    [{ state: "connected", speech: { state: "listening", segments: 2 } }, ""],
    [{ state: "connected", listens: false }, "Speech unset"],
    [{ ...refused, speech: { state: "listening", segments: 0 } }, "Finding done, Chat failed, Audio done, First now"],
    [{ ...refused, speech: { state: "ended", segments: 2 } }, "Finding done, Chat failed, Audio done, First done"],
    [{ state: "resolving", speech: { state: "listening", segments: 2 } }, "Finding done, Chat now, Audio done, First done"],
    [{ state: "paused" }, ""],
    [{ state: "ended" }, ""],
    [null, ""],
  ])
    assert.equal(short(source), steps, JSON.stringify(source));
  assert.equal(stepsOf(refused)[0].sentence, "The chat is closed. To do: open the chat.");
  const reading = stepsOf({ state: "connected", speech: { state: "listening", captions: true, segments: 0 } });
  assert.deepEqual(reading.slice(2).map(({ sentence }) => sentence), ["The words come from the stream's captions.", "Waiting for the next caption."]);
  assert.equal(stepsOf({ state: "connected", speech: refused })[2].sentence, "The chat is closed. To do: open the chat.");
});

test("past streams are listed with their files, as text, and how long they stay is told", () => withDocument(async () => {
  const before = globalThis.location;
  globalThis.location = { hash: "#token=t", search: "", pathname: "/live/ada" };
  try {
    const { drawPast, drawPastBar, keptWords, spanOf } = await load("../../live_insight/page/past.js");
    assert.deepEqual(spanOf("?from=5&to=9"), { from: 5, to: 9 });
    for (const none of ["", "?from=5", "?from=9&to=5", "?from=a&to=b", "?from=1.5&to=9"]) assert.equal(spanOf(none), null, none);
    assert.match(keptWords(7 * 86_400_000), /stays here for 7 days; then it is deleted/);
    assert.match(keptWords(12 * 3_600_000), /for 12 hours;/);
    assert.match(keptWords(1_500_000), /for 25 min;/);
    assert.match(keptWords(null), /until somebody erases them/);
    const box = new Element("div");
    const stream = {
      ...{ started_ms: 60_000, ended_ms: 3_660_000, chats: 5_704, users: 40, users_range: { least: 38, most: 44 }, mood: "happy" },
      ...{ vibe_score: 63, hot_topics: ["<i>boss</i>", "معبد"], moments: [{ start_ms: 90_000, reason: "<b>spike</b>" }] },
    };
    drawPast(box, { streams: [stream, {}], kept_ms: 86_400_000 }, "a/b");
    assert.match(textOf(box), /1 h 0 min · 5[,.]704 messages · 38–44 people · vibe 63, happyAbout <i>boss<\/i>, معبد/);
    assert.match(textOf(box), /for 1 day;/);
    assert.deepEqual(mixed(box).filter((text) => /[\u0590-\u08ff]/.test(text)), []);
    const links = all(box, (element) => element.tag === "a").map((link) => link.attributes.href);
    assert.equal(links[0], "?from=60000&to=3660000#token=t");
    assert.equal(links[3], "/v1/streams/a%2Fb/export?format=parquet&from=60000&to=3660000");
    drawPast(box, { streams: [] }, "ada");
    assert.match(textOf(box), /None yet.*until somebody erases/);
    drawPast(box, null, "ada", "too many views: wait.");
    assert.equal(textOf(box), "too many views: wait.");
    const bar = new Element("div");
    drawPastBar(bar, { from: 60_000, to: 3_660_000 });
    assert.equal(all(bar, (element) => element.tag === "a")[0].attributes.href, "/live/ada#token=t");
  } finally {
    globalThis.location = before;
  }
}));

test("time frames of a past stream end where it ended", async () => {
  const { fileAddress, queryOf } = await load("../../live_insight/page/frames.js");
  const span = { from: 1_000, to: 1_000_000 };
  assert.deepEqual([queryOf("5m"), queryOf(null)], [{ last: "5m" }, {}]);
  assert.deepEqual([queryOf("5m", span), queryOf("60m", span)], [{ from: 700_000, to: 1_000_000 }, span]);
  assert.deepEqual([queryOf("all", span), queryOf(null, span)], [span, span]);
  assert.equal(fileAddress("ada", "csv", "5m", span), "/v1/streams/ada/export?format=csv&from=700000&to=1000000");
});

test("what is wrong and what to do are sentences, whoever wrote them", async () => {
  const { sentence, withRemedy } = await load("../sentences.js");
  assert.deepEqual(
    ["the chat is closed", "is it live?", "Wait.", "", undefined, "sources.speech is off", "yt-dlp is missing", "no such id:"].map(sentence),
    ["The chat is closed.", "Is it live?", "Wait.", "", "", "sources.speech is off.", "yt-dlp is missing.", "No such id."],
  );
  assert.equal(withRemedy("the chat is closed", "open the chat"), "The chat is closed. To do: open the chat.");
  assert.equal(withRemedy("no address", "look: is it whole?"), "No address. Look: is it whole?");
  assert.equal(withRemedy("away", ""), "Away.");
  assert.equal(withRemedy("", "wait"), "To do: wait.");
});

test("windows shorter than a minute have seconds, and are not called minutes", () => withDocument(async () => {
  const { windowTime, windowTimes, windowWord } = await load("../format.js");
  const short = { start: 0, end: 10_000 };
  assert.match(windowTimes(short), /^\d\d:\d\d:00–\d\d:\d\d:10$/);
  assert.match(windowTimes({ start: 0, end: 60_000 }, " to "), /^\d\d:00 to \d\d:01$/);
  assert.match(windowTime(short), /^\d\d:\d\d:\d\d$/);
  assert.deepEqual([short, { start: 0, end: 60_000 }, null].map(windowWord), ["window", "minute", "minute"]);
  const { drawGauge } = await load("../../live_insight/page/gauge.js");
  const { adaptInsight } = await load("../../live_insight/page/adapt.js");
  const { Session } = await load("../../live_insight/page/session.js");
  const session = new Session();
  const box = new Element("div");
  for (const start of [0, 10_000]) {
    session.addWindow(adaptInsight({ window: { start, end: start + 10_000 } }));
    drawGauge(box, session);
    assert.match(textOf(box), start ? /0 since last window$/ : /first window$/);
  }
}));

test("without a result the page says what is true of the source", async () => {
  const { standsStill, waitsOf } = await load("../../live_insight/page/waits.js");
  const refused = { state: "refused", reason: "the chat is closed" };
  for (const [source, mood, words] of [
    [undefined, "Waiting", /^Waiting for the first result/],
    [null, "No result", /^There is no result of this stream yet/],
    [{ state: "connected" }, "Reading", /your chat/],
    [{ state: "connected", speech: { state: "listening" } }, "Listening", /^Listening/],
    [{ ...refused, speech: { state: "listening", captions: true } }, "Reading", /captions/],
    [refused, "Not possible", /cannot be read/],
    [{ ...refused, speech: { state: "listening" } }, "Listening", /^Listening/],
    [{ state: "paused" }, "Paused", /until you resume/],
    [{ state: "stopped", speech: { state: "stopped" } }, "Stopped", /until you start again/],
    [{ state: "ended" }, "Ended", /ended before its first result/],
    [{ state: "ended", messages: 3 }, "Ended", /is on its way/],
  ]) {
    const waits = waitsOf(source);
    assert.equal(waits.mood, mood, JSON.stringify(source));
    assert.match(waits.instruction, words);
    if (!["Listening", "Waiting"].includes(mood)) assert.doesNotMatch(Object.values(waits).join(" "), /[Ll]istening/);
  }
  assert.deepEqual(standsStill({ state: "ended" }), { word: "Ended", tone: "" });
  assert.equal(standsStill({ ...refused, speech: { state: "listening" } }), null);
  assert.equal(standsStill({ state: "connected" }), null);
});

test("past streams are those that are over", async () => {
  const { overOf } = await load("../../live_insight/page/past.js");
  const [older, newest] = [{ from: 0, to: 60_000 }, { from: 4_000_000, to: 4_060_000 }];
  const listed = (source, now) => overOf([newest, older], source, now).length;
  const soon = newest.to + 20_000;
  const later = newest.to + 31 * 60_000;
  assert.deepEqual(["connected", "waiting", "resolving"].map((state) => listed({ state }, later)), [1, 1, 1]);
  assert.deepEqual(["ended", "stopped"].map((state) => listed({ state }, soon)), [2, 2]);
  assert.deepEqual([listed({ state: "paused" }, soon), listed({ state: "paused" }, later)], [1, 2]);
  assert.deepEqual([listed(null, soon), listed(undefined, later)], [1, 2], "without a source the time tells");
  assert.deepEqual(overOf([], null), []);
});
