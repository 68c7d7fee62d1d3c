// A stand-in for the server's WebSockets: texts in one frame each, which is all that the pages send and need.
import { createHash } from "node:crypto";

const GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

function frame(opcode, payload) {
  const { length } = payload;
  const head =
    length < 126
      ? Buffer.from([0x80 | opcode, length])
      : length < 65_536
        ? Buffer.from([0x80 | opcode, 126, length >> 8, length & 255])
        : Buffer.concat([Buffer.from([0x80 | opcode, 127, 0, 0, 0, 0]), Buffer.from([24, 16, 8, 0].map((shift) => (length >> shift) & 255))]);
  return Buffer.concat([head, payload]);
}

/** The first whole frame of some bytes, and what is behind it; null if it is not whole. */
function unframe(bytes) {
  if (bytes.length < 6) return null;
  const short = bytes[1] & 127;
  const [at, length] = short < 126 ? [2, short] : [4, bytes.readUInt16BE(2)];
  const end = at + 4 + length;
  if (bytes.length < end) return null;
  const mask = bytes.subarray(at, at + 4);
  const payload = Buffer.from(bytes.subarray(at + 4, end).map((byte, index) => byte ^ mask[index % 4]));
  return { opcode: bytes[0] & 15, payload, rest: bytes.subarray(end) };
}

/** The protocols that a page offers. */
export const offered = (request) => (request.headers["sec-websocket-protocol"] ?? "").split(",").map((one) => one.trim());

/** Accepts a WebSocket: `{ send(value), close(code), socket }`. `onText(value)` gets each message. */
export function accept(request, socket, onText) {
  const key = createHash("sha1").update(request.headers["sec-websocket-key"] + GUID).digest("base64");
  socket.write(
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
      `Sec-WebSocket-Accept: ${key}\r\nSec-WebSocket-Protocol: ${offered(request)[0]}\r\n\r\n`,
  );
  const close = (code) => socket.end(frame(8, Buffer.from([code >> 8, code & 255])));
  let bytes = Buffer.alloc(0);
  socket.on("error", () => {});
  socket.on("data", (more) => {
    bytes = Buffer.concat([bytes, more]);
    for (let whole = unframe(bytes); whole; whole = unframe(bytes)) {
      bytes = whole.rest;
      if (whole.opcode === 1) onText(JSON.parse(whole.payload.toString()));
      if (whole.opcode === 8) close(1000);
    }
  });
  return { send: (value) => socket.writable && socket.write(frame(1, Buffer.from(JSON.stringify(value)))), close, socket };
}
