// Why a result says what it says: the evidence behind a statement, how the result came about, and what it cost.
import { h, setText } from "./dom.js";
import { count, list, money, num, plural, text } from "./format.js";

const DRAFTS = new Set(["superseded", "expired", "exhausted", "failed"]);
/** Costs below a cent have so many digits, because a call costs a fraction of a cent. */
const SMALL = 4;

/** Reads a result's provenance; null for results without one. */
export function adaptProvenance(raw) {
  if (!raw || typeof raw !== "object") return null;
  return {
    outcome: text(raw.outcome, "failed"),
    reason: text(raw.reason),
    model: text(raw.model),
    prompt: text(raw.prompt),
    route: text(raw.route),
    inputTokens: num(raw.input_tokens),
    outputTokens: num(raw.output_tokens),
    micros: num(raw.cost_micros),
    currency: text(raw.currency),
    attempts: num(raw.attempts),
    latency: num(raw.latency_ms),
    repeated: raw.repeated === true,
    untold: num(raw.untold),
    inputs: list(raw.inputs).map((one) => ({
      topic: text(one?.topic),
      partition: num(one?.partition),
      offset: num(one?.offset),
    })),
  };
}

/** A cost such as `0.0009 EUR`; a large one as people write money. */
export function cost(micros, currency) {
  const amount = micros / 1e6;
  if (amount >= 1 && currency) return money(micros, currency);
  const digits = new Intl.NumberFormat("en", { minimumFractionDigits: 2, maximumFractionDigits: amount < 0.01 ? SMALL + 2 : SMALL });
  return `${digits.format(amount)}${currency ? ` ${currency}` : ""}`;
}

const seconds = (ms) => `${(ms / 1000).toFixed(1)} s`;

/** What a call used: tokens, money, attempts and time. */
function used(from) {
  const tokens = from.inputTokens || from.outputTokens;
  return [
    tokens && `${count(from.inputTokens)} + ${count(from.outputTokens)} tokens`,
    (tokens || from.micros > 0) && `${from.currency ? "" : "cost "}${cost(from.micros, from.currency)}`,
    from.attempts && plural(from.attempts, "attempt", "attempts"),
    from.latency && seconds(from.latency),
    from.repeated && "may have been paid twice",
    from.untold && `${plural(from.untold, "attempt", "attempts")} whose cost came later`,
  ].filter(Boolean);
}

const SOURCES = { cached: "an earlier answer to the same content", joined: "the answer to another request like it" };

/**
 * How a result came about, in a line: `gemini-2.5-flash, prompt live-insight@3, 1,420 + 88 tokens, 0.0009 EUR,
 * 1 attempt, 0.8 s`, or `Draft: the model's answer came too late.`.
 */
export function provenanceLine(from) {
  if (!from) return "This result is older than its provenance.";
  if (from.outcome === "offline") return "The built-in analyst; no model was asked.";
  if (DRAFTS.has(from.outcome)) {
    const reason = from.reason || "No model answered.";
    const more = used(from).join(", ");
    return `Draft: ${reason.charAt(0).toLowerCase()}${reason.slice(1)}${more ? ` (${more})` : ""}`;
  }
  const prompt = from.prompt && `prompt ${from.prompt.split(" ")[0]}`;
  const line = [from.model || from.route || "A model", prompt, SOURCES[from.outcome], ...used(from)].filter(Boolean).join(", ");
  return from.outcome === "fallback" && from.reason ? `${line}. Fallback: ${from.reason}` : line;
}

/** Up to where the inputs had been read, for those who look the records up. */
export const inputsLine = (from) =>
  list(from?.inputs)
    .map(({ topic, partition, offset }) => `${topic} ${partition} up to ${count(offset)}`)
    .join(", ");

/** The paragraphs of a result's provenance. All texts are inserted as text. */
export function provenanceView(from) {
  const fingerprint = from?.prompt.split(" ")[1];
  const details = [
    fingerprint && `Prompt ${fingerprint}`,
    from?.route && from.route !== from.model && `route ${from.route}`,
    inputsLine(from) && `read ${inputsLine(from)}`,
  ].filter(Boolean);
  return [
    h("p", { class: "why-from small" }, h("bdi", {}, provenanceLine(from))),
    details.length > 0 && h("p", { class: "why-more small muted" }, h("bdi", {}, details.join(", "))),
  ].filter(Boolean);
}

/** What is open stays open when the page draws anew. */
const open = new Set();

/**
 * The control that shows why: a word to click, or to reach by the keyboard, and below it what `content()` builds. `key`
 * names the statement, so that it stays open; `about` tells people who do not see the page which statement it is.
 */
export function why(key, about, content) {
  const body = h("div", { class: "why-body" });
  const fill = () => body.replaceChildren(...[content()].flat(Infinity).filter(Boolean));
  if (open.has(key)) fill();
  const box = h(
    "details",
    { class: "why", open: open.has(key), data: { why: key } },
    h("summary", {}, "Why", h("span", { class: "sr" }, `: ${about}`)),
    body,
  );
  box.addEventListener("toggle", () => {
    if (box.open) {
      open.add(key);
      if (!body.firstChild) fill();
    } else open.delete(key);
  });
  return box;
}

/** Draws into `box` with `draw`, and gives the focus back to the control of the same statement. */
export function keepingFocus(box, draw) {
  const key = document.activeElement?.closest?.(".why")?.dataset.why;
  draw();
  if (key === undefined) return;
  const again = [...box.querySelectorAll(".why")].find((one) => one.dataset.why === key);
  again?.querySelector("summary").focus({ preventScroll: true });
}

/** What the results of a session cost together. A result that comes again replaces itself. */
export class Costs {
  #results = new Map();

  /** Takes a result by its key. Results without provenance count for nothing. */
  add(key, from) {
    if (!from) return;
    const { outcome, micros, currency } = from;
    this.#results.set(key, { outcome, micros, currency });
  }

  /**
   * The sums by currency, the number of results for which a model was asked, how many of those show the draft because
   * no model answered, and how many another model than the first one answered (a fallback).
   */
  get total() {
    const asked = [...this.#results.values()].filter((one) => one.outcome !== "offline");
    const sums = new Map();
    for (const { micros, currency } of asked)
      if (micros > 0) sums.set(currency, (sums.get(currency) ?? 0) + micros);
    const drafts = asked.filter((one) => DRAFTS.has(one.outcome)).length;
    const fallbacks = asked.filter((one) => one.outcome === "fallback").length;
    return { asked: asked.length, drafts, fallbacks, share: asked.length ? drafts / asked.length : 0, sums: [...sums] };
  }
}

/** The cost of the session for the head of a page: short words, and a sentence for those who want to know more. */
export function costWords({ asked, drafts, fallbacks, share, sums }) {
  if (asked === 0) return { short: "", more: "", sentence: "" };
  const spent = sums.length ? sums.map(([currency, micros]) => cost(micros, currency)).join(" + ") : cost(0, "");
  const part = `${Math.round(share * 100)} %`;
  return {
    short: spent,
    more: `${part} drafts`,
    sentence:
      `Models cost ${spent} for ${plural(asked, "result", "results")} of this page. ` +
      `${plural(drafts, "result shows", "results show")} the draft (${part}), because no model answered; ` +
      `${plural(fallbacks, "was", "were")} answered by a fallback, another model than the first one.`,
  };
}

/** Shows the cost in the page's head. Without a model there is nothing to show. */
export function drawCost(element, costs) {
  const { short, more, sentence } = costWords(costs.total);
  element.hidden = short === "";
  element.title = sentence;
  const [spent, share, told] = element.children;
  setText(spent, short);
  setText(share, more);
  setText(told, sentence);
}
