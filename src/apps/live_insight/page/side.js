// The lists of the whole stream: alerts with their times, and clip candidates with their timestamps.
import { empty, h, toast } from "/assets/shared/dom.js";
import { timecode, timeOfDaySeconds } from "/assets/shared/format.js";
import { icon } from "/assets/shared/icons.js";
import { keepingFocus } from "/assets/shared/why.js";
import { explains, whyAlert } from "./evidence.js";

/** The number of alerts that are shown until the user asks for all alerts. */
export const FEW = 5;

const windowOf = (session, alert) => session.windows.find((one) => alert.at >= one.start && alert.at < one.end);

/** Draws all alerts or the newest ones, newest first. Each alert links to its time on the timeline. */
export const drawAlerts = (box, ...rest) => keepingFocus(box, () => fillAlerts(box, ...rest));

function fillAlerts(box, session, all, onSelect) {
  if (session.alerts.length === 0) {
    box.replaceChildren(empty("No alert", "An alert appears here as soon as the mood shifts or chat falls silent."));
    return;
  }
  const rows = session.alerts
    .slice(all ? 0 : -FEW)
    .reverse()
    .map((alert) => {
      const window = windowOf(session, alert);
      const at = h("time", { class: "small" }, timeOfDaySeconds(alert.at));
      const go = window
        ? h(
            "button",
            {
              class: "al-at",
              type: "button",
              "aria-label": `Show ${timeOfDaySeconds(alert.at)} on the timeline`,
              onClick: () => onSelect(window),
            },
            at,
          )
        : at;
      return h(
        "li",
        { class: "al", data: { tone: alert.tone } },
        icon(alert.tone === "good" ? "bolt" : "alert"),
        h("p", { dir: "auto" }, alert.message),
        go,
        window && explains(window) && whyAlert(window, alert),
      );
    });
  // Existing rows are kept, identified by time, message and evidence, so that the live region announces only new rows.
  const known = new Map([...box.querySelectorAll(".al")].map((row) => [row.dataset.key, row]));
  rows.forEach((row, index) => {
    const alert = session.alerts.at(-1 - index);
    const window = windowOf(session, alert);
    const shown = window ? `!${window.withdrawn}/${window.evidence.length}/${explains(window)}` : "";
    row.dataset.key = `${alert.kind}${alert.at}${shown}${alert.message}`;
  });
  let holder = box.querySelector("ol");
  if (!holder) box.replaceChildren((holder = h("ol", { class: "als" })));
  holder.replaceChildren(...rows.map((row) => known.get(row.dataset.key) ?? row));
}

async function copy(text, said) {
  try {
    await navigator.clipboard.writeText(text);
    toast(said);
  } catch {
    // Pages that are not served over HTTPS or from this machine may not write to the clipboard.
    toast(text);
  }
}

const range = (clip, began) => `${timecode(clip.start - began)} – ${timecode(clip.end - began)}`;

/** All clips as lines for editors and spreadsheets: start, end, reason. */
export const clipLines = (clips, began) =>
  clips.map((clip) => [timecode(clip.start - began), timecode(clip.end - began), clip.reason].join("\t")).join("\n");

export function drawClips(box, clips, began) {
  if (clips.length === 0) {
    box.replaceChildren(
      empty("No clip yet", "When chat jumps far above its usual pace, the moment is kept here with its timestamps."),
    );
    return;
  }
  box.replaceChildren(
    h(
      "ol",
      { class: "cls" },
      clips.toReversed().map((clip) =>
        h(
          "li",
          { class: "cl" },
          h("p", { dir: "auto" }, clip.reason || "Spike in chat"),
          h(
            "span",
            { class: "cl-at num" },
            range(clip, began),
            h("span", { class: "muted" }, ` ${Math.round((clip.end - clip.start) / 1000)} s`),
          ),
          h(
            "button",
            {
              class: "btn tiny icon",
              type: "button",
              "aria-label": `Copy timestamps ${range(clip, began)}`,
              onClick: () => copy(range(clip, began), "Timestamps copied"),
            },
            icon("copy"),
          ),
        ),
      ),
    ),
  );
}

export const copyAll = (clips, began) => copy(clipLines(clips, began), `${clips.length} clips copied`);
