// Time frames and predictions as the server makes them, for the stand-in: roughly added up.

const LENGTHS = { "5m": 5, "15m": 15, "60m": 60, all: Infinity };
const sum = (insights, field) => insights.reduce((whole, insight) => whole + (insight[field] ?? 0), 0);

/** The last insights as one. */
export function frame(insights, last) {
  const part = insights.slice(-LENGTHS[last]);
  const [first, newest] = [part[0], part.at(-1)];
  const lists = (field) => part.flatMap((insight) => insight[field] ?? []);
  const minutes = (newest.window.end - first.window.start) / 60_000;
  const insight = {
    ...newest,
    window: { start: first.window.start, end: newest.window.end },
    chats: sum(part, "chats"),
    transcripts: sum(part, "transcripts"),
    chats_per_minute: sum(part, "chats") / minutes,
    unique_users: Math.round(sum(part, "unique_users") / 2),
    vibe: Math.round(sum(part, "vibe") / part.length),
    ...{ phrases: lists("phrases"), alerts: lists("alerts"), series: lists("series") },
    ...{ silent_chat: false, silent_microphone: false, provenance: undefined },
  };
  const users = { least: insight.unique_users - 5, most: insight.unique_users + 5 };
  const note = {
    ...{ windows: part.length, covered_ms: part.length * 60_000, gaps: [], users },
    ...{ phrases: insight.phrases.length, clips: 0, alerts: insight.alerts.length },
  };
  return { insight, note };
}

/** A prediction after each of the last insights. */
export function outlook(id, insights) {
  const told = ({ window }, instruction, more) => ({
    stream_id: id,
    at_ms: window.end,
    until_ms: window.end + 300_000,
    engagement: { now: 2, usual: 1.9, expected: 2.2, least: 1.4, most: 3, momentum: "rising", change_per_minute: 0.04 },
    promotion: { now: false, probability: 0.4, best_ms: window.end },
    advice: {
      action: "keep_going",
      instruction,
      reason: "132 messages a minute are expected in the next 5 minutes; usual are 114.",
      confidence: 0.83,
      claim: { from_ms: window.end, until_ms: window.end + 300_000, side: "above", chats_per_second: 1.5 },
      ...more,
    },
  });
  const past = insights.at(-8) ?? insights[0];
  return {
    prediction: told(insights.at(-1), "Keep going."),
    judged: 9,
    came_true: 7,
    earlier: [
      { prediction: told(insights.at(-2) ?? past, "Keep going."), outcome: "open" },
      { prediction: told(past, "Do your promotion or a poll now."), outcome: "came_true", chats_per_second: 1.75 },
    ],
  };
}

/** The streams of an id: the one that runs, and an earlier one. */
export function past(id, insights) {
  const [first, newest] = [insights[0], insights.at(-1)];
  if (!first) return { streams: [] };
  const summary = (before) => ({
    ...{ stream_id: id, started_ms: first.window.start - before, ended_ms: newest.window.end - before },
    ...{ windows: insights.length, chats: sum(insights, "chats"), users: 40, users_range: { least: 38, most: 44 } },
    ...{ questions: 3, segments: 20, chats_per_second: 2, vibe_score: 63, mood: "happy", languages: ["en"] },
    liveliest: { at_ms: first.window.start - before + 60_000, chats_per_second: 4, vibe_score: 70 },
    hot_topics: ["<i>boss</i>", "lantern"],
    moments: [{ start_ms: first.window.start - before, end_ms: first.window.end - before, reason: "Chat spike" }],
    ...{ clips: 1, alerts: 2 },
  });
  return { streams: [summary(0), summary(86_400_000)], kept_ms: 7 * 86_400_000 };
}
