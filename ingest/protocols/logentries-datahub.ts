// Logentries' DataHub: raw lines without a token, of the log that the port is bound to.
import type { Principal } from "../keys/permission.ts";
import type { LineProtocol } from "./line-protocol.ts";
import { logentriesLabels } from "./logentries.ts";
import { withLineBreaks } from "./logentries-token.ts";

/** @param token of the log; what comes while it is unknown or revoked is dropped */
export function logentriesDataHub(token: string): LineProtocol {
  return {
    name: "logentries-token",
    overflow: "split",
    open: (sink) => {
      let owner: Principal | undefined;
      let labels: ReturnType<typeof logentriesLabels> = {};
      return (line) => {
        if (line.length === 0) return;
        const principal = sink.find(token);
        if (principal === undefined) {
          sink.drop("unknown-key");
          return;
        }
        if (principal !== owner) {
          owner = principal;
          labels = logentriesLabels(principal);
        }
        sink.store(principal, { ...labels, message: withLineBreaks(line) }, line.length);
      };
    },
  };
}
