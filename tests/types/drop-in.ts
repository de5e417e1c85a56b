// Code as it is typed for @xano/js-sdk. It is compiled twice: as it stands, and for our package.

import {
  XanoBaseStorage,
  XanoClient,
  XanoContentType,
  XanoCookieStorage,
  XanoFile,
  XanoLocalStorage,
  XanoNodeClient,
  XanoObjectStorage,
  XanoRequestError,
  XanoRequestType,
  XanoResponse,
  XanoSessionStorage,
  XanoStorageKeys,
} from "@xano/js-sdk";
import type { XanoClientConfig, XanoFormData, XanoRequestParams } from "@xano/js-sdk";

class Memory extends XanoBaseStorage {
  private items: Record<string, string> = {};
  clear(): void {
    this.items = {};
  }
  getAll(): Record<string, string> {
    return this.items;
  }
  getItem(key: string): string | null {
    return this.items[key] ?? null;
  }
  removeItem(key: string): void {
    delete this.items[key];
  }
  setItem(key: string, value: string): void {
    this.items[key] = value;
  }
}

const storages: XanoBaseStorage[] = [
  new Memory(),
  new XanoCookieStorage("/", 7),
  new XanoLocalStorage(),
  new XanoObjectStorage(),
  new XanoSessionStorage(),
];

const config: Partial<XanoClientConfig> = {
  apiGroupBaseUrl: "https://x.io/api:1",
  authToken: null,
  customAxiosRequestConfig: { headers: { "X-A": "b" }, params: { a: 1 }, timeout: 1_000, withCredentials: true, httpsAgent: {} },
  dataSource: "live",
  instanceBaseUrl: null,
  realtimeAuthToken: null,
  realtimeConnectionCanonical: "x",
  realtimeConnectionHash: null,
  responseObjectPrefix: "p_",
  storage: storages[0],
};

class Own extends XanoClient {
  users(): Promise<XanoResponse> {
    return this.get("/users", { page: 1 }, { "X-Call": "1" }, (event) => {
      const text: string = event.data + event.id + event.type;
      return [text, event.dataAsJSON()];
    });
  }
}

export async function use(): Promise<unknown[]> {
  const xano: XanoClient = new Own(config).setAuthToken("t").setRealtimeAuthToken(null).setDataSource("x");
  const node = new XanoNodeClient({ apiGroupBaseUrl: "https://x.io/api:1", storage: new XanoObjectStorage() });
  const answers: XanoResponse[] = [
    await xano.delete("/users/1", { a: 1 }),
    await xano.head("/users", { a: 1 }),
    await xano.patch("/users/1", { a: 1 }, {}),
    await xano.post("/users", { a: 1 }, {}, (event) => event.data),
    await node.put("/users/1", { file: new XanoFile("a.txt", new Uint8Array(1) as any) }),
  ];
  const status: number = answers[0].getStatusCode();
  const key: string = XanoStorageKeys.AuthToken + XanoStorageKeys.RealtimeAuthToken + XanoContentType.JSON;
  const method: XanoRequestType = XanoRequestType.GET;
  const request: XanoRequestParams = { endpoint: "/users", method };
  const form: XanoFormData = { formData: null, hasFile: false, rawFormData: {} };
  const error = new XanoRequestError("There was an error with your request", answers[0]);
  const body: any = error.getResponse().getBody("p_");
  const flags: boolean[] = [xano.hasAuthToken(), xano.hasRealtimeAuthToken(), xano.hasDataSource()];
  const channel = xano.realtimeReconnect().channel("a", { history: true, presence: true, queueOfflineActions: false });
  // Their names of actions are an enum that they do not export.
  const message = "message" as any;
  channel.on(message, (action: any) => action.payload.text, (error: any) => error.payload.message);
  channel.on((action: any) => action.client?.extras.name, (error: any) => error).on((action: any) => action.options?.channel);
  channel.message({ text: "Hello" }, { authenticated: true });
  channel.message("Hello", { socketId: "one" });
  channel.message(null);
  channel.history();
  for (const member of channel.getPresence()) {
    const who: string = member.socketId + member.extras.name + member.permissions.dbo_id;
    member.message(who);
    member.history();
  }
  const where: string = channel.channel + String(channel.options.history);
  channel.destroy();
  return [status, key, request, form, body, error.message, flags, where, answers[1].getHeaders()["content-type"]];
}
