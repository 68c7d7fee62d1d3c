// The page's connection: node --test src/apps/page/tests/line.test.mjs
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { afterEach, beforeEach, mock, test } from "node:test";

const local = (file) => new URL(file, import.meta.url);
const source = await readFile(local("../../live_insight/page/line.js"), "utf8");
const code = source.replaceAll(/from "\/assets\/shared\/([^"]+)"/g, (_, name) => `from "${local(`../${name}`).href}"`);
const { Line } = await import(`data:text/javascript,${encodeURIComponent(code)}`);

/** A socket of a server that does what the test says. */
class Socket {
  static all = [];
  readyState = 0;
  sent = [];
  constructor(url, protocols) {
    Object.assign(this, { url, protocols });
    Socket.all.push(this);
  }
  send = (text) => this.sent.push(JSON.parse(text));
  open() {
    this.readyState = 1;
    this.onopen();
  }
  say = (value) => this.onmessage({ data: JSON.stringify(value) });
  close(code = 1000) {
    if (this.readyState > 1) return;
    this.readyState = 3;
    this.onclose?.({ code });
  }
}

/** Server-sent events that come when the test says so. */
class Events {
  static all = [];
  stopped = false;
  started = false;
  constructor(options) {
    Object.assign(this, options);
    Events.all.push(this);
  }
  start = () => (this.started = true);
  stop = () => (this.stopped = true);
}

const before = { WebSocket: globalThis.WebSocket, location: globalThis.location };
beforeEach(() => {
  Object.assign(globalThis, { WebSocket: Socket, location: { href: "https://tide.example/live/ada" } });
  [Socket.all, Events.all] = [[], []];
  mock.timers.enable({ apis: ["setTimeout", "setInterval", "Date"], now: 1_700_000_000_000 });
});
afterEach(() => {
  mock.timers.reset();
  Object.assign(globalThis, before);
});

/** Lets time pass, in small steps: what runs in between must see its own time. */
const pass = (ms) => {
  for (let left = ms; left > 0; left -= 100) mock.timers.tick(Math.min(100, left));
};

function lineOf(more = {}) {
  const told = { events: [], pushes: [], phases: [], ways: [] };
  const line = new Line({
    ...{ address: "/v1/streams/ada", Events },
    onEvent: (type, value) => told.events.push([type, value]),
    onPush: (kind, push) => told.pushes.push([kind, push]),
    onState: ({ phase }) => told.phases.push(phase),
    onWay: (way) => told.ways.push(way),
    ...more,
  });
  line.start();
  return { line, told, socket: () => Socket.all.at(-1), events: () => Events.all.at(-1) };
}

test("a socket brings results and answers, and its token is in no address", async () => {
  const { line, told, socket } = lineOf({ token: "a/b=" });
  assert.equal(socket().url, "wss://tide.example/v1/streams/ada/socket?after=0");
  assert.deepEqual(socket().protocols, ["tidemill.v1", "tidemill.token.612f623d"]);
  assert.equal(await line.ask("past"), null, "before it is open, a question goes another way");
  socket().open();
  socket().say({ push: "insight", id: "1-0", data: { chats: 3 } });
  socket().say({ push: "source", data: null });
  assert.deepEqual([told.events, told.phases.at(-1), line.way], [[["insight", { chats: 3 }]], "live", "socket"]);
  assert.equal(told.pushes[0][0], "source");
  const [first, second] = [line.ask("frame", { last: "15m" }), line.ask("past")];
  assert.deepEqual(socket().sent, [{ last: "15m", id: 1, ask: "frame" }, { id: 2, ask: "past" }]);
  socket().say({ id: 2, error: { message: "too many", remedy: "wait" } });
  socket().say({ id: 1, answer: { a: 1 }, left_out: 4 });
  assert.deepEqual([await first, await second], [{ value: { a: 1 }, leftOut: 4 }, { problem: "Too many. To do: wait." }]);
  socket().onmessage({ data: "no JSON" });
  assert.equal(line.way, "socket", "one unreadable message ends nothing");
});

test("a socket that cannot be opened gives way to server-sent events, and is tried again later", () => {
  const { line, told, socket, events } = lineOf();
  socket().close(1006);
  assert.ok(events().started && events().url === "/v1/streams/ada/events");
  events().onState({ phase: "live" });
  events().onEvent("insight", { chats: 1 }, "5-0");
  assert.deepEqual([line.way, told.events.length], ["events", 1]);
  pass(59_000);
  assert.equal(Socket.all.length, 1);
  pass(2_000);
  assert.ok(events().stopped, "never both at once");
  assert.match(socket().url, /after=5-0$/, "nothing is missed in between");
  socket().close(1006);
  const second = events();
  assert.ok(!second.stopped && second.lastId === "5-0");
  second.onState({ phase: "live" });
  pass(61_000);
  assert.equal(Socket.all.length, 2, "later and later");
  pass(60_000);
  socket().open();
  assert.deepEqual([line.way, second.stopped], ["socket", true]);
});

test("a socket that hangs while it opens is given up", () => {
  const { socket, events } = lineOf();
  pass(5_100);
  assert.ok(events().started && socket().readyState === 3);
  assert.equal(Events.all.length, 1, "once");
});

test("a socket that breaks twice gives way, and one break is mended by another socket", () => {
  const { told, socket } = lineOf();
  socket().open();
  socket().say({ push: "clip", id: "7-1", data: {} });
  socket().close(1006);
  assert.equal(told.phases.at(-1), "reconnecting");
  pass(1_000);
  assert.equal(Socket.all.length, 2);
  assert.match(socket().url, /after=7-1$/);
  socket().open();
  assert.deepEqual([told.phases.at(-1), Events.all.length], ["live", 0]);
  socket().close(1006);
  assert.equal(Events.all.length, 1);
});

test("a server that stops, and a socket that lived long, are no breaks", () => {
  const { socket } = lineOf();
  const end = (code) => {
    const before = Socket.all.length;
    socket().close(code);
    while (Socket.all.length === before && Events.all.length === 0) pass(100);
  };
  for (let times = 0; times < 4; times += 1) {
    socket().open();
    end(1001);
  }
  for (let times = 0; times < 4; times += 1) {
    socket().open();
    for (let minutes = 0; minutes < 6; minutes += 1) {
      socket().say({ push: "source", data: null });
      pass(20_000);
    }
    end(1006);
  }
  assert.deepEqual([Socket.all.length, Events.all.length], [9, 0]);
});

test("when the server was away, the socket is tried as soon as it is back", () => {
  const { line, socket, events } = lineOf();
  socket().close(1006);
  events().onState({ phase: "reconnecting", retryAt: 1 });
  events().onState({ phase: "live" });
  pass(600);
  socket().open();
  assert.equal(line.way, "socket");
});

test("a connection that died without a word is noticed, and questions go another way", async () => {
  const { line, told, socket } = lineOf();
  socket().open();
  const lost = line.ask("frame");
  pass(20_500);
  assert.equal(await lost, null, "a question is given up");
  pass(10_000);
  assert.equal(socket().sent.at(-1).ask, "ping");
  socket().say({ id: socket().sent.at(-1).id, answer: {} });
  pass(20_000);
  assert.equal(line.way, "socket");
  const open = line.ask("past");
  pass(30_000);
  assert.deepEqual([told.phases.at(-1), await open, Socket.all[0].readyState], ["reconnecting", null, 3]);
});

test("a refused token is asked for once, and a new one opens the socket", () => {
  const { line, told, socket, events } = lineOf();
  socket().close(1006);
  events().onState({ phase: "denied" });
  pass(600_000);
  assert.deepEqual([told.phases.at(-1), Socket.all.length], ["denied", 1], "it does not guess");
  line.retry("right");
  assert.ok(events().stopped);
  assert.deepEqual(socket().protocols[1], "tidemill.token.7269676874");
  socket().open();
  assert.equal(told.phases.at(-1), "live");
});

test("a browser whose rules forbid sockets gets server-sent events", () => {
  globalThis.WebSocket = class {
    constructor() {
      throw new Error("forbidden");
    }
  };
  assert.ok(lineOf().events().started);
});
