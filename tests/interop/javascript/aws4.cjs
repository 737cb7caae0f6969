// Sends requests that the package aws4 signs; the endpoint and the keys come from the environment.
//
// `node aws4.cjs BUCKET KEY-ARN` asks KMS, S3 and STS, and ends with an error unless every answer is right.
"use strict";

const assert = require("node:assert");
const aws4 = require("aws4");

const endpoint = new URL(process.env.AWS_ENDPOINT_URL);
const transport = require(endpoint.protocol === "https:" ? "node:https" : "node:http");
const agent = new transport.Agent({ keepAlive: true, maxSockets: 1 });

// Signs the request for the endpoint and sends it; `options` are those of aws4.sign.
function send(options) {
  const signed = aws4.sign({ host: endpoint.host, region: "us-east-1", method: "GET", ...options });
  const { hostname, port } = endpoint;
  return new Promise((resolve, reject) => {
    const request = transport.request({ ...signed, host: hostname, hostname, port, agent }, (answer) => {
      const pieces = [];
      answer.on("data", (piece) => pieces.push(piece));
      answer.on("end", () => resolve({ status: answer.statusCode, body: Buffer.concat(pieces), headers: answer.headers }));
    });
    request.on("error", reject);
    request.end(signed.body);
  });
}

async function sendWell(options) {
  const answer = await send(options);
  assert.ok(answer.status < 300, `${options.method} ${options.path}: ${answer.status} ${answer.body}`);
  return answer;
}

async function kms(operation, members) {
  const headers = { "Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": `TrentService.${operation}` };
  const answer = await sendWell({ service: "kms", method: "POST", path: "/", headers, body: JSON.stringify(members) });
  return JSON.parse(answer.body);
}

async function useKeys(keyArn) {
  const context = { größe: "日本" };
  const made = await kms("GenerateDataKey", { KeyId: keyArn, KeySpec: "AES_256", EncryptionContext: context });
  const opened = await kms("Decrypt", { CiphertextBlob: made.CiphertextBlob, EncryptionContext: context });
  assert.strictEqual(opened.Plaintext, made.Plaintext);
}

// aws4 encodes the path that it signs by itself; what is sent is what the caller wrote.
async function useObjects(bucket) {
  const names = ["a b+c.txt", "größe/日本 (1)!*'.txt", "a//b/../c", "100%25&x=y?z#.txt"];
  for (const name of names) {
    const path = `/${bucket}/${encodeURIComponent(name).replace(/%2F/g, "/")}`;
    const headers = { "Content-Type": "text/plain", "X-Amz-Meta-Team": "  a   b " };
    await sendWell({ service: "s3", method: "PUT", path, headers, body: name });
    const read = await sendWell({ service: "s3", path: `${path}?response-content-type=text%2Fx%20y` });
    assert.deepStrictEqual([read.body.toString(), read.headers["content-type"]], [name, "text/x y"]);
    assert.strictEqual(read.headers["x-amz-meta-team"], "a   b");
  }
  const listed = await sendWell({ service: "s3", path: `/${bucket}?prefix=a%20b%2B&list-type=2&fetch-owner` });
  assert.match(listed.body.toString(), /<KeyCount>1<\/KeyCount>.*<Key>a b\+c.txt<\/Key>/s);
  const path = `/${bucket}/${encodeURIComponent(names[0])}?X-Amz-Expires=60`;
  const link = aws4.sign({ host: endpoint.host, service: "s3", region: "us-east-1", path, signQuery: true });
  const read = await fetch(`${endpoint.origin}${link.path}`);
  assert.deepStrictEqual([read.status, await read.text()], [200, names[0]]);
}

async function askWho() {
  const body = "Action=GetCallerIdentity&Version=2011-06-15";
  const posted = await sendWell({ service: "sts", method: "POST", path: "/", body });
  const asked = await sendWell({ service: "sts", path: `/?${body}` });
  for (const answer of [posted, asked]) assert.match(answer.body.toString(), /<Account>123456789012<\/Account>/);
  const link = aws4.sign({ host: endpoint.host, service: "sts", region: "us-east-1", path: `/?${body}`, signQuery: true });
  assert.strictEqual((await fetch(`${endpoint.origin}${link.path}`)).status, 200); // as a proof of who one is
}

async function main(bucket, keyArn) {
  await useKeys(keyArn);
  await useObjects(bucket);
  await askWho();
  agent.destroy();
  process.stdout.write("right\n");
}

main(...process.argv.slice(2));
