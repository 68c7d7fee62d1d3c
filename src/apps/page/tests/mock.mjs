// A stand-in for the server: serves the pages as the binary does, and plays a scripted session.
//
//   node src/apps/page/tests/mock.mjs [port]
//
// Ids with a meaning: `quiet` has no event, `missing` does not exist, `locked` needs the token `let-me-in`,
// `flaky` breaks every few seconds. The address https://refused.test/ is refused by its platform, and
// https://video.test/ has no chat: it is read only with the option `chat`. Every other id plays the script. POST /mock/drop breaks all connections.
import { createServer } from "node:http";
import { readFile } from "node:fs/promises";
import { extname, join, normalize } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { feedback } from "./coach_script.mjs";
import { minute } from "./live_script.mjs";
import { calls, deadLetters } from "./calls_script.mjs";
import { Clips } from "./clips_script.mjs";
import { accept, offered } from "./mock_socket.mjs";
import { frame, outlook, past } from "./views_script.mjs";

const APPS = fileURLToPath(new URL("../../", import.meta.url));
const MEDIAPIPE =
  process.env.MEDIAPIPE_DIR ?? fileURLToPath(new URL("../../../../target/mediapipe/pose", import.meta.url));
const FOLDERS = {
  "/assets/shared/": join(APPS, "page"),
  "/assets/live/": join(APPS, "live_insight/page"),
  "/assets/coach/": join(APPS, "form_coach/page"),
  "/mediapipe/pose/": MEDIAPIPE,
};
const TYPES = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".wasm": "application/wasm",
};
const POLICY =
  "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; img-src 'self' data:; media-src 'self' blob:; connect-src 'self'; object-src 'none'; base-uri 'none'; frame-ancestors 'none'";

const APPLICATIONS = [
  {
    section: "live",
    owner: { word: "stream", plural: "streams", field: "stream_id" },
    sources: true,
    door: { title: "Live insight", promise: "The mood of your chat.", label: "Stream id", nobody: ["No stream yet", ""] },
  },
  {
    section: "coach",
    owner: { word: "user", plural: "users", field: "user_id" },
    door: { title: "Form coach", promise: "A grade.", label: "Athlete id", nobody: ["No athlete yet", ""] },
  },
];

/** One stream of events per id: a log that grows, and its readers. */
class Log {
  events = [];
  readers = new Set();
  add(type, data) {
    this.events.push({ id: String(this.events.length + 1), type, data: JSON.stringify(data) });
    for (const send of this.readers) send(this.events.at(-1));
  }
  /** News have no id and are not kept. */
  news(type, data) {
    for (const send of this.readers) send({ type, data: JSON.stringify(data) });
  }
}

/** Starts the stand-in; `interval` is the time between live windows, `history` how many there are at
 * first, and `first` the place in the script where they begin. `clipStep` is the time between two steps of a clip. */
export function startMock({
  port = 0,
  interval = 4000,
  clipStep = 400,
  history = 12,
  first = 0,
  base = Date.UTC(2026, 2, 14, 18, 30),
} = {}) {
  const logs = new Map();
  const poses = [];
  const profiles = new Map();
  const lastIds = [];
  const asked = [];
  const operator = { calls: calls(base), letters: deadLetters(base), asked: [], token: null };
  const sources = new Map();
  const clips = new Map();
  const changed = new Set();
  /** Whether WebSockets are let through. */
  const ways = { socket: true };
  const sockets = new Set();
  const timers = new Set();

  const logOf = (kind, id) => {
    const key = `${kind}/${id}`;
    if (logs.has(key)) return logs.get(key);
    const log = new Log();
    logs.set(key, log);
    if (id === "quiet" || id === "empty") return log;
    const progress = [];
    let index = first;
    const next = () => {
      const events = kind === "streams" ? minute(id, base, index) : [["feedback", feedback(id, base, index, progress)]];
      for (const [type, data] of events) log.add(type, data);
      index += 1;
    };
    for (let past = 0; past < history; past += 1) next();
    if (interval > 0) timers.add(setInterval(next, interval));
    return log;
  };

  const clipsOf = (id) => {
    const tell = (data) => logOf("streams", id).news("clip_progress", data);
    if (!clips.has(id)) clips.set(id, new Clips(id, tell, clipStep));
    return clips.get(id);
  };

  const follow = (request, response, kind, id) => {
    const given =
      request.headers.authorization?.replace("Bearer ", "") ??
      new URL(request.url, "http://mock").searchParams.get("token");
    if (id === "locked" && given !== "let-me-in") return response.writeHead(401).end();
    if (id === "missing") return response.writeHead(404).end();
    const last = request.headers["last-event-id"];
    lastIds.push(last ?? null);
    response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-store" });
    response.write(": hello\n\n");
    const log = logOf(kind, id);
    const send = (event) => response.write(`${event.id ? `id: ${event.id}\n` : ""}event: ${event.type}\ndata: ${event.data}\n\n`);
    log.events.filter((event) => Number(event.id) > Number(last ?? 0)).forEach(send);
    log.readers.add(send);
    sockets.add(response);
    response.on("close", () => log.readers.delete(send) && sockets.delete(response));
    if (id === "flaky") setTimeout(() => response.destroy(), 5000);
  };

  /** The same over a WebSocket, with answers to what is asked. */
  const talk = (request, socket) => {
    const url = new URL(request.url, "http://mock");
    const id = decodeURIComponent(url.pathname).match(/^\/v1\/streams\/([^/]+)\/socket$/)?.[1];
    const digits = offered(request).find((one) => one.startsWith("tidemill.token."))?.slice("tidemill.token.".length) ?? "";
    const refuse = (status) => socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
    if (!ways.socket || !id) return refuse("404 Not Found");
    if (id === "locked" && Buffer.from(digits, "hex").toString() !== "let-me-in") return refuse("401 Unauthorized");
    if (id === "missing") return refuse("404 Not Found");
    const after = url.searchParams.get("after");
    lastIds.push(after === "0" ? null : after);
    const log = logOf("streams", id);
    const insights = () => log.events.filter(({ type }) => type === "insight").map(({ data }) => JSON.parse(data));
    let last = null;
    const answers = {
      frame: (ask) => {
        last = ask.last;
        return frame(insights(), last);
      },
      live: () => {
        last = null;
        return {};
      },
      outlook: () => outlook(id, insights()),
      past: () => past(id, insights()),
      clip: ({ id: _id, ask: _ask, ...wish }) => clipsOf(id).ask(wish),
      ping: () => ({ time_ms: 0 }),
    };
    const page = accept(request, socket, (ask) => {
      asked.push(`socket ${ask.ask}${ask.last ? ` ${ask.last}` : ""}`);
      const answer = answers[ask.ask]?.(ask);
      page.send(answer ? { id: ask.id, answer } : { id: ask.id, error: { message: "there is no such ask", remedy: "ask another" } });
    });
    const send = (event) => {
      page.send({ push: event.type, id: event.id, data: JSON.parse(event.data) });
      if (event.type === "insight" && last) page.send({ push: "frame", data: frame(insights(), last) });
    };
    const tellSource = () => page.send({ push: "source", data: sources.get(id) ?? null });
    tellSource();
    log.events.filter((event) => Number(event.id) > Number(after ?? 0)).forEach(send);
    log.readers.add(send);
    changed.add(tellSource);
    const drop = { destroy: () => socket.destroy() };
    sockets.add(drop);
    socket.on("close", () => log.readers.delete(send) && sockets.delete(drop) && changed.delete(tellSource));
    if (id === "flaky") setTimeout(() => socket.destroy(), 5000);
  };

  const body = async (request) => {
    let whole = "";
    for await (const chunk of request) whole += chunk;
    return JSON.parse(whole);
  };

  const refuse = (response, status, field, problem, fix) =>
    response.writeHead(status, { "content-type": "application/json" }).end(
      JSON.stringify({ error: "the stream is not valid", fix: "correct it", records: [{ index: 0, field, problem, fix }] }),
    );

  const file = async (response, path) => {
    try {
      const content = await readFile(path);
      response
        .writeHead(200, {
          "content-type": TYPES[extname(path)] ?? "application/octet-stream",
          "content-security-policy": POLICY,
          "cache-control": "no-store",
        })
        .end(content);
    } catch {
      response.writeHead(404).end();
    }
  };

  const server = createServer(async (request, response) => {
    const path = decodeURIComponent(new URL(request.url, "http://mock").pathname);
    const json = (value) => response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(value));
    const given = request.headers.authorization?.replace("Bearer ", "");
    if (path.startsWith("/state/") && operator.token && given !== operator.token)
      return response.writeHead(given ? 403 : 401).end();
    if (path === "/state/calls") return json(operator.calls);
    if (path === "/state/dead-letters/live-insight") return json({ dead_letters: operator.letters });
    if (path === "/state/dead-letters/form-coach") return json({ dead_letters: [] });
    if (path === "/state/dead-letters/live-insight/replay" && request.method === "POST") {
      const wanted = await body(request);
      operator.asked.push(wanted);
      const left = operator.letters.filter(({ id }) => !wanted.all && !wanted.ids.includes(id));
      const asked = operator.letters.length - left.length;
      operator.letters = left;
      return json({ asked_again: asked, asked_before: 0 });
    }
    if (path === "/operator") return file(response, join(APPS, "page/operator.html"));
    const events = path.match(/^\/v1\/(streams|users)\/([^/]+)\/events$/);
    const profile = path.match(/^\/v1\/users\/([^/]+)\/profile$/);
    if (events) return follow(request, response, events[1], events[2]);
    if (profile && request.method === "PUT")
      return profiles.set(profile[1], await body(request)) && response.writeHead(204).end();
    if (path === "/v1/pose" && request.method === "POST")
      return poses.push(await body(request)) && response.writeHead(202).end();
    if (path === "/applications") return json(APPLICATIONS);
    if (path === "/v1/streams" && request.method === "POST") {
      const { url, options } = await body(request);
      if (!url.includes(".")) return refuse(response, 422, "url", "is no address", "send the address that the browser shows");
      const id = url.split("/").at(-1) || "refused";
      const refused = { state: "refused", reason: "the chat is closed", remedy: "open the chat" };
      const heard = { ...refused, reason: "the chat's server did not send JSON", speech: { state: "listening", segments: 0 } };
      const video = options?.chat ? { state: "connected", listens: false } : heard;
      const read = url.includes("video") ? video : url.includes("refused") ? refused : { state: "connected", messages: 3 };
      sources.set(id, { url, platform: "twitch", ...read });
      if (options) asked.push(`options ${JSON.stringify(options)}`);
      return json({ stream_id: id, source: sources.get(id) });
    }
    const change = path.match(/^\/v1\/streams\/([^/]+)\/(pause|resume|stop)$/);
    if (change && sources.has(change[1])) {
      const state = { pause: "paused", resume: "connected", stop: "stopped" }[change[2]];
      const { url, platform } = sources.get(change[1]);
      sources.set(change[1], { url, platform, state });
      changed.forEach((tell) => tell());
      return json({ stream_id: change[1], source: sources.get(change[1]) });
    }
    const view = path.match(/^\/v1\/streams\/([^/]+)\/(frame|prediction|export|past)$/);
    if (view) {
      const query = new URL(request.url, "http://mock").searchParams;
      asked.push(`${view[2]}?${query}`);
      const insights = logOf("streams", view[1]).events.filter(({ type }) => type === "insight").map(({ data }) => JSON.parse(data));
      if (view[2] === "frame") return json(frame(insights, query.get("last")));
      if (view[2] === "prediction") return json(outlook(view[1], insights));
      if (view[2] === "past") return json(past(view[1], insights));
      if (query.get("format") === "jsonl" && query.has("from")) {
        const [from, to] = [Number(query.get("from")), Number(query.get("to"))];
        const part = insights.filter(({ window }) => window.start < to && window.end > from);
        return response.writeHead(200).end(part.map((insight) => `${JSON.stringify(insight)}\n`).join(""));
      }
      return response
        .writeHead(200, { "content-type": "text/csv", "content-disposition": `attachment; filename="${view[1]}.csv"` })
        .end("stream_id,chats\r\n");
    }
    const part = path.match(/^\/v1\/streams\/([^/]+)\/clips(?:\/([^/]+))?(?:\/([^/]+))?$/);
    if (part) {
      const [, id, name, action] = part;
      const own = clipsOf(id);
      if (!name && request.method === "GET") return json(own.list(sources.has(id)));
      if (!name) return json(own.ask(await body(request)));
      if (name === "candidates") {
        const found = logOf("streams", id).events.filter(({ type }) => type === "clip").map(({ data }) => JSON.parse(data));
        return json({
          candidates: found.map(({ start, end, score, reason }) => ({ start_ms: start, end_ms: end, score, reasons: [reason] })),
        });
      }
      if (name === "all") {
        const { when } = await body(request);
        if (when !== "now") own.wish = when === "end" ? { when, most: 10, shape: "landscape" } : null;
        return json({ clips: [], refused: [], all: own.wish });
      }
      if (name === "archive" || action === "file") {
        const file = name === "archive" ? `${id}-clips.zip` : `${id}-${name}.mp4`;
        asked.push(`${name}?${new URL(request.url, "http://mock").searchParams}`);
        return response.writeHead(200, { "content-disposition": `attachment; filename="${file}"` }).end("a file");
      }
      if (request.method === "DELETE") return own.remove(name) ?? response.writeHead(204).end();
      if (action === "cancel") return json(own.put(name, { state: "cancelled" }));
      if (action === "retry") {
        own.put(name, { state: "queued", trouble: undefined, reason: "again" });
        own.work(name);
        return json(own.all.get(name));
      }
    }
    const one = path.match(/^\/v1\/streams\/([^/]+)$/);
    if (one) return json({ stream_id: one[1], source: sources.get(one[1]) ?? null });
    if (path === "/v1/streams") {
      const read = [...sources].map(([stream_id, source]) => ({ stream_id, source }));
      return json({ streams: ["aurora", "harbour-nights", "flaky", ...read] });
    }
    if (path === "/v1/users") return json({ users: ["ines", "athlete_1"] });
    if (path === "/mock/drop") return sockets.forEach((socket) => socket.destroy()) ?? response.writeHead(204).end();
    if (path === "/mock/poses") return json(poses);
    if (path === "/") return file(response, join(APPS, "page/index.html"));
    if (/^\/live\/[^/]+$/.test(path)) return file(response, join(APPS, "live_insight/page/index.html"));
    if (/^\/coach\/[^/]+$/.test(path)) return file(response, join(APPS, "form_coach/page/index.html"));
    const folder = Object.keys(FOLDERS).find((prefix) => path.startsWith(prefix));
    if (folder) return file(response, join(FOLDERS[folder], normalize(`/${path.slice(folder.length)}`)));
    return response.writeHead(404).end();
  });

  server.on("upgrade", talk);

  return new Promise((resolve) => {
    server.listen(port, "127.0.0.1", () => {
      const stop = () => {
        timers.forEach(clearInterval);
        clips.forEach((own) => own.stop());
        sockets.forEach((socket) => socket.destroy());
        server.closeAllConnections();
        return new Promise((done) => server.close(done));
      };
      resolve({
        url: `http://127.0.0.1:${server.address().port}`,
        poses,
        profiles,
        operator,
        lastIds,
        asked,
        clipsOf,
        ways,
        logOf,
        stop,
        drop: () => sockets.forEach((socket) => socket.destroy()),
      });
    });
  });
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const mock = await startMock({
    port: Number(process.argv[2] ?? 8099),
    history: Number(process.env.HISTORY ?? 12),
    interval: Number(process.env.INTERVAL ?? 4000),
  });
  process.stdout.write(`${mock.url}/live/aurora\n${mock.url}/coach/ines\n`);
}
