// The athlete's profile: saved on the server for the coach, and kept in this browser to fill the form again.
import { $, setText } from "/assets/shared/dom.js";
import { headers } from "/assets/shared/shell.js";
import { profileBody } from "./adapt.js";

export function mountProfile(user) {
  const key = `tidemill.profile.${user}`;
  const fields = { height: $("height"), injuries: $("injuries"), level: $("level") };
  try {
    const known = JSON.parse(localStorage.getItem(key)) ?? {};
    for (const [name, input] of Object.entries(fields)) if (known[name]) input.value = known[name];
  } catch {
    // Without storage the form starts empty.
  }

  $("profile").addEventListener("submit", async (event) => {
    event.preventDefault();
    const button = $("profile").querySelector("button");
    const body = profileBody({
      height: fields.height.valueAsNumber,
      injuries: fields.injuries.value,
      level: fields.level.value,
    });
    button.disabled = true;
    setText($("saved"), "Saving…");
    try {
      const answer = await fetch(`/v1/users/${encodeURIComponent(user)}/profile`, {
        method: "PUT",
        headers: headers({ "Content-Type": "application/json" }),
        body: JSON.stringify(body),
      });
      if (!answer.ok) throw new Error(`HTTP ${answer.status}`);
      setText($("saved"), "Saved. It counts from the next movement on.");
      localStorage.setItem(
        key,
        JSON.stringify({ height: fields.height.value, injuries: fields.injuries.value, level: fields.level.value }),
      );
    } catch (error) {
      if (error.name !== "QuotaExceededError" && error.name !== "SecurityError")
        setText($("saved"), "Not saved: the server does not answer. Try again.");
    } finally {
      button.disabled = false;
    }
  });
}
