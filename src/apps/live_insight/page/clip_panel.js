// The panel of clips: candidates with their reasons, the queue with its progress, downloads, and all clips of the stream.
import { empty, h, perFrame, setText, toast } from "/assets/shared/dom.js";
import { openFile } from "/assets/shared/download.js";
import { duration, plural, timeOfDaySeconds } from "/assets/shared/format.js";
import { headers } from "/assets/shared/shell.js";
import { problemOf } from "/assets/shared/source.js";
import {
  adaptCandidates,
  adaptClipView,
  clipBody,
  clipFacts,
  inOrder,
  isFinal,
  keptWords,
  newsWords,
  partOf,
  stateOfClip,
  withNews,
} from "./clips.js";
import { addressOf, ask, calmly } from "./views.js";

// News come with the stream's events. What was missed is looked up, often only while something is made.
const BUSY_MS = 3000;
const IDLE_MS = 15_000;

export class ClipPanel {
  #clips = new Map();
  #info = null;
  #candidates = [];
  #chosen = new Set();
  #portrait = false;
  #captions = true;

  constructor({ box, button, id, line, onShown }) {
    Object.assign(this, { box, button, id, line, onShown });
    this.address = addressOf(id, "clips");
    this.#build();
    this.draw = perFrame(() => this.#draw());
    this.look = calmly(() => this.#look(), 50);
    this.rank = calmly(() => this.#rank(), 400, 800);
    let at = 0;
    setInterval(() => {
      const pause = [...this.#clips.values()].every(isFinal) ? IDLE_MS : BUSY_MS;
      if (document.visibilityState !== "visible" || Date.now() - at < pause) return;
      at = Date.now();
      this.look();
    }, 1000);
    this.look();
  }

  /** Whether clips can be asked for. */
  get isOpen() {
    return this.#info?.can_ask === true;
  }

  /** Puts in a change that came with the events of the stream. */
  news(raw) {
    const before = this.#clips.get(raw?.id);
    this.#clips = withNews(this.#clips, raw);
    const words = newsWords(before, this.#clips.get(raw?.id));
    if (words) setText(this.said, words);
    if (!raw?.clip || isFinal(raw.clip)) this.look();
    this.draw();
  }

  /** Asks for a clip of a window of the timeline, or of its best moment. */
  clip(window, clips) {
    return this.#ask(partOf(window, clips, this.#info?.longest_ms ?? 60_000));
  }

  async #look() {
    const { value } = await ask(this.address);
    if (!value) return;
    const wasOpen = this.isOpen;
    this.#info = value;
    const shown = (value.clips ?? []).map(adaptClipView).filter(Boolean);
    this.#clips = new Map(shown.map((clip) => [clip.id, clip]));
    if (this.isOpen && !wasOpen) this.rank();
    this.draw();
    this.onShown();
  }

  async #rank() {
    if (!this.isOpen) return;
    const { value } = await ask(addressOf(this.id, "clips/candidates"));
    if (!value) return;
    this.#candidates = adaptCandidates(value);
    this.draw();
  }

  async #send(path, method, body) {
    try {
      const request = { method, headers: headers({ "content-type": "application/json" }) };
      const response = await fetch(`${this.address}${path}`, { ...request, body: body && JSON.stringify(body) });
      const answer = await response.json().catch(() => null);
      if (response.ok) return answer ?? {};
      toast(problemOf(answer, response.status));
    } catch {
      toast("The server does not answer. Try it again in a moment.");
    }
    return null;
  }

  async #ask(part) {
    const body = clipBody(part, { portrait: this.#portrait, captions: this.#captions });
    // Without a socket, the question goes another way.
    const told = (await this.line?.ask("clip", body)) ?? { value: await this.#send("", "POST", body) };
    if (told.problem) return toast(told.problem);
    const clip = told.value;
    if (!clip) return;
    this.news({ id: clip.id, clip });
    setText(this.said, `Asked for the clip from ${timeOfDaySeconds(part.start)}`);
  }

  async #change(clip, action) {
    const isGone = action === "delete";
    const path = `/${encodeURIComponent(clip.id)}${isGone ? "" : `/${action}`}`;
    const answer = await this.#send(path, isGone ? "DELETE" : "POST");
    if (answer) this.news({ id: clip.id, clip: isGone ? null : answer });
  }

  async #all(when) {
    const shape = this.#portrait ? "portrait" : "landscape";
    const answer = await this.#send("/all", "POST", { when, shape, captions: this.#captions });
    if (!answer) return;
    if (when === "now") {
      const made = answer.clips?.length ?? 0;
      toast(made ? `${plural(made, "clip is", "clips are")} asked for` : "There is no candidate yet.");
    }
    this.look();
  }

  #build() {
    const pick = (portrait, words, label) =>
      h(
        "button",
        {
          type: "button",
          "aria-label": label,
          onClick: () => {
            this.#portrait = portrait;
            this.draw();
          },
        },
        words,
      );
    this.shapes = h(
      "div",
      { class: "seg", role: "group", "aria-label": "Shape of the picture" },
      pick(false, "16:9", "16 to 9, landscape"),
      pick(true, "9:16", "9 to 16, portrait, for phones"),
    );
    const captions = h("input", {
      type: "checkbox",
      checked: true,
      onChange: (event) => (this.#captions = event.currentTarget.checked),
    });
    this.now = h("button", { class: "btn tiny", type: "button", onClick: () => void this.#all("now") }, "All clips of the stream");
    this.end = h("button", { class: "btn tiny", type: "button", onClick: () => void this.#toggleEnd() }, "All when it ends");
    this.kept = h("p", { class: "small muted" });
    this.problem = h("p", { class: "cd-problem", hidden: true });
    this.said = h("p", { class: "sr", role: "status" });
    this.best = h("ol", { class: "cd-list", "aria-label": "Candidates, the best one first" });
    this.queue = h("ol", { class: "cd-list", "aria-label": "Clips, the newest one first" });
    this.zip = h("a", { class: "btn tiny", download: "", onClick: openFile });
    this.nothing = [
      empty("No candidate yet", "Moments appear here in which chat or mood rise."),
      empty("No clip yet", "Choose a candidate, or a part of the timeline and “Clip this”."),
    ];
    this.tools = h(
      "div",
      { class: "cd-tools" },
      this.shapes,
      h("label", { class: "cd-check" }, captions, "Captions"),
      this.now,
      this.end,
    );
    this.box.append(
      this.problem,
      this.tools,
      h(
        "div",
        { class: "cd-parts" },
        h("section", {}, h("header", { class: "cd-head" }, h("h3", {}, "Candidates")), this.best, this.nothing[0]),
        h("section", {}, h("header", { class: "cd-head" }, h("h3", {}, "Clips"), this.zip), this.queue, this.nothing[1]),
      ),
      this.kept,
      this.said,
    );
  }

  #toggleEnd() {
    return this.#all(this.#info?.all ? "never" : "end");
  }

  #draw() {
    const info = this.#info;
    const clips = inOrder(this.#clips);
    this.box.closest("section").hidden = !(info && (info.has_source || clips.length > 0));
    this.button.hidden = !this.isOpen;
    if (!info) return;
    this.problem.hidden = this.isOpen || !info.has_source;
    if (!this.problem.hidden) setText(this.problem, `Clips cannot be asked for now. ${problemOf(info.problem, 503)}`);
    this.tools.hidden = !this.isOpen;
    [...this.shapes.children].forEach((button, at) =>
      button.setAttribute("aria-pressed", String((at === 1) === this.#portrait)),
    );
    this.end.setAttribute("aria-pressed", String(Boolean(info.all)));
    setText(this.kept, keptWords(info));
    this.#drawBest(clips);
    rows(this.queue, clips, (row, clip) => this.#fill(row, clip));
    this.nothing[1].hidden = clips.length > 0;
    this.#drawZip(clips);
  }

  #drawBest(clips) {
    const isAsked = (one) => clips.some((clip) => clip.start === one.start && clip.end === one.end);
    const best = this.isOpen ? this.#candidates.map((one) => ({ ...one, id: `${one.start}-${one.end}` })) : [];
    rows(this.best, best, (row, one) => {
      const asked = isAsked(one);
      const drawn = `${asked}${one.reason}`;
      if (row.dataset.drawn === drawn) return;
      row.dataset.drawn = drawn;
      const when = `${timeOfDaySeconds(one.start)}, ${duration(one.end - one.start)}`;
      refill(row, [
        h("p", { dir: "auto" }, one.reason || "A moment of the stream"),
        h("span", { class: "small muted num" }, when),
        h(
          "button",
          {
            class: "btn tiny",
            type: "button",
            data: { action: "ask" },
            "aria-label": `${asked ? "Clip again" : "Clip"} the moment at ${timeOfDaySeconds(one.start)}`,
            onClick: () => void this.#ask(one),
          },
          asked ? "Again" : "Clip",
        ),
      ]);
    });
    this.nothing[0].hidden = best.length > 0;
  }

  #fill(row, clip) {
    const { word, tone, sentence } = stateOfClip(clip);
    const drawn = [clip.state, sentence, clip.reason, clip.file?.bytes].join("|");
    if (row.dataset.drawn !== drawn) {
      row.dataset.drawn = drawn;
      row.dataset.state = clip.state;
      const name = clip.reason || `From ${timeOfDaySeconds(clip.start)}`;
      const file = `${this.address}/${encodeURIComponent(clip.id)}/file`;
      const act = (action, words) =>
        h(
          "button",
          {
            class: "btn tiny",
            type: "button",
            data: { action },
            "aria-label": `${words}: ${name}`,
            onClick: () => void this.#change(clip, action),
          },
          words,
        );
      const choose = h("input", {
        type: "checkbox",
        data: { action: "choose" },
        "aria-label": `Choose for the archive: ${name}`,
        checked: this.#chosen.has(clip.id),
        onChange: (event) => {
          if (event.currentTarget.checked) this.#chosen.add(clip.id);
          else this.#chosen.delete(clip.id);
          this.draw();
        },
      });
      const link = { class: "btn tiny", href: file, download: "", data: { action: "file" }, onClick: openFile };
      refill(row, [
        h("p", { dir: "auto" }, clip.state === "done" && choose, h("bdi", {}, name)),
        h("span", { class: "small muted num" }, clipFacts(clip)),
        h("span", { class: "cd-state" }, h("span", { class: "chip", data: { tone } }, word)),
        sentence && h("p", { class: "small cd-trouble" }, h("bdi", {}, sentence)),
        clip.state === "cutting" && h("progress", { max: 1, value: clip.progress, "aria-label": `Cutting: ${name}` }),
        h(
          "span",
          { class: "cd-actions" },
          clip.state === "done" && h("a", { ...link, "aria-label": `Download: ${name}` }, "Download"),
          !isFinal(clip) && act("cancel", "Cancel"),
          ["failed", "cancelled"].includes(clip.state) && act("retry", "Try again"),
          isFinal(clip) && act("delete", "Delete"),
        ),
      ]);
    }
    // Progress changes twice a second: it must not take the focus from a button.
    const bar = row.querySelector("progress");
    if (bar) bar.value = clip.progress;
    setText(row.querySelector(".chip"), word);
  }

  #drawZip(clips) {
    const chosen = clips.filter((clip) => clip.state === "done" && this.#chosen.has(clip.id));
    this.#chosen = new Set(chosen.map((clip) => clip.id));
    this.zip.hidden = chosen.length === 0;
    if (chosen.length === 0) return;
    const ids = chosen.map((clip) => clip.id).join(",");
    this.zip.href = `${this.address}/archive?${new URLSearchParams({ ids })}`;
    setText(this.zip, `Download ${plural(chosen.length, "clip", "clips")} as zip`);
  }
}

/** Keeps a row for each item by its id, in this order, so that the focus and chosen boxes stay. */
function rows(holder, items, fill) {
  const known = new Map([...holder.children].map((row) => [row.dataset.id, row]));
  const wanted = items.map((item) => {
    const row = known.get(item.id) ?? h("li", { class: "cd-row", data: { id: item.id } });
    fill(row, item);
    return row;
  });
  const isSame = wanted.length === holder.children.length && wanted.every((row, at) => row === holder.children[at]);
  if (isSame) return;
  const focused = holder.contains(document.activeElement) ? document.activeElement : null;
  holder.replaceChildren(...wanted);
  if (focused?.isConnected) focused.focus({ preventScroll: true });
}

/** Fills a row anew. The focus stays at the same action, or goes to the first one that is left. */
function refill(row, parts) {
  const action = row.contains(document.activeElement) ? document.activeElement.dataset.action : null;
  row.replaceChildren(...parts.filter(Boolean));
  if (action) (row.querySelector(`[data-action="${action}"]`) ?? row.querySelector("button, a"))?.focus();
}
