// The chat messages behind the statements of a minute, and how the minute was read.
import { h } from "/assets/shared/dom.js";
import { timeOfDaySeconds } from "/assets/shared/format.js";
import { provenanceView, why } from "/assets/shared/why.js";
import { behindAlert, behindInstruction, behindPhrase, behindTopic } from "./adapt.js";

const row = (line) =>
  h(
    "li",
    {},
    h("time", { class: "muted num" }, timeOfDaySeconds(line.at)),
    h("b", {}, h("bdi", {}, line.user)),
    h("span", { dir: "auto" }, line.text),
  );

/** Messages with time and author, or a sentence if there is none. */
const lines = (found, nothing) =>
  found.length
    ? h("ol", { class: "why-lines small" }, found.map(row))
    : h("p", { class: "small muted" }, nothing);

const COUNTED = "No single message is behind this: it follows from counts of the whole window.";

/** `place` tells the two controls of a minute's advice apart. */
export const whyInstruction = (window, place) =>
  why(`${place} instruction ${window.start}`, "the advice", () => [
    lines(behindInstruction(window), COUNTED),
    place === "now" && provenanceView(window.provenance),
  ]);

export const whyTopic = (window, topic) =>
  why(`topic ${topic.name} ${window.start}`, `the topic ${topic.name}`, () =>
    lines(behindTopic(window, topic), "Its messages are not kept, or were withdrawn."),
  );

export const whyPhrase = (window, phrase) =>
  why(`phrase ${phrase.at} ${window.start}`, `the answers to ${phrase.text}`, () =>
    lines(behindPhrase(window, phrase), "Its messages are not kept, or were withdrawn."),
  );

export const whyAlert = (window, alert) =>
  why(`alert ${alert.kind} ${alert.at}`, `the alert ${alert.message}`, () => [
    lines(behindAlert(window, alert), COUNTED),
    h("p", { class: "small muted" }, "Alerts come from the built-in analyst, never from a model."),
  ]);

/** Whether something can be shown of an alert: its minute is over, and tells where it comes from. */
export const explains = (window) => window.evidence.length > 0 || window.provenance !== null;
