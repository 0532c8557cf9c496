// A bcoin full node on regtest, alone: it opens its RPC on a free port of the
// loopback, says where, and neither listens for peers nor seeks any. All in
// memory. Ends with its standard input. NODE_PATH says where bcoin is.
'use strict';

const { FullNode } = require('bcoin');

const node = new FullNode({
  network: 'regtest',
  memory: true,
  listen: false,
  workers: false,
  logConsole: false,
  httpHost: '127.0.0.1',
  httpPort: 0,
  apiKey: process.env.BCOIN_API_KEY,
});

(async () => {
  await node.ensure();
  // Without connect() it has no peers.
  await node.open();
  console.log(`rpc 127.0.0.1:${node.http.http.address().port}`);
  process.stdin.resume();
  process.stdin.on('end', () => process.exit(0));
})().catch((error) => {
  console.error(error.stack);
  process.exit(1);
});
