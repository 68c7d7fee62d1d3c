// What is read of a live stream, in words: the state of its chat and of its speech, why they wait, and what to do.
import { text, timeOfDaySeconds } from "./format.js";
import { ofField, sentence as asSentence, withRemedy } from "./sentences.js";

const STATES = {
  resolving: ["Connecting", "warn"],
  connected: ["Chat connected", "good"],
  listening: ["Listening", "good"],
  waiting: ["Waiting", "warn"],
  refused: ["Not possible", "bad"],
  ended: ["Ended", ""],
  paused: ["Paused", ""],
  stopped: ["Stopped", ""],
};

/** A word and a tone for the state of a source. */
export function stateOf(source) {
  const [word, tone] = STATES[source?.state] ?? ["Unknown", ""];
  return { word, tone };
}

/** The sentence below the state: what happened, and what follows or helps. */
export function sentenceOf(source) {
  const reason = text(source?.reason);
  switch (source?.state) {
    case "waiting":
      return `${asSentence(reason || "The chat cannot be read now")} The next attempt is at ${timeOfDaySeconds(source.until_ms)}.`;
    case "refused":
      return withRemedy(reason, text(source.remedy));
    case "resolving":
      return "The platform is asked for the chat.";
    case "ended":
      return "The stream is over.";
    default:
      return "";
  }
}

const SPEECH = {
  connecting: ["Connecting to the audio", "warn"],
  listening: ["Listening", "good"],
  waiting: ["Audio waits", "warn"],
  refused: ["Audio not possible", "bad"],
  ended: ["Audio ended", ""],
};

/** Whether captions that the stream carries are read in the place of its audio. */
const readsCaptions = (speech) => speech?.state === "listening" && speech.captions === true;

/** The words, the tone and the sentence for the speech of a source; null while it is not listened to. */
export function speechOf(source) {
  const speech = source?.speech;
  const known = SPEECH[speech?.state];
  if (!known) return null;
  if (readsCaptions(speech)) return { word: "Reading captions", tone: "good", sentence: "The words come from the stream's captions." };
  const [word, tone] = known;
  const reason = text(speech.reason);
  let sentence = "";
  if (speech.state === "waiting") {
    const next = Number.isFinite(speech.until_ms) ? ` The next attempt is at ${timeOfDaySeconds(speech.until_ms)}.` : "";
    sentence = `${asSentence(reason || "Nothing is heard now")}${next}`;
  } else if (speech.state === "refused") {
    sentence = withRemedy(reason, text(speech.remedy));
  }
  return { word, tone, sentence };
}

/**
 * The steps from the address to the first words: `{ name, state, sentence }`, where the state is "done", "now", "later",
 * "waiting", "failed", "off" or "unset". Empty when there is nothing to wait for any more.
 */
export function stepsOf(source) {
  const { state, speech } = source ?? {};
  if (!["resolving", "connected", "waiting", "refused"].includes(state)) return [];
  const step = (name, at, sentence = "") => ({ name, state: at, sentence });
  const trouble = { waiting: "waiting", refused: "failed" }[state];
  const why = trouble ? sentenceOf(source) : "";
  // A wait or a refusal is about the first thing that did not succeed. What has brought something was there.
  const isHeard = speech?.state === "listening" || speech?.segments > 0;
  const steps =
    state === "connected" || source.messages > 0 || isHeard
      ? [step("Finding the stream", "done"), step("Chat", trouble ?? (state === "connected" ? "done" : "now"), why)]
      : [step("Finding the stream", trouble ?? "now", why), step("Chat", "later")];
  if (source.listens === false) {
    steps.push(step("Speech", "unset", "The setting sources.speech turns it on."));
  } else {
    const told = speechOf(source);
    const ear = { connecting: "now", listening: "done", waiting: "waiting", refused: "failed", ended: "done" }[speech?.state] ?? "later";
    const heard = speech?.segments > 0;
    const words = { listening: "now", refused: "off", ended: "off" }[speech?.state] ?? "later";
    const captions = readsCaptions(speech);
    steps.push(step(captions ? "Captions" : "Audio", ear, told?.sentence));
    const awaited = captions ? "Waiting for the next caption." : "Waiting for somebody to speak.";
    steps.push(heard ? step("First words", "done") : step("First words", words, words === "now" ? awaited : ""));
  }
  const hasAll = steps.every((step) => step.state === "done" || step.state === "off");
  if (hasAll) return [];
  // What stays as it is stays alone.
  return steps.every((step) => step.state === "done" || step.state === "unset") ? steps.slice(-1) : steps;
}

/** A state of a step in a word. */
export const STEP_WORDS = {
  done: "done",
  now: "in progress",
  later: "not yet",
  waiting: "waits",
  failed: "failed",
  off: "left out",
  unset: "is off",
};

/** What a person may ask for in a state, in the order of the buttons: words of the address, and labels. */
export function actionsOf(source) {
  switch (source?.state) {
    case "paused":
      return [
        ["resume", "Resume"],
        ["stop", "Stop"],
      ];
    case "stopped":
    case "ended":
      return [["resume", "Start again"]];
    case "refused":
    case "waiting":
      return [
        ["resume", "Try now"],
        ["stop", "Stop"],
      ];
    default:
      return [
        ["pause", "Pause"],
        ["stop", "Stop"],
      ];
  }
}

/** What a refusal says: what is wrong and what to do, field by field if there are fields. */
export function problemOf(answer, status) {
  const fields = Array.isArray(answer?.records) ? answer.records : [];
  const lines = fields.map(({ field, problem, fix }) => withRemedy(ofField(field, problem), fix));
  if (lines.length > 0) return lines.join(" ");
  if (answer?.error) return withRemedy(answer.error, answer.fix);
  return `The server answers with status ${status}.`;
}
