"""node.exe: V8 compiles while it runs, libuv has its own ideas of completion ports, pipes and sockets."""

from __future__ import annotations

import hashlib
from pathlib import Path

from . import corpus
from .conftest import Launcher

EVERYDAY = """\
const fs = require('fs'), crypto = require('crypto'), { execSync, spawnSync } = require('child_process');
console.log(JSON.stringify({ list: [1, 2.5, "\u011b"], nested: { yes: true } }));
fs.writeFileSync('made.txt', 'line\\n'.repeat(1000));
console.log(fs.statSync('made.txt').size, fs.readdirSync('tree').sort().join());
console.log(crypto.createHash('sha256').update(fs.readFileSync('made.txt')).digest('hex'));
const key = crypto.scryptSync('secret', 'salt', 32), iv = Buffer.alloc(12);
const cipher = crypto.createCipheriv('aes-256-gcm', key, iv);
console.log(Buffer.concat([cipher.update('text'), cipher.final(), cipher.getAuthTag()]).toString('hex'));
console.log(execSync('cmd /c echo from cmd').toString().trim());
const child = spawnSync(process.execPath, ['-e', `process.stdin.on('data', d => process.stdout.write('child: ' + d));
  process.on('exit', () => { process.exitCode = 3; })`], { input: 'through pipes' });
console.log(child.status, child.stdout.toString(), child.stderr.toString());
let sum = 0;
for (let i = 0; i < 5e6; i++) sum = (sum * 31 + i) | 0;
console.log(sum);
"""
ROUND_TRIP = """\
const http = require('http');
const server = http.createServer((request, response) => {
  let size = 0;
  request.on('data', data => { size += data.length; });
  request.on('end', () => response.end(`${request.method} ${request.url} ${size}`));
}).listen(0, '127.0.0.1', async () => {
  const ask = size => new Promise((resolve, reject) => {
    const options = { port: server.address().port, host: '127.0.0.1', method: 'POST', path: `/${size}` };
    http.request(options, answer => {
      let text = '';
      answer.on('data', data => { text += data; });
      answer.on('end', () => resolve(text));
    }).on('error', reject).end('x'.repeat(size));
  });
  for (const size of [0, 10, 1000000]) console.log(await ask(size));
  const fetched = await fetch(`http://127.0.0.1:${server.address().port}/fetched`);
  console.log(fetched.status, await fetched.text());
  server.close();
  server.closeAllConnections();
  setTimeout(() => console.log('later'), 20);
});
"""


def test_node_works_with_json_files_cryptography_and_children(launch: Launcher, tree: Path) -> None:
    (tree / "everyday.js").write_text(EVERYDAY)
    digest = hashlib.sha256(b"line\n" * 1000).hexdigest()
    assert [
        '{"list":[1,2.5,"\u011b"],"nested":{"yes":true}}',
        "5000 all bytes.bin,deep,empty,nothing inside,readme.txt",
        digest,
        "b3812c8b60fa4b27b1c5d8703d8911326c6a0e4f",
        "from cmd",
        "3 child: through pipes ",
        "2000872864",
    ] == launch(corpus.NODE, "everyday.js").decode().splitlines()


def test_node_serves_http_to_itself(launch: Launcher, tree: Path) -> None:
    (tree / "round_trip.js").write_text(ROUND_TRIP)
    assert ["POST /0 0", "POST /10 10", "POST /1000000 1000000", "200 GET /fetched 0", "later"] == launch(
        corpus.NODE, "round_trip.js").decode().splitlines()
