// Loggly's account: what is known of the customer and their users.
import type { Principal } from "../../ingest/keys/permission.ts";
import type { Reply } from "../exchange/exchange.ts";
import type { VendorOptions } from "../exchange/vendor-options.ts";

/**
 * `/apiv2/customer`. Tokens are named by their ids: their secrets are not kept. There is no volume limit.
 */
export function showCustomer(
  { tokens, config }: Pick<VendorOptions, "tokens" | "config">,
  { customer }: Principal,
): Reply {
  const inputs = tokens
    .list()
    .filter(
      (record) =>
        record.customer === customer &&
        record.kind === "loggly-input" &&
        record.revokedAt === undefined &&
        (record.expiresAt === undefined || Date.parse(record.expiresAt) > Date.now()),
    );
  return {
    json: {
      tokens: inputs.map(({ id }) => id),
      subdomain: customer,
      subscription: { retention_days: config.LOGBOOM_RETENTION_DAYS, volume_limit_mb: null },
    },
  };
}

/** `/apiv2/user-list` */
export function listUsers(
  { records }: Pick<VendorOptions, "records">,
  { customer }: Principal,
): Reply {
  const users = records.list({ customer, collection: "logentries-user" }).map(({ value }) => {
    const { email, first_name, last_name } = value as Record<string, string | undefined>;
    return { username: email, email, first_name, last_name };
  });
  return { json: { message: "success", users } };
}
