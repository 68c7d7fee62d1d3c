// Opens Chromium the same way for every browser test: a fresh profile, no background traffic.
import { createRequire } from "node:module";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** Where `.ci/fetch browser` has put playwright-core and axe-core, outside of the sources. */
export const TOOLS = process.env.BROWSER_TOOLS ?? fileURLToPath(new URL("../../../../target/browser", import.meta.url));
const { chromium } = createRequire(join(TOOLS, "node_modules/"))("playwright-core");

const PATIENCE_MS = 120_000;
const FLAGS = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--hide-scrollbars",
];

/** A browser with a profile that is deleted again; `options` go to Playwright's persistent context. */
export async function openBrowser({ flags = [], ...options } = {}) {
  const profile = mkdtempSync(join(tmpdir(), "tidemill-page-"));
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: [...FLAGS, ...flags],
    ...options,
  });
  // A machine that is busy with other things is slow, not wrong.
  context.setDefaultTimeout(PATIENCE_MS);
  const close = async () => {
    await context.close();
    rmSync(profile, { recursive: true, force: true });
  };
  return { context, page: context.pages()[0] ?? (await context.newPage()), close };
}

/** Collects what a page complains about: console errors, exceptions, and requests to anywhere else. */
export function complaints(page, origin) {
  const found = [];
  page.on("console", (message) => message.type() === "error" && found.push(message.text()));
  page.on("pageerror", (error) => found.push(String(error)));
  page.on(
    "request",
    (request) =>
      !request.url().startsWith(origin) &&
      !/^(data|blob):/.test(request.url()) &&
      found.push(`foreign request ${request.url()}`),
  );
  return found;
}
