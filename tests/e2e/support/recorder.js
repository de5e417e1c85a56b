import { createHash } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";

/** What belongs to the machine that asks, not to what it was asked to ask. */
const MACHINE = /^(host|connection|content-length|user-agent|accept-encoding|accept-language|origin|referer|transfer-encoding|cookie|dnt|pragma|cache-control|sec-.*)$/;

/** An API that remembers how it was asked, and answers by path. */
export class Recorder {
  requests = [];
  /** Sub-protocols of the WebSockets that were opened, null for none. */
  sockets = [];
  #upgraded = [];
  /** How many answers were ended by who asked. */
  left = 0;
  // Who asked may leave before it has said all.
  #server = createServer((request, response) => this.#answer(request, response).catch(() => {}));

  static async start() {
    const recorder = new Recorder();
    recorder.#server.on("upgrade", (request, socket) => recorder.#upgrade(request, socket));
    recorder.#server.listen(0, "127.0.0.1");
    await once(recorder.#server, "listening");
    recorder.origin = `http://127.0.0.1:${recorder.#server.address().port}`;
    return recorder;
  }

  async stop() {
    this.#server.closeAllConnections();
    this.#upgraded.forEach((socket) => socket.destroy());
    this.#server.close();
    await once(this.#server, "close");
  }

  /** All since the last call. */
  take() {
    return this.requests.splice(0);
  }

  async #answer(request, response) {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const body = Buffer.concat(chunks);
    const url = new URL(request.url, this.origin);
    if (request.headers.origin) allow(request, response);
    if (request.method === "OPTIONS") return void response.writeHead(204).end();
    if (url.pathname === "/page") return void response.setHeader("content-type", "text/html").end("<!doctype html>");
    if (url.pathname === "/favicon.ico") return void response.writeHead(404).end();
    // One that is called off at once may come while the next is awaited, or never.
    if (url.pathname.endsWith("/late")) return;
    this.requests.push({ ...described(request, body), cookie: request.headers.cookie });
    response.on("close", () => {
      if (!response.writableFinished) this.left += 1;
    });
    const name = url.pathname.replace(/^.*\//, "");
    const answer = ANSWERS[name];
    if (answer) await answer(response, request);
    else json(response, 200, { path: url.pathname });
  }

  #upgrade(request, socket) {
    const protocol = request.headers["sec-websocket-protocol"] ?? null;
    this.sockets.push(protocol);
    const key = `${request.headers["sec-websocket-key"]}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`;
    const accept = createHash("sha1").update(key).digest("base64");
    const lines = ["HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade", `Sec-WebSocket-Accept: ${accept}`];
    if (protocol) lines.push(`Sec-WebSocket-Protocol: ${protocol}`);
    this.#upgraded.push(socket.on("error", () => {}));
    socket.write(`${lines.join("\r\n")}\r\n\r\n`);
  }
}

function allow({ headers }, response) {
  response.setHeader("access-control-allow-origin", headers.origin);
  response.setHeader("access-control-allow-credentials", "true");
  response.setHeader("access-control-allow-methods", "*");
  response.setHeader("access-control-allow-headers", headers["access-control-request-headers"] ?? "");
}

function described(request, body) {
  const headers = {};
  for (const [name, value] of Object.entries(request.headers)) {
    if (!MACHINE.test(name)) headers[name] = value;
  }
  const boundary = /boundary=(.*)$/.exec(headers["content-type"])?.[1];
  if (boundary) headers["content-type"] = "multipart/form-data";
  return {
    method: request.method,
    url: request.url,
    headers,
    body: boundary ? parts(body.toString("latin1"), boundary) : body.toString(),
  };
}

/** A form's fields: name, file name, type, text. */
function parts(text, boundary) {
  return text.split(`--${boundary}`).slice(1, -1).map((part) => {
    const [head, ...rest] = part.replace(/^\r\n|\r\n$/g, "").split("\r\n\r\n");
    return {
      name: / name="(.*?)"/.exec(head)[1],
      file: /filename="(.*?)"/.exec(head)?.[1],
      type: /content-type: *(.*)/i.exec(head)?.[1],
      text: Buffer.from(rest.join("\r\n\r\n"), "latin1").toString(),
    };
  });
}

function json(response, status, value) {
  response.writeHead(status, { "content-type": "application/json; charset=utf-8", "x-request": "42" });
  response.end(JSON.stringify(value));
}

const text = (type, body, status = 200) => (response) => void response.writeHead(status, { "content-type": type }).end(body);

/** A stream in pieces that end where the network would end them at worst; each is on its way before
 * the next is made. */
const stream = (type, bytes, ...ends) => async (response) => {
  response.writeHead(200, { "content-type": type });
  let begin = 0;
  for (const end of [...ends, bytes.length]) {
    const piece = bytes.subarray(begin, end);
    begin = end;
    await new Promise((sent) => response.write(piece, sent));
    await new Promise(setImmediate);
  }
  response.end();
};

const utf8 = (string) => Buffer.from(string);

const ANSWERS = {
  people: (response) => json(response, 200, [{ id: 1, tags: ["a"], team: { name: "x" } }, null, 7]),
  text: text("text/plain", "plain words"),
  number: text("text/plain", "123"),
  html: text("text/html", "<p>é</p>"),
  broken: text("application/json", "{not json"),
  quoted: text("application/json", JSON.stringify('{"a":1}')),
  none: (response) => void response.writeHead(204).end(),
  bytes: text("application/octet-stream", Buffer.from([0, 255, 128, 7])),
  refused: (response) => json(response, 403, { code: "ERROR_CODE_ACCESS_DENIED", message: "Not you" }),
  crashed: text("text/plain", "out of order", 500),
  moved: (response) => void response.writeHead(302, { location: "/people" }).end(),
  cookies: (response) => void response.writeHead(200, { "set-cookie": ["a=1", "b=2"] }).end("{}"),
  silent: () => {},
  half: (response) => {
    response.writeHead(200, { "content-type": "application/json", "content-length": "100" });
    response.write('{"a":', () => response.destroy());
  },
  events: text("text/event-stream", "id: 1\nevent: word\ndata: {\"a\":1}\n\ndata: two\ndata: lines\n\n: ping\n\ndata: cut off"),
  pieces: stream("text/event-stream", utf8("data: ü🦸\r\n\r\ndata: b\n\n"), 7, 9, 11, 14, 15, 16, 20),
  comment: text("text/event-stream", ":data: hidden\n\ndata: a\u2028b\n\n"),
  untyped: stream("application/octet-stream", utf8("data: 1\n\ndata: 2\n\n"), 9),
  huge: async (response) => {
    response.writeHead(200, { "content-type": "text/event-stream" });
    response.write("data: ");
    for (let sent = 0; sent < 18 && !response.destroyed; sent += 1) {
      await new Promise((done) => response.write("x".repeat(1 << 20), done));
    }
  },
  login: (response) => json(response, 200, { authToken: "of-the-login" }),
  me: (response, { headers }) =>
    headers.authorization === "Bearer of-the-login" ? json(response, 200, { name: "Wanda" }) : json(response, 401, { message: "Who?" }),
  ask: text("text/event-stream", 'event: word\nid: 1\ndata: {"a":1}\n\ndata: plain\n\n'),
  endless: async (response) => {
    response.writeHead(200, { "content-type": "text/event-stream" });
    response.write("data: 1\n\n");
  },
};
