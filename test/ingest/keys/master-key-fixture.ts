// A master key as the environment gives one.
import { randomBytes } from "node:crypto";
import { MasterKey } from "../../../ingest/keys/master-key.ts";

export function makeMasterKey(): MasterKey {
  return new MasterKey({
    LOGBOOM_MASTER_KEY: randomBytes(32).toString("hex"),
    LOGBOOM_DATA_DIR: "/nowhere",
  });
}
