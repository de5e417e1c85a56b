/**
 * Signing up, logging in and logging out, with the SDK's own client. No DOM.
 */
(() => {
  "use strict";

  const { readBase } = window.MarvelChat;

  /** The API group of a server: the address may name one, as at Xano, or it is this server's own. */
  function groupOf(base) {
    return /\/api:[^/]+$/.test(base) ? base : `${base}/api:main`;
  }

  /**
   * Where the SDK keeps the tokens: the page's local storage, under the name of the server that gave
   * them. A link can make this page ask another server, and that one must not be shown them.
   */
  function storageFor(group) {
    const named = (key) => `marvel-chat ${group} ${key}`;
    class ServerStorage extends window.XanoLocalStorage {
      getItem(key) {
        return super.getItem(named(key));
      }

      removeItem(key) {
        super.removeItem(named(key));
      }

      setItem(key, value) {
        super.setItem(named(key), value);
      }
    }
    return new ServerStorage();
  }

  /** A client for a server; logged in, when this browser is there already. */
  function openClient({ base, hash }) {
    const group = groupOf(readBase(base));
    return new window.XanoClient({
      instanceBaseUrl: base,
      apiGroupBaseUrl: group,
      realtimeConnectionHash: hash,
      storage: storageFor(group),
    });
  }

  /**
   * Signs up where there is a name, else logs in; the client then keeps the token for requests and for
   * realtime. Throws an `Error` for people, in the server's words, with the `field` it is about.
   */
  async function logIn(client, { name, email, password }) {
    let token;
    try {
      const answer = name === undefined ? client.post("/auth/login", { email, password }) : client.post("/auth/signup", { name, email, password });
      token = (await answer).getBody()?.authToken;
    } catch (error) {
      throw readFailure(error);
    }
    if (typeof token !== "string") throw new Error("The server's answer holds no authToken.");
    client.setAuthToken(token).setRealtimeAuthToken(token);
  }

  function logOut(client) {
    client.setAuthToken(null).setRealtimeAuthToken(null);
  }

  function readFailure(error) {
    const response = error.getResponse?.();
    if (!response) return new Error("The server cannot be reached. Check the connection and try again.");
    const { message, param } = response.getBody() ?? {};
    const said = typeof message === "string" && message ? message.slice(0, 300) : "";
    const words = said || `The server answered with status ${response.getStatusCode()}.`;
    return Object.assign(new Error(words[0].toUpperCase() + words.slice(1)), { field: param });
  }

  /** Whether passwords can be read on their way to this server. */
  function isInTheClear(base) {
    const { protocol, hostname } = new URL(base);
    return protocol === "http:" && !/^(localhost|.*\.localhost|127(\.\d+){3}|\[::1\])$/.test(hostname);
  }

  /**
   * The server's host, where the page comes from another one; empty where it is the page's own, or was named
   * by the page, or was opened from disk. A link can name any server, and who logs in has to know whose it is.
   *
   * @param {{page: string, named: string}} own  the host of the page, and the server that the page names
   */
  function elsewhere(base, { page, named }) {
    const { hostname, host } = new URL(base);
    const isOwn = !page || hostname === page || (named && readBase(named) === base);
    return isOwn ? "" : host;
  }

  window.MarvelChat = { ...window.MarvelChat, elsewhere, isInTheClear, logIn, logOut, openClient };
})();
