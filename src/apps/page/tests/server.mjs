// Runs the binary for a test: on a free port, on this machine alone, ended by its own process.
import { spawn } from "node:child_process";
import { sseParser } from "../sse.js";

const BINARY = process.env.TIDEMILL_BINARY ?? "target/release/tidemill";
const LISTENING = /listening on (http:\/\/[\d.]+:(\d+))/;
// What the shell of whoever runs the tests has set must not change them.
const CLEAN = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("TIDEMILL_")));

/** Starts `tidemill` with these arguments; resolves as soon as it listens. `port` 0 takes any that is free. */
export async function startServer(args, { port = 0, env = {} } = {}) {
  const child = spawn(BINARY, [...args, "--listen", `127.0.0.1:${port}`], {
    env: { ...CLEAN, ...env },
    stdio: ["ignore", "ignore", "pipe"],
  });
  const kill = () => child.kill("SIGKILL");
  process.on("exit", kill);
  const ended = new Promise((done) => child.on("exit", done));
  let log = "";
  const address = await new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("exit", (code) => reject(new Error(`tidemill ended with ${code}:\n${log}`)));
    child.stderr.setEncoding("utf8").on("data", (text) => {
      log += text;
      const found = log.match(LISTENING);
      if (found) resolve({ url: found[1], port: Number(found[2]) });
    });
  });
  const stop = async (signal = "SIGTERM") => {
    child.kill(signal);
    await ended;
    process.off("exit", kill);
  };
  return { ...address, stop, log: () => log };
}

/** Follows results as a client does, from the first one on, until `enough(events)`; events are `{ type, data }`. */
export async function results(url, enough, { token, limit = 120_000 } = {}) {
  const aborted = new AbortController();
  const timer = setTimeout(() => aborted.abort(new Error(`${url}: not within ${limit / 1000} s`)), limit);
  const events = [];
  const parse = sseParser(({ type, data }) => events.push({ type, data: JSON.parse(data) }));
  const headers = token ? { Authorization: `Bearer ${token}` } : {};
  try {
    const response = await fetch(`${url}?after=0`, { headers, signal: aborted.signal });
    if (!response.ok) throw new Error(`${url}: HTTP ${response.status}`);
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    while (!enough(events)) {
      const { done, value } = await reader.read();
      if (done) throw new Error(`${url}: ended after ${events.length} events`);
      parse(value);
    }
    return events;
  } finally {
    clearTimeout(timer);
    aborted.abort();
  }
}

/** Posts events as JSON lines, and expects them to be taken. */
export async function post(url, events) {
  const body = events.map((event) => JSON.stringify(event)).join("\n");
  const answer = await fetch(url, { method: "POST", headers: { "Content-Type": "application/x-ndjson" }, body });
  if (!answer.ok) throw new Error(`${url}: HTTP ${answer.status}: ${await answer.text()}`);
}
