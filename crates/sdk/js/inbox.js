// Where frames come in and listeners are called. A call between here and the core costs as much as most
// of what is done with a frame, so a frame is taken apart here, with one call for it and one for each
// listener. What it means is decided there.

/** Gives `hand` the frames of a socket. */
export function attach(socket, hand) {
  // What the core was told last. Mostly the next frame is about the same.
  let action, channel;
  const take = (frame, steady, wall) => {
    const kind = frame?.action;
    const place = frame?.options?.channel ?? undefined;
    if (typeof kind !== "string" || (place !== undefined && typeof place !== "string")) {
      return hand(undefined, undefined, NaN, steady, wall);
    }
    const about = kind === action && place === channel ? undefined : [(action = kind), (channel = place)];
    if (frame.client === null) frame.client = undefined;
    hand(frame, about, typeof frame.seq === "number" ? frame.seq : NaN, steady, wall);
  };
  // Who asks first is called first.
  socket.onmessage = (event) => {
    // `ws` for Node.js has no such method, and gloo sees the frame in vain.
    event.stopImmediatePropagation?.();
    const [steady, wall] = [performance.now(), Date.now()];
    let data;
    try {
      data = JSON.parse(event.data);
    } catch {
      // No frame.
    }
    if (!Array.isArray(data) || data.length === 0) return take(data, steady, wall);
    // What came together; each is handled as if it had come alone.
    for (const frame of data) take(frame, steady, wall);
  };
}

/** What a listener throws is reported the way the browser reports what an event handler throws. */
export function call(listener, argument) {
  try {
    listener(argument);
  } catch (error) {
    // Missing in Node.js.
    if (globalThis.reportError) reportError(error);
    else console.error(error);
  }
}
