// The first page: lists the streams and athletes that have sent something, and opens any by its id.
import { $, empty, h } from "./dom.js";
import { headers, mountTheme } from "./shell.js";
import { list } from "./format.js";

const AGAIN_MS = 3000;

mountTheme();

const address = (kind, id) => `/${kind}/${encodeURIComponent(id)}${location.hash}`;
// An entry may be a bare id or an object that carries one.
const idOf = (entry) => (typeof entry === "string" ? entry : (entry?.stream_id ?? entry?.user_id ?? entry?.id));

// Replaced only where it differs: the list is a live region, and a link that is focused stays.
function put(box, key, ...children) {
  if (box.dataset.shown === key) return;
  box.dataset.shown = key;
  box.replaceChildren(...children);
}

async function show(kind, box, url, key, nobody) {
  try {
    const response = await fetch(url, { headers: headers() });
    if (response.status === 401 || response.status === 403) {
      const how = "Add #token=… to this page's address, or open one by its id.";
      return put(box, "protected", empty("The list is protected", how));
    }
    if (response.status === 404)
      return put(box, "absent", empty("Not here", "This server runs the other application."));
    if (!response.ok) throw new Error(`HTTP ${response.status}`);
    const ids = list((await response.json())[key])
      .map(idOf)
      .filter(Boolean);
    put(
      box,
      JSON.stringify(ids),
      ...(ids.length ? ids.map((id) => h("a", { href: address(kind, id) }, id)) : [nobody]),
    );
  } catch {
    put(box, "down", empty("The server does not answer", "The list appears here as soon as it does."));
  }
}

/** Lists now, and again while the page is looked at: streams and athletes come and go. */
function keep(...what) {
  void show(...what);
  setInterval(() => document.visibilityState === "visible" && void show(...what), AGAIN_MS);
}

function opens(form, input, kind) {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (input.value.trim()) location.href = address(kind, input.value.trim());
  });
}

keep(
  "live",
  $("streams"),
  "/v1/streams",
  "streams",
  empty("No stream yet", "A stream appears here once its first minute with chat or speech is over."),
);
keep(
  "coach",
  $("users"),
  "/v1/users",
  "users",
  empty("No athlete yet", "Open an id of your choice below and start the camera there."),
);
opens($("open-live"), $("live-id"), "live");
opens($("open-coach"), $("coach-id"), "coach");
