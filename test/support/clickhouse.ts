// Starts ClickHouse servers with an administrator, as someone else's servers have one, out of the embedded one's parts.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ServerChild } from "../../consumers/store/embedded-child.ts";
import {
  configPath,
  renderServerConfig,
  usersPath,
} from "../../consumers/store/embedded-config.ts";
import { findFreePort } from "../../consumers/store/free-port.ts";

export interface ClickHouseServer {
  readonly url: string;
  readonly tcpPort: number;
  /** Of the server's process. */
  readonly pid: number;
  /** Runs one statement as the administrator and returns the answer's text; throws with the server's message. */
  command(query: string, database?: string): Promise<string>;
  /** The same as any user. */
  ask(username: string, password: string, query: string, database?: string): Promise<string>;
  /** SIGKILL; {@link restart} starts it again on its data and port. */
  kill(): Promise<void>;
  restart(): Promise<void>;
  close(): Promise<void>;
}

const ADMIN = { username: "administrator", password: "the-administrator's" };

/** What the configuration shipped with ClickHouse sets, and the library leaves off. */
const strictAccess = `<access_control_improvements>
  <on_cluster_queries_require_cluster_grant>true</on_cluster_queries_require_cluster_grant>
  <select_from_system_db_requires_grant>true</select_from_system_db_requires_grant>
  <select_from_information_schema_requires_grant>true</select_from_information_schema_requires_grant>
  <table_engines_require_grant>true</table_engines_require_grant>
</access_control_improvements>`;

/** Servers that know each other as the shards of a cluster of one replica each. */
export async function startCluster(
  name: string,
  shardCount: number,
  users = "",
): Promise<ClickHouseServer[]> {
  const tcpPorts: number[] = [];
  while (tcpPorts.length < shardCount) tcpPorts.push(await findFreePort());
  const shards = tcpPorts
    .map(
      (port) => `<shard><internal_replication>true</internal_replication><replica>
        <host>127.0.0.1</host><port>${port}</port>
        <user>${ADMIN.username}</user><password>${ADMIN.password}</password></replica></shard>`,
    )
    .join("");
  const remote = `<remote_servers><${name}>${shards}</${name}></remote_servers>`;
  return Promise.all(tcpPorts.map((port) => start(port, remote, users)));
}

/** @param users statements that make users, profiles and grants; see schemas/users.sql */
export async function startClickHouse(users = ""): Promise<ClickHouseServer> {
  return start(await findFreePort(), "", users);
}

async function start(
  tcpPort: number,
  extraConfig: string,
  users: string,
): Promise<ClickHouseServer> {
  const dir = mkdtempSync(join(tmpdir(), "logboom-clickhouse-"));
  const config = renderServerConfig({
    dir,
    database: "unused",
    maxMemoryBytes: 900 * 1024 * 1024,
    writerPassword: "",
    readerPassword: "",
  });
  writeFileSync(
    configPath(dir),
    config.replace(
      "</clickhouse>",
      `<tcp_port>${tcpPort}</tcp_port>
      ${strictAccess}
      ${extraConfig}</clickhouse>`,
    ),
  );
  const own = usersXml(users);
  writeFileSync(
    usersPath(dir),
    `<clickhouse><profiles><default/>${own.profiles}</profiles><quotas><default/></quotas><users>
      <default><no_password/><networks><ip>127.0.0.1</ip></networks></default>
      <${ADMIN.username}><password>${ADMIN.password}</password><networks><ip>127.0.0.1</ip></networks>
        <access_management>1</access_management><named_collection_control>1</named_collection_control></${ADMIN.username}>
      ${own.users}</users></clickhouse>`,
  );
  const port = await findFreePort();
  const url = `http://127.0.0.1:${port}`;
  let child = new ServerChild({ dir, port, ...ADMIN });
  const ask: ClickHouseServer["ask"] = async (username, password, query, database = "default") => {
    const response = await fetch(url, {
      method: "POST",
      body: query,
      headers: {
        "X-ClickHouse-User": username,
        "X-ClickHouse-Key": password,
        "X-ClickHouse-Database": database,
        connection: "close",
      },
    });
    const text = await response.text();
    if (!response.ok) throw new Error(text);
    return text;
  };
  const command: ClickHouseServer["command"] = (query, database) =>
    ask(ADMIN.username, ADMIN.password, query, database);
  await child.waitUntilUp();
  if (extraConfig !== "") await command("SYSTEM START LISTEN TCP");
  return {
    url,
    tcpPort,
    get pid() {
      return child.pid;
    },
    command,
    ask,
    kill: async () => {
      process.kill(child.pid, "SIGKILL");
      await child.exited;
    },
    restart: async () => {
      rmSync(join(dir, "data/system"), { recursive: true, force: true });
      child = new ServerChild({ dir, port, ...ADMIN });
      await child.waitUntilUp();
    },
    close: async () => {
      await child.close(5_000);
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

/**
 * The library has no storage for users made by SQL, so they go into the users file, grants word for word.
 * Takes the three kinds of statement that schemas/users.sql has, and throws for others.
 */
function usersXml(sql: string): { profiles: string; users: string } {
  const profiles: string[] = [];
  const users = new Map<string, { head: string; grants: string[] }>();
  for (const statement of splitStatements(sql)) {
    const profile = /^CREATE SETTINGS PROFILE IF NOT EXISTS (\w+)\s+SETTINGS\s+(.*)$/s.exec(
      statement,
    );
    const user =
      /^CREATE USER IF NOT EXISTS (\w+)\s+IDENTIFIED WITH sha256_hash BY '(\w{64})'\s+SETTINGS PROFILE (\w+)$/.exec(
        statement,
      );
    const grant = /^(GRANT .*) TO (\w+)$/s.exec(statement);
    if (profile) profiles.push(profileXml(profile[1] ?? "", profile[2] ?? ""));
    else if (user) {
      const head = `<password_sha256_hex>${user[2]}</password_sha256_hex><profile>${user[3]}</profile>
        <networks><ip>127.0.0.1</ip></networks>`;
      users.set(user[1] ?? "", { head, grants: [] });
    } else if (grant) users.get(grant[2] ?? "")?.grants.push(`<query>${grant[1]}</query>`);
    else throw new Error(`a statement that a users file cannot say: ${statement}`);
  }
  const shown = [...users].map(
    ([name, { head, grants }]) => `<${name}>${head}<grants>${grants.join("")}</grants></${name}>`,
  );
  return { profiles: profiles.join(""), users: shown.join("") };
}

function profileXml(name: string, settings: string): string {
  const constraints: string[] = [];
  const values = settings.split(",").map((text) => {
    const match = /^\s*(\w+) = '?(\w+)'?(?: MIN (\w+))?(?: MAX (\w+))?\s*$/.exec(text);
    if (match === null) throw new Error(`a setting that a users file cannot say: ${text}`);
    const [, setting, value, min, max] = match;
    const bounds = `${min ? `<min>${min}</min>` : ""}${max ? `<max>${max}</max>` : ""}`;
    if (bounds !== "") constraints.push(`<${setting}>${bounds}</${setting}>`);
    return `<${setting}>${value}</${setting}>`;
  });
  return `<${name}>${values.join("")}<constraints>${constraints.join("")}</constraints></${name}>`;
}

/** The statements of a file without comments. */
export function splitStatements(sql: string): string[] {
  return sql
    .replace(/--.*$/gm, "")
    .split(";")
    .map((statement) => statement.trim())
    .filter((statement) => statement !== "");
}
