// Where a client keeps its tokens. Applications bring their own by extending XanoBaseStorage.

export class XanoBaseStorage {
  static name = "XanoBaseStorage";
}

export class XanoObjectStorage extends XanoBaseStorage {
  static name = "XanoObjectStorage";
  #items = new Map();

  clear() {
    this.#items.clear();
  }

  getAll() {
    return Object.fromEntries(this.#items);
  }

  getItem(key) {
    return this.#items.get(key) ?? null;
  }

  removeItem(key) {
    this.#items.delete(key);
  }

  setItem(key, value) {
    this.#items.set(key, value);
  }
}

/** A page's own storage. Where there is none, as on a server, or it is forbidden, as in a sandboxed
 * frame, this object remembers. */
const pageStorage = (name) =>
  class extends XanoBaseStorage {
    #memory = new XanoObjectStorage();

    #area() {
      try {
        // Some servers have an object of this name that cannot do anything.
        if (globalThis[name].getItem) return globalThis[name];
      } catch {
        // Not there, or a SecurityError.
      }
      return this.#memory;
    }

    clear() {
      this.#area().clear();
    }

    getAll() {
      const area = this.#area();
      return area === this.#memory ? area.getAll() : { ...area };
    }

    getItem(key) {
      return this.#area().getItem(key);
    }

    removeItem(key) {
      this.#area().removeItem(key);
    }

    setItem(key, value) {
      this.#area().setItem(key, value);
    }
  };

export class XanoLocalStorage extends pageStorage("localStorage") {
  static name = "XanoLocalStorage";
}

export class XanoSessionStorage extends pageStorage("sessionStorage") {
  static name = "XanoSessionStorage";
}

export class XanoCookieStorage extends XanoBaseStorage {
  static name = "XanoCookieStorage";

  constructor(cookiePath = "/", expirationDays = 30) {
    super();
    this.cookiePath = cookiePath;
    this.expirationDays = expirationDays;
  }

  #write(key, value, days) {
    const expires = new Date(Date.now() + days * 86_400_000).toUTCString();
    document.cookie = `${key}=${value}; expires=${expires}; path=${this.cookiePath}`;
  }

  clear() {
    Object.keys(this.getAll()).forEach((key) => this.removeItem(key));
  }

  getAll() {
    // Without cookies there is one part, and it is empty.
    const parts = (globalThis.document?.cookie ?? "").split("; ").filter(Boolean);
    return Object.fromEntries(
      parts.map((part) => {
        const [key, ...value] = part.split("=");
        return [key, decode(value.join("="))];
      }),
    );
  }

  getItem(key) {
    const all = this.getAll();
    return Object.hasOwn(all, key) ? all[key] : null;
  }

  removeItem(key) {
    this.#write(key, "", -1);
  }

  setItem(key, value) {
    // What would end the value, or be taken for an escape; tokens have nothing of it.
    const safe = `${value}`.replace(/[%;\s]/g, encodeURIComponent);
    this.#write(key, safe, this.expirationDays);
  }
}

function decode(value) {
  try {
    return decodeURIComponent(value);
  } catch {
    // Somebody else's cookie.
    return value;
  }
}
