/**
 * Who are you: the button that says it, and the dialogs behind it. Anonymous people choose a hero; who
 * has an account logs in, and can leave again.
 */
(() => {
  "use strict";

  const { HEROES, buildVouched, drawFace } = window.MarvelChat;
  const $ = (id) => document.getElementById(id);

  /** A dialog closes by its button, by Escape, and by a click beside it. */
  function makeClosable(dialog) {
    for (const button of dialog.querySelectorAll(".close")) button.addEventListener("click", () => dialog.close());
    dialog.addEventListener("click", (event) => {
      // Only the backdrop has the dialog itself as its target, as padding belongs to the children.
      if (event.target === dialog) dialog.close();
    });
  }

  class Identity {
    #me;
    #told;
    #isNew = false;
    #hasAccount = false;

    /**
     * @param {object} me
     * @param {object} told
     * @param {() => void} told.heroChosen
     * @param {(fields: {name?: string, email: string, password: string}) => Promise<void>} told.logIn
     *     rejects with an error for people
     * @param {() => void} told.logOut
     */
    constructor(me, told) {
      this.#me = me;
      this.#told = told;
      this.#buildHeroes();
      this.#listen();
      this.draw({ hasAccount: false, isInTheClear: false, elsewhere: "" });
    }

    /**
     * @param {object} now
     * @param {boolean} now.hasAccount    whether somebody has logged in
     * @param {boolean} now.isInTheClear  whether others could read the password
     * @param {string} now.elsewhere      the server's host, where it is not the page's own
     */
    draw({ hasAccount, isInTheClear, elsewhere }) {
      const { hero, member } = this.#me;
      this.#hasAccount = hasAccount;
      // Who that is, the server says with the first join.
      const name = hasAccount ? (member?.name ?? "Member") : hero;
      for (const place of [$("hero-name"), $("account-name")]) {
        place.replaceChildren(name, ...(hasAccount && member ? [buildVouched()] : []));
      }
      // Where it is narrow only the face is there to see.
      $("hero").setAttribute("aria-label", `You are ${name}, ${hasAccount ? "logged in" : "change"}`);
      for (const face of [$("hero-face"), $("account-face")]) drawFace(face, name);
      $("log-in").hidden = $("alone-hint").hidden = hasAccount;
      $("member-hint").hidden = !hasAccount;
      $("login-unsafe").hidden = !isInTheClear;
      $("login-elsewhere").hidden = !elsewhere;
      $("login-host").textContent = elsewhere;
      for (const option of $("hero-grid").children) {
        option.setAttribute("aria-pressed", String(option.dataset.hero === hero));
      }
    }

    /** Opens what the button is for: an account, or the choice of a hero. */
    open() {
      if (this.#hasAccount) {
        $("account-dialog").showModal();
        return;
      }
      $("hero-dialog").showModal();
      $("hero-grid").querySelector("[aria-pressed=true]").focus();
    }

    openLogin() {
      this.#setNew(false);
      $("login-dialog").showModal();
      $("login-email").focus();
    }

    #buildHeroes() {
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
          this.#me.hero = name;
          $("hero-dialog").close();
          this.#told.heroChosen();
        });
        $("hero-grid").append(option);
      }
    }

    #listen() {
      for (const id of ["hero-dialog", "login-dialog", "account-dialog"]) makeClosable($(id));
      $("hero").addEventListener("click", () => this.open());
      $("log-in").addEventListener("click", () => this.openLogin());
      $("login-switch").addEventListener("click", () => {
        this.#setNew(!this.#isNew);
        $(this.#isNew ? "login-name" : "login-email").focus();
      });
      $("login-form").addEventListener("submit", (event) => {
        event.preventDefault();
        this.#submit();
      });
      // A password stays in the page no longer than its dialog.
      $("login-dialog").addEventListener("close", () => ($("login-password").value = ""));
      $("log-out").addEventListener("click", () => {
        $("account-dialog").close();
        this.#told.logOut();
      });
    }

    /** Whether the form is for signing up. */
    #setNew(isNew) {
      this.#isNew = isNew;
      $("login-title").textContent = isNew ? "Sign up" : "Log in";
      $("login-submit").textContent = isNew ? "Sign up" : "Log in";
      $("login-switch-words").textContent = isNew ? "You have an account?" : "New here?";
      $("login-switch").textContent = isNew ? "Log in" : "Sign up";
      $("login-name-field").hidden = !isNew;
      // So that a password manager knows whether to offer one or to make one up.
      $("login-password").autocomplete = isNew ? "new-password" : "current-password";
      $("login-password-hint").hidden = !isNew;
      this.#showError("");
    }

    async #submit() {
      const [name, email, password] = ["login-name", "login-email", "login-password"].map((id) => $(id).value);
      this.#showError("");
      this.#setBusy(true);
      try {
        await this.#told.logIn({ ...(this.#isNew && { name }), email, password });
      } catch (error) {
        this.#setBusy(false);
        this.#showError(error.message, error.field);
        return;
      }
      this.#setBusy(false);
      $("login-dialog").close();
    }

    #setBusy(busy) {
      $("login-submit").disabled = $("login-switch").disabled = busy;
      $("login-form").setAttribute("aria-busy", String(busy));
    }

    #showError(words, field) {
      $("login-error").textContent = words;
      $("login-error").hidden = !words;
      const inputs = ["name", "email", "password"].map((each) => $(`login-${each}`));
      for (const input of inputs) input.setAttribute("aria-invalid", String(input.name === field));
      if (words) (inputs.find((input) => input.name === field) ?? $("login-password")).focus();
    }
  }

  window.MarvelChat = { ...window.MarvelChat, Identity };
})();
