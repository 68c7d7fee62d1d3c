// Tells that events came too late: they are in no result, so without a word nobody would miss them.
import { h } from "./dom.js";
import { count, plural } from "./format.js";

/** The sentence goes away when nothing was late for so long. */
const SHOWN_MS = 60_000;
/** Reports about events that are older than this belong to the past. A page gets them when it loads. */
const OLD_MS = 600_000;

const behind = (ms) => (ms < 10_000 ? (ms / 1000).toFixed(1) : count(Math.floor(ms / 1000)));

/**
 * A function that takes reports of late events and shows them in `element`. `now()` is the server's clock.
 * `owner` is the word for what the page follows: "stream" or "athlete". `section` is what the names of the
 * application's settings begin with: "live" or "coach".
 */
export function lateView(element, owner, section, now = Date.now) {
  const inputs = new Map();
  let timer = 0;

  const draw = () => {
    const sentences = [...inputs].map(([input, { events, behind_ms: ms }]) =>
      h(
        "p",
        {},
        `${plural(events, `${input} event`, `${input} events`)} came too late and will be in no result: ` +
          `up to ${behind(ms)} s behind the newest event of this ${owner}. Check the clock of the sender, and of any ` +
          "sender that is ahead. If a connector is slow, raise " +
          `${section}.grace.`,
      ),
    );
    element.replaceChildren(...sentences);
    element.hidden = sentences.length === 0;
  };

  return ({ input, events, behind_ms, newest_ms }) => {
    if (!(now() - newest_ms < OLD_MS)) return;
    const known = inputs.get(input) ?? { events: 0, behind_ms: 0 };
    inputs.set(input, { events: known.events + events, behind_ms: Math.max(known.behind_ms, behind_ms) });
    clearTimeout(timer);
    timer = setTimeout(() => {
      inputs.clear();
      draw();
    }, SHOWN_MS);
    draw();
  };
}
