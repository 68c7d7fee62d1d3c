// Files that a page offers: plain links, or fetched with the token in a header, where no address and no log keeps it.
import { h, toast } from "./dom.js";
import { headers, token } from "./shell.js";
import { problemOf } from "./source.js";

/** Fetches a file and hands it to the browser under the name that the server gives it. */
export async function download(address) {
  try {
    const response = await fetch(address, { headers: headers(), cache: "no-store" });
    if (!response.ok) return toast(problemOf(await response.json().catch(() => null), response.status));
    const told = response.headers.get("content-disposition") ?? "";
    const [, plain = "stream"] = /filename="([^"]+)"/.exec(told) ?? [];
    const [, other] = /filename\*=UTF-8''([^;]+)/.exec(told) ?? [];
    const name = other ? decodeURIComponent(other) : plain;
    const href = URL.createObjectURL(await response.blob());
    h("a", { href, download: name }).click();
    setTimeout(() => URL.revokeObjectURL(href), 60_000);
  } catch {
    toast("The server does not answer. Try it again in a moment.");
  }
}

/** What a link to a file does when it is used: without a token, the browser opens the address by itself. */
export function openFile(event) {
  if (!token()) return;
  event.preventDefault();
  void download(event.currentTarget.href);
}
