/**
 * The page: where the server is, the connection to it, and which parts are on show.
 */
(() => {
  "use strict";

  const { ChannelPanel, Connection, HEROES, Me, Names, drawFace, readBase } = window.MarvelChat;
  const CHANNELS = [
    { name: "marvel-chat-room", title: "Marvel room", accent: "red" },
    { name: "dc-chat-room", title: "DC room", accent: "blue" },
  ];
  const KEPT_KEY = "marvel-chat-settings";

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

  const connection = new Connection();

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
    } catch (error) {
      showFormError(error.message, baseInput);
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
    drawStatus();
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
    drawStatus();
    activate(active);
    // On a touch screen the keyboard would cover what there is to read.
    if (window.matchMedia("(pointer: fine)").matches) views.get(active).panel.focusInput();
    else $("open-settings").focus();
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
    connection.start(settings.base);
    drawConnection();
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

  /** The SDK waits longer from try to try; whoever sits there may know better. */
  function tryNow() {
    connection.retryAt = 0;
    drawStatus();
    client.realtimeReconnect();
  }

  /** Once more with the same settings, where the SDK has given up. What is shown stays. */
  function startAgain() {
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
    const channel = action.options?.channel;
    if (channel && channel === name) views.get(name).panel.takeError(action.payload);
    // What concerns no channel is told to every channel; once is enough.
    if (channel || name !== CHANNELS[0].name) return;
    connection.takeError(action.payload);
    drawConnection();
  }

  function takeStatus(payload) {
    console.info("connection_status", payload?.status);
    connection.takeStatus(payload);
    drawConnection();
  }

  function drawConnection() {
    for (const { panel } of views.values()) panel.setConnection(connection);
    drawStatus();
  }

  function drawStatus() {
    const { phase, connected, stranded, host } = connection;
    const words = connection.words();
    $("status-strip").dataset.phase = phase;
    // Written only when it changes: a live region reads out every writing.
    if ($("status-words").textContent !== words) $("status-words").textContent = words;
    $("status-seconds").textContent = connection.countdown(Date.now());
    $("address").textContent = phase === "connecting" || connected ? host : "";
    const [retry, change] = [$("status-retry"), $("status-settings")];
    const hadFocus = document.activeElement === retry;
    retry.hidden = phase !== "retrying" && phase !== "closed";
    retry.textContent = phase === "retrying" ? "Try now" : "Try again";
    change.hidden = !$("settings").hidden || (!stranded && phase !== "unknown-hash");
    if (hadFocus && retry.hidden) views.get(active).panel.focusInput();
  }

  function buildPanels() {
    const drafts = new Map([...views].map(([name, { panel }]) => [name, panel.draft]));
    views.clear();
    $("panels").replaceChildren();
    $("tabs").replaceChildren();
    for (const { name, title, accent } of CHANNELS) {
      const send = (payload) => views.get(name).channel.message(payload);
      const panel = new ChannelPanel({ name, title, accent, me, names, send, changed: takeNews });
      panel.draft = drafts.get(name) ?? "";
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
    // Where it is narrow only the face is there to see.
    $("hero").setAttribute("aria-label", `You are ${me.hero}, change`);
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

  function openHeroes() {
    $("hero-dialog").showModal();
    $("hero-grid").querySelector("[aria-pressed=true]").focus();
  }

  function leaveSettings(event) {
    if (event.key !== "Escape" || event.isComposing || $("settings").hidden || client === null) return;
    showChat();
  }

  function listen() {
    $("connection-form").addEventListener("submit", submitSettings);
    $("open-settings").addEventListener("click", showSettings);
    $("back").addEventListener("click", showChat);
    document.addEventListener("keydown", leaveSettings);
    $("status-retry").addEventListener("click", () => (connection.phase === "closed" ? startAgain() : tryNow()));
    $("status-settings").addEventListener("click", showSettings);
    $("hero").addEventListener("click", openHeroes);
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
    setInterval(() => connection.phase === "retrying" && drawStatus(), 250);
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
    } catch (error) {
      showSettings();
      showFormError(error.message, $("base-url"));
    }
  }

  open();
})();
