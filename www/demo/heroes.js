/**
 * Heroes, and the drawn faces of everybody.
 */
(() => {
  "use strict";

  const SVG = "http://www.w3.org/2000/svg";
  const TONES = 10;

  /** Outlines on a 48 × 48 board, plain geometry on purpose: nobody's emblem. */
  const SHAPES = {
    burst: "M24 2l5 8 8-5 1 9 9 1-5 8 5 9-9 1-1 9-8-4-5 8-5-8-8 4-1-9-9-1 5-9-5-8 9-1 1-9 8 5z",
    circle: "M24 3a21 21 0 1 1 0 42 21 21 0 1 1 0-42z",
    cut: "M12 3h24l9 9v24l-9 9H12l-9-9V12z",
    diamond: "M24 1l22 23-22 23L2 24z",
    drop: "M45 3v22a21 21 0 1 1-21-22z",
    gem: "M11 4h26l9 15-22 27L2 19z",
    hexagon: "M24 2l20 11v22L24 46 4 35V13z",
    leaf: "M3 3h24a18 18 0 0 1 18 18v24H21A18 18 0 0 1 3 27z",
    slab: "M10 4h35l-7 40H3z",
    square: "M10 4h28a6 6 0 0 1 6 6v28a6 6 0 0 1-6 6H10a6 6 0 0 1-6-6V10a6 6 0 0 1 6-6z",
  };

  const HEROES = [
    { name: "Spider-Man", tone: 0, shape: "burst", initials: "SM" },
    { name: "Iron Man", tone: 4, shape: "hexagon", initials: "IM" },
    { name: "Storm", tone: 6, shape: "slab", initials: "ST" },
    { name: "Black Panther", tone: 2, shape: "diamond", initials: "BP" },
    { name: "Hulk", tone: 3, shape: "cut", initials: "HU" },
    { name: "Captain Marvel", tone: 5, shape: "gem", initials: "CM" },
    { name: "Wonder Woman", tone: 0, shape: "leaf", initials: "WW" },
    { name: "Batman", tone: 7, shape: "square", initials: "BM" },
    { name: "Superman", tone: 1, shape: "gem", initials: "SU" },
    { name: "The Flash", tone: 8, shape: "slab", initials: "FL" },
    { name: "Aquaman", tone: 9, shape: "drop", initials: "AQ" },
    { name: "Zatanna", tone: 2, shape: "circle", initials: "ZA" },
  ];
  const HERO_BY_NAME = new Map(HEROES.map((hero) => [hero.name, hero]));

  /** A stable small number for any name, so that strangers keep their colour. */
  function sum(name) {
    let total = 7;
    for (const letter of name) total = (total * 31 + letter.codePointAt(0)) % 65521;
    return total;
  }

  /** Looks of a name: a hero's own, or ones derived from the letters. */
  function looks(name) {
    const hero = HERO_BY_NAME.get(name);
    if (hero) return hero;
    const words = name.replace(/^Guest /, "").split(/[\s_.-]+/).filter(Boolean);
    const [first = "?", second] = words;
    const letters = second ? [[...first][0], [...second][0]] : [...first].slice(0, 2);
    const shapes = Object.keys(SHAPES);
    const total = sum(name);
    return {
      name,
      tone: total % TONES,
      shape: name.startsWith("Guest ") ? "circle" : shapes[Math.floor(total / TONES) % shapes.length],
      initials: letters.join("").toUpperCase(),
    };
  }

  function svg(tag, attributes) {
    const element = document.createElementNS(SVG, tag);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    return element;
  }

  /** Draws the face of `name` into `holder`, unless it is there already. */
  function drawFace(holder, name) {
    if (holder.dataset.name === name) return;
    const { tone, shape, initials } = looks(name);
    const picture = svg("svg", { viewBox: "0 0 48 48", "aria-hidden": "true", focusable: "false" });
    const text = svg("text", { x: 24, y: 30, "text-anchor": "middle" });
    text.textContent = initials;
    picture.append(
      svg("path", { d: SHAPES[shape], class: "face-fill" }),
      svg("path", { d: SHAPES[shape], class: "face-dots", fill: "url(#dots)" }),
      svg("path", { d: SHAPES[shape], class: "face-line" }),
      text,
    );
    holder.dataset.name = name;
    holder.dataset.tone = String(tone);
    holder.replaceChildren(picture);
  }

  window.MarvelChat = { ...window.MarvelChat, HEROES, drawFace };
})();
