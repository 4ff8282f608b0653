// Tables that power queries look values up in: kept as files, one for each customer, of any size that a file may have.
import { afterAll, beforeAll, expect, test } from "vitest";
import { encodeEvents, eventAt, insertEvents } from "../../consumers/store/store-fixture.ts";
import { openVendorServer, type VendorServer } from "../logentries/vendor-fixture.ts";

let server: VendorServer;
const tokens: Record<string, string> = {};
const nowMs = Date.now();
const total = 9;

beforeAll(async () => {
  server = await openVendorServer();
  for (const [name, kind, customer] of [
    ["reader", "scalyr-read", "acme"],
    ["config", "scalyr-config", "acme"],
    ["otherReader", "scalyr-read", "other"],
  ] as const) {
    tokens[name] = (await server.createKey({ kind, customer })).secret;
  }
  const events = ["acme", "other"].flatMap((customer) =>
    Array.from({ length: total }, (_, n) =>
      eventAt(BigInt(nowMs) * 1_000_000n + BigInt(n), {
        customer,
        prefix3: "scalyr",
        attributes: { customerId: String(n % 3), price: "2" },
      }),
    ),
  );
  await insertEvents(server.opened.writer, encodeEvents(events), "1");
});

afterAll(async () => {
  await server[Symbol.asyncDispose]();
});

async function post(path: string, token: string, fields: object) {
  const response = await fetch(`${server.url}${path}`, {
    method: "POST",
    body: JSON.stringify({ token: tokens[token], ...fields }),
  });
  return { status: response.status, json: (await response.json()) as Record<string, unknown> };
}

async function put(path: string, content: string): Promise<void> {
  expect(await post("/putFile", "config", { path, content })).toMatchObject({ status: 200 });
}

function ask(lookup: string, token = "reader") {
  const query = `| group total = sum(price) by customerId | ${lookup}`;
  const span = { startTime: String(nowMs - 1_000), endTime: String(nowMs + 1_000) };
  return post("/api/powerQuery", token, { query, ...span });
}

const lookup = 'lookup name from "customers" by id = customerId';

test("a table in the vendor's relaxed JSON is looked up, a changed one from then on", async () => {
  await put(
    "/datatables/customers",
    `{
      // who buys
      columnNames: ["id", "name", "region"],
      rows: [
        [1, "Acme", "US"],
        [2, "BuyNLarge", null],
      ]
    }`,
  );
  expect(await ask(lookup)).toEqual({
    status: 200,
    json: {
      status: "success",
      matchingEvents: total,
      omittedEvents: 0,
      columns: [{ name: "customerId" }, { name: "total" }, { name: "name" }],
      values: [
        ["0", 6, null],
        ["1", 6, "Acme"],
        ["2", 6, "BuyNLarge"],
      ],
    },
  });
  await put("/datatables/customers", '{"columnNames":["id","name"],"rows":[["0","New"]]}');
  expect((await ask(`${lookup} | filter name == *`)).json["values"]).toEqual([["0", 6, "New"]]);
});

test("another customer has no such table", async () => {
  await put("/datatables/customers", '{"columnNames":["id","name"],"rows":[["0","New"]]}');
  const { status, json } = await ask(lookup, "otherReader");
  expect(status).toBe(400);
  expect(json["status"]).toBe("error/client/badParam");
  expect(json["message"]).toContain("there is no table customers");
});

test("a file of the largest size is looked up", async () => {
  // As many rows as fit; of equal ones the first counts.
  const rows = Array.from({ length: 9_000 }, (_, n) => [n, `customer "${n}" in 'ä\\'`]);
  await put(
    "/datatables/many",
    JSON.stringify({ columnNames: ["id", "name"], rows: [...rows, [2, "x"]] }),
  );
  const { json } = await ask("lookup name from many by id = number(customerId) * 4000 + 1");
  expect(json["values"]).toEqual([
    ["0", 6, `customer "1" in 'ä\\'`],
    ["1", 6, `customer "4001" in 'ä\\'`],
    ["2", 6, `customer "8001" in 'ä\\'`],
  ]);
  const twice = await ask(
    "lookup name from many by id = customerId | lookup other = name from many by id = customerId",
  );
  expect((twice.json["values"] as string[][])[2]).toEqual([
    "2",
    6,
    `customer "2" in 'ä\\'`,
    `customer "2" in 'ä\\'`,
  ]);
});

test("tables of more than the bound together are refused", async () => {
  const rows = Array.from({ length: 15_000 }, (_, n) => [n, "x".repeat(20)]);
  const names = ["a", "b", "c"];
  for (const name of names) {
    const columnNames = ["id", name];
    await put(`/datatables/${name}`, JSON.stringify({ columnNames, rows }));
  }
  const all = names.map((name) => `lookup ${name} from ${name} by id = customerId`).join(" | ");
  const { status, json } = await ask(all);
  expect(status).toBe(400);
  expect(json["message"]).toContain("more than 1048576 bytes, at offset 131");
});

test.for([
  ["", "invalid JSON at offset 0"],
  ["[]", "it is no object"],
  ["{columnNames: [}", "at offset"],
  ['{rows: [["a"]]}', "columnNames is no list of texts"],
  ["{columnNames: [1], rows: []}", "columnNames is no list of texts"],
  ["{columnNames: [], rows: []}", "columnNames is empty"],
  ['{columnNames: ["id", "id"], rows: []}', "has a name twice"],
  ['{columnNames: ["id"]}', "rows is no list"],
  ['{columnNames: ["id"], rows: [[1], [1, 2]]}', "row 1 is no list of 1 texts"],
  ['{columnNames: ["id"], rows: [[[]]]}', "row 0 is no list of 1 texts"],
] as const)("%s is no table", async ([content, why]) => {
  await put("/datatables/bad", content);
  const { status, json } = await ask("lookup id from bad by id = customerId");
  expect(status).toBe(400);
  expect(json["message"]).toContain("the file /datatables/bad is no table");
  expect(json["message"]).toContain(why);
});
