// The only place that knows the server's field names: one function per event type, tolerant of missing fields.
import { clamp, list, num, text } from "/assets/shared/format.js";

const MOODS = ["negative", "tense", "neutral", "positive", "joyful"];

/** The mood word for a score: the server's word wins, this fills in where it has none. */
export const moodOf = (vibe) => MOODS[clamp(Math.floor(vibe / 20), 0, 4)];

const phrase = (raw) => ({
  text: text(raw?.text),
  at: num(raw?.timestamp),
  reactions: num(raw?.reactions),
  sentiment: clamp(num(raw?.sentiment), -1, 1),
  chats: list(raw?.chats).map((chat) =>
    typeof chat === "string" ? { user: "", text: chat } : { user: text(chat?.user), text: text(chat?.text) },
  ),
});

export const adaptAlert = (raw) => ({
  kind: text(raw?.kind, "alert"),
  severity: text(raw?.severity, "warning"),
  message: text(raw?.message, "Something changed"),
  at: num(raw?.at),
});

export const adaptClip = (raw) => ({
  start: num(raw?.start),
  end: num(raw?.end),
  reason: text(raw?.reason),
  score: num(raw?.score),
});

/** One window. `series` holds chats and mood (−1…1) per bucket; without it the whole window is one bucket. */
export function adaptInsight(raw) {
  const start = num(raw?.window?.start);
  const end = num(raw?.window?.end, start + 60_000);
  const vibe = clamp(num(raw?.vibe, 50), 0, 100);
  const chats = num(raw?.chats);
  const series = list(raw?.series).map((point) => ({
    at: num(point?.at),
    chats: num(point?.chats),
    mood: clamp(num(point?.mood), -1, 1),
  }));
  return {
    start,
    end,
    chats,
    vibe,
    transcripts: num(raw?.transcripts),
    perMinute: num(raw?.chats_per_minute, chats),
    users: num(raw?.unique_users),
    mood: MOODS.includes(raw?.mood) ? raw.mood : moodOf(vibe),
    topics: list(raw?.hot_topics).map((topic) => ({
      name: text(topic?.topic),
      count: num(topic?.count),
      users: num(topic?.users),
    })),
    topChats: list(raw?.top_chats).map((chat) => ({
      user: text(chat?.user),
      text: text(chat?.text),
      count: num(chat?.count, 1),
    })),
    active: list(raw?.active_users).map((user) => ({ name: text(user?.user), count: num(user?.count) })),
    phrases: list(raw?.phrases)
      .map(phrase)
      .sort((a, b) => a.at - b.at),
    engagement: num(raw?.trend?.engagement),
    moodChange: num(raw?.trend?.mood),
    spike: raw?.spike === true,
    silentChat: raw?.silent_chat === true,
    silentMic: raw?.silent_microphone === true,
    alerts: list(raw?.alerts).map(adaptAlert),
    instruction: text(raw?.instruction),
    analyst: text(raw?.analyst),
    series: series.length ? series : [{ at: start, chats, mood: vibe / 50 - 1 }],
  };
}
