// Sentences from the words of others: what is wrong, and what to do.

/** Words that begin with a small letter and are no name of a setting or a program. */
const SMALL = /^\p{Ll}[\p{L}’']*(?=[\s,;:–]|$)/u;
const STOPS = /[.!?…]["”’)]*$/u;

/** Words as a sentence: a capital at the beginning, a full stop at the end. Nothing of nothing. */
export function sentence(words) {
  const plain = String(words ?? "").trim();
  if (!plain) return "";
  const begun = SMALL.test(plain) ? `${plain.charAt(0).toUpperCase()}${plain.slice(1)}` : plain;
  return STOPS.test(begun) ? begun : `${begun.replace(/[:;,]$/, "")}.`;
}

/** What is wrong and what to do, in sentences; either may be missing. */
export function withRemedy(problem, remedy) {
  const fix = String(remedy ?? "").trim();
  // One colon a sentence.
  const todo = fix && !fix.includes(": ") ? `To do: ${fix}` : fix;
  return [problem, todo].map(sentence).filter(Boolean).join(" ");
}

/** A field that people fill in, as they know it. */
const FIELDS = { url: "What you entered", chat: "The address of the chat", options: "The options", title: "The title", stream_id: "The id" };

/** What is wrong with a field, as the beginning of a sentence. */
export const ofField = (field, problem) => [FIELDS[field] ?? field, problem].filter(Boolean).join(" ");
