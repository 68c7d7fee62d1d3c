// The first page: for each application, lists the owners that have sent something, and opens any by its id.
import { $, empty, h } from "./dom.js";
import { headers, mountTheme } from "./shell.js";
import { list } from "./format.js";

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

async function show({ section, owner, door }, box) {
  try {
    const response = await fetch(`/v1/${owner.plural}`, { headers: headers() });
    if (response.status === 401 || response.status === 403) {
      const how = "Add #token=… to this page's address, or open one by its id.";
      return put(box, "protected", empty("The list is protected", how));
    }
    if (response.status === 404) return put(box, "absent", empty("Not here", "Another server runs this application."));
    if (!response.ok) throw new Error(`HTTP ${response.status}`);
    const ids = list((await response.json())[owner.plural])
      .map((entry) => idOf(entry, owner.field))
      .filter(Boolean);
    const links = ids.map((id) => h("a", { href: address(section, id), dir: "auto" }, id));
    put(box, JSON.stringify(ids), ...(links.length ? links : [empty(...door.nobody)]));
  } catch {
    put(box, "down", empty("The server does not answer", "The list appears here as soon as it does."));
  }
}

/** Lists now, and again while the page is looked at: owners come and go. */
function keep(application, box) {
  void show(application, box);
  setInterval(() => document.visibilityState === "visible" && void show(application, box), AGAIN_MS);
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
