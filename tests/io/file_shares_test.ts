import assert from "node:assert/strict";
import { describeShares, FILE_SHARES, MIN_FILES, shareFiles } from "../../src/io/file_shares.ts";

for (const planes of [1, 2, 8]) {
  for (const limit of [64, 128, 256, 512, 1024, 4096, 20_000, 65_536, 1_048_576]) {
    Deno.test(`shares of ${limit} descriptors for ${planes} data planes fit, and none is empty`, () => {
      const { http, ...each } = shareFiles(limit, { planes, listeners: 4 * planes });
      const { encryptedStreams, upstreamStreams, upstreamSockets, clientStreams } = each;
      const open = 4 * planes + http +
        planes * (encryptedStreams + upstreamStreams + upstreamSockets + clientStreams);
      for (const files of [http, ...Object.values(each)]) assert.ok(files >= 1, `${files}`);
      assert.ok(each.total <= limit, `${each.total} in all`);
      if (limit < MIN_FILES * planes) return;
      assert.ok(open <= each.total, `${open} of ${each.total}`);
      assert.ok(open + FILE_SHARES.process.min <= limit, `${open} beside the process itself`);
      assert.ok(http >= FILE_SHARES.http.min);
      assert.ok(planes * upstreamSockets > FILE_SHARES.upstreamSockets.min - planes);
      assert.ok(planes * clientStreams >= 32, `${clientStreams} for clients`);
    });
  }
}

Deno.test("shares are as documented at 256, 1024 and 4096 descriptors, and without a limit", () => {
  const columns = [
    ...["limit", "total", "http", "encryptedStreams", "upstreamStreams", "upstreamSockets"],
    "clientStreams",
  ] as const;
  const rows = [
    [256, 256, 32, 16, 16, 85, 41],
    [1024, 1024, 128, 64, 64, 341, 361],
    [4096, 4096, 256, 256, 256, 1365, 1897],
    [Infinity, 14_658, 256, 1024, 1024, 8192, 4096],
  ];
  for (const row of rows) {
    const shares = shareFiles(row[0]!, { listeners: 2 });
    assert.deepEqual(shares, Object.fromEntries(columns.map((name, i) => [name, row[i]])));
  }
});

Deno.test("shares made small by a limit are logged", () => {
  assert.match(
    describeShares(shareFiles(1024))!,
    /^1024 file descriptors .* 363 TCP connections of clients, 341 UDP sockets .* 128 HTTP/,
  );
  assert.equal(describeShares(shareFiles(1_048_576)), null);
});
