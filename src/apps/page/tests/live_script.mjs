// A stream as it might go: one scripted hour of a game broadcast, minute by minute.

const MINUTE = 60_000;
const NAMES = [
  "mira_k",
  "toastlord",
  "quietbench",
  "juno",
  "pixelpete",
  "sannah",
  "oldmate",
  "vee",
  "brackish",
  "noodle42",
  "lantern",
  "captainkelp",
];

/** A seeded generator: the same script on every run. */
export function seeded(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

const win = ["NO WAY", "LETS GOOO", "first try btw", "clip that!!", "I was eating and screamed"];
const calm = [
  "hello from Oslo",
  "love this soundtrack",
  "what build is this?",
  "been here since the tutorial",
  "map is bottom left",
];
const sad = ["oof", "the camera did that not you", "nooo the relic", "this boss is unfair", "rip the run"];
const ask = [
  "how long have you been streaming?",
  "will there be a second season?",
  "what keyboard?",
  "favourite boss so far?",
  "any tips for parrying?",
];

const SCENES = [
  {
    rate: 62,
    mood: 0.3,
    topics: ["soundtrack", "build"],
    chats: calm,
    said: [
      "Good evening everybody, the harbour level is first tonight.",
      "Somebody asked for the build: it is all stamina, no armour.",
    ],
  },
  {
    rate: 74,
    mood: 0.35,
    topics: ["map", "soundtrack"],
    chats: calm,
    said: ["There should be a ladder behind the crane.", "Tell me I am not the only one who got lost here."],
  },
  {
    rate: 81,
    mood: 0.2,
    topics: ["harbour boss", "parry"],
    chats: ask,
    said: ["This is the boss with the two lanterns.", "If I parry the second swing it opens up."],
    do: "Chat wants to know about parrying: explain the timing while you wait for the lift.",
  },
  {
    rate: 118,
    mood: -0.35,
    topics: ["camera", "relic"],
    chats: sad,
    said: ["I lost the relic. Forty minutes.", "The camera went into the wall, you all saw it."],
    alert: ["mood_drop", "warning", "The mood fell quickly after the lost relic"],
    do: "The mood dropped with the lost relic: laugh it off and name the next goal.",
  },
  {
    rate: 96,
    mood: -0.55,
    topics: ["difficulty", "camera"],
    chats: sad,
    said: ["I am not angry, I am only breathing loudly."],
    do: "Two voices complain about difficulty; most do not. Start the second attempt now.",
  },
  {
    rate: 88,
    mood: -0.1,
    topics: ["second attempt"],
    chats: calm,
    said: ["Second attempt, same plan, less talking.", "Watch the left lantern."],
  },
  {
    rate: 236,
    mood: 0.85,
    spike: true,
    topics: ["first parry", "boss down", "clip it"],
    chats: win,
    said: [
      "Parry, parry, and that is the lantern down!",
      "I did not even heal. Not once.",
      "Somebody clip that before I wake up.",
    ],
    clip: ["Boss beaten without healing; chat tripled within ten seconds", 14, 47],
    do: "The audience is at its peak: mention the merch drop now, then open the chest.",
  },
  {
    rate: 171,
    mood: 0.7,
    topics: ["boss down", "chest"],
    chats: win,
    said: ["What is in the chest, everybody guess.", "It is a fishing rod. It is a fishing rod!"],
    do: "Ride the energy: let chat vote on who gets the fishing rod build.",
  },
  {
    rate: 104,
    mood: 0.45,
    silentMic: true,
    topics: ["fishing rod", "break"],
    chats: calm,
    alert: ["silent_microphone", "warning", "Your microphone has been silent for a minute while chat is talking"],
    do: "Your microphone is silent and 104 people are writing: check it before you go on.",
  },
  {
    rate: 92,
    mood: 0.3,
    topics: ["fishing rod"],
    chats: ask,
    said: ["I am back, the kettle won.", "Question time while the map loads."],
    do: "Start your Q&A now: five questions are open.",
  },
  {
    rate: 0,
    mood: 0,
    silentChat: true,
    topics: [],
    chats: [],
    said: ["So the story behind the harbour is longer than it looks.", "Is chat still there, or is it only me?"],
    alert: ["silent_chat", "critical", "Chat fell silent: check whether it is still connected"],
    do: "Nobody wrote for a minute: ask chat a yes-or-no question.",
  },
  {
    rate: 143,
    mood: 0.55,
    topics: ["chat is back", "second season", "keyboard"],
    chats: ask,
    said: [
      "There you are. The chat server had a nap.",
      "Second season: yes, and you hear it here first.",
      "The keyboard is the loud one, sorry.",
    ],
    do: "Engagement is back and rising: announce the second season again for those who just joined.",
  },
];

/** The messages behind a minute's statements. */
const evidence = (scene, index, start, phrases, alerts) =>
  scene.chats.map((text, at) => ({
    id: `m${index}-${at}`,
    user_id: `u${at}`,
    user_name: NAMES[(index + at * 3) % NAMES.length],
    text,
    timestamp: start + 7000 + at * 9000,
    behind: [
      ...(at < 2 ? [{ kind: "instruction" }] : []),
      ...scene.topics.filter((_, topic) => (topic + at) % 2 === 0).map((name) => ({ kind: "hot_topic", name })),
      ...phrases.filter((_, phrase) => phrase === at).map((phrase) => ({ kind: "phrase", at_ms: phrase.timestamp })),
      ...alerts.map((alert) => ({ kind: "alert", name: alert.kind, at_ms: alert.at })),
    ],
  }));

/** A model answers, except in the fifth minute, whose answer comes too late. */
export const provenance = (index, name) => ({
  outcome: index % 12 === 4 ? "expired" : "answered",
  reason: index % 12 === 4 ? "The model's answer came too late." : "",
  model: "gemini-2.5-flash",
  prompt: `${name}@3 a1b2c3`,
  route: "gemini",
  input_tokens: 1420,
  output_tokens: 88,
  cost_micros: 900,
  currency: "EUR",
  attempts: 1,
  latency_ms: 800,
  repeated: false,
  inputs: [{ topic: "live-chat", partition: 0, offset: 100 + index * 90 }],
});

/** Events of minute `index`, in the order in which a server sends them: alert, insight, clip. */
export function minute(id, base, index) {
  const random = seeded(index * 7919 + 17);
  const scene = SCENES[index % SCENES.length];
  const previous = SCENES[(index + SCENES.length - 1) % SCENES.length];
  const start = base + index * MINUTE;
  const chats = Math.round(scene.rate * (0.94 + random() * 0.12));
  const wave = (bucket) => (scene.spike ? 0.35 + 1.9 * Math.exp(-(((bucket - 4) / 2.2) ** 2)) : 0.65 + random() * 0.7);
  const weights = Array.from({ length: 12 }, (_, bucket) => wave(bucket));
  const whole = weights.reduce((sum, weight) => sum + weight, 0);
  const series = weights.map((weight, bucket) => {
    const turn = previous.mood + (scene.mood - previous.mood) * Math.min(1, (bucket + 1) / 6);
    return {
      at: start + bucket * 5000,
      chats: Math.round((chats * weight) / whole),
      mood: Math.max(-1, Math.min(1, turn + (random() - 0.5) * 0.16)),
    };
  });
  const vibe = Math.round(50 + scene.mood * 46);
  const said = scene.said ?? [];
  const phrases = said.map((text, at) => ({
    text,
    timestamp: start + 6000 + Math.round((at * 48_000) / said.length),
    reactions: chats ? Math.round((chats / said.length) * (0.25 + random() * 0.4)) : 0,
    sentiment: Math.max(-1, Math.min(1, scene.mood + (random() - 0.5) * 0.3)),
    chats: chats
      ? [0, 1, 2]
          .map(
            (step) => `${NAMES[(index + at + step) % NAMES.length]}: ${scene.chats[(at + step) % scene.chats.length]}`,
          )
          .map((line) => ({ user: line.split(": ")[0], text: line.split(": ")[1] }))
      : [],
  }));
  const alerts = scene.alert
    ? [{ kind: scene.alert[0], severity: scene.alert[1], message: scene.alert[2], at: start + 21_000 }]
    : [];
  const users = Math.round(chats * 0.58);
  const insight = {
    stream_id: id,
    window: { start, end: start + MINUTE },
    chats,
    transcripts: said.length * 9,
    chats_per_minute: chats,
    unique_users: users,
    vibe,
    mood: ["negative", "tense", "neutral", "positive", "joyful"][Math.min(4, Math.floor(vibe / 20))],
    hot_topics: scene.topics.map((topic, at) => ({
      topic,
      count: Math.round(chats / (2.2 + at * 1.6)),
      users: Math.round(users / (2.4 + at * 1.5)),
    })),
    top_chats: scene.chats.slice(0, 4).map((text, at) => ({
      user: NAMES[(index + at * 3) % NAMES.length],
      text,
      count: Math.max(1, Math.round((random() * 14) / (at + 1))),
    })),
    active_users: chats
      ? [0, 1, 2, 3, 4].map((at) => ({
          user: NAMES[(index * 2 + at) % NAMES.length],
          count: Math.max(1, 9 - at * 2 + Math.round(random() * 2)),
        }))
      : [],
    phrases,
    series,
    alerts,
    spike: scene.spike === true,
    silent_chat: scene.silentChat === true,
    silent_microphone: scene.silentMic === true,
    trend: {
      engagement: Math.max(-1, Math.min(1, (scene.rate - previous.rate) / Math.max(90, previous.rate))),
      mood: scene.mood - previous.mood,
    },
    instruction: scene.do ?? "Carry on: the pace suits your audience.",
    analyst: "gemini-2.5-flash",
    evidence: evidence(scene, index, start, phrases, alerts),
    provenance: provenance(index, "live-insight"),
  };
  const clips = scene.clip
    ? [
        {
          stream_id: id,
          start: start + scene.clip[1] * 1000,
          end: start + scene.clip[2] * 1000,
          reason: scene.clip[0],
          score: 0.93,
        },
      ]
    : [];
  return [
    ...alerts.map((data) => ["alert", { stream_id: id, ...data }]),
    ["insight", insight],
    ...clips.map((data) => ["clip", data]),
  ];
}
