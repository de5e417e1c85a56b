// What every fixture does with the SDK that it was given: it joins the chat, says something, and
// answers with what came back. A plain script, since a page on a disk can load nothing else.

globalThis.chat = async (XanoClient, { server, hash, text }) => {
  const client = new XanoClient({ instanceBaseUrl: server, realtimeConnectionCanonical: hash });
  try {
    return await new Promise((resolve, reject) => {
      const channel = client.channel("marvel-chat-room");
      channel.on(
        ({ action, payload }) => action === "message" && payload === text && resolve(`heard: ${payload}`),
        ({ payload }) => reject(new Error(payload.message)),
      );
      channel.message(text);
    });
  } finally {
    client.destroy();
  }
};

/** The same in a page, whose address says with whom. */
globalThis.show = async (XanoClient) => {
  const settings = Object.fromEntries(new URLSearchParams(location.search));
  document.body.textContent = await globalThis
    .chat(await XanoClient, settings)
    .catch((error) => `failed: ${error.stack ?? error}`);
};
