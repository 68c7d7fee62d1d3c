// What is read of this stream: its state, why it waits or is refused, and buttons to pause, resume and stop it.
import { h, toast } from "/assets/shared/dom.js";
import { count, plural, text } from "/assets/shared/format.js";
import { headers } from "/assets/shared/shell.js";
import { actionsOf, problemOf, sentenceOf, speechOf, stateOf, stepsOf, STEP_WORDS } from "/assets/shared/source.js";

const AGAIN_MS = 2000;

/**
 * Shows a stream's source, and looks again while the page is looked at and `isPushed()` is false. A stream without a
 * source shows nothing. `onSource` gets each change, and null for no source. Returns a function that takes a source that
 * the server has sent.
 */
export function followSource(box, id, isPushed = () => false, onSource = () => {}) {
  const address = `/v1/streams/${encodeURIComponent(id)}`;
  let shown = "";

  const draw = (source) => {
    box.hidden = !source;
    const key = JSON.stringify(source ?? null);
    if (key === shown) return;
    shown = key;
    onSource(source ?? null);
    if (source) fill(box, source, ask);
  };

  const look = async () => {
    if (isPushed()) return;
    try {
      const response = await fetch(address, { headers: headers(), cache: "no-store" });
      if (response.ok) draw((await response.json()).source);
    } catch {
      // The bar above tells that the server is away.
    }
  };

  const ask = async (action) => {
    try {
      const response = await fetch(`${address}/${action}`, { method: "POST", headers: headers({ "content-type": "application/json" }) });
      const answer = await response.json().catch(() => null);
      if (response.ok) draw(answer.source);
      else toast(problemOf(answer, response.status));
    } catch {
      toast("The server does not answer. Try it again in a moment.");
    }
  };

  setInterval(() => document.visibilityState === "visible" && void look(), AGAIN_MS);
  return draw;
}

/** The parts that stay between two states, so that the live region speaks only when words change. */
function fill(box, source, ask) {
  const { word, tone } = stateOf(source);
  const title = text(source.title) || text(source.url);
  const counted = source.messages > 0 ? plural(source.messages, "message", "messages") : "";
  const leftOut = source.left_out > 0 ? `${count(source.left_out)} left out` : "";
  const focused = box.contains(document.activeElement) ? document.activeElement.dataset.action : null;
  const buttons = actionsOf(source).map(([action, label]) =>
    h("button", { class: "btn tiny", type: "button", data: { action }, onClick: () => void ask(action) }, label),
  );
  const words = box.querySelector(".source-words") ?? h("p", { class: "source-words", role: "status" });
  const sentence = sentenceOf(source);
  const speech = speechOf(source);
  const steps = stepsOf(source);
  const said = [word, sentence, speech?.word, speech?.sentence, steps.length > 0].filter(Boolean).join(": ");
  if (words.dataset.said !== said) {
    words.dataset.said = said;
    // Where steps are shown, they have the sentences; here they are only spoken.
    const tell = (told) => h("bdi", { class: steps.length > 0 ? "sr" : "" }, told);
    const parts = [h("span", { class: "chip", data: { tone } }, word), tell(sentence)];
    if (speech) parts.push(h("span", { class: "chip", data: { tone: speech.tone } }, speech.word), tell(speech.sentence));
    words.replaceChildren(...parts);
  }
  const heard = source.speech?.segments > 0 ? plural(source.speech.segments, "phrase", "phrases") : "";
  const facts = [text(source.platform), counted, heard, leftOut].filter(Boolean).join(" · ");
  box.dataset.state = source.state;
  box.replaceChildren(
    h("p", { class: "source-name" }, h("strong", { dir: "auto" }, title), h("span", { class: "muted" }, facts)),
    words,
    h("div", { class: "source-actions" }, ...buttons),
    ...(steps.length > 0 ? [stepList(steps)] : []),
  );
  if (focused) (box.querySelector(`[data-action="${focused}"]`) ?? box.querySelector("button"))?.focus();
}

/** The steps of the connection: what is done, what is in progress, and what failed with what helps. */
const stepList = (steps) =>
  h(
    "ol",
    { class: "steps", "aria-label": "Steps of the connection" },
    steps.map(({ name, state, sentence }) =>
      h(
        "li",
        { data: { step: state } },
        h("span", { class: "step-name" }, name),
        h("span", { class: "small muted" }, STEP_WORDS[state]),
        sentence && h("bdi", { class: "step-why small" }, sentence),
      ),
    ),
  );
