// The first page: for each application, lists its owners, opens any by its id, and reads a live stream by its address.
import { $, empty, h } from "./dom.js";
import { headers, mountTheme } from "./shell.js";
import { list, text } from "./format.js";
import { problemOf, stateOf } from "./source.js";

const AGAIN_MS = 3000;

mountTheme();

const address = (section, id) => `/${section}/${encodeURIComponent(id)}${location.hash}`;
// An entry may be a bare id or an object that carries one.
const idOf = (entry, field) => (typeof entry === "string" ? entry : (entry?.[field] ?? entry?.id));

// Replaced only where it differs: the list is a live region, and a link that is focused stays.
function put(box, key, ...children) {
  if (box.dataset.shown === key) return;
  box.dataset.shown = key;
  box.replaceChildren(...children);
}

/** A link to an owner; with the title and the state of what is read, if something is. */
function linkOf(href, id, source) {
  if (!source) return h("a", { href, dir: "auto" }, id);
  const { word, tone } = stateOf(source);
  const title = text(source.title);
  return h(
    "a",
    { href },
    h("span", { dir: "auto" }, title || id, title && h("small", { class: "muted" }, ` ${id}`)),
    h("span", { class: "chip", data: { tone } }, word),
  );
}

async function show({ section, owner, door, sources }, box) {
  try {
    const response = await fetch(`/v1/${owner.plural}`, { headers: headers() });
    if (response.status === 401 || response.status === 403) {
      const how = "Add #token=… to this page's address, or open one by its id.";
      return put(box, "protected", empty("The list is protected", how));
    }
    if (response.status === 404) return put(box, "absent", empty("Not here", "Another server runs this application."));
    if (!response.ok) throw new Error(`HTTP ${response.status}`);
    const entries = list((await response.json())[owner.plural])
      .map((entry) => ({ id: idOf(entry, owner.field), source: entry?.source }))
      .filter(({ id }) => Boolean(id));
    const key = JSON.stringify(entries.map(({ id, source }) => [id, source?.state, source?.title]));
    const links = entries.map(({ id, source }) => linkOf(address(section, id), id, source));
    const [nobody, hint] = door.nobody;
    const start = sources ? "Paste the address of a live stream below." : hint;
    put(box, key, ...(links.length ? links : [empty(nobody, start)]));
  } catch {
    put(box, "down", empty("The server does not answer", "The list appears here as soon as it does."));
  }
}

/** Lists now, and again while the page is looked at: owners come and go. */
function keep(application, box) {
  void show(application, box);
  setInterval(() => document.visibilityState === "visible" && void show(application, box), AGAIN_MS);
}

/** A form for the address of a live stream. It leads to the stream's page, which shows what is being connected. */
function watchForm({ section }) {
  const attributes = { class: "input", inputmode: "url", autocomplete: "off", autocapitalize: "none", spellcheck: "false" };
  const input = h("input", {
    id: `${section}-url`,
    required: "",
    placeholder: "https://www.twitch.tv/ada",
    "aria-describedby": `${section}-problem`,
    ...attributes,
  });
  // Some addresses, such as that of a video, have no chat in them.
  const words = h("summary", { id: `${section}-chat-words` }, "Address of the chat, if it is somewhere else");
  const chat = h("input", {
    id: `${section}-chat`,
    placeholder: "https://chat.example/ada/messages",
    "aria-labelledby": words.id,
    ...attributes,
  });
  const button = h("button", { class: "btn primary" }, "Watch");
  const problem = h("p", { id: `${section}-problem`, class: "problem", role: "alert" });
  const form = h(
    "form",
    { id: `watch-${section}`, class: "open" },
    h("label", { class: "field", for: input.id }, "Address of a live stream"),
    h("div", {}, input, button),
    h("details", { class: "more" }, words, chat),
    problem,
  );
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const url = input.value.trim();
    if (!url || button.disabled) return;
    button.disabled = true;
    problem.textContent = "";
    void watch(section, url, chat.value.trim())
      .then((words) => (problem.textContent = words))
      .finally(() => (button.disabled = false));
  });
  return form;
}

/**
 * Asks the server to read a stream, with its chat from another address if one is given. Opens the stream's page, or
 * returns what is wrong.
 */
async function watch(section, url, chat) {
  try {
    const response = await fetch("/v1/streams", {
      method: "POST",
      headers: headers({ "content-type": "application/json" }),
      body: JSON.stringify({ url, ...(chat && { options: { chat } }) }),
    });
    const answer = await response.json().catch(() => null);
    if (!response.ok) return problemOf(answer, response.status);
    location.href = address(section, answer.stream_id);
    return "";
  } catch {
    return "The server does not answer. Try it again in a moment.";
  }
}

/** What the page shows of an application: its name, its owners, and a field for another id. */
function doorOf(application) {
  const { section, owner, door } = application;
  const title = `${section}-title`;
  const box = h("div", { id: owner.plural, class: "links", "aria-live": "polite" });
  const attributes = { autocomplete: "off", autocapitalize: "none", spellcheck: "false", required: "" };
  const input = h("input", { class: "input", id: `${section}-id`, ...attributes });
  const form = h(
    "form",
    { id: `open-${section}`, class: "open" },
    h("label", { class: "field", for: input.id }, door.label),
    h("div", {}, input, h("button", { class: "btn primary" }, "Open")),
  );
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (input.value.trim()) location.href = address(section, input.value.trim());
  });
  keep(application, box);
  return h(
    "section",
    { class: "card door", "aria-labelledby": title },
    h("header", {}, h("h2", { id: title }, door.title)),
    h("p", {}, door.promise),
    box,
    application.sources && watchForm(application),
    form,
  );
}

/** Leads to the page of model calls whoever may see it. */
async function leadOperators(link) {
  const response = await fetch("/state/calls", { headers: headers() }).catch(() => null);
  if (!response?.ok) return;
  link.href = `/operator${location.hash}`;
  link.hidden = false;
}

/** Asks the server for its applications until it answers. */
async function open(doors) {
  try {
    const response = await fetch("/applications");
    if (!response.ok) throw new Error(`HTTP ${response.status}`);
    doors.replaceChildren(...list(await response.json()).map(doorOf));
  } catch {
    put(doors, "down", empty("The server does not answer", "The applications appear here as soon as it does."));
    setTimeout(() => void open(doors), AGAIN_MS);
  }
}

void leadOperators($("operator"));
void open($("doors"));
