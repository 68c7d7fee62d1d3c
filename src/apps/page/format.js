// Numbers and times as people read them.

const pad = (number) => String(number).padStart(2, "0");

const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const clockSeconds = new Intl.DateTimeFormat(undefined, {
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
  hourCycle: "h23",
});
const whole = new Intl.NumberFormat(undefined, { maximumFractionDigits: 0 });

export const timeOfDay = (ms) => clock.format(ms);
export const timeOfDaySeconds = (ms) => clockSeconds.format(ms);
const MINUTE_MS = 60_000;
const isShort = ({ start, end }) => end - start < MINUTE_MS;
/** A time of a window, which is its start if none is given: with seconds where windows are shorter than a minute. */
export const windowTime = (window, ms = window.start) => (isShort(window) ? timeOfDaySeconds : timeOfDay)(ms);
export const windowTimes = (window, between = "–") => [windowTime(window), windowTime(window, window.end)].join(between);
/** What a window is called: a minute, unless it is shorter. */
export const windowWord = (window) => (window && isShort(window) ? "window" : "minute");
export const count = (number) => whole.format(number);
export const plural = (number, one, many) => `${count(number)} ${number === 1 ? one : many}`;

/** A length as `1:02:03`, always with hours: the form that video editors take. */
export function timecode(ms) {
  const seconds = Math.max(0, Math.round(ms / 1000));
  return `${pad(Math.floor(seconds / 3600))}:${pad(Math.floor(seconds / 60) % 60)}:${pad(seconds % 60)}`;
}

/** A length in the largest unit that fits: `38 s`, `4 min`, `2 h 5 min`. */
export function duration(ms) {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** A change with its sign, a real minus, and no `+0`. */
export function signed(number, digits = 0) {
  const text = Math.abs(number).toFixed(digits);
  if (Number(text) === 0) return text;
  return `${number > 0 ? "+" : "−"}${text}`;
}

/** An amount of money, from millionths of a unit. */
export function money(micros, currency) {
  const amount = micros / 1e6;
  return /^[A-Z]{3}$/.test(currency)
    ? new Intl.NumberFormat(undefined, { style: "currency", currency }).format(amount)
    : `${whole.format(amount)} ${currency}`;
}

export const percent = (part) => `${signed(part * 100)} %`;
export const clamp = (number, low, high) => Math.min(high, Math.max(low, number));

/** `left_elbow` as `Left elbow`. */
export function label(name) {
  const text = String(name).replaceAll("_", " ").trim();
  return text.charAt(0).toUpperCase() + text.slice(1);
}

const EXERCISES = { pull_up: "Pull-up", push_up: "Push-up" };

/** An exercise as people write it. */
export const exerciseName = (name) => EXERCISES[name] ?? label(name);

/** Who analysed, in words: `offline` is the program itself, everything else is a model's name. */
export const analystName = (name) => (name === "offline" ? "the built-in analyst" : name);

/** A finite number, or the fallback: events come from elsewhere and may lack fields. */
export const num = (value, fallback = 0) => (typeof value === "number" && Number.isFinite(value) ? value : fallback);
export const list = (value) => (Array.isArray(value) ? value : []);
export const text = (value, fallback = "") => (typeof value === "string" ? value : fallback);

const TURNS = /[\u202a-\u202e\u2066-\u2069]/g;
const RIGHT_TO_LEFT = /[\u0590-\u08ff\u200f\ufb1d-\ufdff\ufe70-\ufefc\u{10800}-\u{10fff}\u{1e800}-\u{1efff}]/u;

/**
 * A name or a quotation for a sentence without elements, such as a label. A text from right to left gets a direction of
 * its own, so that it does not turn the sentence. In elements, use `bdi` or `dir="auto"` instead.
 */
export function isolated(words) {
  const plain = String(words).replaceAll(TURNS, "");
  return RIGHT_TO_LEFT.test(plain) ? `\u2068${plain}\u2069` : plain;
}
