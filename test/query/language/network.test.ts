// Networks in CIDR notation against Node.js's own block lists.
import * as fc from "fast-check";
import { BlockList } from "node:net";
import { expect, test } from "vitest";
import { isInNetwork, readNetwork } from "../../../query/language/network.ts";

test.for([
  "",
  "10",
  "10.0.0.0/33",
  "256.0.0.0/8",
  "01.2.3.4",
  "::/129",
  "fe80::%1/64",
  "a.b.c.d",
  "10.0.0.0/",
])("%s is no network", (text) => {
  expect(readNetwork(text)).toBeUndefined();
});

test.for([
  ["10.0.0.0/8", "10.255.0.1", true],
  ["10.0.0.0/8", "11.0.0.1", false],
  ["10.1.2.3", "10.1.2.3", true],
  ["10.1.2.3/0", "255.255.255.255", true],
  ["::ffff:0:0/96", "::ffff:1.2.3.4", true],
  ["10.0.0.0/8", "::ffff:10.0.0.1", false],
  ["fe80::/10", "febf::1", true],
  ["fe80::/10", "fec0::1", false],
  ["10.0.0.0/8", "10.0.0.1 ", false],
  ["10.0.0.0/8", "10.00.0.1", false],
] as const)("%s holds %s: %s", ([network, address, expected]) => {
  const read = readNetwork(network);
  expect(read !== undefined && isInNetwork(read, address)).toBe(expected);
});

test("random addresses are in the networks that Node.js puts them in", () => {
  const near = fc.tuple(fc.ipV4(), fc.integer({ min: 0, max: 32 }), fc.ipV4());
  const far = fc.tuple(fc.ipV6(), fc.integer({ min: 0, max: 128 }), fc.ipV6());
  fc.assert(
    fc.property(fc.oneof(near, far), ([network, bits, address]) => {
      const family = network.includes(":") ? "ipv6" : "ipv4";
      const list = new BlockList();
      list.addSubnet(network, bits, family);
      const read = readNetwork(`${network}/${String(bits)}`);
      expect(read && [network, address].map((each) => isInNetwork(read, each))).toEqual([
        true,
        list.check(address, family),
      ]);
    }),
  );
});
