// Calls that both SDKs are asked to make. A call runs in Node.js and in a page, so it uses only what
// it is given: `sdk`, the package; `make`, which makes a client of the recorder's API; `see`, what an
// application sees of an answer; and `origin`.
//
// Where the two differ, `differs` names the row of docs/switching.md that says so, and `place` the
// place when it is only one. What ours does there: `ours` are its requests, `fields` the form that it
// sends, `result` what the call gives. `only` names the place that can make the call at all.

const call = (name, run, differs) => ({ name, run, ...differs });

export const calls = [
  // Addresses
  call("a plain request", async ({ make, see }) => see(await make().get("/users"))),
  call("slashes between base and endpoint", async ({ make, see, origin }) => [
    see(await make({ apiGroupBaseUrl: `${origin}/api:1//` }).get("users")),
    see(await make({ apiGroupBaseUrl: `${origin}/api:1` }).get("/users/")),
    see(await make({ apiGroupBaseUrl: `${origin}/api:1/` }).get("")),
    see(await make({ apiGroupBaseUrl: null, instanceBaseUrl: origin }).get("/api:2/users")),
    see(await make({ instanceBaseUrl: "http://127.0.0.1:9" }).get("/users")),
  ]),
  call("an endpoint that is an address", async ({ make, see, origin }) => [
    see(await make().get(`${origin}/elsewhere`, { a: 1 })),
    see(await make().get(`//${origin.slice(7)}/elsewhere`)),
  ], { only: "browser" }),
  call("an endpoint with a query or a fragment", async ({ make, see }) => [
    see(await make().get("/users?a=1", { b: 2 })),
    see(await make().get("/users#top", { b: 2 })),
    see(await make().get("/users?a=1#top")),
  ]),
  call("plain parameters", async ({ make, see }) =>
    see(await make().get("/users", { a: 1, b: "x y", c: true, d: null, e: undefined, f: 0, g: "", h: false, i: 1.5, j: 1e21, " k ": "k" }))),
  call("letters that need escaping", async ({ make, see }) =>
    see(await make().get("/users", { "ä&[]": "ö&=?#/:$,+%()*!~@;🦸\n\"<>\\^`{|}" }))),
  call("an apostrophe", async ({ make, see }) => see(await make().get("/users", { a: "'" })),
    { differs: "Query: apostrophes", place: "node", ours: [["GET", "/api:1/users?a=%27"]] }),
  call("lists", async ({ make, see }) =>
    see(await make().get("/users", { a: [1, null, "x y", true, undefined], "b[]": [1, 2], c: [], "d[]": "x" }))),
  call("objects and lists within", async ({ make, see }) =>
    see(await make().get("/users", { a: { b: 1, c: { "d[]": [1, 2], e: null } }, f: [{ g: 1 }, [2, [3]]], h: {} }))),
  call("dates", async ({ make, see }) =>
    see(await make().get("/users", { a: new Date(0), b: { c: [new Date(1e12)] } }))),
  call("parameters of another kind", async ({ make, see }) =>
    see(await make().get("/users", new URLSearchParams([["a", "1"], ["a", "2 :~"]]))),
  { differs: "URLSearchParams", ours: [["GET", "/api:1/users?a=1&a=2+:~"]] }),
  call("an object of a class", async ({ make, see }) => {
    class Point {
      x = 1;
    }
    return see(await make().get("/users", { at: new Point() }));
  }, { differs: "Query: objects of a class", ours: [["GET", "/api:1/users?at%5Bx%5D=1"]] }),
  call("an invalid date", async ({ make, see }) => see(await make().get("/users", { a: new Date(NaN), b: 1 })),
    { differs: "Query: invalid dates", ours: [["GET", "/api:1/users?b=1"]] }),
  call("a name that asks for JSON", async ({ make, see }) => see(await make().get("/users", { "a{}": { b: 1 } })),
    { differs: "Query: names that end in {}", ours: [["GET", "/api:1/users?a%7B%7D%5Bb%5D=1"]] }),
  call("parameters that contain themselves", async ({ make, see }) => {
    const params = {};
    params.params = params;
    return see(await make().get("/users", params));
  }, { differs: "Parameters that contain themselves", ours: [] }),

  // Methods and bodies
  ...["delete", "patch", "post", "put"].map((method) =>
    call(`${method} with a body`, async ({ make, see }, method) =>
      see(await make()[method]("/users", { a: 1, b: { c: [new Date(0), null, undefined] }, d: undefined, e: "ü" })), { argument: method })),
  ...["get", "head"].map((method) =>
    call(`${method} with parameters`, async ({ make, see }, method) => see(await make()[method]("/users", { a: 1 })), { argument: method })),
  call("an empty body", async ({ make, see }) => see(await make().post("/users", {}))),
  call("a list as a body", async ({ make, see }) => see(await make().post("/users", ["a", "b"]))),
  call("delete without a body", async ({ make, see }) => see(await make().delete("/users"))),
  call("no body", async ({ make, see }) => [see(await make().post("/users")), see(await make().put("/users", null))], {
    differs: "Content-Type without a body", place: "node",
    ours: [["POST", "/api:1/users", { accept: "application/json, text/plain, */*" }, ""], ["PUT", "/api:1/users", { accept: "application/json, text/plain, */*" }, ""]],
  }),
  call("a body that JSON cannot hold", async ({ make, see }) => {
    const body = {};
    body.body = body;
    return see(await make().post("/users", body));
  }),

  // Headers
  call("headers of the call and of the client", async ({ make, see }) =>
    see(await make({ customAxiosRequestConfig: { headers: { "X-Both": "client", "X-Client": "1" } } })
      .get("/users", {}, { "X-Both": "call", "X-Call": "2", "X-Number": 3, "X-Null": null, "X-False": false, "X-Undefined": undefined }))),
  call("headers that are cased differently", async ({ make, see }) =>
    see(await make({ customAxiosRequestConfig: { headers: { "x-both": "client" } } }).get("/users", {}, { "X-BOTH": "call" }))),
  call("headers of unusual letters", async ({ make, see }) => see(await make().get("/users", {}, { "X-Name": "  Zoë  " }))),
  call("a header that is a list", async ({ make, see }) => see(await make().get("/users", {}, { "X-List": ["a", "b"] })),
    { differs: "Headers that are lists", place: "node", ours: [["GET", "/api:1/users", { accept: "application/json, text/plain, */*", "x-list": "a,b" }]] }),
  call("headers that HTTP cannot hold", async ({ make, see }) => see(await make().get("/users", {}, { "X-Name": "名前" })),
    { differs: "Headers that HTTP cannot hold", ours: [] }),
  call("a header that replaces what is usual", async ({ make, see }) =>
    see(await make().post("/users", { a: 1 }, { accept: "text/csv", "content-type": "text/plain" }))),
  call("a token", async ({ make, see }) => [
    see(await make({ authToken: "a.b-c_d" }).get("/users")),
    see(await make({ authToken: "mine" }).get("/users", {}, { authorization: "Basic x" })),
    see(await make().get("/users", {}, { Authorization: "Basic x" })),
    see(await make({ authToken: "mine" }).setAuthToken(null).get("/users")),
    see(await make().setAuthToken("later").get("/users")),
    see(await make({ authToken: "" }).get("/users")),
  ]),
  call("a data source", async ({ make, see }) => [
    see(await make({ dataSource: "test" }).get("/users")),
    see(await make().setDataSource("later").get("/users")),
    see(await make({ dataSource: "test" }).setDataSource(null).get("/users")),
  ]),

  // Answers
  ...["people", "text", "number", "html", "broken", "quoted", "none", "moved"].map((path) =>
    call(`the answer of /${path}`, async ({ make, see }, path) => see(await make().get(`/${path}`)), { argument: path })),
  ...["refused", "crashed"].map((path) =>
    call(`the error of /${path}`, async ({ make, see }, path) => see(await make().get(`/${path}`)), { argument: path })),
  call("a prefix for the keys of an answer", async ({ make, see }) => {
    const response = await make({ responseObjectPrefix: "p_" }).get("/people");
    return [see(response), response.getBody("q_"), response.getBody(""), (await make().get("/people")).getBody("r_"), (await make({ responseObjectPrefix: null }).get("/people")).getBody()];
  }),
  call("the headers of an answer", async ({ make }) => {
    const headers = (await make().get("/users")).getHeaders();
    return [headers["content-type"], headers["x-request"], Object.keys(headers).includes("date")];
  }),
  call("the methods of headers", async ({ make }) => typeof (await make().get("/users")).getHeaders().get,
    { differs: "Headers of an answer", ours: [["GET", "/api:1/users"]], result: "undefined" }),
  call("several cookies", async ({ make }) => (await make().get("/cookies")).getHeaders()["set-cookie"]),
  call("the fields of an answer", async ({ make }) => {
    const { body, headers, objectPrefix, status } = await make().get("/users");
    return [body, headers["x-request"], objectPrefix, status];
  }),
  call("nobody listens", async ({ make, see }) => see(await make({ apiGroupBaseUrl: "http://127.0.0.1:9" }).get("/users")), {
    differs: "Network errors in Node.js", place: "node", ours: [],
  }),
  call("what is known of an error without an answer", async ({ make }) => {
    const settings = { apiGroupBaseUrl: "http://127.0.0.1:9" };
    const error = await make(settings).get("/users").catch((error) => error);
    return [error.name, "isAxiosError" in error, "config" in error, error.cause instanceof Error];
  }, { differs: "Errors without an answer", ours: [], result: ["Error", false, false, true] }),
  call("an answer that breaks off", async ({ make, see }) => see(await make().get("/half")), {
    differs: "Network errors in Node.js", place: "node", ours: [["GET", "/api:1/half"]],
  }),
  call("an answer that does not come in time", async ({ make, see }) =>
    see(await make({ customAxiosRequestConfig: { timeout: 600 } }).get("/silent"))),
  call("a request that is called off", async ({ make, see }) => {
    const controller = new AbortController();
    const answer = make({ customAxiosRequestConfig: { signal: controller.signal } }).get("/late");
    controller.abort();
    return see(await answer);
  }, { requests: false }),
  call("a request that was called off before", async ({ make, see }) => {
    const controller = new AbortController();
    controller.abort();
    return see(await make({ customAxiosRequestConfig: { signal: controller.signal } }).get("/silent"));
  }),
  call("bytes", async ({ make }) => {
    const response = await make({ customAxiosRequestConfig: { responseType: "arraybuffer" } }).get("/bytes");
    return [...new Uint8Array(response.getBody())];
  }),
  call("a blob", async ({ make }) => {
    const response = await make({ customAxiosRequestConfig: { responseType: "blob" } }).get("/bytes");
    return [...new Uint8Array(await response.getBody().arrayBuffer())];
  }, { only: "browser" }),
  call("text that is not to be read", async ({ make, see }) =>
    see(await make({ customAxiosRequestConfig: { responseType: "text" } }).get("/number"))),
  call("parameters for all requests of a client", async ({ make, see }) =>
    see(await make({ customAxiosRequestConfig: { params: { a: 1, b: 2 } } }).get("/users", { b: 3, c: 4 })),
  { differs: "customAxiosRequestConfig.params", ours: [["GET", "/api:1/users?a=1&b=3&c=4"]] }),

  // Streams
  ...["events", "pieces"].map((path) =>
    call(`the stream of /${path}`, async ({ make }, path) => {
      const told = [];
      const each = (event) => told.push([event.data, event.id, event.type, event.dataAsJSON()]);
      const response = await make().get(`/${path}`, {}, {}, each);
      return [response.getStatusCode(), told];
    }, { argument: path })),
  call("a stream that a body asks for", async ({ make }) => {
    const told = [];
    for (const method of ["patch", "post", "put"]) {
      await make()[method]("/events", { a: 1 }, { "X-Call": "1" }, (event) => told.push(event.data));
    }
    return told;
  }),
  call("a stream without its type", async ({ make }) => {
    const told = [];
    await make().get("/untyped", {}, {}, (event) => told.push(event.data));
    return told;
  }),
  call("comments and unusual line ends in a stream", async ({ make }) => {
    const told = [];
    await make().get("/comment", {}, {}, (event) => told.push(event.data));
    return told;
  }, { differs: "Streams: comments and U+2028", ours: [["GET", "/api:1/comment"]], result: ["a\u2028b"] }),
  call("the body after a stream", async ({ make }) => {
    const body = (await make().get("/events", {}, {}, () => {})).getBody();
    return body === null ? null : typeof body;
  }, { differs: "Streams: the body afterwards", ours: [["GET", "/api:1/events"]], result: null }),
  call("an error where a stream was asked for", async ({ make }) => {
    const told = [];
    const error = await make().get("/refused", {}, {}, () => told.push(1)).catch((error) => error);
    const body = error.getResponse().getBody();
    return [error.message, error.getResponse().getStatusCode(), body.message ?? null, told];
  }, { differs: "Streams: errors", ours: [["GET", "/api:1/refused"]], result: ["There was an error with your request", 403, "Not you", []] }),
  call("JSON where a stream was asked for", async ({ make }) => {
    const body = (await make().get("/people", {}, {}, () => {})).getBody();
    return Array.isArray(body) ? body.length : null;
  }, { differs: "Streams: JSON instead", ours: [["GET", "/api:1/people"]], result: 3 }),
  call("a stream whose listener throws", async ({ make, see }) =>
    see(await make().get("/endless", {}, {}, () => {
      throw new Error("mine");
    })), { requests: false }),

  // Forms
  call("a file in a form", async ({ make, see, file }) =>
    see(await make({ authToken: "t" }).post("/upload", { name: "ü", file: file("a.txt", "text/plain", "héllo"), count: 2 })), { only: "browser" }),
  call("a header for a form", async ({ make, see, file }) =>
    see(await make().patch("/upload", { file: file("a.txt", "text/plain", "x") }, { "Content-Type": "application/json" })), { only: "browser" }),
  call("values beside a file", async ({ make, see, file }) =>
    see(await make().post("/upload", { file: file("a.txt", "text/plain", "x"), list: [1, 2], map: { a: 1 }, date: new Date(0), none: null, yes: true, nothing: undefined })), {
    differs: "Forms: values that are no text",
    fields: [["list", "[1,2]"], ["map", '{"a":1}'], ["date", "1970-01-01T00:00:00.000Z"], ["none", "null"], ["yes", "true"]],
  }),
  call("a list of files", async ({ make, see, file }) =>
    see(await make().post("/upload", { files: [file("a.txt", "text/plain", "x"), file("b.txt", "text/plain", "y")] })), {
    differs: "Forms: lists of files", fields: [["files[]", "x"], ["files[]", "y"]],
  }),
  call("a blob in a form", async ({ make, see }) => see(await make().post("/upload", { blob: new Blob(["x"]) })), {
    differs: "Forms: Blob and FormData", fields: [["blob", "x"]],
  }),
  call("a form that is made already", async ({ make, see }) => {
    const form = new FormData();
    form.append("a", "1");
    return see(await make().post("/upload", form));
  }, { differs: "Forms: Blob and FormData", fields: [["a", "1"]] }),
  call("a file of Node.js", async ({ make, see, sdk }) =>
    see(await make().put("/upload", { name: "ü", file: new sdk.XanoFile("a.bin", Buffer.from("héllo")) })), { only: "node" }),
  call("a file whose name says what it is", async ({ make, see, sdk }) =>
    see(await make().post("/upload", { file: new sdk.XanoFile("a.png", Buffer.from("x")) })), {
    differs: "XanoFile: the type of the part", only: "node", fields: [["file", "x", "application/octet-stream"]],
  }),

  // Settings and state
  call("no address", async ({ sdk }) => {
    try {
      new sdk.XanoClient({ storage: new sdk.XanoObjectStorage() }).get("/users");
      return "nothing was thrown";
    } catch (error) {
      return error.message;
    }
  }),
  call("realtime without an address or a hash", async ({ sdk, origin }) => {
    const told = [];
    for (const config of [{}, { instanceBaseUrl: origin }, { realtimeConnectionCanonical: "x" }]) {
      try {
        new sdk.XanoClient({ ...config, storage: new sdk.XanoObjectStorage() }).channel("a");
        told.push("nothing was thrown");
      } catch (error) {
        told.push(error.message);
      }
    }
    return told;
  }),
  call("tokens are kept in the storage", async ({ make, sdk }) => {
    const storage = new sdk.XanoObjectStorage();
    const seen = [];
    const look = (client) => seen.push({ ...storage.getAll() }, client.hasAuthToken(), client.hasRealtimeAuthToken(), client.hasDataSource());
    look(make({ storage, authToken: "a", realtimeAuthToken: "r", dataSource: "d" }));
    look(make({ storage }));
    const client = make({ storage });
    seen.push(client.setAuthToken("b") === client, client.setRealtimeAuthToken(null) === client, client.setDataSource("x") === client, client.realtimeReconnect() === client);
    look(client);
    look(make({ storage, authToken: null, realtimeAuthToken: "" }));
    look(make({ storage, authToken: 5 }));
    return seen;
  }),
  call("a storage of the application", async ({ make, see, sdk }) => {
    const asked = [];
    class Own extends sdk.XanoBaseStorage {
      getItem(key) {
        asked.push(key);
        return key === "AuthToken" ? "own" : null;
      }
    }
    const storage = new Own();
    const answer = see(await make({ storage }).get("/users"));
    return [answer, storage instanceof sdk.XanoBaseStorage, [...new Set(asked)]];
  }),
  call("the enums and keys", async ({ sdk }) => [sdk.XanoContentType, sdk.XanoRequestType, sdk.XanoStorageKeys], { only: "node" }),
  call("the names of the package", async ({ sdk, theirs }) => theirs.filter((name) => typeof sdk[name] === "undefined")),
  call("an answer that the application makes", async ({ sdk }) => {
    const response = new sdk.XanoResponse({ data: '{"a":{"b":null}}', headers: { "content-type": "application/json" }, status: 201 }, "p_");
    const bare = new sdk.XanoResponse({ data: "x", status: 200 });
    return [response.getBody(), response.getBody("q"), response.getStatusCode(), response.getHeaders(), bare.getBody(), bare.getHeaders()];
  }, { only: "node" }),
  call("the caller's settings stay as they are", async ({ sdk, origin }) => {
    const config = { apiGroupBaseUrl: origin };
    new sdk.XanoClient(config).setDataSource("x");
    return Object.keys(config);
  }, { differs: "The caller's settings", ours: [], result: ["apiGroupBaseUrl"] }),
  call("the class of an error", async ({ make, sdk }) => {
    const error = await make().get("/refused").catch((error) => error);
    return [error instanceof Error, error instanceof sdk.XanoRequestError];
  }, { differs: "XanoRequestError", only: "node", ours: [["GET", "/api:1/refused"]], result: [true, true] }),
  call("what a storage gives of itself", async ({ sdk }) => {
    const storage = new sdk.XanoObjectStorage();
    storage.getAll().a = "1";
    return storage.getItem("a");
  }, { differs: "XanoObjectStorage.getAll", ours: [], result: null }),
  call("a missing cookie", async ({ sdk }) => new sdk.XanoCookieStorage().getItem("nothing"),
    { differs: "XanoCookieStorage", only: "browser", ours: [], result: null }),
  call("a cookie of another framework", async ({ make, see }) => {
    document.cookie = "XSRF-TOKEN=x";
    try {
      return see(await make().get("/users"));
    } finally {
      document.cookie = "XSRF-TOKEN=; max-age=0";
    }
  }, {
    differs: "XSRF cookies", only: "browser", ours: [["GET", "/api:1/users", { accept: "application/json, text/plain, */*" }]],
  }),
  call("a file of Node.js in a browser", async ({ make, see, sdk }) => {
    if (!sdk.XanoFile) throw new Error("there is no XanoFile among the globals");
    return see(await make().post("/upload", { file: new sdk.XanoFile("a.txt", "x") }));
  }, { differs: "XanoFile in a browser", only: "browser", fields: [["file", "x"]] }),
  call("a token that is not there", async ({ make, see, sdk }) => {
    const storage = new sdk.XanoLocalStorage();
    try {
      return see(await make({ storage }).setAuthToken(undefined).get("/users"));
    } finally {
      storage.clear();
    }
  }, {
    differs: "setAuthToken(undefined)", only: "browser", ours: [["GET", "/api:1/users", { accept: "application/json, text/plain, */*" }]],
  }),
];
