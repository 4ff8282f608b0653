// The vendors' routes over a real store and log, with keys to ask them.
import { TokenStore, type TokenRequest } from "../../../ingest/tokens.ts";
import { openTestStore, type TestStore } from "../../consumers/store/store-fixture.ts";
import { makeMasterKey } from "../../ingest/keys/master-key-fixture.ts";
import { openTempLog, type TempLog } from "../../ingest/log/log-fixture.ts";
import { serveVendors } from "../vendor-fixture.ts";

export interface VendorServer extends AsyncDisposable {
  readonly url: string;
  readonly opened: TestStore;
  readonly temp: TempLog;
  readonly tokens: TokenStore;
  /** Makes a key of the customer "acme" unless said otherwise. */
  createKey(
    request: Partial<TokenRequest> & Pick<TokenRequest, "kind">,
  ): Promise<{ readonly id: string; readonly secret: string }>;
}

export async function openVendorServer(): Promise<VendorServer> {
  const opened = await openTestStore();
  const temp = await openTempLog();
  const tokens = await TokenStore.open(temp.log, { masterKey: makeMasterKey() });
  const server = await serveVendors({ log: temp.log, store: opened.reader, tokens });
  return {
    url: server.url,
    opened,
    temp,
    tokens,
    createKey: async (request) => {
      const { record, secret } = await tokens.create({
        customer: "acme",
        prefixes: ["", "", "", ""],
        ...request,
      });
      return { id: record.id, secret };
    },
    [Symbol.asyncDispose]: async () => {
      await server[Symbol.asyncDispose]();
      await tokens.close();
      await temp[Symbol.asyncDispose]();
      await opened[Symbol.asyncDispose]();
    },
  };
}
