export const ERealtimeAction = Object.freeze({
  ConnectionStatus: "connection_status",
  Error: "error",
  Event: "event",
  History: "history",
  Join: "join",
  Leave: "leave",
  Message: "message",
  PresenceFull: "presence_full",
  PresenceUpdate: "presence_update",
});

export const ERealtimeConnectionStatus = Object.freeze({
  Connected: "connected",
  Disconnected: "disconnected",
});

export const ERealtimePresenceAction = Object.freeze({
  Join: "join",
  Leave: "leave",
});
