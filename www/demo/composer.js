/**
 * The field to write in, with its button and its hint.
 */
(() => {
  "use strict";

  const LIMIT = 2000;
  const COUNT_FROM = 1800;

  class Composer {
    #form;
    #input;
    #button;
    #hint;
    #submitted;
    #typed;
    #label;
    #blocked = "";
    #note = "";

    /**
     * @param {HTMLFormElement} form
     * @param {{id: string, label: string, placeholder: string}} names  the field's id and what it is for
     * @param {{submitted: (text: string) => void, typed: () => void}} told  `typed` with each change
     */
    constructor(form, { id, label, placeholder }, { submitted, typed }) {
      this.#form = form;
      this.#input = form.querySelector("textarea");
      this.#button = form.querySelector("button");
      this.#hint = form.querySelector(".hint");
      this.#submitted = submitted;
      this.#typed = typed;
      this.#label = placeholder;
      this.#input.placeholder = placeholder;
      this.#input.id = `message-${id}`;
      this.#hint.id = `hint-${id}`;
      this.#input.setAttribute("aria-describedby", this.#hint.id);
      form.querySelector("label").htmlFor = this.#input.id;
      form.querySelector("label").textContent = label;
      this.#listen();
    }

    /** What is written and not sent yet. */
    get draft() {
      return this.#input.value;
    }

    set draft(text) {
      this.#input.value = text;
      this.#drawHint();
    }

    get blocked() {
      return this.#blocked !== "";
    }

    focus() {
      this.#input.focus();
    }

    /** Closes the field and says why, or opens it where there is no reason; the draft stays. */
    block(why) {
      if (why === this.#blocked) return;
      this.#blocked = why;
      this.#input.disabled = this.#button.disabled = this.blocked;
      this.#input.placeholder = why || this.#label;
      this.#drawHint();
    }

    /** What there is to know while there is nothing to say of the draft. */
    set note(words) {
      this.#note = words;
      this.#drawHint();
    }

    #listen() {
      this.#form.addEventListener("submit", (event) => {
        event.preventDefault();
        this.#submit();
      });
      this.#input.addEventListener("keydown", (event) => {
        // Enter also ends a word in an input method; that one is not for us. Safari tells it by 229 alone.
        if (event.key !== "Enter" || event.shiftKey || event.isComposing || event.keyCode === 229) return;
        event.preventDefault();
        this.#submit();
      });
      this.#input.addEventListener("input", () => {
        this.#drawHint();
        if (this.draft) this.#typed();
      });
    }

    #submit() {
      if (this.blocked) return;
      const text = this.draft.trim();
      if (!text) {
        this.#hint.textContent = "Write something first.";
        return;
      }
      this.draft = "";
      this.#submitted(text.slice(0, LIMIT));
      this.focus();
    }

    #drawHint() {
      const left = LIMIT - this.draft.length;
      const count = left <= LIMIT - COUNT_FROM ? `${left} of ${LIMIT} characters left` : "";
      // A draft hides the placeholder, which would say it otherwise.
      const words = this.blocked && this.draft ? this.#blocked : count || this.#note;
      if (this.#hint.textContent !== words) this.#hint.textContent = words;
      this.#hint.dataset.full = String(left <= 0);
    }
  }

  window.MarvelChat = { ...window.MarvelChat, Composer };
})();
