/**
 * The page: where the server is, the connection to it, and which parts are on show.
 */
(() => {
  "use strict";

  const { ChannelPanel, HEROES, Me, Names, drawFace } = window.MarvelChat;
  const CHANNELS = [
    { name: "marvel-chat-room", title: "Marvel room", accent: "red" },
    { name: "dc-chat-room", title: "DC room", accent: "blue" },
  ];
  const KEPT_KEY = "marvel-chat-settings";
  /** The close code of an unknown connection hash. */
  const UNKNOWN_HASH = 4404;

  const $ = (id) => document.getElementById(id);
  const narrow = window.matchMedia("(max-width: 859px)");
  const me = new Me();
  const names = new Names();

  /** @type {Map<string, {panel: ChannelPanel, tab: HTMLElement, channel: any}>} by channel name */
  const views = new Map();
  let active = CHANNELS[0].name;
  let settings = null;
  let client = null;
  let unseen = 0;

  /** The connection in words needs to know how it got where it is. */
  const link = { phase: "idle", everConnected: false, retryAt: 0, reason: "" };

  /** `localhost:8787` is what people type; a browser takes that for a scheme. */
  function readBase(text) {
    const typed = text.trim().replace(/^ws(s?):\/\//i, "http$1://");
    const local = /^(localhost|127\.|\[|\d+\.\d+\.\d+\.\d+)/i.test(typed);
    const url = new URL(/^https?:\/\//i.test(typed) ? typed : `${local ? "http" : "https"}://${typed}`);
    return url.href.replace(/\/$/, "");
  }

  function keptSettings() {
    try {
      return JSON.parse(localStorage.getItem(KEPT_KEY)) ?? {};
    } catch {
      return {};
    }
  }

  function keepSettings(kept) {
    try {
      localStorage.setItem(KEPT_KEY, JSON.stringify(kept));
    } catch {
      // Storage is refused: the form starts empty next time.
    }
    try {
      // A reload, and a link passed on, lead to the same server.
      const query = new URLSearchParams({ base: kept.base, hash: kept.hash });
      history.replaceState(null, "", `?${query}`);
    } catch {
      // Some browsers refuse this for a page from disk.
    }
  }

  /** The address, then the server that served the page, then what was typed last time. */
  function findSettings() {
    const query = new URLSearchParams(location.search);
    const { baseUrl, connectionHash } = document.body.dataset;
    const origin = location.protocol.startsWith("http") ? location.origin : "";
    const [base, hash] = [query.get("base"), query.get("hash")];
    if (base && hash) return { base, hash, complete: true };
    if (connectionHash && (baseUrl || origin)) return { base: baseUrl || origin, hash: connectionHash, complete: true };
    const kept = keptSettings();
    return { base: base ?? kept.base ?? origin, hash: hash ?? kept.hash ?? "", complete: false };
  }

  function showFormError(words, field) {
    $("form-error").textContent = words;
    $("form-error").hidden = !words;
    for (const input of [$("base-url"), $("connection-hash")]) input.setAttribute("aria-invalid", String(input === field));
    field?.focus();
  }

  function submitSettings(event) {
    event.preventDefault();
    const [baseInput, hashInput] = [$("base-url"), $("connection-hash")];
    let base;
    try {
      base = readBase(baseInput.value);
    } catch {
      showFormError("That is no address. It looks like http://localhost:8787.", baseInput);
      return;
    }
    const hash = hashInput.value.trim();
    if (!/^[^\s/?#]+$/.test(hash)) {
      const words = hash ? "A connection hash has no spaces or slashes in it." : "The connection hash is missing.";
      showFormError(words, hashInput);
      return;
    }
    if (!start({ base, hash })) return;
    keepSettings({ base, hash });
    $("second-tab").href = location.href;
  }

  function showSettings() {
    $("settings").hidden = false;
    $("chat").hidden = true;
    $("masthead-actions").hidden = true;
    $("back").hidden = client === null;
    if (client === null) $("status-strip").hidden = true;
    $("skip").textContent = "Skip to the form";
    $("skip").href = "#base-url";
    $(settings ? "connection-hash" : "base-url").focus();
  }

  function showChat() {
    showFormError("");
    $("settings").hidden = true;
    $("chat").hidden = false;
    $("masthead-actions").hidden = false;
    $("status-strip").hidden = false;
    $("second-tab").href = location.href;
    $("skip").textContent = "Skip to the message field";
    activate(active);
    // On a touch screen the keyboard would cover what there is to read.
    if (window.matchMedia("(pointer: fine)").matches) views.get(active).panel.focusInput();
  }

  /** Opens the chat; returns whether that worked, and says why where it did not. */
  function start(next) {
    if (typeof window.XanoClient !== "function") {
      showFormError("The SDK is not built yet: run npm run build.");
      return false;
    }
    stop();
    settings = next;
    buildPanels();
    try {
      connect();
    } catch (error) {
      stop();
      showSettings();
      showFormError(`The SDK refused these settings: ${error.message}`);
      return false;
    }
    showChat();
    return true;
  }

  function connect() {
    client = new window.XanoClient({ instanceBaseUrl: settings.base, realtimeConnectionHash: settings.hash });
    Object.assign(link, { everConnected: false, reason: "" });
    setPhase("connecting");
    for (const [name, view] of views) {
      view.channel = client.channel(name, { history: true, presence: true, queueOfflineActions: true });
      const owner = client;
      // What an old client still says does not concern the new one.
      const ours = (take) => (action) => client === owner && take(action);
      view.channel.on(ours((action) => takeAction(name, action)), ours((action) => takeError(name, action)));
    }
  }

  function stop() {
    const old = client;
    client = null;
    if (old === null) return;
    for (const { channel } of views.values()) channel?.destroy();
    old.destroy?.();
  }

  /** Once more with the same settings, where the SDK has given up. What is shown stays. */
  function startAgain() {
    for (const { panel } of views.values()) panel.failAll();
    stop();
    connect();
    views.get(active).panel.focusInput();
  }

  function takeAction(name, action) {
    const { panel, channel } = views.get(name);
    if (action.action === "connection_status") {
      // Every channel hears of it; once is enough.
      if (name === CHANNELS[0].name) takeStatus(action.payload);
      return;
    }
    if (action.action === "join") me.setSocketId(action.payload?.socketId ?? action.client?.socketId);
    if (["join", "presence_full", "presence_update"].includes(action.action)) panel.setMembers(channel.getPresence());
    panel.receive(action);
  }

  function takeError(name, action) {
    const { code, message } = action.payload ?? {};
    if (code === "unknown_hash") setPhase("unknown-hash");
    else if (action.options?.channel === name) {
      views.get(name).panel.showError(action.payload);
      if (action.payload?.action === "message") views.get(name).panel.failOldest();
    } else if (name === CHANNELS[0].name && !action.options?.channel && message) {
      link.reason = String(message).slice(0, 200);
      drawStatus();
    }
  }

  function takeStatus(payload) {
    console.info("connection_status", payload?.status);
    if (payload?.status === "connected") {
      Object.assign(link, { everConnected: true, reason: "" });
      setPhase("connected");
    } else if (payload?.code === UNKNOWN_HASH || link.phase === "unknown-hash") {
      setPhase("unknown-hash");
    } else if (Number.isFinite(payload?.retryIn)) {
      link.retryAt = Date.now() + payload.retryIn;
      setPhase("retrying");
    } else if (Number.isFinite(payload?.code)) {
      link.reason = typeof payload.reason === "string" ? payload.reason.slice(0, 200) : "";
      setPhase("closed");
    } else {
      // Xano's SDK says no more than "disconnected", and tries again.
      link.retryAt = 0;
      setPhase("retrying");
    }
  }

  function setPhase(phase) {
    link.phase = phase;
    for (const { panel } of views.values()) panel.setConnected(phase === "connected");
    drawStatus();
  }

  function drawStatus() {
    const { phase, everConnected, reason, retryAt } = link;
    const { host, protocol } = settings ? new URL(settings.base) : location;
    const seconds = Math.ceil((retryAt - Date.now()) / 1000);
    const trying = seconds > 0 ? ` in ${seconds} s` : "…";
    const words = {
      idle: "",
      connecting: "Connecting…",
      connected: reason ? `Connected. The server says: ${reason}` : "Connected",
      retrying: everConnected ? "Connection lost, trying again" : `No server answers at ${protocol}//${host}; trying again`,
      closed: `The server closed the connection${reason ? `: ${reason}` : ""}.`,
      "unknown-hash": "The server does not know this connection hash. Check it under Settings.",
    }[phase];
    $("status-strip").dataset.phase = phase;
    // Written only when it changes: a live region reads out every writing.
    if ($("status-words").textContent !== words) $("status-words").textContent = words;
    $("status-seconds").textContent = phase === "retrying" ? trying : "";
    $("address").textContent = phase === "connecting" || phase === "connected" ? host : "";
    $("status-button").hidden = phase !== "closed" && phase !== "unknown-hash";
    $("status-button").textContent = phase === "closed" ? "Try again" : "Settings";
  }

  function buildPanels() {
    views.clear();
    $("panels").replaceChildren();
    $("tabs").replaceChildren();
    for (const { name, title, accent } of CHANNELS) {
      const send = (payload) => views.get(name).channel.message(payload);
      const panel = new ChannelPanel({ name, title, accent, me, names, send, changed: takeNews });
      const tab = document.createElement("button");
      tab.type = "button";
      tab.id = `tab-${name}`;
      tab.dataset.accent = accent;
      tab.dataset.testid = `tab-${name}`;
      tab.setAttribute("role", "tab");
      tab.setAttribute("aria-controls", panel.element.id);
      const badge = document.createElement("span");
      badge.className = "badge";
      badge.dataset.testid = "unread";
      tab.append(title, badge);
      tab.addEventListener("click", () => activate(name));
      tab.addEventListener("keydown", moveBetweenTabs);
      views.set(name, { panel, tab, channel: null });
      $("panels").append(panel.element);
      $("tabs").append(tab);
    }
  }

  function moveBetweenTabs(event) {
    const order = [...views.keys()];
    const at = order.indexOf(active);
    const moves = new Map([["ArrowRight", at + 1], ["ArrowLeft", at - 1], ["Home", 0], ["End", -1]]);
    const to = moves.get(event.key);
    if (to === undefined) return;
    event.preventDefault();
    activate(order.at(to % order.length));
    views.get(active).tab.focus();
  }

  /** Side by side there is no choosing; where it is narrow, one channel is on show. */
  function activate(name) {
    active = name;
    for (const [each, { panel, tab }] of views) {
      const chosen = each === active;
      panel.setShown(!narrow.matches || chosen);
      if (narrow.matches) panel.element.setAttribute("role", "tabpanel");
      else panel.element.removeAttribute("role");
      tab.setAttribute("aria-selected", String(chosen));
      tab.tabIndex = chosen ? 0 : -1;
    }
    $("skip").href = `#message-${active}`;
    drawUnread();
  }

  function takeNews({ messages, names: learnt }) {
    if (document.hidden) unseen += messages;
    if (learnt) for (const { panel } of views.values()) panel.refresh();
    drawUnread();
  }

  function drawUnread() {
    for (const { panel, tab } of views.values()) {
      const badge = tab.querySelector(".badge");
      badge.hidden = panel.unread === 0;
      badge.textContent = panel.unread > 99 ? "99+" : String(panel.unread);
      badge.setAttribute("aria-label", `${panel.unread} unread`);
    }
    document.title = unseen ? `(${unseen}) Marvel chat` : "Marvel chat";
  }

  function drawHero() {
    $("hero-name").textContent = me.hero;
    drawFace($("hero-face"), me.hero);
    for (const option of $("hero-grid").children) {
      option.setAttribute("aria-pressed", String(option.dataset.hero === me.hero));
    }
    for (const { panel } of views.values()) panel.refresh();
  }

  function buildHeroes() {
    for (const { name } of HEROES) {
      const option = document.createElement("button");
      option.type = "button";
      option.dataset.hero = name;
      option.dataset.testid = "hero-option";
      const face = document.createElement("span");
      face.className = "face";
      drawFace(face, name);
      option.append(face, name);
      option.addEventListener("click", () => {
        me.hero = name;
        drawHero();
        $("hero-dialog").close();
      });
      $("hero-grid").append(option);
    }
  }

  function listen() {
    $("connection-form").addEventListener("submit", submitSettings);
    $("open-settings").addEventListener("click", showSettings);
    $("back").addEventListener("click", showChat);
    $("status-button").addEventListener("click", () => (link.phase === "closed" ? startAgain() : showSettings()));
    $("hero").addEventListener("click", () => $("hero-dialog").showModal());
    $("hero-close").addEventListener("click", () => $("hero-dialog").close());
    $("hero-dialog").addEventListener("click", (event) => {
      // Only the backdrop has the dialog itself as its target, as padding belongs to the children.
      if (event.target === $("hero-dialog")) $("hero-dialog").close();
    });
    narrow.addEventListener("change", () => views.size && activate(active));
    document.addEventListener("visibilitychange", () => {
      if (document.hidden) return;
      unseen = 0;
      drawUnread();
    });
    setInterval(() => link.phase === "retrying" && drawStatus(), 250);
    // "Today" does not stay today.
    setInterval(() => views.forEach(({ panel }) => panel.refresh()), 60_000);
  }

  function open() {
    listen();
    buildHeroes();
    drawHero();
    $("second-tab").href = location.href;
    const { base, hash, complete } = findSettings();
    $("base-url").value = base;
    $("connection-hash").value = hash;
    if (typeof window.XanoClient !== "function") {
      showSettings();
      showFormError("The SDK is not built yet: run npm run build.");
      return;
    }
    if (!complete) {
      showSettings();
      return;
    }
    try {
      start({ base: readBase(base), hash });
    } catch {
      showSettings();
      showFormError("That is no address. It looks like http://localhost:8787.", $("base-url"));
    }
  }

  open();
})();
