// The only place that knows the server's field names: one function per event type, tolerant of missing fields.
import { clamp, label, list, num, text } from "/assets/shared/format.js";
import { adaptProvenance } from "/assets/shared/why.js";

const MOODS = ["negative", "tense", "neutral", "positive", "joyful"];
const BANDS = {
  ...{ hyped: "joyful", amused: "joyful", happy: "positive", calm: "neutral", mixed: "neutral", bored: "neutral" },
  ...{ silent: "neutral", sad: "tense", frustrated: "tense", angry: "negative" },
  ...Object.fromEntries(MOODS.map((mood) => [mood, mood])),
};
const WELCOME = new Set(["mood_rise", "engagement_spike"]);

/** The value of the first of these fields that exists. */
const first = (raw, ...names) =>
  names.map((name) => raw?.[name]).find((value) => value !== undefined && value !== null);

/** The colour band of a score. It is used if the server sends no mood. */
export const moodOf = (vibe) => MOODS[clamp(Math.floor(vibe / 20), 0, 4)];

const answer = (chat) =>
  typeof chat === "string"
    ? { user: "", text: chat }
    : { user: text(first(chat, "user", "user_name")), text: text(chat?.text) };

const phrase = (raw) => ({
  text: text(raw?.text),
  at: num(first(raw, "timestamp", "start_ms")),
  reactions: num(raw?.reactions),
  sentiment: clamp(num(first(raw, "sentiment", "mood")), -1, 1),
  chats: list(first(raw, "chats", "samples")).map(answer),
});

/** The tone of an alert: `bad`, `warn` or `good`. The severity is a word or a number from 0 to 1. */
function toneOf(raw) {
  if (WELCOME.has(raw?.kind)) return "good";
  if (typeof raw?.severity === "number") return raw.severity >= 0.6 ? "bad" : "warn";
  if (["critical", "high", "error"].includes(raw?.severity)) return "bad";
  return raw?.severity === "info" ? "good" : "warn";
}

export const adaptAlert = (raw) => ({
  kind: text(raw?.kind, "alert"),
  tone: toneOf(raw),
  message: text(raw?.message, "Something changed"),
  at: num(first(raw, "at", "at_ms")),
});

export const adaptClip = (raw) => ({
  start: num(first(raw, "start", "start_ms")),
  end: num(first(raw, "end", "end_ms")),
  reason: text(raw?.reason),
});

/** Change of engagement and of mood, usually −1…1: the server's value, or the difference from the usual value. */
function trendOf(raw, perMinute, vibe) {
  const { engagement, mood, usual_chats_per_second: usual, usual_vibe_score: usualVibe } = raw?.trend ?? {};
  if (typeof engagement === "number") return { engagement, moodChange: num(mood) };
  if (engagement === undefined || engagement === "unknown") return { engagement: 0, moodChange: 0 };
  return { engagement: usual > 0 ? perMinute / 60 / usual - 1 : 0, moodChange: (vibe - num(usualVibe, vibe)) / 50 };
}

/** Amounts and memberships of a window; null if there are none. */
function supportOf(raw) {
  if (!raw) return null;
  const sums = list(raw.sums).map((sum) => ({ micros: num(sum?.micros), currency: text(sum?.currency) }));
  const names = list(raw.sums).flatMap((sum) =>
    list(sum?.supporters).map((one) => text(first(one, "user_name", "user_id"))),
  );
  return {
    paid: num(raw.paid),
    sums,
    members: num(raw.new_members),
    gifts: num(raw.gifted_members),
    milestones: num(raw.milestones),
    names: [...new Set(names)].slice(0, 3),
  };
}

/** The name of a statement, by which its messages are found. */
const statement = (raw) => `${text(raw?.kind)} ${text(raw?.name)} ${raw?.at_ms ?? ""}`;

/** A message behind some statements. */
const evidenceLine = (raw) => ({
  user: text(first(raw, "user_name", "user_id")),
  text: text(raw?.text),
  at: num(raw?.timestamp),
  behind: list(raw?.behind).map(statement),
});

const behind = (window, name) => window.evidence.filter((line) => line.behind.includes(name));
export const behindInstruction = (window) => behind(window, "instruction  ");
export const behindTopic = (window, topic) => behind(window, `hot_topic ${topic.name} `);
export const behindAlert = (window, alert) => behind(window, `alert ${alert.kind} ${alert.at}`);
export const behindPhrase = (window, phrase) => behind(window, `phrase  ${phrase.at}`);

/** One window. `series` has chats and mood (−1…1) per bucket. Without `series` the whole window is one bucket. */
export function adaptInsight(raw) {
  const start = num(raw?.window?.start ?? raw?.window_start_ms);
  const end = num(raw?.window?.end ?? raw?.window_end_ms, start + 60_000);
  const vibe = clamp(num(first(raw, "vibe", "vibe_score"), 50), 0, 100);
  const chats = num(raw?.chats);
  const perMinute = num(raw?.chats_per_minute, num(raw?.chats_per_second, chats / 60) * 60);
  const mood = BANDS[raw?.mood] ?? moodOf(vibe);
  const series = list(raw?.series).map((point) => ({
    at: num(point?.at),
    chats: num(point?.chats),
    mood: clamp(num(point?.mood), -1, 1),
  }));
  const name = (one) => text(first(one, "user", "user_name", "user_id"));
  return {
    start,
    end,
    chats,
    vibe,
    mood,
    perMinute,
    moodWord: label(BANDS[raw?.mood] ? raw.mood : mood),
    transcripts: num(first(raw, "transcripts", "segments")),
    users: num(first(raw, "unique_users", "users")),
    topics: list(raw?.hot_topics).map((one) => ({
      name: text(first(one, "topic", "term")),
      count: num(first(one, "count", "chats")),
      users: num(one?.users),
    })),
    topChats: list(raw?.top_chats).map((chat) => ({
      user: name(chat),
      text: text(chat?.text),
      count: num(first(chat, "count", "echoes"), 1),
    })),
    active: list(raw?.active_users).map((user) => ({ name: name(user), count: num(first(user, "count", "chats")) })),
    phrases: list(raw?.phrases)
      .map(phrase)
      .sort((a, b) => a.at - b.at),
    ...trendOf(raw, perMinute, vibe),
    spike: raw?.spike === true || list(raw?.spikes).length > 0,
    silentChat: raw?.silent_chat === true,
    silentMic: raw?.silent_microphone === true,
    alerts: list(raw?.alerts).map(adaptAlert),
    clips: list(raw?.clips).map(adaptClip),
    support: supportOf(raw?.support),
    withdrawn: num(raw?.withdrawn),
    instruction: text(raw?.instruction),
    analyst: text(raw?.analyst),
    evidence: list(raw?.evidence).map(evidenceLine),
    provenance: adaptProvenance(raw?.provenance),
    series: series.length ? series : [{ at: start, chats, mood: vibe / 50 - 1 }],
  };
}
