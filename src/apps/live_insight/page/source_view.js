// What is read of this stream: its state, why it waits or is refused, and buttons to pause, resume and stop it.
import { h, toast } from "/assets/shared/dom.js";
import { count, plural, text } from "/assets/shared/format.js";
import { headers } from "/assets/shared/shell.js";
import { actionsOf, problemOf, sentenceOf, speechOf, stateOf } from "/assets/shared/source.js";

const AGAIN_MS = 2000;

/** Shows a stream's source, and again while the page is looked at. A stream without a source shows nothing. */
export function followSource(box, id) {
  const address = `/v1/streams/${encodeURIComponent(id)}`;
  let shown = "";

  const draw = (source) => {
    box.hidden = !source;
    const key = JSON.stringify(source ?? null);
    if (key === shown) return;
    shown = key;
    if (source) fill(box, source, ask);
  };

  const look = async () => {
    try {
      const response = await fetch(address, { headers: headers(), cache: "no-store" });
      if (response.ok) draw((await response.json()).source);
      else if (response.status === 404) draw(null);
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

  void look();
  setInterval(() => document.visibilityState === "visible" && void look(), AGAIN_MS);
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
  const said = [word, sentence, speech?.word, speech?.sentence].filter(Boolean).join(": ");
  if (words.dataset.said !== said) {
    words.dataset.said = said;
    const parts = [h("span", { class: "chip", data: { tone } }, word), h("bdi", {}, sentence)];
    if (speech) parts.push(h("span", { class: "chip", data: { tone: speech.tone } }, speech.word), h("bdi", {}, speech.sentence));
    words.replaceChildren(...parts);
  }
  const heard = source.speech?.segments > 0 ? plural(source.speech.segments, "phrase", "phrases") : "";
  const facts = [text(source.platform), counted, heard, leftOut].filter(Boolean).join(" · ");
  box.dataset.state = source.state;
  box.replaceChildren(
    h("p", { class: "source-name" }, h("strong", { dir: "auto" }, title), h("span", { class: "muted" }, facts)),
    words,
    h("div", { class: "source-actions" }, ...buttons),
  );
  if (focused) (box.querySelector(`[data-action="${focused}"]`) ?? box.querySelector("button"))?.focus();
}
