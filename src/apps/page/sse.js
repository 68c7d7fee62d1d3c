// Parses the text/event-stream format, chunk by chunk, as the HTML standard defines it.

/**
 * Returns a function that takes text as it arrives and calls `onEvent({ id, type, data })` for each whole event.
 * An event's id stays in force until another comes; comments and unknown fields are ignored.
 */
export function sseParser(onEvent) {
  let rest = "";
  let lastId = "";
  let type = "";
  let data = [];

  const line = (text) => {
    if (text === "") {
      if (data.length > 0) onEvent({ id: lastId, type: type || "message", data: data.join("\n") });
      type = "";
      data = [];
      return;
    }
    const colon = text.indexOf(":");
    if (colon === 0) return;
    const field = colon < 0 ? text : text.slice(0, colon);
    let value = colon < 0 ? "" : text.slice(colon + 1);
    if (value.startsWith(" ")) value = value.slice(1);
    if (field === "data") data.push(value);
    else if (field === "event") type = value;
    else if (field === "id" && !value.includes("\0")) lastId = value;
  };

  return (chunk) => {
    rest += chunk;
    // A carriage return at the very end may be half of a line ending; it waits for the next chunk.
    const whole = rest.endsWith("\r") ? rest.length - 1 : rest.length;
    const lines = rest.slice(0, whole).split(/\r\n|\n|\r/);
    rest = lines.pop() + rest.slice(whole);
    lines.forEach(line);
  };
}
