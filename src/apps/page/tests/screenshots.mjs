// Takes both pages in both themes at phone and desktop width: node screenshots.mjs FOLDER [live|coach|landing]
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { complaints, openBrowser } from "./browser.mjs";
import { startMock } from "./mock.mjs";

const [folder = "target/screenshots", only] = process.argv.slice(2);
const PAGES = {
  landing: "/",
  live: "/live/aurora",
  coach: "/coach/ines",
  "live-empty": "/live/quiet",
  "coach-empty": "/coach/quiet",
  "live-missing": "/live/missing",
  "live-locked": "/live/locked",
};
const SIZES = { phone: { width: 390, height: 844 }, desktop: { width: 1440, height: 960 } };

mkdirSync(folder, { recursive: true });
const mock = await startMock({ interval: 0, history: 12, first: 7 });
for (const [size, viewport] of Object.entries(SIZES)) {
  for (const colorScheme of ["dark", "light"]) {
    const { page, close } = await openBrowser({
      viewport,
      colorScheme,
      deviceScaleFactor: size === "phone" ? 2 : 1,
      reducedMotion: "reduce",
      timezoneId: "UTC",
      locale: "en-GB",
    });
    const found = complaints(page, mock.url);
    for (const [name, path] of Object.entries(PAGES)) {
      if (only && !name.startsWith(only)) continue;
      await page.goto(mock.url + path);
      await page.waitForTimeout(500);
      const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      if (wide > 0) found.push(`${name} ${size}: ${wide} px wider than the screen`);
      await page.screenshot({ path: join(folder, `${name}-${colorScheme}-${size}.png`), fullPage: true });
    }
    for (const line of found.filter((one) => !/401|404/.test(one)))
      process.stdout.write(`${size} ${colorScheme}: ${line}\n`);
    await close();
  }
}
await mock.stop();
