// Views of a stream, made by the server when they are asked for: their addresses, and asking for them without haste.
import { num } from "/assets/shared/format.js";
import { headers } from "/assets/shared/shell.js";
import { problemOf } from "/assets/shared/source.js";

/** The address of a stream's view, with values behind the question mark. */
export function addressOf(id, view, query = {}) {
  const words = new URLSearchParams(query).toString();
  return `/v1/streams/${encodeURIComponent(id)}/${view}${words && `?${words}`}`;
}

/** What the server answers: `{ value, leftOut }`, or `{ problem }` in words. */
export async function ask(address) {
  try {
    const response = await fetch(address, { headers: headers(), cache: "no-store" });
    const value = await response.json().catch(() => null);
    if (!response.ok || value === null) return { problem: problemOf(value, response.status) };
    return { value, leftOut: num(Number(response.headers.get("tidemill-windows-left-out"))) };
  } catch {
    return { problem: "The server does not answer. Try it again in a moment." };
  }
}

/** What the words of addresses are called on a socket. */
const ASKS = { prediction: "outlook" };

/** A function that asks for views of a stream: over the line's socket, or by their addresses while there is none. */
export const asking =
  (line, id) =>
  async (view, query = {}) =>
    (await line.ask(ASKS[view] ?? view, query)) ?? ask(addressOf(id, view, query));

/**
 * Runs `work` once some time after the last of several calls, and never twice at the same time. `spread` is a longest
 * additional wait: the minutes of all streams end together, and their pages should not all ask at once.
 */
export function calmly(work, wait, spread = 0) {
  let timer = 0;
  let runs = false;
  let again = false;
  const run = async () => {
    if (runs) {
      again = true;
      return;
    }
    runs = true;
    try {
      await work();
    } finally {
      runs = false;
    }
    if (again) {
      again = false;
      plan();
    }
  };
  const plan = () => {
    clearTimeout(timer);
    timer = setTimeout(() => void run(), wait + Math.random() * spread);
  };
  return plan;
}
