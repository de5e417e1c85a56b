// The half of the client that asks the API. Streams are read in Rust; the rest walks JavaScript's own
// values, and would be a multiple of its size there.

import { load } from "loader";
import { EventStream } from "./core.js";
import { coded } from "./fault.js";
import { addressOf, readable } from "./query.js";
import { XanoLocalStorage } from "./storage.js";

export const XanoContentType = Object.freeze({
  JSON: "application/json",
  Multipart: "multipart/form-data",
  Text: "text/plain",
});

export const XanoRequestType = Object.freeze({
  DELETE: "DELETE",
  GET: "GET",
  HEAD: "HEAD",
  PATCH: "PATCH",
  POST: "POST",
  PUT: "PUT",
});

export const XanoStorageKeys = Object.freeze({
  AuthToken: "AuthToken",
  RealtimeAuthToken: "RealtimeAuthToken",
});

export class XanoFile {
  static name = "XanoFile";

  constructor(name, buffer, type = "") {
    this.name = name;
    this.buffer = buffer;
    this.type = type;
  }

  getBuffer() {
    return this.buffer;
  }

  getName() {
    return this.name;
  }
}

export class XanoEventStream {
  static name = "XanoEventStream";

  constructor(event) {
    Object.assign(this, event);
  }

  dataAsJSON() {
    return parse(this.data, null);
  }
}

export class XanoResponse {
  static name = "XanoResponse";

  constructor(response, objectPrefix = "") {
    this.body = response.data;
    this.headers = response.headers ?? {};
    this.objectPrefix = objectPrefix;
    this.status = response.status;
    if (typeof this.body === "string" && isJson(this.headers)) {
      this.body = parse(this.body, this.body);
    }
  }

  getBody(objectPrefix) {
    const prefix = objectPrefix || this.objectPrefix;
    return prefix ? prefixed(this.body, prefix) : this.body;
  }

  getHeaders() {
    return this.headers;
  }

  getStatusCode() {
    return this.status;
  }
}

export class XanoRequestError extends Error {
  static name = "XanoRequestError";

  constructor(message, response) {
    super(message);
    this.name = XanoRequestError.name;
    this.getResponse = () => response;
  }
}

/** Who a client's next connection is for; not for applications, which have `setRealtimeAuthToken`. */
export const realtimeToken = Symbol();

/** What `XanoClient` and `XanoNodeClient` do besides realtime. */
export class RestClient {
  #config;
  #storage;
  /** What this client was told itself; undefined when it takes what is stored. */
  #realtimeToken;

  constructor(config) {
    this.#config = { ...config };
    const { authToken, customAxiosRequestConfig, realtimeAuthToken, storage } = this.#config;
    this.#storage = storage ?? new XanoLocalStorage();
    if (authToken !== undefined) this.#store(XanoStorageKeys.AuthToken, isText(authToken) ? authToken : null);
    if (realtimeAuthToken !== undefined) this.#setRealtimeToken(realtimeAuthToken);
    for (const name of Object.keys(customAxiosRequestConfig ?? {})) {
      if (!SETTINGS.includes(name)) console.warn(`xano-realtime: customAxiosRequestConfig.${name} ${NO_MEANING}`);
    }
  }

  hasAuthToken() {
    return this.#stored(XanoStorageKeys.AuthToken) !== null;
  }

  setAuthToken(token) {
    this.#store(XanoStorageKeys.AuthToken, token);
    return this;
  }

  hasRealtimeAuthToken() {
    return this.#stored(XanoStorageKeys.RealtimeAuthToken) !== null;
  }

  setRealtimeAuthToken(token) {
    this.#setRealtimeToken(token);
    return this;
  }

  [realtimeToken]() {
    return this.#realtimeToken === undefined
      ? this.#stored(XanoStorageKeys.RealtimeAuthToken)
      : this.#realtimeToken;
  }

  hasDataSource() {
    return isText(this.#config.dataSource);
  }

  setDataSource(name) {
    this.#config.dataSource = name;
    return this;
  }

  delete(endpoint, params, headers) {
    return this.#request("DELETE", endpoint, { content: params, headers });
  }

  get(endpoint, params, headers, onEvent) {
    return this.#request("GET", endpoint, { headers, onEvent, params });
  }

  head(endpoint, params, headers) {
    return this.#request("HEAD", endpoint, { headers, params });
  }

  patch(endpoint, params, headers, onEvent) {
    return this.#request("PATCH", endpoint, { content: params, headers, onEvent });
  }

  post(endpoint, params, headers, onEvent) {
    return this.#request("POST", endpoint, { content: params, headers, onEvent });
  }

  put(endpoint, params, headers, onEvent) {
    return this.#request("PUT", endpoint, { content: params, headers, onEvent });
  }

  #stored(key) {
    const value = this.#storage.getItem(key);
    return isText(value) ? value : null;
  }

  #store(key, token) {
    if (token == null) this.#storage.removeItem(key);
    else this.#storage.setItem(key, token);
  }

  #setRealtimeToken(token) {
    this.#realtimeToken = isText(token) ? token : null;
    this.#store(XanoStorageKeys.RealtimeAuthToken, this.#realtimeToken);
  }

  /** Throws at once what is wrong with the call; the promise is about the request. */
  #request(method, endpoint, { content, headers, onEvent, params }) {
    const { apiGroupBaseUrl, customAxiosRequestConfig, instanceBaseUrl, instanceBaseURL } = this.#config;
    const base = apiGroupBaseUrl || instanceBaseUrl || instanceBaseURL;
    if (!base) throw coded(NO_BASE_URL, "no_base_url");
    if (onEvent) load();
    const settings = customAxiosRequestConfig ?? {};
    const own = pairs(params);
    const names = new Set(own.map(([name]) => name));
    const usual = pairs(settings.params).filter(([name]) => !names.has(name));
    const url = addressOf(base, `${endpoint ?? ""}`, [...usual, ...own]);
    const body = bodyOf(content);
    const fields = this.#headers(body, [...pairs(settings.headers), ...pairs(headers)]);
    const credentials = settings.withCredentials ? "include" : undefined;
    const init = { body, credentials, headers: fields, method };
    return send(url, init, settings, onEvent).then((answer) => {
      const response = new XanoResponse(answer, this.#config.responseObjectPrefix ?? "");
      if (answer.ok) return response;
      throw new XanoRequestError("There was an error with your request", response);
    });
  }

  /** What the request says; of two headers of one name, however cased, the later counts. */
  #headers(body, given) {
    const headers = new Headers({ Accept: "application/json, text/plain, */*" });
    const token = this.#stored(XanoStorageKeys.AuthToken);
    for (const [name, value] of [
      ...given,
      // What a form says of itself is the browser's, and where there is no body there is nothing to say.
      ["Content-Type", typeof body === "string" && XanoContentType.JSON],
      ...(token ? [["Authorization", `Bearer ${token}`]] : []),
      ...(this.hasDataSource() ? [["X-Data-Source", this.#config.dataSource]] : []),
    ]) {
      if (value == null || value === false) headers.delete(name);
      else headers.set(name, value);
    }
    return headers;
  }
}

async function send(url, init, { responseType, signal, timeout }, onEvent) {
  const controller = new AbortController();
  const cancel = () => controller.abort();
  let expired = false;
  const expire = () => {
    expired = true;
    cancel();
  };
  /** A promise of the network's, failing in our words. */
  const answered = (promise) =>
    promise.catch((cause) => {
      if (expired) throw coded(`timeout of ${timeout}ms exceeded`, "ECONNABORTED", cause);
      if (controller.signal.aborted) throw coded("canceled", "ERR_CANCELED", cause);
      throw coded("Network Error", "ERR_NETWORK", cause);
    });
  // Browsers take longer waits for none.
  const timer = timeout > 0 && setTimeout(expire, Math.min(timeout, 0x7fffffff));
  signal?.addEventListener("abort", cancel);
  if (signal?.aborted) cancel();
  try {
    // Made first, so that what is wrong with it is no failure of the network.
    const request = new Request(url, { ...init, signal: controller.signal });
    const response = await answered(fetch(request));
    const { ok, status } = response;
    const headers = Object.fromEntries(response.headers);
    const cookies = response.headers.getSetCookie?.();
    if (cookies?.length) headers["set-cookie"] = cookies;
    let data = null;
    // An answer that failed, or that is no stream after all, is read like any other.
    if (onEvent && ok && response.body && !isJson(headers)) {
      await readEvents(response.body.getReader(), answered, onEvent);
    } else {
      data = await answered(response[READERS[responseType] ?? "text"]());
      if (typeof data === "string" && responseType !== "text") data = parse(data, data);
    }
    return { data, headers, ok, status };
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", cancel);
  }
}

async function readEvents(reader, answered, onEvent) {
  const decoder = new TextDecoder();
  const events = new EventStream();
  try {
    for (;;) {
      const { done, value } = await answered(reader.read());
      if (done) return;
      const parts = events.push(decoder.decode(value, { stream: true }));
      if (!parts) throw coded("The stream holds an event of more than 16 MiB.", "event_too_large");
      for (let at = 0; at < parts.length; at += 3) {
        onEvent(new XanoEventStream({ data: parts[at], id: parts[at + 1], type: parts[at + 2] }));
      }
    }
  } finally {
    events.free();
    // Where a listener threw, nobody reads on. That it has ended already, or failed, is no news.
    reader.cancel().catch(() => {});
  }
}

function bodyOf(content) {
  if (!content) return undefined;
  if (content instanceof FormData) return content;
  const fields = Object.entries(content);
  if (!fields.some(([, value]) => isFile(value) || filesIn(value))) return JSON.stringify(Object.fromEntries(fields));
  const form = new FormData();
  for (const [name, value] of fields) {
    const list = filesIn(value);
    if (list) for (const item of list) append(form, `${name}[]`, item);
    else append(form, name, value);
  }
  return form;
}

/** A list with a file in it, as an array. */
function filesIn(value) {
  const isList = Array.isArray(value) || (typeof FileList === "function" && value instanceof FileList);
  return isList && [...value].some(isFile) ? [...value] : undefined;
}

function append(form, name, value) {
  if (value instanceof XanoFile) {
    form.append(name, new Blob([value.getBuffer()], { type: value.type }), value.getName());
  } else if (isFile(value)) {
    form.append(name, value);
  } else if (value !== undefined) {
    // A form holds text: a date as in a query, other objects as JSON.
    const plain = readable(value);
    form.append(name, typeof plain === "object" ? JSON.stringify(plain) : plain);
  }
}

function isFile(value) {
  return value instanceof Blob || value instanceof XanoFile;
}

/** Names and values of an object, or of what has them in another form, as `URLSearchParams` and
 * `Headers` do. */
function pairs(value) {
  return typeof value?.entries === "function" ? [...value.entries()] : Object.entries(value ?? {});
}

function isJson(headers) {
  return `${headers["content-type"]}`.startsWith(XanoContentType.JSON);
}

function isText(value) {
  return typeof value === "string" && value !== "";
}

function parse(text, otherwise) {
  try {
    return JSON.parse(text);
  } catch {
    return otherwise;
  }
}

function prefixed(value, prefix) {
  if (Array.isArray(value)) return value.map((item) => prefixed(item, prefix));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [`${prefix}${key}`, prefixed(item, prefix)]),
  );
}

/** The methods of a response that read what axios calls so. */
const READERS = { arraybuffer: "arrayBuffer", blob: "blob" };
/** What fetch has a use for, of the settings of axios. */
const SETTINGS = ["headers", "params", "responseType", "signal", "timeout", "withCredentials"];
const NO_MEANING = `does nothing: requests are made with fetch, which has a use for ${SETTINGS.join(", ")}.`;
const NO_BASE_URL = "Please configure apiGroupBaseUrl or instanceBaseUrl setting before making an API request";
