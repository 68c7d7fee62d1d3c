// The first page: lists the streams and athletes that have sent something, and opens any by its id.
import { $, empty, h } from "./dom.js";
import { headers, mountTheme } from "./shell.js";
import { list } from "./format.js";

mountTheme();

const address = (kind, id) => `/${kind}/${encodeURIComponent(id)}${location.hash}`;
// An entry may be a bare id or an object that carries one.
const idOf = (entry) => (typeof entry === "string" ? entry : (entry?.stream_id ?? entry?.user_id ?? entry?.id));

async function show(kind, box, url, key, nobody) {
  try {
    const response = await fetch(url, { headers: headers() });
    if (response.status === 401 || response.status === 403) {
      box.replaceChildren(
        empty("The list is protected", "Add #token=… to this page's address, or open one by its id."),
      );
      return;
    }
    if (!response.ok) throw new Error(`HTTP ${response.status}`);
    const ids = list((await response.json())[key])
      .map(idOf)
      .filter(Boolean);
    box.replaceChildren(...(ids.length ? ids.map((id) => h("a", { href: address(kind, id) }, id)) : [nobody]));
  } catch {
    const again = h("button", { class: "btn", onClick: () => show(kind, box, url, key, nobody) }, "Try again");
    box.replaceChildren(
      empty("The server does not answer", "The list cannot be loaded at the moment."),
      h("div", {}, again),
    );
  }
}

function opens(form, input, kind) {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (input.value.trim()) location.href = address(kind, input.value.trim());
  });
}

void show(
  "live",
  $("streams"),
  "/v1/streams",
  "streams",
  empty("No stream yet", "A stream appears here with its first chat message or spoken phrase."),
);
void show(
  "coach",
  $("users"),
  "/v1/users",
  "users",
  empty("No athlete yet", "Open an id of your choice below and start the camera there."),
);
opens($("open-live"), $("live-id"), "live");
opens($("open-coach"), $("coach-id"), "coach");
