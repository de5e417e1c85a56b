/**
 * The lines of a log: days, notes and messages, each drawn from what it is about.
 */
(() => {
  "use strict";

  const { buildVouched, drawFace } = window.MarvelChat;
  const DELIVERY_WORDS = new Map([["sending", "sending…"], ["waiting", "waiting…"], ["failed", "not sent"]]);

  const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
  const fullTime = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "medium" });

  function dayName(ts, now) {
    const date = new Date(ts);
    const midnight = new Date(now).setHours(0, 0, 0, 0);
    // Rounded, as a day may have 23 or 25 hours.
    const daysAgo = Math.round((midnight - new Date(ts).setHours(0, 0, 0, 0)) / 864e5);
    if (daysAgo === 0) return "Today";
    if (daysAgo === 1) return "Yesterday";
    const year = date.getFullYear() === new Date(now).getFullYear() ? undefined : "numeric";
    return new Intl.DateTimeFormat(undefined, { weekday: "long", day: "numeric", month: "long", year }).format(date);
  }

  function setText(element, text) {
    if (element.textContent !== text) element.textContent = text;
  }

  /** Draws at the next frame, however often that is asked for until then. */
  function atNextFrame(draw) {
    let scheduled = false;
    const run = () => {
      scheduled = false;
      draw();
    };
    return () => {
      if (scheduled) return;
      scheduled = true;
      // Hidden tabs get no animation frames.
      if (document.hidden) setTimeout(run, 100);
      else requestAnimationFrame(run);
    };
  }

  function cloneTemplate(id) {
    return document.getElementById(id).content.firstElementChild.cloneNode(true);
  }

  function buildDay() {
    const line = document.createElement("div");
    line.className = "day";
    line.append(document.createElement("span"));
    return line;
  }

  function drawDay(line, ts, now) {
    setText(line.firstElementChild, dayName(ts, now));
  }

  function drawNote(line, { words, alarming }) {
    line.dataset.testid = "note";
    line.dataset.alarming = alarming;
    setText(line.firstElementChild, words);
  }

  /** @param {boolean} fresh whether it makes an entrance */
  function buildMessage(fresh, retry) {
    const element = cloneTemplate("message-template");
    element.classList.toggle("fresh", fresh);
    element.addEventListener("animationend", () => element.classList.remove("fresh"));
    element.querySelector("[data-testid=retry]").addEventListener("click", retry);
    return element;
  }

  /** What each element shows, so that only changes are drawn. */
  const drawn = new WeakMap();

  /** @param {boolean} connected what is under way without a connection waits for one */
  function drawMessage(element, { entry, author, grouped }, connected) {
    const delivery = entry.delivery === "sending" && !connected ? "waiting" : entry.delivery;
    const now = [entry, author, grouped, delivery];
    if (drawn.get(element)?.every((part, index) => part === now[index])) return;
    drawn.set(element, now);
    Object.assign(element.dataset, { own: entry.own, grouped, delivery, server: entry.server, kind: entry.kind });
    drawFace(element.querySelector(".face"), author);
    element.dataset.tone = element.querySelector(".face").dataset.tone;
    element.querySelector(".author").replaceChildren(author, ...(entry.person.member ? [buildVouched()] : []));
    setText(element.querySelector(".text span"), entry.text);
    const time = element.querySelector("time");
    time.hidden = entry.ts === null;
    if (entry.ts !== null) {
      setText(time, clock.format(entry.ts));
      time.dateTime = new Date(entry.ts).toISOString();
      time.title = fullTime.format(entry.ts);
    }
    setText(element.querySelector(".delivery"), DELIVERY_WORDS.get(delivery) ?? "");
    element.querySelector("[data-testid=retry]").hidden = delivery !== "failed";
  }

  window.MarvelChat = { ...window.MarvelChat, atNextFrame, buildDay, buildMessage, cloneTemplate, drawDay, drawMessage, drawNote, setText };
})();
