// Takes the pages of a running server in both themes, at phone and desktop width:
//
//   node src/apps/page/tests/screenshots.mjs URL FOLDER
import assert from "node:assert/strict";
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { complaints, openBrowser, TOOLS } from "./browser.mjs";

const PAGES = { landing: "/", operator: "/operator", live: "/live/thursday-speedrun", coach: "/coach/pull_ups_swinging" };
const SIZES = { phone: { width: 390, height: 844 }, desktop: { width: 1440, height: 960 } };
const READY = {
  landing: () => document.querySelector("#streams a") && document.querySelector("#users a"),
  operator: () => document.querySelectorAll(".op .letters li").length === 2,
  live: () => document.querySelector("button.tl-col"),
  coach: () => document.getElementById("sentence").dataset.waiting === "false",
};

/** What axe finds that people with bad eyes, or without a mouse, stumble over. */
async function barriers(page) {
  await page.evaluate(readFileSync(join(TOOLS, "node_modules/axe-core/axe.min.js"), "utf8"));
  // A minute's button has a name that says more than its drawing does, in another order.
  const rules = { "label-content-name-mismatch": { enabled: false } };
  const { violations } = await page.evaluate((options) => globalThis.axe.run(document, options), { rules });
  return violations.flatMap(({ id, nodes }) => nodes.map((node) => `${id}: ${node.html.slice(0, 120)}`));
}

/** Keeps a picture of each page; none may be wider than its screen, complain, or shut anybody out. */
export async function takePictures(url, folder) {
  mkdirSync(folder, { recursive: true });
  for (const [size, viewport] of Object.entries(SIZES)) {
    const { page, close } = await openBrowser({ viewport, reducedMotion: "reduce", deviceScaleFactor: 1 });
    const found = complaints(page, url);
    for (const [name, path] of Object.entries(PAGES)) {
      await page.goto(url + path);
      await page.waitForFunction(READY[name], null, { timeout: 120_000 });
      for (const colorScheme of ["dark", "light"]) {
        await page.emulateMedia({ colorScheme });
        // Two frames: one that hears of the theme, one that is drawn in it.
        await page.evaluate(() => new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn))));
        assert.deepEqual(await barriers(page), [], `${name}, ${colorScheme}, ${size}`);
        await page.screenshot({ path: join(folder, `${name}-${colorScheme}-${size}.png`), fullPage: true });
      }
      const wider = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      assert.ok(wider <= 0, `${name} is ${wider} px wider than a ${size}`);
    }
    assert.deepEqual(found, []);
    await close();
  }
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const [url, folder] = process.argv.slice(2);
  await takePictures(url, folder);
}
