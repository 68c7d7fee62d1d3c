// Model calls as a server tells them: two applications, one of them in trouble.

const spent = (calls, input_tokens, output_tokens, cost_micros) => ({
  ...{ calls, usage: { input_tokens, output_tokens, cost_micros } },
  ...{ open_calls: 0, open: {}, unknown_calls: 0, unknown: {} },
});
const unknown = { unknown_calls: 3, unknown: { input_tokens: 36_000, output_tokens: 9_000, cost_micros: 90_000 } };

const quietStats = {
  ...{ attempts: 0, retries: 0, timeouts: 0, hedged: 0, succeeded: 0, known: 0, fallbacks: 0, cached: 0, joined: 0, failed: 0 },
  ...{ superseded: 0, expired: 0, exhausted: 0, dropped: 0, repeated: 0, in_flight: 0, waiting: 0 },
  ...{ usage: { input_tokens: 0, output_tokens: 0, cost_micros: 0 }, untold: 0, latency: Array(12).fill(0), latency_sum_ms: 0 },
};

const BOUNDS = [10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000];

/** What `GET /state/calls` answers. */
export const calls = (now) => [
  {
    ...{ application: "live-insight", now_ms: now, latency_bounds_ms: BOUNDS, oldest_waiting_ms: 95_000 },
    stats: {
      ...quietStats,
      ...{ attempts: 240, retries: 12, succeeded: 200, fallbacks: 50, failed: 3, superseded: 4, expired: 2 },
      ...{ known: 2, cached: 1, untold: 2, untold_usage: { input_tokens: 9_000, output_tokens: 8_000, cost_micros: 60_000 } },
      ...{ in_flight: 6, waiting: 14, latency: [0, 0, 0, 0, 0, 50, 100, 40, 8, 2, 0, 0] },
    },
    waiting: [{ tenant: "ada", requests: 14 }],
    routes: [
      { name: "gemini-2.5-pro", breaker: "open", tried_again_in_ms: 12_000, in_flight: 0, latency_ms: 4_200, last_answer_ago_ms: 400_000, succeeded: 47 },
      { name: "gemini-2.5-flash", breaker: "closed", tried_again_in_ms: null, in_flight: 6, latency_ms: 840, last_answer_ago_ms: 2_000, succeeded: 150 },
      { name: "offline", breaker: null, tried_again_in_ms: null, in_flight: 0, latency_ms: null, last_answer_ago_ms: null, succeeded: 0 },
    ],
    spending: [
      { tenant: "ada", route: "gemini-2.5-pro", hour: spent(40, 80_000, 4_000, 150_000), day: { ...spent(400, 800_000, 40_000, 1_500_000), ...unknown } },
      { tenant: "ada", route: "gemini-2.5-flash", hour: spent(60, 120_000, 6_000, 30_000), day: spent(600, 1_200_000, 60_000, 300_000) },
      { tenant: "bob", route: "gemini-2.5-flash", hour: spent(1, 900, 50, 400), day: spent(2, 1_800, 100, 800) },
    ],
    limits: [
      { limit: "at most 2000000 micros per day for each tenant", tenant: "ada", route: null, quantity: "micros", period: "day", most: 2_000_000, used: 1_850_000, left: 150_000 },
      { limit: "at most 2000000 micros per day for each tenant", tenant: "bob", route: null, quantity: "micros", period: "day", most: 2_000_000, used: 800, left: 1_999_200 },
      { limit: "at most 16 calls in flight", tenant: null, route: null, quantity: "calls", period: "now", most: 16, used: 6, left: 10 },
      { limit: "at most 100 tokens per minute", tenant: null, route: null, quantity: "tokens", period: "minute", most: 100, used: null, left: null, never_fit: 5 },
      { limit: "at most 60 calls per minute", tenant: null, route: null, quantity: "calls", period: "minute", most: 60, used: null, left: null },
    ],
    failures: [
      { at_ms: now, kind: "error", message: "<img src=x onerror=alert(1)>", attempts: 4, route: "gemini-2.5-pro" },
      { at_ms: now - 60_000, kind: "expired", message: "no answer came within 20s of the request", attempts: 1, route: "" },
    ],
  },
  {
    ...{ application: "form-coach", now_ms: now, latency_bounds_ms: BOUNDS, oldest_waiting_ms: null },
    ...{ stats: quietStats, waiting: [], spending: [], limits: [], failures: [] },
    routes: [{ name: "offline", breaker: null, tried_again_in_ms: null, in_flight: 0, latency_ms: null, last_answer_ago_ms: null, succeeded: 0 }],
  },
];

/** What `GET /state/dead-letters/live-insight` lists. */
export const deadLetters = (now) =>
  ["0-17", "0-18", "2-4"].map((id, index) => ({
    ...{ id, key: { id: ["ada", "ada", "שידור"][index], window_start_ms: now }, kind: "error" },
    ...{ message: `analyst refused the window: HTTP 400 (${index})`, attempts: 4, timestamp: now - index * 60_000 },
    ...{ bytes: 2_300, asked_again: false },
  }));
