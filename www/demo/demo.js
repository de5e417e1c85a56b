/**
 * The page: the connection to the server, who it is for, and which parts are on show.
 */
(() => {
  "use strict";

  const { Connection, Identity, Me, Names, Rooms, SettingsForm } = window.MarvelChat;
  const { elsewhere, findSettings, isInTheClear, keepSettings, logIn, logOut, openClient, readBase } = window.MarvelChat;
  const OPEN_ROOMS = [
    { name: "marvel-chat-room", title: "Marvel room", accent: "red" },
    { name: "dc-chat-room", title: "DC room", accent: "blue" },
  ];
  /** For those who have logged in. */
  const HQ = { name: "marvel-hq", title: "Marvel HQ", accent: "violet", privately: true };
  const LOGIN_ENDED = "Your login has ended. Log in again to be back in HQ.";

  const $ = (id) => document.getElementById(id);
  const who = { me: new Me(), names: new Names() };
  const connection = new Connection();
  const rooms = new Rooms(who, takeNews);
  const form = new SettingsForm(useSettings);
  const identity = new Identity(who.me, { heroChosen: drawIdentity, logIn: enter, logOut: () => leave() });
  let settings = null;
  let client = null;
  let unseen = 0;

  function useSettings(next) {
    if (!start(next)) return;
    keepSettings(next);
    $("second-tab").href = location.href;
  }

  function showSettings() {
    $("chat").hidden = true;
    $("masthead-actions").hidden = true;
    if (client === null) $("status-strip").hidden = true;
    $("skip").textContent = "Skip to the form";
    $("skip").href = "#base-url";
    form.show({ canLeave: client !== null, first: settings === null });
    drawStatus();
  }

  function showChat() {
    form.hide();
    $("chat").hidden = false;
    $("masthead-actions").hidden = false;
    $("status-strip").hidden = false;
    $("second-tab").href = location.href;
    $("skip").textContent = "Skip to the message field";
    drawIdentity();
    drawStatus();
    rooms.draw();
    focusRoom();
  }

  /** On a touch screen the keyboard would cover what there is to read. */
  function focusRoom() {
    if (window.matchMedia("(pointer: fine)").matches) rooms.active.focusInput();
    else $("open-settings").focus();
  }

  /** Opens the chat; returns whether that worked, and says why where it did not. */
  function start(next, remark) {
    if (typeof window.XanoClient !== "function") {
      form.showError("The SDK is not built yet: run npm run build.");
      return false;
    }
    stop();
    settings = next;
    try {
      client = openClient(settings);
      buildRooms();
      connect(remark);
    } catch (error) {
      stop();
      showSettings();
      form.showError(`The SDK refused these settings: ${error.message}`);
      return false;
    }
    showChat();
    return true;
  }

  function buildRooms() {
    const { drafts } = rooms;
    rooms.clear();
    for (const room of OPEN_ROOMS) rooms.add(room);
    if (client.hasRealtimeAuthToken()) rooms.add(HQ);
    rooms.drafts = drafts;
  }

  function connect(remark) {
    connection.start(settings.base, remark);
    drawConnection();
    for (const name of rooms.names) join(name);
  }

  function join(name) {
    const channel = client.channel(name, { history: true, presence: true, queueOfflineActions: true });
    rooms.setChannel(name, channel);
    const owner = client;
    // What an old client still says does not concern the new one.
    const ours = (take) => (action) => client === owner && take(name, channel, action);
    channel.on(ours(takeAction), ours(takeError));
  }

  function stop() {
    const old = client;
    client = null;
    if (old === null) return;
    for (const channel of rooms.channels) channel?.destroy();
    old.destroy?.();
  }

  /** Logs in, or signs up. The same connection objects go on, for somebody whom the server now knows. */
  async function enter(fields) {
    const owner = client;
    await logIn(owner, fields);
    if (client !== owner) return;
    connection.renew();
    client.realtimeReconnect();
    openHq();
    rooms.activate(HQ.name);
    // The dialog gives the focus back as it closes, which is now.
    queueMicrotask(focusRoom);
  }

  function openHq() {
    rooms.add(HQ);
    rooms.panel(HQ.name).setConnection(connection);
    join(HQ.name);
    rooms.draw();
    drawIdentity();
  }

  /**
   * Forgets who was here: with the old client goes what waited to be sent, which must not be sent in
   * another's name, and with the old rooms what was said in private.
   */
  function leave(remark) {
    logOut(client);
    who.me.forget();
    rooms.clear();
    start(settings, remark);
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
    client = openClient(settings);
    connect();
    rooms.active.focusInput();
  }

  function takeAction(name, channel, action) {
    if (action.action === "connection_status") {
      // Every channel hears of it; once is enough.
      if (name === OPEN_ROOMS[0].name) takeStatus(action.payload);
      return;
    }
    if (action.action === "join") {
      who.me.joined(action);
      // Another tab may have logged in since, and its token is this one's too.
      if (who.me.member && !rooms.has(HQ.name)) openHq();
      drawIdentity();
    }
    const panel = rooms.panel(name);
    if (["join", "presence_full", "presence_update"].includes(action.action)) {
      const members = channel.getPresence();
      for (const member of members) who.names.learn(member);
      panel.setMembers(members);
    }
    panel.receive(action);
  }

  function takeError(name, channel, error) {
    const of = error.options?.channel;
    if (of && of === name) rooms.panel(name).takeError(error.payload);
    // What concerns no channel is told to every channel; once is enough.
    if (of || name !== OPEN_ROOMS[0].name) return;
    if (error.payload?.code === "invalid_token" && client.hasRealtimeAuthToken()) {
      const { drafts } = rooms;
      leave(LOGIN_ENDED);
      rooms.drafts = drafts;
      return;
    }
    connection.takeError(error.payload);
    drawConnection();
  }

  function takeStatus(payload) {
    console.info("connection_status", payload?.status);
    connection.takeStatus(payload);
    drawConnection();
  }

  function drawConnection() {
    for (const panel of rooms.panels) panel.setConnection(connection);
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
    change.hidden = form.isShown || (!stranded && phase !== "unknown-hash");
    if (hadFocus && retry.hidden) rooms.active.focusInput();
  }

  function takeNews({ messages, names }) {
    if (document.hidden) unseen += messages;
    if (names) for (const panel of rooms.panels) panel.refresh();
    rooms.drawUnread();
    document.title = unseen ? `(${unseen}) Marvel chat` : "Marvel chat";
  }

  function drawIdentity() {
    const base = settings?.base;
    identity.draw({
      hasAccount: rooms.has(HQ.name),
      isInTheClear: base !== undefined && isInTheClear(base),
      elsewhere: base === undefined ? "" : elsewhere(base, { page: location.hostname, named: document.body.dataset.baseUrl }),
    });
    for (const panel of rooms.panels) panel.refresh();
  }

  function listen() {
    $("open-settings").addEventListener("click", showSettings);
    $("back").addEventListener("click", showChat);
    document.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && !event.isComposing && form.isShown && client !== null) showChat();
    });
    $("status-retry").addEventListener("click", () => (connection.phase === "closed" ? startAgain() : tryNow()));
    $("status-settings").addEventListener("click", showSettings);
    window.addEventListener("storage", () => {
      // Who logs out in one tab has left this one too.
      if (rooms.has(HQ.name) && client && !client.hasRealtimeAuthToken()) leave();
    });
    document.addEventListener("visibilitychange", () => {
      if (document.hidden) return;
      unseen = 0;
      takeNews({ messages: 0, names: false });
    });
    setInterval(() => connection.phase === "retrying" && drawStatus(), 250);
    // "Today" does not stay today.
    setInterval(() => rooms.panels.forEach((panel) => panel.refresh()), 60_000);
  }

  function open() {
    listen();
    drawIdentity();
    $("second-tab").href = location.href;
    const { base, hash, complete } = findSettings();
    form.fill({ base, hash });
    if (typeof window.XanoClient !== "function") {
      showSettings();
      form.showError("The SDK is not built yet: run npm run build.");
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
      form.showError(error.message, $("base-url"));
    }
  }

  open();
})();
