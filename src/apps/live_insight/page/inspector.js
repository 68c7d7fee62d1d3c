// One window in detail: each phrase beside the chat that answered it, then topics, top chats and people.
import { empty, h } from "/assets/shared/dom.js";
import { count, plural, signed, timeOfDaySeconds } from "/assets/shared/format.js";
import { icon } from "/assets/shared/icons.js";

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

function phraseRow(phrase, most) {
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
          phrase.chats.slice(0, 4).map((chat) => h("li", {}, chat.user && h("b", {}, chat.user), chat.text)),
        ),
      ]
    : [h("p", { class: "ph-sum small muted" }, "No answer")];
  return h(
    "li",
    { class: "ph", data: { mood: phrase.reactions ? tone(phrase.sentiment) : "none" } },
    h("time", { class: "small muted" }, timeOfDaySeconds(phrase.at)),
    h("blockquote", {}, phrase.text),
    h("div", { class: "ph-answers" }, answers),
  );
}

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
  const rows = h(
    "ol",
    { class: "phs" },
    window.phrases.map((phrase) => phraseRow(phrase, most)),
  );
  if (!window.silentChat)
    return window.phrases.length
      ? rows
      : empty("No phrase stood out", `${plural(window.transcripts, "line was", "lines were")} heard in this minute.`);
  return [
    h(
      "div",
      { class: "silence" },
      icon("chatOff"),
      h("div", {}, h("strong", {}, "Chat was silent"), h("p", { class: "small" }, "You spoke, nobody wrote.")),
    ),
    rows,
  ];
}

const meterRow = (name, value, most, note) =>
  h(
    "li",
    {},
    h("span", { class: "m-name" }, name),
    h("span", { class: "m-note small muted" }, note),
    h("i", { class: "m-bar" }, h("i", { style: { width: `${(value / most) * 100}%` } })),
  );

function block(title, rows, nothing) {
  return h(
    "section",
    { class: "block" },
    h("h3", {}, title),
    rows.length ? h("ul", {}, rows) : h("p", { class: "small muted" }, nothing),
  );
}

function people(active) {
  const chip = (user) =>
    h(
      "li",
      { class: "chip" },
      user.name,
      h("b", { class: "num", title: plural(user.count, "message", "messages") }, count(user.count)),
    );
  return h(
    "section",
    { class: "block" },
    h("h3", {}, "Most active"),
    active.length
      ? h("ul", { class: "people" }, active.map(chip))
      : h("p", { class: "small muted" }, "Nobody wrote in this minute."),
  );
}

export function drawInspector(box, window) {
  if (!window) {
    const line = (width) => h("i", { class: "ghost", style: { width } });
    box.replaceChildren(
      empty(
        "Nothing to inspect yet",
        "When the first minute is complete, what you said and how chat answered stand here side by side.",
      ),
      h("div", { class: "ghosts", "aria-hidden": "true" }, line("92%"), line("74%"), line("83%")),
    );
    return;
  }
  const topics = window.topics.slice(0, 6);
  const most = Math.max(1, ...topics.map((topic) => topic.count));
  box.replaceChildren(
    h("section", { class: "said" }, h("h3", {}, "What you said, and what came back"), phrases(window)),
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
          ),
        ),
        "No topic in this minute.",
      ),
      block(
        "Top chats",
        window.topChats
          .slice(0, 5)
          .map((chat) =>
            h(
              "li",
              { class: "chat" },
              h("q", {}, chat.text),
              h(
                "span",
                { class: "small muted" },
                chat.count > 1 ? `${chat.user} and others, ×${count(chat.count)}` : chat.user,
              ),
            ),
          ),
        "No chat in this minute.",
      ),
      people(window.active.slice(0, 8)),
    ),
  );
}
