// What surrounds each page: the theme button, the connection's state, and the token.
import { $, h, setText } from "./dom.js";
import { isolated } from "./format.js";
import { icon } from "./icons.js";

const TOKEN = "tidemill.token";

/** The last part of the path: `/live/aurora` names the stream `aurora`. */
export const idFromPath = () => decodeURIComponent(location.pathname.replace(/\/+$/, "").split("/").at(-1));

/** The token in the address's fragment, which browsers never send, or the one that this tab was given before. */
export function token() {
  const given = new URLSearchParams(location.hash.slice(1)).get("token");
  if (given) sessionStorage.setItem(TOKEN, given);
  return given ?? sessionStorage.getItem(TOKEN);
}

/** Request headers with the token, if there is one. */
export const headers = (more = {}) => (token() ? { ...more, Authorization: `Bearer ${token()}` } : more);

/** A form for a token. The tab remembers it; `use(token)` goes on with it. */
export function tokenForm(use) {
  const input = h("input", {
    class: "input",
    type: "password",
    autocomplete: "off",
    "aria-label": "Token",
    placeholder: "Token",
    required: true,
  });
  const submit = (event) => {
    event.preventDefault();
    sessionStorage.setItem(TOKEN, input.value);
    history.replaceState(null, "", `#token=${encodeURIComponent(input.value)}`);
    use(input.value);
  };
  return h("form", { onSubmit: submit }, input, h("button", { class: "btn primary" }, "Unlock"));
}

export function mountTheme() {
  const button = $("theme");
  const draw = () => {
    const dark = globalThis.tidemillTheme.current() === "dark";
    button.replaceChildren(icon(dark ? "sun" : "moon"));
    button.setAttribute("aria-label", dark ? "Use the light theme" : "Use the dark theme");
  };
  button.addEventListener("click", () => globalThis.tidemillTheme.toggle());
  addEventListener("themechange", draw);
  draw();
  document.querySelector(".brand").prepend(icon("wheel"));
}

/** The pill in the bar is about the page, not about what the page shows: a stream may be over while it says this. */
export const CONNECTED = "Connected";
export const ABOUT_STATUS = "The connection of this page to the server";

const WORDS = {
  connecting: "Connecting",
  live: CONNECTED,
  reconnecting: "Reconnecting",
  missing: "Waiting",
  denied: "Locked",
};

/**
 * Shows the connection's state in the bar, and a sentence below it when something needs saying.
 * `what` names the thing followed: "stream" or "athlete". `stream()` gives the EventStream to retry.
 */
export function connectionView(what, id, stream) {
  let state = { phase: "connecting" };
  let everLive = false;
  const notice = $("notice");

  const sentence = () => {
    const wait = Math.max(1, Math.ceil((state.retryAt - Date.now()) / 1000));
    if (state.phase === "missing")
      return `No ${what} named “${isolated(id)}” yet. This page starts by itself when its first event arrives.`;
    if (state.phase === "denied") return `This ${what} is protected. Enter its token to follow it.`;
    if (state.phase === "reconnecting" && state.retryAt) {
      const what = everLive
        ? "The connection is lost. What you see is the last known state"
        : "The server does not answer";
      return `${what}; trying again in ${wait} s.`;
    }
    return "";
  };

  const draw = (rebuild) => {
    const pill = $("status");
    pill.dataset.phase = state.phase;
    setText(pill, WORDS[state.phase]);
    pill.title = ABOUT_STATUS;
    const words = sentence();
    notice.hidden = words === "";
    notice.dataset.tone = state.phase === "denied" ? "bad" : "warn";
    if (rebuild && words) {
      const action =
        state.phase === "denied"
          ? tokenForm((given) => stream().retry(given))
          : h("button", { class: "btn", onClick: () => stream().retry() }, "Try now");
      notice.replaceChildren(h("p", {}, words), action);
    } else if (words) setText(notice.firstChild, words);
  };

  setInterval(() => state.retryAt && draw(false), 1000);
  return (next) => {
    const rebuild = next.phase !== state.phase || notice.hidden;
    state = next;
    everLive ||= next.phase === "live";
    draw(rebuild);
  };
}
