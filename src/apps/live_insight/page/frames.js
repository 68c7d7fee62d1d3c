// Time frames: the last minutes or the whole stream in the place of the last minute, and files of them.
import { h, setText } from "/assets/shared/dom.js";
import { openFile } from "/assets/shared/download.js";
import { count, duration, list, num, plural, windowTimes } from "/assets/shared/format.js";
import { adaptInsight } from "./adapt.js";
import { FILES } from "./files.js";
import { addressOf, calmly } from "./views.js";

/** What can be chosen: the word on the button, and the name of what is then shown. */
export const FRAMES = [
  { last: null, word: "Live", name: "The last minute" },
  { last: "5m", word: "5 min", name: "The last 5 minutes" },
  { last: "15m", word: "15 min", name: "The last 15 minutes" },
  { last: "60m", word: "60 min", name: "The last 60 minutes" },
  { last: "all", word: "Whole stream", name: "The whole stream" },
];

/** Several minutes as one, and how exact that is. */
export function adaptFrame(raw, leftOut = 0) {
  const window = { ...adaptInsight(raw?.insight), frame: true };
  const note = raw?.note ?? {};
  const least = num(note.users?.least, window.users);
  return {
    window,
    leftOut,
    windows: num(note.windows, 1),
    coveredMs: num(note.covered_ms, window.end - window.start),
    gapMs: list(note.gaps).reduce((sum, gap) => sum + Math.max(0, num(gap?.to_ms) - num(gap?.from_ms)), 0),
    people: { least, most: Math.max(least, num(note.users?.most, least)) },
    totals: { clips: num(note.clips), alerts: num(note.alerts), phrases: num(note.phrases) },
  };
}

/** The range of distinct people, or nothing if their number is exact. */
export const peopleRange = ({ people: { least, most } }) => (least < most ? `${count(least)}–${count(most)}` : "");

/** A frame in a line: its time, what it is made of, and what it leaves out. */
export function frameWords(frame) {
  const { window, totals } = frame;
  const some = (shown, total, word) => total > shown && `${count(shown)} of ${count(total)} ${word}`;
  return [
    windowTimes(window),
    `${duration(frame.coveredMs)} with chat or speech`,
    frame.gapMs > 0 && `${duration(frame.gapMs)} without`,
    some(window.phrases.length, totals.phrases, "lines"),
    some(window.alerts.length, totals.alerts, "alerts"),
    some(window.clips.length, totals.clips, "clips"),
    frame.leftOut > 0 && `${plural(frame.leftOut, "older minute is", "older minutes are")} left out`,
  ]
    .filter(Boolean)
    .join(" · ");
}

const LENGTHS = { "5m": 300_000, "15m": 900_000, "60m": 3_600_000, all: Infinity };

/** What is asked of the server for a choice: of the stream that runs, or of the past one that took the time `span`. */
export function queryOf(last, span = null) {
  if (!span) return last ? { last } : {};
  return { from: Math.max(span.from, span.to - (LENGTHS[last] ?? Infinity)), to: span.to };
}

/** The address of a file of what is chosen. */
export const fileAddress = (id, format, last, span = null) => addressOf(id, "export", { format, ...queryOf(last, span) });

/**
 * The chooser, the line below it and the links to files. `onChange` is called when something else is shown; `frame` is
 * null while the page shows the last minute. `asked(view, query)` asks the server, and `onLive` is called when no frame
 * is wanted any more. With `span` it chooses among the minutes of a past stream.
 */
export class FrameChooser {
  frame = null;
  #chosen = FRAMES[0];
  /** What is shown is out of date. */
  #isOld = false;
  #later = calmly(() => this.#isOld && this.#fetch(), 300, 700);

  constructor({ box, line, files, id, onChange, asked, onLive = () => {}, span = null }) {
    Object.assign(this, { box, line, files, id, onChange, asked, onLive, span });
    box.replaceChildren(
      ...FRAMES.map((frame) =>
        h("button", { type: "button", onClick: () => this.choose(frame) }, span && !frame.last ? "Minutes" : frame.word),
      ),
    );
    files.replaceChildren(
      ...FILES.map(([format, word]) =>
        h("a", { download: "", data: { format }, onClick: openFile }, word),
      ),
    );
    this.#draw();
  }

  /** The name of what is shown, which may still be something else than what was chosen last. */
  get name() {
    return this.frame?.name ?? FRAMES[0].name;
  }

  choose(chosen = FRAMES[0]) {
    if (chosen === this.#chosen) return;
    this.#chosen = chosen;
    if (chosen.last === null) {
      this.frame = null;
      this.onLive();
    }
    this.#draw();
    setText(this.line, chosen.last === null ? "" : "Adding up …");
    this.onChange();
    void this.#fetch();
  }

  /** Asks again for what is chosen, soon. The last minute needs no asking, and a new choice asks by itself. */
  refresh() {
    this.#isOld = true;
    this.#later();
  }

  async #fetch() {
    const chosen = this.#chosen;
    this.#isOld = false;
    if (chosen.last === null) return;
    const answer = await this.asked("frame", queryOf(chosen.last, this.span));
    // Something else may have been chosen meanwhile.
    if (chosen === this.#chosen) this.take(answer);
  }

  /** Takes a frame of what is chosen, such as the server sends when a minute has closed. */
  take({ value, leftOut, problem }) {
    const chosen = this.#chosen;
    if (chosen.last === null) return;
    if (!problem) this.frame = { ...adaptFrame(value, leftOut), name: chosen.name };
    // The frame that was there stays if a newer one of it is late.
    else if (this.frame?.name !== chosen.name) this.frame = null;
    setText(this.line, problem ?? frameWords(this.frame));
    this.onChange();
  }

  #draw() {
    [...this.box.children].forEach((button, at) =>
      button.setAttribute("aria-pressed", String(FRAMES[at] === this.#chosen)),
    );
    for (const link of this.files.children)
      link.setAttribute("href", fileAddress(this.id, link.dataset.format, this.#chosen.last, this.span));
  }
}
