// One window in detail: each phrase beside the chat's reaction, then topics, top chats and people.
import { empty, h } from "/assets/shared/dom.js";
import { count, money, plural, signed, timeOfDaySeconds, windowWord } from "/assets/shared/format.js";
import { icon } from "/assets/shared/icons.js";
import { keepingFocus, provenanceView } from "/assets/shared/why.js";
import { explains, whyInstruction, whyPhrase, whyTopic } from "./evidence.js";

const tone = (sentiment) =>
  sentiment > 0.6
    ? "joyful"
    : sentiment > 0.2
      ? "positive"
      : sentiment >= -0.2
        ? "neutral"
        : sentiment >= -0.6
          ? "tense"
          : "negative";

/** The number of lines that are shown until the user asks for all lines. */
const FEW = 5;
let whole = false;

/** A chat that answers several lines is shown only beside the first line. `known` has the chats already shown. */
function freshChats(phrase, known) {
  const fresh = phrase.chats.filter((chat) => !known.has(chat.text)).slice(0, 3);
  fresh.forEach((chat) => known.add(chat.text));
  return fresh;
}

function phraseRow(window, phrase, most, chats) {
  const answers = phrase.reactions
    ? [
        h("div", { class: "ph-bar" }, h("i", { style: { width: `${(phrase.reactions / most) * 100}%` } })),
        h(
          "p",
          { class: "ph-sum small" },
          h("b", {}, plural(phrase.reactions, "answer", "answers")),
          h("span", { class: "ph-tone" }, `${tone(phrase.sentiment)} ${signed(phrase.sentiment, 1)}`),
        ),
        h(
          "ul",
          { class: "ph-chats small" },
          chats.map((chat) => h("li", {}, chat.user && h("b", {}, h("bdi", {}, chat.user)), h("bdi", {}, chat.text))),
        ),
        explains(window) && whyPhrase(window, phrase),
      ]
    : [h("p", { class: "ph-sum small muted" }, "No answer")];
  return h(
    "li",
    { class: "ph", data: { mood: phrase.reactions ? tone(phrase.sentiment) : "none" } },
    h("time", { class: "small muted" }, timeOfDaySeconds(phrase.at)),
    h("blockquote", { dir: "auto" }, phrase.text),
    h("div", { class: "ph-answers" }, answers),
  );
}

/** The time that the sentences speak of: a time frame is longer than a minute. */
const when = (window) => (window.frame ? "in this time" : `in this ${windowWord(window)}`);

function phrases(window) {
  if (window.silentMic) {
    return h(
      "div",
      { class: "silence" },
      icon("micOff"),
      h(
        "div",
        {},
        h("strong", {}, "Your microphone was silent"),
        h(
          "p",
          { class: "small" },
          window.chats
            ? `Chat went on: ${plural(window.chats, "message", "messages")} from ${plural(window.users, "person", "people")}.`
            : "Chat was silent too.",
        ),
      ),
    );
  }
  const most = Math.max(1, ...window.phrases.map((phrase) => phrase.reactions));
  const ranked = window.phrases.toSorted((a, b) => b.reactions - a.reactions);
  const chosen = new Set(whole || ranked.length <= FEW + 1 ? ranked : ranked.slice(0, FEW));
  const known = new Set();
  const rows = h(
    "ol",
    { class: "phs" },
    window.phrases
      .filter((phrase) => chosen.has(phrase))
      .map((phrase) => phraseRow(window, phrase, most, freshChats(phrase, known))),
  );
  if (!window.silentChat)
    return window.phrases.length
      ? rows
      : empty("No phrase stood out", `${plural(window.transcripts, "line was", "lines were")} heard ${when(window)}.`);
  return [
    h(
      "div",
      { class: "silence" },
      icon("chatOff"),
      h("div", {}, h("strong", {}, "Chat was silent"), h("p", { class: "small" }, "You spoke, but nobody wrote.")),
    ),
    rows,
  ];
}

/** Switches between all lines and the lines with the most answers. */
function toggle(box, window) {
  if (window.silentMic || window.phrases.length <= FEW + 1) return null;
  const turn = () => {
    whole = !whole;
    drawInspector(box, window);
    box.querySelector(".ph-all").focus();
  };
  const words = whole ? "Show the most answered lines" : `Show all ${count(window.phrases.length)} lines`;
  return h("button", { class: "btn tiny ph-all", type: "button", onClick: turn }, words);
}

const meterRow = (name, value, most, note, reason) =>
  h(
    "li",
    {},
    h("span", { class: "m-name" }, h("bdi", {}, name)),
    h("span", { class: "m-note small muted" }, note),
    h("i", { class: "m-bar" }, h("i", { style: { width: `${(value / most) * 100}%` } })),
    reason,
  );

function block(title, rows, nothing) {
  return h(
    "section",
    { class: "block" },
    h("h3", {}, title),
    rows.length ? h("ul", {}, rows) : h("p", { class: "small muted" }, nothing),
  );
}

function people(active, window) {
  const chip = (user) =>
    h(
      "li",
      { class: "chip" },
      h("bdi", {}, user.name),
      h("b", { class: "num", title: plural(user.count, "message", "messages") }, count(user.count)),
    );
  return h(
    "section",
    { class: "block" },
    h("h3", {}, "Most active"),
    active.length
      ? h("ul", { class: "people" }, active.map(chip))
      : h("p", { class: "small muted" }, `Nobody wrote ${when(window)}.`),
  );
}

/** Support in words, such as `€5.99 in 2 messages · 5 gifted memberships · Ada, Bob`. */
export function supportLine(support) {
  if (!support) return "";
  const sums = support.sums.map((sum) => money(sum.micros, sum.currency)).join(", ");
  return [
    support.paid && `${sums} in ${plural(support.paid, "message", "messages")}`,
    support.members && plural(support.members, "new member", "new members"),
    support.gifts && plural(support.gifts, "gifted membership", "gifted memberships"),
    support.milestones && plural(support.milestones, "milestone", "milestones"),
    support.names.join(", "),
  ]
    .filter(Boolean)
    .join(" · ");
}

/** What the minute's advice was, and how the minute was read. A time frame was not read at once. */
function source(window) {
  if (window.frame || !explains(window)) return null;
  return h(
    "section",
    { class: "block source" },
    h("h3", {}, `How this ${windowWord(window)} was read`),
    window.instruction && h("p", { dir: "auto" }, window.instruction),
    window.instruction && whyInstruction(window, "inspector"),
    provenanceView(window.provenance),
  );
}

/** Small lines about a window: its support, and that something was withdrawn. */
function notes(window) {
  const support = supportLine(window.support);
  return [
    support && h("p", { class: "small" }, h("b", {}, "Support "), support),
    window.withdrawn > 0 && h("p", { class: "small muted" }, `${count(window.withdrawn)} withdrawn by moderators`),
  ].filter(Boolean);
}

export const drawInspector = (box, window) => keepingFocus(box, () => fillInspector(box, window));

function fillInspector(box, window) {
  if (!window) {
    const line = (width) => h("i", { class: "ghost", style: { width } });
    box.replaceChildren(
      empty(
        "Nothing to inspect yet",
        "When the first result is there, what you said and how chat answered stand here side by side.",
      ),
      h("div", { class: "ghosts", "aria-hidden": "true" }, line("92%"), line("74%"), line("83%")),
    );
    return;
  }
  const focused = document.activeElement?.classList.contains("ph-all");
  const topics = window.topics.slice(0, 6);
  const most = Math.max(1, ...topics.map((topic) => topic.count));
  box.replaceChildren(
    h(
      "section",
      { class: "said" },
      h("h3", {}, "What you said, and what came back"),
      phrases(window),
      toggle(box, window),
    ),
    h(
      "div",
      { class: "blocks" },
      block(
        "Hot topics",
        topics.map((topic) =>
          meterRow(
            topic.name,
            topic.count,
            most,
            `${count(topic.count)} by ${plural(topic.users, "person", "people")}`,
            explains(window) && whyTopic(window, topic),
          ),
        ),
        `No topic ${when(window)}.`,
      ),
      block(
        "Top chats",
        window.topChats
          .slice(0, 5)
          .map((chat) =>
            h(
              "li",
              { class: "chat" },
              h("q", { dir: "auto" }, chat.text),
              h(
                "span",
                { class: "small muted" },
                h("bdi", {}, chat.user),
                chat.count > 1 && ` and others, ×${count(chat.count)}`,
              ),
            ),
          ),
        `No chat ${when(window)}.`,
      ),
      people(window.active.slice(0, 8), window),
      notes(window),
      source(window),
    ),
  );
  if (focused) box.querySelector(".ph-all")?.focus({ preventScroll: true });
}
