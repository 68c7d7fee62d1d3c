// What the page says while a stream has no result yet, and what stands still: always what is true of its source.
import { stateOf } from "/assets/shared/source.js";

const LINES_UP = "Mood, chat and your words line up here, window by window.";
const ABOVE = "The line above tells why, and what helps.";

const isHeard = (source) => source?.speech?.state === "listening";
const hasBrought = (source) => source?.messages > 0 || source?.speech?.segments > 0;

/**
 * The words in the place of results: `instruction` for the advice, `mood` for the dial, `title` and `detail` for the
 * timeline. `source` is null for a stream that nobody started by its address, and undefined until the server has told.
 */
export function waitsOf(source) {
  const say = (mood, instruction, title, detail) => ({ mood, instruction, title, detail });
  if (source === null)
    return say("No result", "There is no result of this stream yet.", "No result yet", "The first one comes after somebody has sent chat or speech.");
  const first = "Your first result is on its way";
  switch (source?.state) {
    case "paused":
      return say("Paused", "Paused: nothing is read until you resume.", "Nothing is read now", "“Resume” above goes on.");
    case "stopped":
      return say("Stopped", "Stopped: nothing is read until you start again.", "Nothing is read now", "“Start again” above begins.");
    case "ended":
      return hasBrought(source)
        ? say("Ended", "The stream is over. Its first result is on its way.", first, LINES_UP)
        : say("Ended", "The stream ended before its first result.", "The stream is over", "No chat or speech came before it ended.");
  }
  if (isHeard(source) && source.speech.captions === true)
    return say("Reading", "Reading the captions of your stream.", first, LINES_UP);
  if (isHeard(source)) return say("Listening", "Listening to the beginning of your stream.", first, LINES_UP);
  switch (source?.state) {
    case "resolving":
      return say("Connecting", "Connecting to your stream.", "Connecting", LINES_UP);
    case "connected":
      return say("Reading", "Reading the beginning of your chat.", first, LINES_UP);
    case "waiting":
      return say("Waiting", "The stream cannot be read now. It is tried again.", "Nothing is read now", ABOVE);
    case "refused":
      return say("Not possible", "This stream cannot be read.", "Nothing is read", ABOVE);
    default:
      return say("Waiting", "Waiting for the first result of this stream.", "No result yet", LINES_UP);
  }
}

/** The word and the tone of a source of which nothing more comes by itself; null if something may come. */
export function standsStill(source) {
  const still = ["paused", "stopped", "ended"].includes(source?.state) || (source?.state === "refused" && !isHeard(source));
  return still ? stateOf(source) : null;
}
