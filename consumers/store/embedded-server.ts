// The embedded ClickHouse: a child process that runs the server inside libchdb until its stdin closes.
// usage: node embedded-server.ts LIBCHDB DIR CONFIG PORT.
import ffi from "node:ffi";

const [library, dir, config, port] = process.argv.slice(2);
if (!library || !dir || !config || !port) {
  throw new Error("usage: embedded-server.ts LIBCHDB DIR CONFIG PORT");
}

// The library holds all of `clickhouse local`. Its second query blocks on stdin: the server lives
// exactly as long as the parent's pipe, whichever way the parent ends. spawn() makes stdin a
// socket, hence '-' and not '/dev/stdin' (ENXIO).
const args = [
  "clickhouse",
  `--path=${dir}`,
  `--config-file=${config}`,
  "--listen_host=127.0.0.1",
  `--http_port=${port}`,
  // logger.level of the configuration is ignored by `clickhouse local`
  "--log-level=warning",
  "--query=SYSTEM START LISTEN HTTP; SELECT count() FROM file('-', 'LineAsString', 'line String') FORMAT Null",
];

const { functions } = ffi.dlopen(library, {
  chdb_query_cmdline: { arguments: ["i32", "pointer"], return: "pointer" },
});
// C's argv: pointers to NUL-terminated strings, closed by a null pointer; `strings` keeps them alive.
const strings = args.map((arg) => Buffer.from(`${arg}\0`));
const argv = new BigUint64Array(args.length + 1);
strings.forEach((string, index) => {
  argv[index] = ffi.getRawPointer(string);
});
functions.chdb_query_cmdline(args.length, ffi.getRawPointer(argv));
process.exit(0);
