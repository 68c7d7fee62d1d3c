// Files of a stream: their formats, and fetching one without its token in an address.
import { h, toast } from "/assets/shared/dom.js";
import { headers, token } from "/assets/shared/shell.js";
import { problemOf } from "/assets/shared/source.js";

export const FILES = [
  ["csv", "CSV"],
  ["jsonl", "JSON lines"],
  ["parquet", "Parquet"],
];

/** Fetches a file with the token in a header, where no address and no log keeps it. */
async function fetchFile(address) {
  try {
    const response = await fetch(address, { headers: headers(), cache: "no-store" });
    if (!response.ok) return toast(problemOf(await response.json().catch(() => null), response.status));
    const [, name = "stream"] = /filename="([^"]+)"/.exec(response.headers.get("content-disposition") ?? "") ?? [];
    const href = URL.createObjectURL(await response.blob());
    h("a", { href, download: name }).click();
    setTimeout(() => URL.revokeObjectURL(href), 60_000);
  } catch {
    toast("The server does not answer. Try it again in a moment.");
  }
}

/** What a click on a link to a file does: without a token, the browser fetches it. */
export function download(event) {
  if (!token()) return;
  event.preventDefault();
  void fetchFile(event.currentTarget.href);
}
