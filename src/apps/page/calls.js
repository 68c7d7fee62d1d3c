// What the counters of model calls mean, without a page.
import { duration, list, num, plural, text } from "./format.js";

const MINUTE = 60_000;

/**
 * The time within which this share of the answers came, from a histogram: `latency` counts answers up to each of
 * `bounds`, and one number more for those above. `{ ms, above }`; `null` without answers.
 */
export function quantile(latency, bounds, share) {
  const counts = list(latency).map((count) => num(count));
  const total = counts.reduce((sum, count) => sum + count, 0);
  if (total === 0) return null;
  let left = share * total;
  for (const [index, count] of counts.entries()) {
    if (left <= count && count > 0) {
      const low = index === 0 ? 0 : bounds[index - 1];
      if (index >= bounds.length) return { ms: bounds.at(-1), above: true };
      return { ms: low + (bounds[index] - low) * (left / count), above: false };
    }
    left -= count;
  }
  return { ms: bounds.at(-1), above: true };
}

/** A time to an answer, in words. */
export function latencyWords(found) {
  if (!found) return "–";
  const { ms, above } = found;
  const words = ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`;
  return above ? `over ${words}` : words;
}

/** Counts answers in the last minute, from the counter's value at each look. */
export function answersPerMinute() {
  let seen = [];
  return (answered, at) => {
    // A counter that fell belongs to a server that was started again.
    if (seen.length > 0 && answered < seen.at(-1).answered) seen = [];
    seen.push({ answered, at });
    while (seen.length > 1 && at - seen[0].at > MINUTE) seen.shift();
    return answered - seen[0].answered;
  };
}

/** The state of a route's breaker, in words: `[words, tone]`. */
export function breakerWords(route) {
  const wait = num(route?.tried_again_in_ms);
  switch (route?.breaker) {
    case "closed":
      return ["works", "good"];
    case "half-open":
      return ["is being tried again", "warn"];
    case "open":
      return [`fails; tried again in ${duration(wait)}`, "bad"];
    default:
      return ["has no breaker", ""];
  }
}

/** A share in percent: `12 %`. */
export const shareWords = (part, whole) => (whole > 0 ? `${Math.round((part / whole) * 100)} %` : "–");

const precise = new Intl.NumberFormat(undefined, { maximumFractionDigits: 4 });
const whole = new Intl.NumberFormat(undefined, { maximumFractionDigits: 0 });

/** Money in the currency of the prices, whose name the server does not know. */
export const cost = (micros) => precise.format(num(micros) / 1e6);

const QUANTITIES = {
  calls: (amount) => `${whole.format(amount)} ${amount === 1 ? "call" : "calls"}`,
  tokens: (amount) => `${whole.format(amount)} tokens`,
  micros: (amount) => cost(amount),
};
const NOW = { now: "in flight", minute: "in this minute", hour: "this hour", day: "today" };
const EVER = { now: "in flight", minute: "per minute", hour: "per hour", day: "per day" };

/** What somebody spent in a period, in words. */
export function spentWords(spent) {
  const usage = spent?.usage ?? {};
  const tokens = num(usage.input_tokens) + num(usage.output_tokens);
  return `${cost(usage.cost_micros)} · ${whole.format(tokens)} tokens · ${plural(num(spent?.calls), "call", "calls")}`;
}

/** The use of calls whose outcome nobody knows, in words; empty without any. */
export function unknownWords(spent) {
  const calls = num(spent?.unknown_calls);
  if (calls === 0) return "";
  const most = spent?.unknown ?? {};
  const tokens = num(most.input_tokens) + num(most.output_tokens);
  return `Unknown: up to ${cost(most.cost_micros)} · ${whole.format(tokens)} tokens · ${plural(calls, "call", "calls")}`;
}

/** Why some spending is unknown, for those who wonder. */
export const UNKNOWN =
  "A server ended while these calls ran. Nobody knows whether the provider finished and billed them, so budgets count the most that they may have used until the day is over.";

/** What attempts that never told their use count for, in words; empty without any. */
export function untoldWords(stats) {
  const attempts = num(stats?.untold);
  if (attempts === 0) return "";
  const most = stats?.untold_usage ?? {};
  return `${plural(attempts, "attempt", "attempts")} never told what ${attempts === 1 ? "it" : "they"} used and ${attempts === 1 ? "counts" : "count"} at the most: ${cost(most.cost_micros)}, included above.`;
}

/** How a route is doing, in words: what runs, what it answered, how long answers took and how old that measure is. */
export function routeWords(route) {
  const parts = [
    plural(num(route?.in_flight), "attempt runs", "attempts run"),
    `${plural(num(route?.succeeded), "request", "requests")} answered`,
  ];
  if (typeof route?.latency_ms === "number") {
    const ago = num(route.last_answer_ago_ms);
    const age = ago < 1000 ? "just now" : `${duration(ago)} ago`;
    parts.push(`the last answers took ${latencyWords({ ms: route.latency_ms })} on average, the last one came ${age}`);
  }
  return parts.join(" · ");
}

/** Why a limit lets no call through, in words; empty if it does. */
export function tooSmallWords(limit) {
  const calls = num(limit?.never_fit);
  if (calls === 0) return "";
  return `Too small: one call may use more than this limit, so ${plural(calls, "call was", "calls were")} never made. Raise the limit.`;
}

/** Adds up what routes spent, by tenant. */
export function byTenant(spending) {
  const tenants = new Map();
  const usage = () => ({ input_tokens: 0, output_tokens: 0, cost_micros: 0 });
  const add = (sum, spent) => {
    for (const count of ["calls", "unknown_calls"]) sum[count] += num(spent?.[count]);
    for (const part of ["usage", "unknown"])
      for (const field of Object.keys(sum[part])) sum[part][field] += num(spent?.[part]?.[field]);
  };
  const nothing = () => ({ calls: 0, usage: usage(), unknown_calls: 0, unknown: usage() });
  for (const { tenant, hour, day } of list(spending)) {
    if (!tenants.has(tenant)) tenants.set(tenant, { tenant, hour: nothing(), day: nothing() });
    add(tenants.get(tenant).hour, hour);
    add(tenants.get(tenant).day, day);
  }
  return [...tenants.values()].sort((a, b) => (text(a.tenant) < text(b.tenant) ? -1 : 1));
}

/** How much of a limit is used: `{ words, used, most }`; `used` is `null` where it is not known. */
export function limitWords(limit) {
  const of = QUANTITIES[limit?.quantity] ?? String;
  const most = num(limit?.most);
  const used = typeof limit?.used === "number" ? limit.used : null;
  const where = limit?.route ? ` on ${limit.route}` : "";
  const words =
    used === null
      ? `At most ${of(most)} ${EVER[limit?.period] ?? ""}${where}`
      : `${limit.quantity === "micros" ? cost(used) : whole.format(used)} of ${of(most)} ${NOW[limit?.period] ?? ""}${where}`;
  return { words, used, most };
}
