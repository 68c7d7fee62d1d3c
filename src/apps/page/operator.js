// The page of model calls: looks each second what the executors do, and asks dead letters again.
import { $, empty, h, setText, toast } from "./dom.js";
import { count, duration, list, num, plural, text, timeOfDaySeconds } from "./format.js";
import { withRemedy } from "./sentences.js";
import { ABOUT_STATUS, CONNECTED, headers, mountTheme, tokenForm } from "./shell.js";
import {
  UNKNOWN,
  answersPerMinute,
  breakerWords,
  byTenant,
  latencyWords,
  limitWords,
  quantile,
  routeWords,
  shareWords,
  spentWords,
  tooSmallWords,
  unknownWords,
  untoldWords,
} from "./calls.js";

const LOOK_MS = 1000;
const LETTERS_MS = 5000;
const SHOWN = 20;

mountTheme();

const views = new Map();

function say(phase, word, notice, action) {
  const pill = $("status");
  pill.dataset.phase = phase;
  setText(pill, word);
  pill.title = ABOUT_STATUS;
  const box = $("notice");
  box.hidden = !notice;
  box.dataset.tone = phase === "denied" ? "bad" : "warn";
  // What is typed into the form stays while the page looks again.
  if (!notice || box.dataset.said === notice) return;
  box.dataset.said = notice;
  box.replaceChildren(h("p", {}, notice), ...(action ? [action()] : []));
}

/** Replaces a list only where it differs. */
function put(box, value, children) {
  const key = JSON.stringify(value);
  if (box.dataset.shown === key) return;
  box.dataset.shown = key;
  box.replaceChildren(...children());
}

const row = (...children) => h("li", {}, ...children);
const detail = (...children) => h("span", { class: "detail" }, ...children);

const TILES = [
  ["in_flight", "In flight"],
  ["waiting", "Waiting"],
  ["oldest", "Oldest waits"],
  ["answers", "Answers/min"],
  ["p50", "Half within"],
  ["p95", "95 % within"],
  ["p99", "99 % within"],
  ["fallbacks", "From a fallback"],
  ["failed", "Failed"],
  ["superseded", "Superseded"],
  ["expired", "Expired"],
];

/** What the page shows of an application. `show` takes what `/state/calls` tells. */
function viewOf(application) {
  const title = `app-${application}`;
  const tiles = new Map(TILES.map(([key]) => [key, h("dd", { id: `${title}-${key}` }, "–")]));
  const routes = h("ul", { class: "rows" });
  const spending = h("ul", { class: "rows" });
  const failures = h("ul", { class: "rows" });
  const letters = h("ul", { class: "rows" });
  const all = h("button", { class: "btn tiny", type: "button", hidden: true }, "Ask all again");
  const perMinute = answersPerMinute();

  const ask = async (body, question) => {
    if (!confirm(question)) return;
    const answer = await fetch(`/state/dead-letters/${encodeURIComponent(application)}/replay`, {
      method: "POST",
      headers: headers({ "content-type": "application/json" }),
      body: JSON.stringify(body),
    }).catch(() => null);
    const told = (await answer?.json().catch(() => null)) ?? {};
    if (!answer?.ok) {
      return toast(`Not asked. ${withRemedy(text(told.error, "the server does not answer"), text(told.fix))}`);
    }
    toast(`${plural(num(told.asked_again), "call is", "calls are")} asked again`);
    await look();
  };
  all.addEventListener("click", () => void ask({ all: true }, `Ask all dead letters of ${application} again?`));

  const letterRow = (letter) => {
    const owner = text(letter.key?.id);
    const again = () => void ask({ ids: [letter.id] }, `Ask the call of ${owner} again?`);
    const button = { class: "btn tiny push", type: "button", onClick: again, "aria-label": `Ask again: ${letter.id}` };
    return row(
      h("strong", { dir: "auto" }, owner),
      h("span", { class: "chip", data: { tone: "bad" } }, text(letter.kind, "failed")),
      h("button", button, "Ask again"),
      detail(`${timeOfDaySeconds(num(letter.timestamp))} · ${plural(num(letter.attempts), "attempt", "attempts")} · `, h("span", { dir: "auto" }, text(letter.message))),
    );
  };

  /** Looks for dead letters. */
  async function look() {
    const path = `/state/dead-letters/${encodeURIComponent(application)}?limit=${SHOWN}`;
    const answer = await fetch(path, { headers: headers() }).catch(() => null);
    if (!answer?.ok) return;
    const told = await answer.json();
    const found = list(told.dead_letters);
    all.hidden = found.length === 0;
    put(letters, told, () => [
      ...found.map(letterRow),
      ...(told.more ? [row(detail("There are more; the list goes on as these are asked again."))] : []),
      ...(found.length ? [] : [row(detail("None: every call got an answer, or was asked again."))]),
    ]);
  }

  const routeRow = (route) => {
    const [words, tone] = breakerWords(route);
    return row(
      h("strong", {}, route.name),
      h("span", { class: "chip", data: { tone } }, words),
      detail(routeWords(route)),
    );
  };
  const budget = (limit) => {
    const { words, used, most } = limitWords(limit);
    const bar = { min: 0, max: Math.max(1, most), low: most * 0.75, high: most * 0.9, optimum: 0, value: used };
    return h(
      "span",
      { class: "budget" },
      h("span", {}, words),
      used === null ? null : h("meter", { ...bar, "aria-label": words }),
      tooSmallWords(limit) ? h("span", { class: "chip", data: { tone: "bad" } }, tooSmallWords(limit)) : null,
    );
  };
  const tenantRow = ({ tenant, hour, day }, limits) =>
    row(
      h("strong", { dir: "auto" }, tenant || "Everybody"),
      detail(`This hour: ${spentWords(hour)}`),
      detail(`Today: ${spentWords(day)}`),
      unknownWords(day) ? detail(`${unknownWords(day)} today. ${UNKNOWN}`) : null,
      ...limits.filter((limit) => limit.tenant === tenant).map(budget),
    );
  const failureRow = (failure) =>
    row(
      h("strong", {}, timeOfDaySeconds(num(failure.at_ms))),
      h("span", { class: "chip", data: { tone: "bad" } }, failure.kind),
      failure.route ? h("span", { class: "small muted" }, failure.route) : null,
      detail(h("span", { dir: "auto" }, text(failure.message))),
    );

  const tell = (key, words, tone = "") => {
    setText(tiles.get(key), words);
    tiles.get(key).parentElement.dataset.tone = tone;
  };

  const show = (told) => {
    const stats = told.stats ?? {};
    const within = (share) => latencyWords(quantile(stats.latency, list(told.latency_bounds_ms), share));
    const oldest = told.oldest_waiting_ms;
    tell("in_flight", count(num(stats.in_flight)));
    tell("waiting", count(num(stats.waiting)));
    tell("oldest", typeof oldest === "number" ? duration(oldest) : "–", num(oldest) > 60_000 ? "warn" : "");
    tell("answers", count(perMinute(num(stats.succeeded), num(told.now_ms))));
    tell("p50", within(0.5));
    tell("p95", within(0.95));
    tell("p99", within(0.99));
    tell("fallbacks", shareWords(num(stats.fallbacks), num(stats.succeeded)), num(stats.fallbacks) ? "warn" : "");
    tell("failed", count(num(stats.failed)), num(stats.failed) ? "bad" : "");
    tell("superseded", count(num(stats.superseded)));
    tell("expired", count(num(stats.expired)), num(stats.expired) ? "warn" : "");
    put(routes, [told.routes, stats.known, stats.cached], () => {
      const known = num(stats.known) + num(stats.cached);
      const others = `${plural(known, "request", "requests")} answered without a call: the answer was known or kept`;
      return [...list(told.routes).map(routeRow), ...(known ? [row(detail(others))] : [])];
    });
    const limits = list(told.limits);
    put(spending, [told.spending, limits, stats.untold], () => {
      const tenants = byTenant(told.spending);
      const known = new Set(tenants.map(({ tenant }) => tenant));
      const others = limits.filter((limit) => !known.has(limit.tenant));
      const nothing = tenants.length === 0 && others.length === 0;
      return [
        ...tenants.map((tenant) => tenantRow(tenant, limits)),
        ...others.map((limit) => row(h("strong", { dir: "auto" }, limit.tenant ?? "All together"), budget(limit))),
        ...(untoldWords(stats) ? [row(detail(untoldWords(stats)))] : []),
        ...(nothing ? [row(detail("Nothing is written down: no limit is set."))] : []),
      ];
    });
    put(failures, told.failures, () => {
      const found = list(told.failures);
      return found.length ? found.map(failureRow) : [row(detail("None since the start of this server."))];
    });
  };

  const part = (name, ...children) => h("div", {}, h("h3", {}, name), ...children);
  const tile = ([key, name]) => h("div", { class: "tile" }, h("dt", {}, name), tiles.get(key));
  const card = h(
    "section",
    { class: "card op", "aria-labelledby": title },
    h("header", {}, h("h2", { id: title }, application)),
    h("dl", { class: "tiles" }, TILES.map(tile)),
    h("div", { class: "halves" }, part("Routes", routes), part("Spending and limits", spending)),
    h(
      "div",
      { class: "halves" },
      h("div", { class: "letters" }, h("div", { class: "head" }, h("h3", {}, "Dead letters"), all), letters),
      part("Last failures", failures),
    ),
  );
  return { card, show, look };
}

let looking = false;
let lettersAt = 0;

async function look() {
  if (looking) return;
  looking = true;
  try {
    const response = await fetch("/state/calls", { headers: headers() });
    if (response.status === 401 || response.status === 403) {
      const why = response.status === 401 ? "This page needs a token." : "This token does not open model calls.";
      const form = () => tokenForm(() => void look());
      return say("denied", "Locked", `${why} Enter the token of a tenant with “admin = true”.`, form);
    }
    if (!response.ok) throw new Error(`HTTP ${response.status}`);
    const told = list(await response.json());
    say("live", CONNECTED, "");
    if (told.length === 0) $("main").replaceChildren(empty("No calls here", "No application of this server calls a model."));
    for (const app of told) {
      if (!views.has(app.application)) {
        const view = viewOf(app.application);
        views.set(app.application, view);
        $("main").append(view.card);
      }
      views.get(app.application).show(app);
    }
    if (Date.now() - lettersAt >= LETTERS_MS) {
      lettersAt = Date.now();
      await Promise.all([...views.values()].map((view) => view.look()));
    }
  } catch {
    say("reconnecting", "Reconnecting", "The server does not answer. What you see is the last known state.");
  } finally {
    looking = false;
  }
}

void look();
setInterval(() => document.visibilityState === "visible" && void look(), LOOK_MS);
